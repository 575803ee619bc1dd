/** The command line as users have it: the built program, run in a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, existsSync, openSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeSafetensors } from '../../src/io/safetensors.ts'

const program = resolve(import.meta.dirname, '../../dist/cli/main.js')
const small = ['--units', '16', '--batch', '4', '--steps', '16']
const words = ['wind', 'the sea', 'and', 'a light', 'comes', 'over', 'stone', 'of']
const text = Array.from({ length: 900 }, (_, i) => words[((i * i + 3 * i) % 7) ^ (i & 1)]).join(' ')

let folder: string
let trained: Result

interface Result {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

function recurra(
  args: readonly string[],
  seen?: (stdout: string, child: ChildProcess) => void,
  output?: string,
) {
  const env = { ...process.env, NO_COLOR: '1' }
  const target = output === undefined ? 'pipe' : openSync(output, 'w')
  const stdio = ['ignore', target, 'pipe'] as const
  const child = spawn(process.execPath, [program, ...args], { cwd: folder, env, stdio: [...stdio] })
  if (typeof target === 'number') closeSync(target)
  let [stdout, stderr] = ['', '']
  child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    stdout += part
    seen?.(stdout, child)
  })
  child.stderr!.setEncoding('utf8').on('data', (part: string) => {
    stderr += part
  })
  return new Promise<Result>((done) => child.on('close', (code) => done({ code, stdout, stderr })))
}

const file = (name: string) => join(folder, name)
const sha256 = async (name: string) =>
  createHash('sha256')
    .update(await readFile(file(name)))
    .digest('hex')

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'recurra-cli-'))
  await writeFile(file('text.txt'), text)
  await writeFile(file('empty.txt'), '')
  await writeFile(file('binary.txt'), Uint8Array.of(0x89, 0x50, 0, 1))
  await writeFile(file('latin1.txt'), Uint8Array.of(0x63, 0x61, 0x66, 0xe9))
  await writeFile(file('short.txt'), 'To be, or not to be')
  await writeFile(file('kept.txt'), 'stays as it is')
  const foreign = { data: Float32Array.of(1), shape: [1], dtype: 'f32' } as const
  await writeFile(file('foreign'), writeSafetensors(new Map([['w', foreign]])))
  trained = await recurra(['train', 'text.txt', ...small, '--epochs', '1', '--out', 'model'])
  const model = await readFile(file('model'))
  await writeFile(file('damaged'), model.with(-1, model.at(-1)! ^ 1))
  await writeFile(file('cut'), model.subarray(0, model.length - 100))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

test('training tells where it saves, how it goes and how well it went', () => {
  expect(trained).toMatchObject({ code: 0, stderr: '' })
  const order = [
    'saves to model',
    'progress ',
    'saved model after 75 steps',
    'held out: ',
    'n-gram: ',
    'next: ',
  ]
  expect(trained.stdout).toMatch(new RegExp(order.join('.*'), 's'))
  expect(trained.stdout).toMatch(/^held out: \d\.\d{3} bits per character/m)
  expect(trained.stdout).toMatch(/^n-gram: +\d\.\d{3} \(Witten–Bell, 3 preceding characters\)/m)
  expect(trained.stdout).toMatch(/^next: .*generate model --prompt wind /m)
})

test('the same seed writes the same text', async () => {
  const args = ['generate', 'model', '--prompt', 'the sea', '--length', '60', '--temperature', '0.7']
  const [once, again, other] = [
    await recurra(args),
    await recurra(args),
    await recurra([...args, '--seed', '3']),
  ]
  expect(once).toMatchObject({ code: 0, stderr: '' })
  expect(once.stdout).toMatch(/^the sea.{60}\n$/s)
  expect(again.stdout).toBe(once.stdout)
  expect(other.stdout).not.toBe(once.stdout)
})

test('the same seed gives the same file, another seed another one', async () => {
  for (const [name, seed] of [
    ['b', '7'],
    ['c', '7'],
    ['d', '8'],
  ] as const) {
    const args = ['train', 'text.txt', ...small, '--epochs', '1', '--seed', seed, '--out', name]
    expect((await recurra(args)).code).toBe(0)
  }
  expect(await sha256('c')).toBe(await sha256('b'))
  expect(await sha256('d')).not.toBe(await sha256('b'))
})

test.each(['SIGINT', 'SIGTERM'] as const)('%s saves what was learnt', async (signal) => {
  const args = ['train', 'text.txt', ...small, '--seconds', '50', '--out', signal]
  const stopped = await recurra(args, (stdout, child) => {
    if (stdout.includes('progress ') && !child.killed) child.kill(signal)
  })
  expect(stopped).toMatchObject({ code: 130, stderr: '' })
  expect(stopped.stdout).toMatch(new RegExp(`^stopped: ${signal} has what was learnt$`, 'm'))
  expect((await recurra(['generate', signal, '--length', '9'])).code).toBe(0)
})

const train = (...args: string[]) => ['train', ...args, '--out', 'kept.txt']
const cases: [string, string[], number, RegExp][] = [
  ['an empty file', train('empty.txt'), 1, /empty\.txt: .*empty/],
  ['a binary file', train('binary.txt'), 1, /binary\.txt: .*byte 2 is zero/],
  ['a file that is not UTF-8', train('latin1.txt'), 1, /latin1\.txt: .*byte 3 \(0xe9\)/],
  ['a text shorter than a batch', train('short.txt'), 1, /19 characters.*at least 1139/],
  ['a missing file', train('nowhere.txt'), 1, /cannot read nowhere\.txt/],
  ['a folder for a file', train('.'), 1, /cannot read \.: it is a folder/],
  ['an unknown flag', train('--unit', '3'), 2, /'--unit' \(Did you mean --units\?\)/],
  ['an unknown command', ['trian'], 2, /'trian' \(Did you mean train\?\)/],
  ['no units', train('--units', '0'), 2, /--units .*from 1 to 4096/],
  ['negative rows', train('--batch', '-1'), 2, /--batch .*'-1'/],
  ['half a step', train('--steps', '1.5'), 2, /--steps .*'1\.5'/],
  ['no epochs', train('--epochs', '0'), 2, /--epochs .*at least 1/],
  ['seconds that are no number', train('--seconds', 'NaN'), 2, /--seconds .*'NaN'/],
  ['two lengths of training', train('--seconds', '1', '--epochs', '1'), 2, /cannot be used with/],
  ['a rate of 0', train('--learning-rate', '0'), 2, /--learning-rate .*above 0/],
  [
    'a rate that blows up',
    train('text.txt', ...small, '--learning-rate', '1e30'),
    1,
    /not finite|loss is|norm/,
  ],
  ['a negative seed', train('--seed', '-1'), 2, /--seed .*'-1'/],
  ['a missing folder to save in', ['train', 'text.txt', '--out', 'no/m'], 1, /there is no folder no/],
  ['a folder to save as', ['train', 'text.txt', '--out', '.'], 1, /cannot write \.: it is not a file/],
  ['nowhere to save', ['train', 'text.txt', '--out', ''], 2, /--out .*name of a file/],
  ['saving over the text', ['train', 'kept.txt', '--out', 'kept.txt'], 1, /it is a text to train on/],
  ['no model', ['generate'], 2, /missing required argument 'MODEL'/],
  ['a missing model', ['generate', 'nowhere'], 1, /cannot read nowhere/],
  ['a model that is a text', ['generate', 'text.txt'], 1, /text\.txt: not a valid safetensors file/],
  ['a damaged model', ['generate', 'damaged'], 1, /damaged: the file is damaged/],
  ['a truncated model', ['generate', 'cut'], 1, /cut: not a valid/],
  ["another program's model", ['generate', 'foreign'], 1, /foreign: not a valid model file/],
  ['an unknown character', ['generate', 'model', '--prompt', 'the Σ'], 1, /the prompt has "Σ", .* knows "/],
  ['a prompt of controls', ['generate', 'model', '--prompt', 'a\n\u001b'], 1, /the prompt has "\\n"/],
  ['explain of no model', ['explain', 'text.txt'], 1, /text\.txt: not a valid safetensors file/],
  ['an unknown backend', ['explain', 'model', '--backend', 'x'], 2, /Allowed choices are native, wasm/],
  ['no length', ['generate', 'model', '--length', '0'], 2, /--length .*at least 1/],
  ['a negative temperature', ['generate', 'model', '--temperature', '-1'], 2, /--temperature .*at least 0/],
]

test.each(cases)('%s: one line, and nothing is written', async (_, args, code, message) => {
  const before = await readdir(folder)
  const result = await recurra(args)
  expect(result.stderr).toMatch(/^recurra: [^\n]+\n$/)
  expect(result.stderr).toMatch(message)
  expect(result.code).toBe(code)
  expect(await readFile(file('kept.txt'), 'utf8')).toBe('stays as it is')
  expect(await readdir(folder)).toEqual(before)
})

const full = '/dev/full'
test.skipIf(!existsSync(full))(
  `a full disk behind the output is a failure${existsSync(full) ? '' : ' (skipped: no /dev/full)'}`,
  async () => {
    const written = await recurra(['generate', 'model', '--length', '20'], undefined, full)
    expect(written).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^recurra: cannot write the output: .*\n$/),
    })
    expect((await recurra(['--help'], undefined, full)).code).toBe(1)
    const args = ['train', 'text.txt', ...small, '--epochs', '1', '--out', 'unseen']
    const unseen = await recurra(args, undefined, full)
    expect(unseen).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^recurra: cannot write the output: .*\n$/),
    })
    expect((await recurra(['generate', 'unseen', '--length', '9'])).code).toBe(0)
  },
)

test('a reader of the output that goes away is none', async () => {
  const gone = await recurra(['generate', 'model', '--length', '5000'], (_, child) => child.stdout!.destroy())
  expect(gone).toMatchObject({ code: 0, stderr: '' })
})

test('explain, with a profile', async () => {
  const { code, stdout } = await recurra(['explain', 'model', '--batch', '2', '--steps', '3', '--profile'])
  expect(code).toBe(0)
  expect(stdout).toMatch(/bytes for B 2, T 3/)
  expect(stdout).toMatch(/wasm, one thread: [\d.]+ ms a call; peak of a product: \d+ GFLOP/)
})

test('help and version', async () => {
  expect(await recurra(['--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('generate') })
  expect(await recurra(['train', '--help'])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('--epochs'),
  })
  expect((await recurra(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
})
