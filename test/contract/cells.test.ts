/** What every cell must do once it is a layer; a user's own cell is held to the same. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Cell, defineCell } from '../../src/cells/define.ts'
import { elmanCell } from '../../src/cells/elman.ts'
import { lstmCell } from '../../src/cells/lstm.ts'
import { glorotUniform, joined, normal, ones, orthogonal, zeros } from '../../src/init/initializers.ts'
import { dense } from '../../src/layers/dense.ts'
import { lstm, recurrent } from '../../src/layers/recurrent.ts'
import { type Sequential, sequential } from '../../src/layers/sequential.ts'
import { elementCount, tensor } from '../../src/tensor/tensor.ts'
import { fit as train } from '../../src/train/fit.ts'
import { adam } from '../../src/train/optimizers.ts'
import { trainingGraph } from '../../src/train/step.ts'
import {
  distance,
  type Named,
  openWasm,
  outsideF32,
  outsideF64,
  random,
  runOracle,
  traceLoss,
} from './support.ts'

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

const CELLS: Readonly<Record<string, (options: Units) => Cell>> = {
  elman: elmanCell,
  lstm: lstmCell,
  "a user's minimal gated unit": minimalGated,
  "a user's cell with a matrix state": memory,
}

const shapes = { T: fc.integer({ min: 1, max: 6 }), B: fc.integer({ min: 1, max: 5 }) }
const configurations = fc.record({
  ...shapes,
  I: fc.integer({ min: 1, max: 5 }),
  H: fc.integer({ min: 1, max: 9 }),
  stacked: fc.boolean(),
  goBackwards: fc.boolean(),
  returnSequences: fc.boolean(),
  trainable: fc.boolean(),
  lengths: fc.boolean(),
  seed: fc.nat(),
})
type Configuration = typeof configurations extends fc.Arbitrary<infer C> ? C : never

function modelOf(make: (options: Units) => Cell, { I, H, stacked, trainable, ...options }: Configuration) {
  const { goBackwards, returnSequences } = options
  const initialState = trainable ? 'trainable' : 'zeros'
  const below = recurrent(make({ units: 3 }), {
    returnSequences: true,
    initialState,
    goBackwards: !goBackwards,
  })
  const layer = recurrent(make({ units: H }), { goBackwards, returnSequences, initialState, name: 'top' })
  return sequential([...(stacked ? [below] : []), layer, dense({ units: 2 })], {
    input: { shape: [null, I], dtype: 'f32' },
  })
}

function valuesOf(model: Sequential, { T, B, I, returnSequences, seed }: Configuration): Named {
  const { numbers, integers } = random(seed)
  return {
    x: numbers(B * T * I),
    y: numbers(B * 2 * (returnSequences ? T : 1)),
    lengths: integers(B, 1, T),
    ...Object.fromEntries(
      [...model.built.params].map(([path, { shape }]) => [path, numbers(elementCount(shape))]),
    ),
  }
}

const sizesOf = ({ T, B }: { T: number; B: number }) => new Map(Object.entries({ T, B }))

describe.each(Object.entries(CELLS))('%s', (_, make) => {
  test('gradients agree with central differences in f64', () => {
    fc.assert(
      fc.property(configurations, (drawn) => {
        const configuration = {
          ...drawn,
          T: Math.min(drawn.T, 4),
          B: Math.min(drawn.B, 2),
          H: Math.min(drawn.H, 3),
        }
        const model = modelOf(make, configuration)
        const named = traceLoss(model, 'meanSquaredError', configuration.lengths)
        const loss = { ...named, graph: { ...named.graph, outputs: named.graph.outputs.slice(0, 1) } }
        const [values, sizes] = [valuesOf(model, configuration), sizesOf(configuration)]
        const numeric = [...model.built.params.keys()].map((path) => {
          const begin = Float64Array.from(values[path]!)
          const lossAt = (i: number, step: number) => {
            const moved = { ...values, [path]: begin.with(i, begin[i]! + step) }
            return runOracle(loss, moved, sizes).outputs['loss']![0]!
          }
          // Fourth order: its own error stays far below the tolerance where the gradient is small.
          const h = 1e-3
          const difference = (i: number, step: number) => lossAt(i, step) - lossAt(i, -step)
          return [
            `d ${path}`,
            begin.map((_, i) => (8 * difference(i, h) - difference(i, 2 * h)) / (12 * h)),
          ] as const
        })
        const { outputs } = runOracle(named, values, sizes)
        expect(outsideF64(outputs, Object.fromEntries(numeric))).toEqual([])
      }),
      { numRuns: 8 },
    )
  })

  test('WASM agrees with the oracle: outputs, final states, loss and gradients', async () => {
    await fc.assert(
      fc.asyncProperty(configurations, fc.record(shapes), async (configuration, others) => {
        const model = modelOf(make, configuration)
        const named = traceLoss(model, 'meanSquaredError', configuration.lengths)
        const wasm = await openWasm(named)
        for (const sizes of [{}, others, {}]) {
          const own = { ...configuration, ...sizes }
          const values = valuesOf(model, own)
          const expected = runOracle(named, values, sizesOf(own)).outputs
          expect(outsideF32(await wasm(values, sizesOf(own)), expected)).toEqual([])
        }
      }),
      { numRuns: process.env['RECURRA_LONG'] === '1' ? 200 : 10 },
    )
  })

  test('rows end where their lengths say: last outputs, held states, zeros, and backwards is a turned row', () => {
    fc.assert(
      fc.property(configurations, (drawn) => {
        const configuration = { ...drawn, stacked: false, lengths: true }
        const { T, B, I } = configuration
        const run = (changes: Partial<Configuration>, x?: (values: Named) => number[]) => {
          const own = { ...configuration, ...changes }
          const layers = modelOf(make, own)
            .layers.slice(0, 1)
            .map(({ layer }) => layer)
          const model = sequential(layers, { input: { shape: [null, I], dtype: 'f32' } })
          const values = valuesOf(modelOf(make, configuration), configuration)
          const width = model.built.shapes[0]!.at(-1)!
          const given = { ...values, x: x?.(values) ?? values['x']!, y: new Float64Array(B * T * width) }
          const y = own.returnSequences ? given.y : given.y.subarray(0, B * width)
          const { outputs } = runOracle(
            traceLoss(model, 'meanSquaredError', true),
            { ...given, y },
            sizesOf(own),
          )
          const finals = Object.entries(outputs).filter(([name]) => name.startsWith('final'))
          const rows = Array.from(values['lengths']!)
          const step = (b: number, t: number) => [
            ...outputs['output']!.subarray((b * T + t) * width, (b * T + t + 1) * width),
          ]
          return { output: outputs['output']!, finals: Object.fromEntries(finals), rows, width, step }
        }
        const turned = ({ x, lengths }: Named) =>
          Array.from(x!, (_, at) => {
            const [b, t, i] = [Math.floor(at / (T * I)), Math.floor(at / I) % T, at % I]
            return t < lengths![b]! ? x![(b * T + lengths![b]! - 1 - t) * I + i]! : Number.NaN
          })
        const all = run({ returnSequences: true })
        const last = run({ returnSequences: false })
        const other = run({ returnSequences: true, goBackwards: !configuration.goBackwards }, turned)
        expect(outsideF64(last.finals, all.finals)).toEqual([])
        expect(outsideF64(other.finals, all.finals)).toEqual([])
        for (const [b, length] of all.rows.entries()) {
          const end = configuration.goBackwards ? 0 : length - 1
          expect([...last.output.subarray(b * all.width, (b + 1) * all.width)]).toEqual(all.step(b, end))
          for (let t = 0; t < T; t++) {
            if (t >= length) expect(distance(all.step(b, t), new Array(all.width).fill(0))).toBe(0)
            else expect(distance(other.step(b, length - 1 - t), all.step(b, t))).toBeLessThan(1e-12)
          }
        }
      }),
      { numRuns: 12 },
    )
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

  const { numbers } = random(3)
  const options = {
    loss: 'meanSquaredError',
    optimizer: adam({ learningRate: 0.01 }),
    clipGlobalNorm: 1,
  } as const
  const inputs = tensor(Float32Array.from(numbers(4 * 7 * 3)), [4, 7, 3])
  const batch = { inputs, targets: tensor(Float32Array.from(numbers(4 * 7 * 2)), [4, 7, 2]), reset: true }
  const begin = [numbers(72, 0.5), numbers(144, 0.5), numbers(24, 0.5), numbers(12, 0.5), numbers(2, 0.5)]
  const trained = []
  for (const layer of layers) {
    const model = sequential([layer, dense({ units: 2 })], { input })
    const weights = [...model.built.params].map(
      ([path, { shape }], i) => [path, tensor(Float32Array.from(begin[i]!), shape)] as const,
    )
    model.setWeights(new Map(weights))
    const { key } = trainingGraph(model, options)
    await train(model, [batch], { ...options, epochs: 10 })
    trained.push({ key, numbers: [...model.weights().values()].map(({ data }) => data) })
  }
  expect(trained[1]!.key).toBe(trained[0]!.key)
  expect(trained[1]!.numbers).toEqual(trained[0]!.numbers)
})
