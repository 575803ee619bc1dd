/** What every cell must do once it is a layer; a user's own cell is held to the same. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { gelu, mish, softplus } from '../../src/cells/activation-functions.ts'
import { clockworkCell } from '../../src/cells/clockwork.ts'
import { convLstm1dCell, convLstm2dCell } from '../../src/cells/conv-lstm.ts'
import { coupledLstmCell } from '../../src/cells/coupled-lstm.ts'
import { type Cell, defineCell } from '../../src/cells/define.ts'
import { echoStateCell } from '../../src/cells/echo-state.ts'
import { elmanCell } from '../../src/cells/elman.ts'
import { gruCell } from '../../src/cells/gru.ts'
import { indRnnCell } from '../../src/cells/ind-rnn.ts'
import { irnnCell } from '../../src/cells/irnn.ts'
import { jordanCell } from '../../src/cells/jordan.ts'
import { layerNormGruCell } from '../../src/cells/layer-norm-gru.ts'
import { layerNormLstmCell } from '../../src/cells/layer-norm-lstm.ts'
import { leakyCell } from '../../src/cells/leaky.ts'
import { lruCell } from '../../src/cells/lru.ts'
import { lstmCell } from '../../src/cells/lstm.ts'
import { minGruCell } from '../../src/cells/min-gru.ts'
import { minLstmCell } from '../../src/cells/min-lstm.ts'
import { minimalGatedCell } from '../../src/cells/minimal-gated.ts'
import { peepholeLstmCell } from '../../src/cells/peephole-lstm.ts'
import { qrnnCell } from '../../src/cells/qrnn.ts'
import { slstmCell } from '../../src/cells/slstm.ts'
import { sruCell } from '../../src/cells/sru.ts'
import { stacked } from '../../src/cells/stacked.ts'
import { glorotUniform, joined, normal, ones, orthogonal, zeros } from '../../src/init/initializers.ts'
import { dense } from '../../src/layers/dense.ts'
import { call, type Flow, input, model as modelFrom } from '../../src/layers/functional.ts'
import type { Layer } from '../../src/layers/layer.ts'
import type { Model } from '../../src/layers/model.ts'
import { lstm, type RecurrentOptions, recurrent } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { constantOf } from '../../src/tensor/size.ts'
import { elementCount, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { fit as train } from '../../src/train/fit.ts'
import { dataInput } from '../../src/train/leaves.ts'
import { adam } from '../../src/train/optimizers.ts'
import { predictWithStates } from '../../src/train/predict.ts'
import { trainingGraph } from '../../src/train/training-graph.ts'
import { centralDifferences } from './gradients.ts'
import { nested } from './models.ts'
import { amplifiesRounding, type Named, openWasm, outside, random, runOracle, traceLoss } from './support.ts'

const long = process.env['RECURRA_LONG'] === '1'
type Units = { readonly units: number }

/** Minimal gated unit (Zhou et al. 2016). */
const minimalGated = defineCell<Units>()({
  name: 'minimalGated',
  state: ({ units }) => ({ h: units }),
  params: ({ inputs, units }) => ({
    Uf: glorotUniform(inputs, units),
    Wf: orthogonal(units, units),
    bf: ones(units),
    U: glorotUniform(inputs, units),
    W: orthogonal(units, units),
    b: zeros(units),
  }),
}).step(({ x, state: { h }, params: { Uf, Wf, bf, U, W, b } }) => {
  const f = x.matmul(Uf).add(h.matmul(Wf)).add(bf).sigmoid()
  const g = x.matmul(U).add(f.mul(h).matmul(W)).add(b).tanh()
  const next = h.add(f.mul(g.sub(h)))
  return { output: next, state: { h: next } }
})

/** States of two shapes, one of them a matrix, and an output that is neither and wider than both. */
const memory = defineCell<Units>()({
  name: 'memory',
  state: ({ units }) => ({ m: [2, units], h: units }),
  params: ({ inputs, units }) => ({
    U: glorotUniform(inputs, units),
    W: orthogonal(units, units),
    a: normal(0.5, 2, units),
    V: glorotUniform(units, units + 1),
  }),
}).step(({ x, state: { m, h }, params: { U, W, a, V } }) => {
  const next = x.matmul(U).add(m.sum(1).matmul(W)).add(h.mul(0.3)).tanh()
  const kept = m.mul(0.8).add(next.expandDims(1).mul(a))
  return { output: kept.mean(1).sigmoid().matmul(V), state: { m: kept, h: next } }
})

/** Column vectors, as textbooks have them: rows of the batch stand side by side, [units, B], gates below each other. */
const columns = defineCell<Units>()({
  name: 'columns',
  state: ({ units }) => ({ h: units }),
  params: ({ inputs, units }) => ({
    U: glorotUniform(2 * units, inputs),
    W: glorotUniform(2 * units, units),
    b: zeros(2 * units, 1),
  }),
}).step(({ x, state: { h }, params: { U, W, b } }) => {
  const z = U.matmul(x.transpose()).add(W.matmul(h.transpose())).add(b)
  const units = h.shape[1]!
  const next = z.slice(0, 0, units).tanh().mul(z.slice(0, units).sigmoid()).transpose()
  return { output: next, state: { h: next } }
})

const CELLS: Readonly<Record<string, (options: Units) => Cell>> = {
  elman: elmanCell,
  'elman without bias': (options) => elmanCell({ ...options, useBias: false, activation: 'sigmoid' }),
  gru: gruCell,
  'gru, reset before the product': (options) => gruCell({ ...options, resetAfter: false }),
  'gru without biases, other functions': (options) =>
    gruCell({ ...options, useBias: false, activation: 'softmax', recurrentActivation: 'softmax' }),
  'gru, functions of values': (options) =>
    gruCell({ ...options, activation: gelu, recurrentActivation: (x) => softplus(x).tanh() }),
  // Few units: the linear feedback of many, with weights as large as these, amplifies what f32 rounds off.
  jordan: ({ units }) => jordanCell({ units: 2, outputs: units }),
  lstm: lstmCell,
  'lstm without bias, other functions': (options) =>
    lstmCell({ ...options, useBias: false, activation: 'sigmoid', recurrentActivation: 'softmax' }),
  'cells on each other': ({ units }) => stacked([gruCell({ units: 2 }), lstmCell({ units })]),
  'peephole lstm': peepholeLstmCell,
  'coupled lstm': coupledLstmCell,
  // A small ε makes steps of what two units differ in, which differences of losses cannot follow.
  'layer-norm lstm': (options) => layerNormLstmCell({ ...options, epsilon: 0.1 }),
  'layer-norm gru': (options) => layerNormGruCell({ ...options, epsilon: 0.1 }),
  'minimal gated unit': minimalGatedCell,
  // Other functions than relu, which has a kink.
  'independent rnn': (options) => indRnnCell({ ...options, activation: 'tanh' }),
  irnn: (options) => irnnCell({ ...options, activation: 'sigmoid' }),
  leaky: (options) => leakyCell({ ...options, leakRate: 0.3 }),
  clockwork: ({ units }) => clockworkCell({ units: 2 * units, periods: [1, 3] }),
  'echo state': (options) => echoStateCell({ ...options, leakRate: 0.6 }),
  sru: sruCell,
  qrnn: qrnnCell,
  'minimal gru': minGruCell,
  'minimal lstm': minLstmCell,
  slstm: slstmCell,
  'slstm, exponential forget gate': (options) => slstmCell({ ...options, forgetActivation: 'exponential' }),
  lru: ({ units }) => lruCell({ units: 2, outputs: units }),
  "a user's minimal gated unit": minimalGated,
  "a user's cell with a matrix state": memory,
  "a user's cell of column vectors": columns,
}

/** Cells of declared inputs, with the shapes that they read. A cell on another one reads that one's output as its last. */
const SHAPED: Readonly<Record<string, readonly [(options: Units) => Cell, ...number[][]]>> = {
  'convolutional lstm over rows': [
    ({ units }) => convLstm1dCell({ filters: units, kernelSize: 2, padding: 'same', useBias: false }),
    [3, 1],
  ],
  'convolutional lstm over rows, functions of values': [
    ({ units }) =>
      convLstm1dCell({
        ...{ filters: units, kernelSize: 2, padding: 'same', activation: mish },
        recurrentActivation: (x) => x.mul(0.5).sigmoid(),
      }),
    [3, 1],
  ],
  'convolutional lstm over images': [
    ({ units }) => convLstm2dCell({ filters: units, kernelSize: [2, 1], strides: [1, 2] }),
    [4, 3, 1],
  ],
  "a user's cell of two inputs, one an image, with a matrix state": [nested, [2, 3, 1], [2]],
  'that under another cell': [(options) => stacked([nested(options), gruCell({ units: 2 })]), [1, 2, 2], [2]],
}

const upTo = (max: number) => fc.integer({ min: 1, max })
const configurations = (T: number, B: number, H: number) =>
  fc.record({
    ...{ T: upTo(T), B: upTo(B), I: upTo(5), H: upTo(H), seed: fc.nat() },
    ...{ stacked: fc.boolean(), goBackwards: fc.boolean(), returnSequences: fc.boolean() },
    ...{ trainable: fc.boolean(), padding: fc.constantFrom('none', 'lengths', 'mask') },
  })
type Configuration = ReturnType<typeof configurations> extends fc.Arbitrary<infer C> ? C : never
type Make = (options: Units) => Cell
type Shapes = readonly number[][]

const inputName = (k: number, { length }: Shapes) => (length === 1 ? 'x' : `x${k}`)

/** Layers on each other, each of which reads what the first one does but for the last input. */
function modelOver(shapes: Shapes, layers: readonly Layer[]): Model {
  const inputs = shapes.map((shape) => input({ shape: [null, ...shape] }))
  const outputs = layers.reduce<Flow | undefined>((below, layer) => {
    const own = layer.cells === undefined ? [] : inputs.slice(0, -1)
    return call(layer, [...own, below ?? inputs.at(-1)!])
  }, undefined)!
  const named = inputs.map((each, k) => [inputName(k, shapes), each] as const)
  return modelFrom({ inputs: named.length === 1 ? inputs[0]! : Object.fromEntries(named), outputs })
}

/** Rows of steps, the numbers of all inputs side by side, as what a model takes. */
function fed(shapes: Shapes, rows: readonly number[][][]) {
  let start = 0
  const inputs = shapes.map((shape, k) => {
    const end = start + elementCount(shape)
    const data = Float32Array.from(rows.flatMap((row) => row.flatMap((step) => step.slice(start, end))))
    start = end
    return [inputName(k, shapes), tensor(data, [rows.length, rows[0]!.length, ...shape])] as const
  })
  return inputs.length === 1 ? inputs[0]![1] : Object.fromEntries(inputs)
}

/** Lengths or masks of what all inputs share. */
const ofFirst = <T>(shapes: Shapes, given: T) =>
  shapes.length === 1 ? given : { [inputName(0, shapes)]: given }

const widthOf = (shapes: Shapes) => shapes.reduce((sum, shape) => sum + elementCount(shape), 0)

function modelOf(
  make: Make,
  given: Shapes,
  { I, H, stacked, trainable, goBackwards, returnSequences }: Configuration,
) {
  const initialState = trainable ? 'trainable' : 'zeros'
  const lower = { initialState, returnSequences: true, goBackwards: !goBackwards } as const
  const upper = { initialState, returnSequences, goBackwards } as const
  const layers = [
    ...(stacked ? [recurrent(make({ units: 3 }), lower)] : []),
    recurrent(make({ units: H }), upper),
  ]
  return modelOver(given.length === 0 ? [[I]] : given, [...layers, dense({ units: 2 })])
}

function valuesOf(model: Model, { T, B, returnSequences, seed }: Configuration): Named {
  const { numbers, integers, weights } = random(seed)
  const { inputs, outputs } = model.built
  const { shape: sizes } = outputs.get('output')!
  const places = sizes.reduce((product, size) => product * (constantOf(size) ?? 1), 1)
  const y = numbers(B * places * (returnSequences ? T : 1))
  const [lengths, mask] = [integers(B, 1, T), integers(B * T, 0, 1)]
  for (const [row, step] of integers(B, 0, T - 1).entries()) mask[row * T + step] = 1
  const x = [...inputs].map(([name, { shape }]) => [
    dataInput(name),
    numbers(B * T * elementCount(shape.slice(1) as number[])),
  ])
  return { ...Object.fromEntries(x), y, lengths, mask, ...weights(model) }
}

const traced = (model: Model, { padding }: Configuration) =>
  traceLoss(model, 'meanSquaredError', padding === 'lengths', padding === 'mask')

const sizesOf = ({ T, B }: { T: number; B: number }) => new Map(Object.entries({ T, B }))

const ALL = [
  ...Object.entries(CELLS).map(([name, make]) => [name, make, []] as const),
  ...Object.entries(SHAPED).map(([name, [make, ...shapes]]) => [name, make, shapes] as const),
]

describe.each(ALL)('%s', (_, make, shapes) => {
  const known: Shapes = shapes.length === 0 ? [[2]] : shapes
  const width = widthOf(known)

  test('gradients agree with central differences in f64', () => {
    const property = fc.property(configurations(4, 2, 3), (configuration) => {
      const model = modelOf(make, shapes, configuration)
      const named = traced(model, configuration)
      const [values, sizes] = [valuesOf(model, configuration), sizesOf(configuration)]
      const numeric = centralDifferences(named, [...model.built.params.keys()], values, sizes)
      expect(outside('f64', runOracle(named, values, sizes), numeric)).toEqual([])
    })
    fc.assert(property, { numRuns: long ? 50 : 4 })
  })

  test('WASM agrees with the oracle for any sizes: loss, outputs, final states, gradients', async () => {
    const others = fc.record({ T: upTo(6), B: upTo(5) })
    const property = fc.asyncProperty(configurations(6, 5, 9), others, async (configuration, other) => {
      const model = modelOf(make, shapes, configuration)
      const named = traced(model, configuration)
      const wasm = await openWasm(named)
      const [first, second] = [{}, other].map((sizes) => {
        const own = { ...configuration, ...sizes }
        const values = valuesOf(model, own)
        return { own, values, expected: runOracle(named, values, sizesOf(own)) }
      })
      for (const each of [first!, second!, first!]) {
        const { own, values, expected } = each
        const wrong = outside('f32', await wasm(values, sizesOf(own)), expected)
        fc.pre(wrong.length === 0 || !amplifiesRounding(named, values, sizesOf(own), expected))
        expect(wrong).toEqual([])
      }
    })
    await fc.assert(property, { numRuns: long ? 100 : 5 })
  })

  test('a row ends where its length says: its last output, its states, zeros; backwards is the turned row', async () => {
    const [T, lengths] = [5, [5, 1, 3]]
    const rows = lengths.map((_, b) => Array.from({ length: T }, (_, t) => random(9 * b + t).numbers(width)))
    const turned = rows.map((row, b) =>
      row.map((_, t) => row[lengths[b]! - 1 - t] ?? new Array<number>(width).fill(Number.NaN)),
    )
    for (const goBackwards of [false, true]) {
      const run = async (x: number[][][], options: RecurrentOptions) => {
        const model = modelOver(known, [recurrent(make({ units: 4 }), options)])
        const { output, states } = await predictWithStates(model, fed(known, x), {
          lengths: ofFirst(known, lengths),
        })
        const size = output.data.length / lengths.length / (options.returnSequences ? T : 1)
        const outputs = Array.from({ length: output.data.length / size }, (_, i) =>
          Array.from(output.data.subarray(i * size, (i + 1) * size)),
        )
        return { outputs, states, row: (b: number) => outputs.slice(b * T, (b + 1) * T) }
      }
      const all = await run(rows, { goBackwards, returnSequences: true })
      const last = await run(rows, { goBackwards })
      const other = await run(turned, { goBackwards: !goBackwards, returnSequences: true })
      expect([last.states, other.states]).toEqual([all.states, all.states])
      for (const [b, length] of lengths.entries()) {
        const row = all.row(b)
        expect(last.outputs[b]).toEqual(row[goBackwards ? 0 : length - 1])
        expect(other.row(b).slice(0, length).reverse()).toEqual(row.slice(0, length))
        expect(new Set(row.slice(length).flat())).toEqual(new Set(length < T ? [0] : []))
      }
    }
  })

  test('a row is what it would be without the steps that are masked; there its output repeats', async () => {
    const mask = ['11111', '00111', '10010', '01011'].map((row) => Array.from(row, Number))
    const rows = mask.map((own, b) =>
      own.map((there, t) =>
        random(9 * b + t)
          .numbers(width)
          .map((x) => (there ? x : Number.NaN)),
      ),
    )
    for (const [goBackwards, returnSequences] of [
      [false, true],
      [true, true],
      [false, false],
      [true, false],
    ]) {
      const model = modelOver(known, [recurrent(make({ units: 4 }), { goBackwards, returnSequences })])
      const { output, states } = await predictWithStates(model, fed(known, rows), {
        mask: ofFirst(known, mask),
      })
      const rowOf = ({ data }: Tensor, b: number) =>
        data.subarray((b * data.length) / rows.length, ((b + 1) * data.length) / rows.length)
      for (const [b, own] of mask.entries()) {
        const alone = await predictWithStates(model, fed(known, [rows[b]!.filter((_, t) => own[t])]))
        for (const [path, state] of Object.entries(states))
          expect(rowOf(state, b)).toEqual(alone.states[path]!.data)
        const outputs = elementCount(output.shape.slice(returnSequences ? 2 : 1))
        const steps = own.map((_, t) => own.slice(0, t + 1).reduce((sum, there) => sum + there, 0) - 1)
        // In a gap the step after it was read before it.
        const repeated = goBackwards ? steps.map((step, t) => step + 1 - own[t]!) : steps
        const expected = repeated.flatMap((step) =>
          Array.from(
            { length: outputs },
            (_, i) => alone.output.data[step < 0 ? -1 : step * outputs + i] ?? 0,
          ),
        )
        expect([...rowOf(output, b)]).toEqual(returnSequences ? expected : [...alone.output.data])
      }
    }
  })
})

test("a user's LSTM is the built-in one: the same graphs, the same training step, the same bits", async () => {
  const userLstm = defineCell<Units>()({
    name: 'mine',
    state: ({ units }) => ({ hidden: units, cell: units }),
    params: ({ inputs, units }) => ({
      kernel: glorotUniform(inputs, 4 * units),
      recurrentKernel: orthogonal(units, 4 * units),
      bias: joined(zeros(units), ones(units), zeros(2 * units)),
    }),
  }).step(({ x, state: { hidden, cell }, params: { kernel, recurrentKernel, bias }, options: { units } }) => {
    const all = x.matmul(kernel).add(hidden.matmul(recurrentKernel)).add(bias)
    const gate = (i: number) => all.slice(1, i * units, (i + 1) * units)
    const next = gate(1)
      .sigmoid()
      .mul(cell)
      .add(gate(0).sigmoid().mul(gate(2).tanh()))
    const output = gate(3).sigmoid().mul(next.tanh())
    return { output, state: { hidden: output, cell: next } }
  })
  const [units, input] = [6, { shape: [null, 3], dtype: 'f32' } as const]
  const layers = [
    lstm({ units, returnSequences: true }),
    recurrent(userLstm({ units }), { returnSequences: true }),
  ]
  const [builtIn, mine] = layers.map((layer) => ({ layer, traced: layer.cell.trace(3) }))
  expect(mine!.traced.training.key).toBe(builtIn!.traced.training.key)
  expect(mine!.traced.inference.key).toBe(builtIn!.traced.inference.key)

  const { numbers, weights } = random(3)
  const options = {
    loss: 'meanSquaredError',
    optimizer: adam({ learningRate: 0.01 }),
    clipGlobalNorm: 1,
  } as const
  const inputs = tensor(Float32Array.from(numbers(4 * 7 * 3)), [4, 7, 3])
  const batch = { inputs, targets: tensor(Float32Array.from(numbers(4 * 7 * 2)), [4, 7, 2]), reset: true }
  const models = layers.map((layer) => sequential([layer, dense({ units: 2 })], { input }))
  const begin = Object.values(weights(models[0]!))
  const trained = []
  for (const model of models) {
    const named = [...model.built.params].map(
      ([path, { shape }], i) => [path, tensor(Float32Array.from(begin[i]!), shape)] as const,
    )
    model.setWeights(new Map(named))
    const graph = trainingGraph(model, options)
    await train(model, [batch], { ...options, epochs: 10 })
    trained.push({ graph, numbers: [...model.weights().values()].map(({ data }) => data) })
  }
  expect(trained[1]!.graph.key).toBe(trained[0]!.graph.key)
  expect(trained[1]!.numbers).toEqual(trained[0]!.numbers)
})
