/** Gradients on their way back through time: each state's of each step, and what each step gives to the weights. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Cell, defineCell } from '../../src/cells/define.ts'
import { elmanCell } from '../../src/cells/elman.ts'
import { gruCell } from '../../src/cells/gru.ts'
import { lstmCell } from '../../src/cells/lstm.ts'
import { glorotUniform } from '../../src/init/initializers.ts'
import { traceFlow } from '../../src/inspect/flow-graph.ts'
import { type GradientFlowOptions, gradientFlow } from '../../src/inspect/index.ts'
import { bidirectional } from '../../src/layers/bidirectional.ts'
import { dense } from '../../src/layers/dense.ts'
import { embedding } from '../../src/layers/embedding.ts'
import type { Layer } from '../../src/layers/layer.ts'
import { layerNorm } from '../../src/layers/layer-norm.ts'
import type { Model } from '../../src/layers/model.ts'
import { elman, lstm, recurrent } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { RecurraError } from '../../src/tensor/errors.ts'
import { constantOf, evaluateSize } from '../../src/tensor/size.ts'
import { elementCount, tensor } from '../../src/tensor/tensor.ts'
import { fit } from '../../src/train/fit.ts'
import { sgd } from '../../src/train/optimizers.ts'
import { evaluate, predict } from '../../src/train/predict.ts'
import { batchOf, f32, i32, lstmNet, sequenceOf, squared, tokensOf } from './models.ts'
import { type Named, openWasm, outside, random, runOracle, traceLoss } from './support.ts'

type Vector = readonly number[]
type States = Readonly<Record<string, Vector>>

const sigmoid = (value: number) => 1 / (1 + Math.exp(-value))
const zip = (of: (...values: number[]) => number, ...vectors: Vector[]) =>
  vectors[0]!.map((_, j) => of(...vectors.map((vector) => vector[j]!)))
/** v A of the columns from … to of a matrix with `width` of them. */
const product = (v: Vector, A: ArrayLike<number>, width: number, from = 0, to = width) =>
  Array.from({ length: to - from }, (_, j) =>
    v.reduce((sum, each, i) => sum + each * A[i * width + from + j]!, 0),
  )

const [T, B, I, H, O] = [4, 2, 2, 3, 2]

/** One step of each cell, in plain numbers; `move` shifts a state where it is made. */
const STEPS: Readonly<
  Record<string, (w: Named, x: Vector, s: States, move: (name: string, s: Vector) => Vector) => States>
> = {
  elman: ({ U, W, b }, x, s, move) => ({
    h: move(
      'h',
      zip((u, w, c) => Math.tanh(u + w + c), product(x, U!, H), product(s['h']!, W!, H), Array.from(b!)),
    ),
  }),
  lstm: ({ U, W, b }, x, s, move) => {
    const gate = (place: number) => {
      const columns = [4 * H, place * H, (place + 1) * H] as const
      const own = Array.from(b!).slice(columns[1], columns[2])
      return zip((u, w, c) => u + w + c, product(x, U!, ...columns), product(s['h']!, W!, ...columns), own)
    }
    const next = (f: number, c: number, i: number, g: number) => sigmoid(f) * c + sigmoid(i) * Math.tanh(g)
    const c = move('c', zip(next, gate(1), s['c']!, gate(0), gate(2)))
    return {
      c,
      h: move(
        'h',
        zip((o, cell) => sigmoid(o) * Math.tanh(cell), gate(3), c),
      ),
    }
  },
  gru: ({ U, W, b }, x, s, move) => {
    const sum = (v: Vector, A: ArrayLike<number>, row: number, place: number) => {
      const own = Array.from(b!).slice((3 * row + place) * H, (3 * row + place + 1) * H)
      return zip((a, c) => a + c, product(v, A, 3 * H, place * H, (place + 1) * H), own)
    }
    const parts = (place: number) => [sum(x, U!, 0, place), sum(s['h']!, W!, 1, place)] as const
    const [z, r] = [0, 1].map((place) => zip((u, w) => sigmoid(u + w), ...parts(place)))
    const candidate = zip((u, gate, w) => Math.tanh(u + gate * w), parts(2)[0], r!, parts(2)[1])
    return {
      h: move(
        'h',
        zip((gate, h, g) => gate * h + (1 - gate) * g, z!, s['h']!, candidate),
      ),
    }
  },
}

const CELLS: Readonly<Record<string, (options: { units: number }) => Cell>> = {
  elman: elmanCell,
  lstm: lstmCell,
  gru: gruCell,
}

/** Outputs read their state twice, one state is handed on as it came, another is the input itself. */
const handing = defineCell<{ units: number }>()({
  name: 'handing',
  state: ({ units }) => ({ m: [2, units], kept: units, last: 2 }),
  params: ({ inputs, units }) => ({ U: glorotUniform(inputs, units), A: glorotUniform(2, units) }),
}).step(({ x, state: { m, kept, last }, params: { U, A } }) => {
  const next = m.mul(0.8).add(x.matmul(U).add(last.matmul(A)).tanh().expandDims(1))
  const output = next.sum(1).sigmoid().mul(next.mean(1).add(kept))
  return { output, state: { m: next, kept, last: x } }
})

const specOf = (mask = false) => ({ mask, at: false, cut: false, contributions: true })
const sizes = new Map(Object.entries({ T, B }))

/** Zeros for every e(t). */
function probes({ states }: ReturnType<typeof traceFlow>): Record<string, number[]> {
  const zeros = (shape: readonly number[]) => new Array<number>(elementCount(shape)).fill(0)
  return Object.fromEntries(
    [...states].map(([path, shape]) => [`e ${path}`, zeros(shape.map((size) => evaluateSize(size, sizes)))]),
  )
}

test.each(Object.keys(STEPS))('%s: ∂L/∂s(t) is what central differences of a loop by hand say', (kind) => {
  const layer = recurrent(CELLS[kind]!({ units: H }), { returnSequences: true })
  const model = sequential([layer, dense({ units: O })], { input: sequenceOf })
  const { numbers, weights } = random(7)
  const [x, y, all] = [numbers(B * T * I), numbers(B * T * O), weights(model)]
  const own = (name: string) => all[`${kind}/${name}`]!
  const w = { U: own('U'), W: own('W'), b: own('b') }
  const names = Object.keys(layer.cell.trace(I).states)
  const lossWith = (state: string, place: number, by: number) => {
    let loss = 0
    for (let row = 0; row < B; row++) {
      let states: States = Object.fromEntries(names.map((name) => [name, new Array<number>(H).fill(0)]))
      for (let t = 0; t < T; t++) {
        const at = place - (t * B + row) * H
        const move = (name: string, s: Vector) =>
          s.map((each, j) => each + (name === state && j === at ? by : 0))
        states = STEPS[kind]!(w, x.slice((row * T + t) * I, (row * T + t + 1) * I), states, move)
        const z = zip((v, c) => v + c, product(states['h']!, all['dense/V']!, O), all['dense/c']!)
        loss += z.reduce((sum, each, o) => sum + (each - y[(row * T + t) * O + o]!) ** 2, 0) / (B * T * O)
      }
    }
    return loss
  }
  const flow = traceFlow(model, 'meanSquaredError', specOf())
  const numeric = names.map((name) => {
    const difference = (i: number, by: number) => lossWith(name, i, by) - lossWith(name, i, -by)
    const gradients = Array.from(
      { length: T * B * H },
      (_, i) => (8 * difference(i, 1e-3) - difference(i, 2e-3)) / 12e-3,
    )
    return [`d ${kind}/${name}`, gradients] as const
  })
  const received = runOracle(flow.named, { ...all, x, y, ...probes(flow) }, sizes)
  expect(outside('f64', received, Object.fromEntries(numeric))).toEqual([])
})

const MODELS: Readonly<Record<string, () => Model>> = {
  'two directions, then a last output': () =>
    sequential([bidirectional(lstm({ units: 3, returnSequences: true })), elman({ units: 2 })], {
      input: sequenceOf,
    }),
  'stacked cells, layer norm, backwards': () =>
    sequential(
      [
        recurrent([gruCell({ units: 3 }), elmanCell({ units: 4 })], {
          returnSequences: true,
          goBackwards: true,
        }),
        ...[layerNorm(), dense({ units: 2, activation: 'tanh' })],
      ],
      { input: sequenceOf },
    ),
  'a table that is read twice': () =>
    sequential(
      [
        embedding({ inputDim: 5, outputDim: 3 }),
        lstm({ units: 3, returnSequences: true }),
        dense({ units: 5, tiedTo: 'embedding' }),
      ],
      { input: tokensOf },
    ),
  'states handed on': () => sequential([recurrent(handing({ units: 3 }))], { input: sequenceOf }),
}

describe.each(Object.entries(MODELS))('%s', (_, make) => {
  test('contributions add up to the gradient, what is not there gets none, WASM agrees', async () => {
    const property = fc.asyncProperty(
      fc.nat(),
      fc.constantFrom('none', 'lengths', 'mask'),
      async (seed, padding) => {
        const model = make()
        const { numbers, integers, weights } = random(seed)
        const { input, built } = model
        const { params } = built
        const output = model.output.shape.map((size) => constantOf(size) ?? T)
        const tokens = input.dtype === 'i32'
        const mask = integers(B * T, 0, 1).map((there, i) =>
          padding === 'mask' && i % T !== seed % T ? there : 1,
        )
        if (padding === 'lengths')
          for (const [row, end] of integers(B, 1, T).entries()) mask.fill(0, row * T + end, (row + 1) * T)
        const given = {
          ...weights(model),
          x: tokens ? integers(B * T, 0, 4) : numbers(B * T * I),
          y: tokens ? integers(B * T, 0, 4) : numbers(B * elementCount(output)),
          ...(padding !== 'none' && { mask }),
        }
        const loss = tokens ? 'softmaxCrossEntropy' : 'meanSquaredError'
        const flow = traceFlow(model, loss, specOf(padding !== 'none'))
        const values = { ...given, ...probes(flow) }
        const all = runOracle(flow.named, values, sizes)
        const whole = runOracle(traceLoss(model, loss, false, padding !== 'none'), given, sizes)
        const sums = flow.weights.map((path) => {
          const own = all[`d ${path}`]!
          const size = own.length / T
          const sum = Array.from({ length: size }, (_, i) =>
            own.reduce((s, each, k) => (k % size === i ? s + each : s), 0),
          )
          return [`d ${path}`, sum] as const
        })
        expect([...flow.weights].sort()).toEqual([...params.keys()].sort())
        const wanted = Object.fromEntries(sums.map(([name]) => [name, whole[name]!]))
        expect(outside('f64', Object.fromEntries(sums), wanted)).toEqual([])
        for (const path of flow.states.keys()) {
          const own = all[`d ${path}`]!
          const width = own.length / (T * B)
          const lost = own.filter(
            (_, i) => mask[(Math.floor(i / width) % B) * T + Math.floor(i / width / B)] === 0,
          )
          expect(lost.every((each) => each === 0)).toBe(true)
        }
        expect(outside('f32', await (await openWasm(flow.named))(values, sizes), all)).toEqual([])
      },
    )
    await fc.assert(property, { numRuns: 6 })
  })
})

test("an Elman network's factors: ∂L/∂h(t) = W diag(φ′(t + 1)) … W diag(φ′(T)) ∂L/∂h(T)", async () => {
  const [units, steps] = [5, 8]
  const model = sequential([elman({ units, returnSequences: true })], { input: sequenceOf })
  const W = model.weights(3).get('elman/W')!.data
  const { inputs } = batchOf(5, 1, steps)
  const targets = f32(random(6).numbers(steps * units), 1, steps, units)
  const batch = { inputs, targets, reset: true }
  const { states } = await gradientFlow(model, batch, { ...squared, at: steps - 1 })
  const { data: h } = await predict(model, inputs)
  const at = (t: number) => Array.from(h.slice(t * units, (t + 1) * units))
  let d = zip((z, y) => (2 * (z - y)) / units, at(steps - 1), Array.from(targets.data.slice(-units)))
  for (let t = steps - 1; t >= 0; t--) {
    expect(states['elman/h']!.mean.data[t]).toBeCloseTo(Math.hypot(...d), 6)
    const delta = zip((each, own) => each * (1 - own * own), d, at(t))
    d = delta.map((_, i) => delta.reduce((sum, each, j) => sum + W[i * units + j]! * each, 0))
  }
})

test('truncated, a gradient goes back k2 steps and no further, and is the one that a window of fit has', async () => {
  const layers = (): Layer[] => [
    lstm({ units: 4, returnSequences: true }),
    lstm({ units: 3 }),
    dense({ units: 2 }),
  ]
  const model = sequential(layers(), { input: sequenceOf })
  const before = model.weights(1)
  const [k, rows] = [3, 2]
  const { inputs } = batchOf(8, rows, 2 * k)
  const targets = f32(random(9).numbers(rows * 2), rows, 2)
  const part = (from: number) => {
    const data = inputs.data.filter((_, i) => Math.floor(((i / 2) % (2 * k)) / k) === from)
    return { inputs: tensor(data as Float32Array, [rows, k, 2]), targets, reset: from === 0 }
  }
  const flow = await gradientFlow(
    model,
    { inputs, targets, reset: true },
    { ...squared, truncate: k, contributions: true },
  )
  // The first window changes nothing, so that the second begins where the whole sequence stands.
  const rate = sgd({ learningRate: (step) => step })
  await fit(model, [part(0), part(1)], { ...squared, optimizer: rate, truncate: { k1: k, k2: k } })
  for (const [path, { data }] of model.weights()) {
    const steps = Array.from(flow.contributions[path]?.steps.data ?? [])
    for (const [i, value] of steps.length === 0 ? [] : data.entries()) {
      const sum = steps.filter((_, at) => at % data.length === i).reduce((s, each) => s + each, 0)
      expect(before.get(path)!.data[i]! - value, path).toBeCloseTo(sum, 6)
    }
  }
  for (const { mean } of Object.values(flow.states)) {
    expect(Array.from(mean.data, (norm) => norm > 0)).toEqual([false, false, false, true, true, true])
  }
})

test('rows and means: of the rows that are there; a loss of one step reaches no later one', async () => {
  const [net, whole] = [lstmNet(), batchOf(1, 2, 4)]
  const { states, contributions } = await gradientFlow(
    net,
    { ...whole, lengths: i32([4, 2], 2) },
    { ...squared, at: 2 },
  )
  const { rows, mean } = states['lstm/h']!
  expect(contributions).toEqual({})
  expect(Array.from(rows.data.slice(3))).toEqual([0, 0, 0, 0, 0])
  expect(Array.from(mean.data)).toEqual(
    [rows.data[0]! / 2, rows.data[1]! / 2, rows.data[2]!, 0].map(Math.fround),
  )
  const oracle = await gradientFlow(net, whole, { ...squared, backend: 'interpret' })
  const wasm = await gradientFlow(net, whole, squared)
  expect(wasm.loss).toBeCloseTo(oracle.loss, 6)
  expect(
    outside('f32', { d: wasm.states['lstm/c']!.rows.data }, { d: oracle.states['lstm/c']!.rows.data }),
  ).toEqual([])
})

test.each([{}, { lengths: i32([4, 2], 2) }])('weights of a batch count, %j', async (padding) => {
  const [model, whole] = [lstmNet(), { ...batchOf(2, 2, 4), ...padding }]
  const weighted = { ...whole, weights: f32([0, 2, 1, 3, 0, 0.5, 1, 1], 2, 4) }
  const flow = await gradientFlow(model, weighted, { ...squared, contributions: true })
  expect(flow.loss).toBeCloseTo((await evaluate(model, [weighted], squared)).loss, 6)
  const before = model.weights()
  await fit(model, [weighted], { ...squared, optimizer: sgd({ learningRate: 1 }) })
  const [W, V] = ['lstm/W', 'dense/V'].map((path) => {
    const after = model.weights().get(path)!.data
    const data = Array.from(flow.contributions[path]!.steps.data)
    const sum = (i: number) => data.reduce((all, each, k) => (k % after.length === i ? all + each : all), 0)
    return Math.max(...after.map((each, i) => Math.abs(before.get(path)!.data[i]! - each - sum(i))))
  })
  expect([W! < 1e-6, V! < 1e-6]).toEqual([true, true])
  const rows = await gradientFlow(model, { ...whole, weights: f32([0, 1], 2) }, { ...squared, at: 1 })
  expect(Array.from(rows.states['lstm/h']!.rows.data, (norm) => norm > 0)).toEqual([
    ...[false, false, false, false],
    ...[true, true, false, false],
  ])
})

const flowOf = (
  options: object,
  layers = [lstm({ units: 2, returnSequences: true }), dense({ units: 2 })] as Layer[],
) => gradientFlow(sequential(layers), batchOf(1, 2, 3), { ...squared, ...options } as GradientFlowOptions)
const short = { ...batchOf(1, 2, 3), lengths: i32([2, 1], 2) }
const BAD: readonly (readonly [string, () => Promise<unknown>, RegExp])[] = [
  ['a step that is not there', () => flowOf({ at: 3 }), /at must be a step, 0 … 2; received 3/],
  ['half a step', () => flowOf({ at: 0.5 }), /received 0.5/],
  [
    'a step after all rows have ended',
    () => gradientFlow(lstmNet(), short, { ...squared, at: 2 }),
    /no row .* step 2/,
  ],
  [
    'no steps to go back',
    () => flowOf({ truncate: 0 }),
    /truncate must be an integer of at least 1; received 0/,
  ],
  [
    'truncation backwards',
    () => flowOf({ truncate: 1 }, [lstm({ units: 2, returnSequences: true, goBackwards: true })]),
    /layer lstm reads from the end/,
  ],
  ['no recurrent layer', () => flowOf({}, [dense({ units: 2 })]), /a model with a recurrent layer/],
  ['an unknown option', () => flowOf({ lag: 3 }), /no option lag/],
  ['no model', () => gradientFlow({} as never, batchOf(1, 2, 3), squared), /expected a model/],
]

test.each(BAD)('%s: a typed error', async (_, run, message) => {
  await expect(run()).rejects.toThrow(message)
  await expect(run()).rejects.toThrow(RecurraError)
})

test('at needs an output of every step', async () => {
  const [model, { inputs }] = [sequential([lstm({ units: 2 })]), batchOf(1, 2, 3)]
  const flow = gradientFlow(
    model,
    { inputs, targets: f32([1, 2, 3, 4], 2, 2), reset: true },
    { ...squared, at: 1 },
  )
  await expect(flow).rejects.toThrow(/one output a row/)
})
