/** The examples and studies as a reader runs them, against the built package. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

const examples = fileURLToPath(new URL('../../examples/', import.meta.url))
let folder: string

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
  return { status, stdout, stderr }
}
const study = (...args: string[]) => run(join(examples, 'studies/run.mjs'), ...args)

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'recurra-studies-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** The cells of the line that begins so. */
function cells(text: string, begin: string): string[] {
  const line = text.split('\n').find((each) => each.trim().startsWith(begin))
  return (line ?? '').trim().slice(begin.length).trim().split(/ {2,}/)
}

test('the word that went wrong: its error reaches every word before it, and one step down the sums mends it', () => {
  const { status, stdout, stderr } = run(join(examples, 'wrong-word.mjs'))
  expect([status, stderr]).toEqual([0, ''])
  const steps = [0, 1, 2].map((t) => cells(stdout, `t = ${t}`))
  expect(steps.map(([word]) => word)).toEqual(['she', 'sang', 'a'])
  const numbers = steps.map((row) => row.slice(1).map(Number))
  for (const [t, [reached, U, W, V]] of numbers.entries()) {
    expect([reached! > 0, U! > 0, W! > 0, V! > 0]).toEqual([true, true, t > 0, t === 2])
  }
  const sums = cells(stdout, 'gradient').map(Number)
  for (const [i, sum] of sums.entries()) {
    expect(sum).toBeGreaterThan(0)
    expect(sum).toBeLessThanOrEqual(numbers.reduce((all, row) => all + row[i + 1]!, 0) + 1e-3)
  }
  expect(sums[2]).toBe(numbers[2]![3])
  const [before, after] = [...stdout.matchAll(/she sang a …\s+expected: (.*)/g)].map((match) => match[1]!)
  expect(before).toMatch(/^speech .*; it was: song$/)
  expect(after).toMatch(/^song /)
})

test('new molecules: what is written is judged, and some of it is new', () => {
  const { status, stdout, stderr } = run(
    join(examples, 'molecules.mjs'),
    '--molecules',
    '600',
    '--units',
    '64',
  )
  expect([status, stderr]).toEqual([0, ''])
  const [, written, valid, news] = stdout
    .match(/(\d+) written: (\d+) are molecules, (\d+) of them new/)!
    .map(Number)
  expect(written).toBe(100)
  expect(valid).toBeGreaterThan(5)
  expect([news! > 0, news! <= valid!]).toEqual([true, true])
  expect(run(join(examples, 'molecules.mjs'), '--units', '0').stderr).toMatch(
    /--units must be a whole number of at least 1; received 0/,
  )
}, 60_000)
test('the three designs: what Design 1 solves, and Design 2 with a wide output, Design 2 forced cannot; it has no loop', () => {
  const { status, stdout, stderr } = run(join(examples, 'designs.mjs'))
  expect([status, stderr]).toEqual([0, ''])
  const floor = Number(cells(stdout, 'floor of Design 2:')[0])
  const rows = [...stdout.matchAll(/^ *\d+((?: +\d\.\d{4} +\d+%){4})$/gm)].map(([, row]) =>
    [...row!.matchAll(/(\S+) +(\d+)%/g)].map(([, loss, told]) => [Number(loss), Number(told)] as const),
  )
  expect(rows.length).toBe(8)
  // Printed to four digits.
  for (const row of rows) expect(row[1]![0]).toBeGreaterThanOrEqual(floor - 5e-5)
  const [one, two, wide, three] = rows.at(-1)!
  for (const [loss, told] of [one!, wide!, three!]) expect([loss < floor / 100, told]).toEqual([true, 100])
  expect(two![1]).toBe(50)
  expect(cells(stdout, 'free')[0]).toMatch(/a step forward .* a step back/)
  expect(cells(stdout, 'forced')[0]).not.toMatch(/a step/)
})

test('the study of gradients: tables, and files with every number', () => {
  const [T, H, radii] = [12, 6, [0.5, 2]]
  const sizes = ['--units', String(H), '--steps', String(T), '--rows', '3', '--truncate', '4']
  const { status, stdout, stderr } = study(
    'gradients',
    ...sizes,
    '--radius',
    radii.join(','),
    '--out',
    'files',
  )
  expect([status, stderr]).toEqual([0, ''])

  const rows = readFileSync(join(folder, 'files/gradients.csv'), 'utf8').trim().split('\n').slice(1)
  const norms = new Map(
    rows.map((row) => [row.slice(0, row.lastIndexOf(',')), Number(row.slice(row.lastIndexOf(',') + 1))]),
  )
  expect(norms.size).toBe(radii.length * 10 * T)
  const norm = (net: string, radius: number, lag: number) => norms.get(`"${net}",h,${radius},${lag}`)!
  // |φ′| ≤ 1/4: with W of radius 1/2 a sigmoid's gradient vanishes; a ReLU's grows by the radius where all units are on.
  expect(norm('Elman, sigmoid', 0.5, T - 1) / norm('Elman, sigmoid', 0.5, 0)).toBeLessThan(4 ** (1 - T))
  for (const [net, radius] of [
    ['Elman, tanh', 0.5],
    ['Elman, ReLU', 2],
  ] as const) {
    const shown = cells(stdout.slice(stdout.indexOf(`spectral radius ${radius} `)), net)
    expect(Number(shown[0])).toBeCloseTo(norm(net, radius, 1) / norm(net, radius, 0), 2)
  }
  const svg = readFileSync(join(folder, 'files/gradients.svg'), 'utf8')
  expect(svg.match(/<polyline points="[\d., -]+"/g)?.length).toBe(radii.length * 10)
  expect(svg).not.toMatch(/NaN|undefined/)

  expect(cells(stdout, 'truncated').map((cell) => cell === '0')).toEqual([false, false, false, true, true])
  expect(stdout).toMatch(/Up to lag 3 .*\n0 of what it is without; the largest beyond is 0\n/)
  expect(stdout).toMatch(/Replayed in f64, it begins with .* \(beyond f32\)/)
  const clipped = stdout.split('\n').filter((line) => line.includes('clipGlobalNorm 1 '))
  expect(clipped.map((line) => line.trim().split(/ {2,}/).at(-1))).toEqual(['1.00', '1.00', '1.00'])
  const sharing = stdout.slice(stdout.indexOf('Parameters:'))
  for (const [net, gates, biases] of [
    ['Elman, tanh', 1, H],
    ['GRU', 3, 2 * H],
    ['LSTM', 4, H],
  ] as const) {
    const shared = gates * (4 * H + H * H + biases) + H + 1
    expect(cells(sharing, net).map(Number)).toEqual([shared, ...[1, 10, 100, 1000].map((t) => t * shared)])
  }
})

test('the spectral radius of W is what eigenvalues say, complex and defective ones too', () => {
  const matrices = [
    [0, -2, 2, 0],
    [1, 5, 0, 0.5],
    [3, 1, 0, 3],
    [0, 1, 0, 0],
  ]
  const script = `import { spectralRadius } from ${JSON.stringify(join(examples, 'studies/spectral-radius.mjs'))}
    for (const A of ${JSON.stringify(matrices)}) console.log(spectralRadius(Float64Array.from(A), 2))`
  const values = run('--input-type=module', '--eval', script).stdout.trim().split('\n').map(Number)
  for (const [i, radius] of [2, 1, 3, 0].entries()) expect(values[i]).toBeCloseTo(radius, 4)
})

test('--help, and what is wrong is named', () => {
  const help = study('--help')
  expect([help.status, help.stderr]).toEqual([0, ''])
  expect(help.stdout).toMatch(/^Usage: npm run study/)
  writeFileSync(join(folder, 'file'), '')
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /name of a study: gradients/],
    [['gradient'], /study 'gradient'.*gradients/],
    [['gradients', 'more'], /study 'more'/],
    [['gradients', '--units', '1'], /--units.*at least 2.*'1'/],
    [['gradients', '--steps', 'many'], /--steps.*'many'/],
    [['gradients', '--truncate', '50'], /--truncate.*from 1 to 49.*'50'/],
    [['gradients', '--radius', '0.9,'], /--radius.*'0.9,'/],
    [['gradients', '--radius', '-1'], /--radius/],
    [['gradients', '--cells', 'gru'], /--cells/],
    [['gradients', '--out', 'file/inside'], /--out.*file\/inside/],
  ]
  for (const [args, message] of wrong) {
    const { status, stderr } = study(...args)
    expect(stderr, args.join(' ')).toMatch(message)
    expect(stderr).toMatch(/^study: .*\nSee: npm run study -- --help\n$/s)
    expect(status).toBe(2)
  }
})
