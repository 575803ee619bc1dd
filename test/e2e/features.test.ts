/** docs/features.md against the package and the tests; and what its rows name that no other test holds. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const dist = (entry = '') => join(root, 'dist', entry, 'index.js')
const recurra = (await import(dist())) as typeof import('../../src/index.ts')

const rows = readFileSync(join(root, 'docs/features.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (?:-+ \||\w+ +\| In Recurra)/.test(line))
  .map((line) => {
    const [what, api, held] = line.slice(2, -2).split(' | ')
    return { what: what!.trim(), api: api!, held: held! }
  })

/** What stands for a model, its data and its parts in the lines of the tables. */
const STANDING_FOR = `
declare const net: recurra.Model
declare const [flow, encoded, context]: [recurra.Flow, recurra.Flow, recurra.Flow]
declare const batch: data.Batch
declare const batches: data.Batches
declare const x: number[][][]
declare const y: number[]
declare const mask: number[][]
declare const [inputs, targets, series]: [recurra.Tensor, recurra.Tensor, recurra.Tensor]
declare const states: Record<string, recurra.Tensor>
declare const ids: Int32Array
declare const [text, sql]: [string, string]
declare const table: data.Table
declare const bytes: Uint8Array
declare const value: recurra.Value
declare const [graph, inputs64, sizes]: Parameters<typeof graphs.interpret>
const loss = 'meanSquaredError'
`
const ENTRIES = {
  recurra: '',
  data: 'data',
  graphs: 'graph',
  inspect: 'inspect',
  train: 'train',
  cells: 'cells',
}

test('every line of code in the tables compiles, and names what the package exports', async () => {
  const exported = new Map<string, string>()
  for (const entry of Object.values(ENTRIES)) {
    for (const name of Object.keys(await import(dist(entry)))) {
      if (!exported.has(name)) exported.set(name, entry)
    }
  }
  const scripts = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts as object
  const lines: string[] = []
  for (const { what, api } of rows) {
    const spans = [...api.matchAll(/`([^`]+)`/g)].map((match) => match[1]!)
    expect(spans.length > 0 || api.includes(']('), `${what}: code or a link`).toBe(true)
    for (const span of spans) {
      const script = /^npm run ([\w:]+)/.exec(span)?.[1]
      if (script === undefined) lines.push(span)
      else expect(Object.keys(scripts), what).toContain(script)
    }
  }
  const used = new Set(
    lines.flatMap((line) => [...line.matchAll(/(?<![.\w])\w+(?=[(<.])/g)].map(([name]) => name)),
  )
  const named = [...used].filter((name) => exported.has(name))
  const source = [
    ...Object.entries(ENTRIES).map(([name, entry]) => `import * as ${name} from '${dist(entry)}'`),
    ...named.map((name) => `import { ${name} } from '${dist(exported.get(name))}'`),
    STANDING_FOR,
    ...lines,
  ].join('\n')
  const folder = mkdtempSync(join(tmpdir(), 'recurra-features-'))
  try {
    const file = join(folder, 'features.ts')
    writeFileSync(file, source)
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    const program = ts.createProgram([file], {
      ...{ strict: true, noEmit: true, skipLibCheck: true, types: [] },
      ...{ target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.NodeNext },
    })
    const errors = ts.getPreEmitDiagnostics(program).map(({ messageText, start }) => {
      const line = source.slice(0, start).split('\n').length - 1
      return `${source.split('\n')[line]}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
    })
    expect(errors).toEqual([])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('every test that the tables name is there', () => {
  const missing: string[] = []
  for (const { what, held } of rows) {
    const named = [...held.matchAll(/\[[\w-]+\]\(\.\.\/([\w/.-]+\.test\.ts)\) "(.*?)"(?:; |\s*$)/g)]
    if (named.length === 0 || named.length !== held.split('](').length - 1) missing.push(`${what}: ${held}`)
    for (const [, file, name] of named) {
      const text = existsSync(join(root, file!)) ? readFileSync(join(root, file!), 'utf8') : ''
      // A title, its beginning before …, or the name of a row of a table of tests.
      const title = name!.replace(/…$/, '').replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
      const end = name!.endsWith('…') ? '' : '[\'"`]'
      const known = new RegExp(`['"\`]${title}${end}|\\n\\s+${title}:`)
      if (!known.test(text)) missing.push(`${what}: ${file} "${name}"`)
    }
  }
  expect(missing).toEqual([])
})

test('weights begin as in Keras', () => {
  const { elman, embedding, gru, lstm, sequential } = recurra
  const input = { shape: [null, 3], dtype: 'f32' } as const
  const of = (layer: ReturnType<typeof lstm>) => {
    const weights = sequential([layer], { input }).weights(1)
    return (name: string) => weights.get(`${layer.kind}/${name}`)!
  }
  const own = of(lstm({ units: 4 }))
  expect(Array.from(own('b').data)).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0])
  const bias = of(lstm({ units: 4, unitForgetBias: false }))('b').data
  expect(new Set(bias)).toEqual(new Set([0]))
  const limit = Math.sqrt(6 / (3 + 16))
  expect(Math.max(...own('U').data.map(Math.abs))).toBeLessThanOrEqual(limit)
  const W = own('W')
  expect(W.shape).toEqual([4, 16])
  const row = (i: number) => Array.from(W.data.slice(16 * i, 16 * i + 16))
  for (let i = 0; i < 4; i++) {
    for (let j = 0; j < 4; j++) {
      const product = row(i).reduce((sum, value, k) => sum + value * row(j)[k]!, 0)
      expect(product).toBeCloseTo(i === j ? 1 : 0, 6)
    }
  }
  const recurrentInitializer = { kind: 'identity', gain: 1 } as const
  const identity = of(elman({ units: 2, recurrentInitializer }))
  expect([Array.from(identity('W').data), Array.from(identity('b').data)]).toEqual([
    [1, 0, 0, 1],
    [0, 0],
  ])
  expect(of(gru({ units: 4 }))('b').data.length).toBe(2 * 12)
  expect(of(gru({ units: 4, resetAfter: false }))('b').data.length).toBe(12)
  const tokens = sequential([embedding({ inputDim: 50, outputDim: 8 })], {
    input: { shape: [null], dtype: 'i32' },
  })
  const largest = Math.max(...tokens.weights(1).get('embedding/E')!.data.map(Math.abs))
  expect([largest > 0.04, largest <= 0.05 + 1e-8]).toEqual([true, true])
})

test('states are returned of the layers that say so, or of all', async () => {
  const { gru, lstm, predictWithStates, sequential } = recurra
  const x = [[[0.1], [0.2]]]
  const paths = async (returnState: boolean) => {
    const layers = [lstm({ units: 2, returnSequences: true }), gru({ units: 2, returnState })]
    return Object.keys((await predictWithStates(sequential(layers), x)).states)
  }
  expect(await paths(true)).toEqual(['gru/h'])
  expect(await paths(false)).toEqual(['lstm/h', 'lstm/c', 'gru/h'])
})

test('an encoder hands its states to a decoder', async () => {
  const { call, input, lstm, model, predictWithStates, sequential } = recurra
  const [source, target] = [input({ shape: ['Tsource', 2] }), input({ shape: ['Ttarget', 1] })]
  const encoded = source.to(lstm({ units: 4, name: 'encoder' }))
  const decoder = lstm({ units: 4, returnSequences: true, name: 'decoder' })
  const whole = model({
    inputs: { source, target },
    outputs: call(decoder, [target], { initialState: encoded }),
  })
  const values = {
    source: [
      [
        [0.1, 0.9],
        [0.5, 0.3],
        [0.2, 0.7],
      ],
      [[0.4, 0.6]],
    ],
    target: [
      [[0.3], [0.8]],
      [[0.6], [0.1]],
    ],
  }
  const { output } = await predictWithStates(whole, values)

  const part = (name: string, features: number) => {
    const layer = lstm({ units: 4, returnSequences: true, name })
    const own = sequential([layer], { input: { shape: [null, features], dtype: 'f32' } })
    own.setWeights(new Map([...whole.weights()].filter(([path]) => path.startsWith(`${name}/`))))
    return own
  }
  const { states } = await predictWithStates(part('encoder', 2), values.source)
  const initialState = { 'decoder/h': states['encoder/h']!, 'decoder/c': states['encoder/c']! }
  const byHand = await predictWithStates(part('decoder', 1), values.target, { initialState })
  expect(output).toEqual(byHand.output)
  const fromZeros = await predictWithStates(part('decoder', 1), values.target)
  expect(output).not.toEqual(fromZeros.output)
})
