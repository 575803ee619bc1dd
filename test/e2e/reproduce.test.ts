/** The command that measures published results again, on its fastest tasks. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

const command = fileURLToPath(new URL('../../reproduce/run.mjs', import.meta.url))
let folder: string

function reproduce(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], {
    cwd: folder,
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}
const measure = (...args: string[]) => reproduce(...args, '--saved', 'saved', '--json', 'rows.json')
const rows = () => JSON.parse(readFileSync(join(folder, 'rows.json'), 'utf8'))

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'recurra-reproduce-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

test('a count and a training: rows, and the table of a document', () => {
  const { status, stdout } = measure('keras-parameters', 'two-sines-next/linear', '--quick')
  expect(status).toBe(0)
  expect(stdout).toMatch(/^keras-parameters\/lstm-128 += 98816 +98816 +yes/m)
  const all = rows()
  expect(all.map(({ reached }: { reached: boolean }) => reached)).toEqual(all.map(() => true))
  const linear = all.at(-1)
  expect(linear).toMatchObject({ name: 'two-sines-next/linear', published: 0.0042, direction: 'at most' })
  expect(linear.seeds).toEqual([{ seed: 1, value: linear.value, seconds: linear.seconds }])
  // Of the noise, uniform within ±0.05, no forecast knows anything.
  expect(linear.value).toBeGreaterThan(0.1 ** 2 / 12)

  const page = join(folder, 'page.md')
  writeFileSync(page, 'before\n<!-- results -->\nold\n<!-- /results -->\nafter\n')
  expect(reproduce('table', 'rows.json', '--markdown', page).status).toBe(0)
  const text = readFileSync(page, 'utf8')
  expect(text).toMatch(/^before\n<!-- results -->\n\n\| Figure .*\n<!-- \/results -->\nafter\n$/s)
  expect(text.replaceAll(/ +/g, ' ')).toContain(
    `| \`two-sines-next/linear\` | validation MSE | ≤ 0.0042 | ${linear.value.toPrecision(3)} |`,
  )
  const table = text.split('\n').filter((line) => line.startsWith('|'))
  expect(new Set(table.map(({ length }) => length)).size).toBe(1)
  expect(text).not.toContain('old')
})

test('--full goes on from what was saved; without it all is measured anew', () => {
  const first = measure('two-sines-next/linear', '--full')
  expect(first.status).toBe(0)
  const measured = rows()
  expect(measured[0].seeds.map(({ seed }: { seed: number }) => seed)).toEqual([1, 2, 3])
  const values = measured[0].seeds.map(({ value }: { value: number }) => value)
  expect(measured[0]).toMatchObject({
    value: values.toSorted((a: number, b: number) => a - b)[1],
    spread: [Math.min(...values), Math.max(...values)],
  })
  measure('two-sines-next/linear', '--full')
  expect(rows()).toEqual(measured)
  measure('two-sines-next/linear', '--quick', '--seeds', '2')
  expect(rows()[0].seeds).toHaveLength(2)
  expect(rows()[0].seeds[0].value).toBe(measured[0].seeds[0].value)
  expect(rows()[0].seeds[0].seconds).not.toBe(measured[0].seeds[0].seconds)
})

test('Nadam, which the library does not have, follows its formula', async () => {
  const load = (path: string) => import(new URL(`../../${path}`, import.meta.url).href)
  const [{ nadam }, { dense, fit, sequential, tensor }] = [
    await load('reproduce/nadam.mjs'),
    await load('dist/index.js'),
  ]
  const [x, y, rate, steps] = [1.5, 2, 0.01, 5]
  const net = sequential([dense({ units: 1, useBias: false })], { input: { shape: [1], dtype: 'f32' } })
  const [path] = [...net.weights().keys()]
  net.setWeights(new Map([[path, tensor([[0.5]])]]))
  const batch = { inputs: tensor([[x]]), targets: tensor([[y]]), reset: true }
  const optimizer = nadam({ learningRate: rate })
  await fit(net, [batch], { loss: 'meanSquaredError', optimizer, epochs: steps })

  let [w, m, v, product] = [0.5, 0, 0, 1]
  for (let t = 1; t <= steps; t++) {
    const g = 2 * x * (x * w - y)
    const [now, then] = [t, t + 1].map((power) => 0.9 * (1 - 0.5 * 0.96 ** power)) as [number, number]
    product *= now
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g * g
    const mean = (then * m) / (1 - product * then) + ((1 - now) * g) / (1 - product)
    w -= (rate * mean) / (Math.sqrt(v / (1 - 0.999 ** t)) + 1e-7)
  }
  expect(net.weights().get(path).data[0]).toBeCloseTo(w, 5)
})

test('Ctrl-C leaves after the step under way', async () => {
  const child = spawn(
    process.execPath,
    [command, 'keras-parameters/lstm-128', 'adding-100', '--saved', 'stopped'],
    {
      cwd: folder,
    },
  )
  let text = ''
  child.stdout.on('data', (chunk) => {
    text += chunk
    if (String(chunk).includes('Adding')) setTimeout(() => child.kill('SIGINT'), 200)
  })
  const code = await new Promise((resolve) => child.on('exit', resolve))
  expect(code).toBe(130)
  expect(text).toMatch(/stopped; figures: 1\./)
})

test('--help, and what is wrong is named', () => {
  const help = reproduce('--help')
  expect([help.status, help.stderr]).toEqual([0, ''])
  expect(help.stdout).toMatch(/^Usage: npm run reproduce[\s\S]*two-sines-next/)
  writeFileSync(join(folder, 'file'), '{}')
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /a name: all, keras-parameters/],
    [['two-sine'], /name 'two-sine'.*all, .*two-sines-next/],
    [['two-sines-next/mean'], /'two-sines-next\/mean'.*two-sines-next\/linear/],
    [['all', '--quick', '--full'], /--quick or --full/],
    [['all', '--markdown', 'page'], /--markdown/],
    [['all', '--epochs', '3'], /--epochs/],
    [['all', '--seeds', '0'], /--seeds.*at least 1.*'0'/],
    [['all', '--json', 'file/inside'], /--json.*file\/inside/],
    [['all', '--saved', 'file/inside'], /--saved.*file\/inside/],
    [['table'], /a file that --json wrote/],
    [['table', 'absent'], /absent/],
    [['table', 'file'], /file holds no rows/],
    [['table', 'rows.json', '--markdown', 'file'], /file has no lines <!-- results -->/],
  ]
  for (const [args, message] of wrong) {
    const { status, stderr } = reproduce(...args)
    expect(stderr, args.join(' ')).toMatch(message)
    expect(stderr).toMatch(/^reproduce: .*\nSee: npm run reproduce -- --help\n$/s)
    expect(status).toBe(2)
  }
})

const experiment = (name: string, ...args: string[]) =>
  spawnSync(process.execPath, [join(dirname(command), 'experiments', `${name}.mjs`), ...args], {
    encoding: 'utf8',
  })
const hasNumPy = spawnSync('python3', ['-c', 'import numpy']).status === 0

test.each(['adding-chance', 'echo-state'])(
  'the experiment %s: one number a seed; --help; what is wrong is named',
  (name) => {
    expect(experiment(name, '--help').stdout).toMatch(
      new RegExp(`^Usage: node .*${name}.mjs \\[SEEDS\\]\\n\\nPrints`),
    )
    for (const args of [['0'], ['many'], ['2', '3']]) {
      const { status, stderr } = experiment(name, ...args)
      expect([status, stderr]).toEqual([2, expect.stringMatching(/^[-a-z]+: .*SEEDS.*received .*\n$/)])
    }
    if (name === 'echo-state' && !hasNumPy) return
    const { status, stdout } = experiment(name, '2')
    const errors = stdout.trim().split(' ').map(Number)
    expect(status).toBe(0)
    expect(errors).toHaveLength(2)
    // A series within ±½, and sums of two numbers between 0 and 1: no error is as large as 1.
    for (const each of errors) expect(each > 0.05 && each < 1).toBe(true)
  },
)
