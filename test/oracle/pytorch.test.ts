/**
 * Against PyTorch in double precision: losses, outputs, final states, every gradient, and whole training steps. Both
 * sides get the same numbers, exact in f32. Runs with RECURRA_ORACLES=1 where Python can import torch.
 */
import { describe, expect, test } from 'vitest'
import { isKind } from '../../src/graph/node.ts'
import { dense } from '../../src/layers/dense.ts'
import { elman, lstm } from '../../src/layers/recurrent.ts'
import { type Sequential, sequential } from '../../src/layers/sequential.ts'
import { elementCount } from '../../src/tensor/tensor.ts'
import { adam, type Optimizer, sgd } from '../../src/train/optimizers.ts'
import type { NamedGraph } from '../../src/train/session.ts'
import { type StepOptions, trainingGraph } from '../../src/train/step.ts'
import { type Named, openWasm, outside, random, runOracle, traceLoss } from '../contract/support.ts'
import { ask, skipped } from './python.ts'

const KINDS = (['elman', 'lstm'] as const).flatMap((cell) => [1, 2].map((layers) => ({ cell, layers })))
const LOSSES = ['meanSquaredError', 'softmaxCrossEntropy'] as const
const SIZES = [
  { T: 1, B: 1, I: 1, H: 1, O: 2, backwards: false },
  { T: 5, B: 3, I: 4, H: 6, O: 3, backwards: true },
  { T: 9, B: 2, I: 7, H: 5, O: 4, backwards: false },
  { T: 3, B: 8, I: 2, H: 9, O: 5, backwards: true },
]

interface Shape {
  readonly cell: 'elman' | 'lstm'
  readonly layers: number
  readonly loss: (typeof LOSSES)[number]
  readonly sizes: (typeof SIZES)[number]
  readonly ragged: boolean
  readonly sequences: boolean
}

/** A model and, in `told`, what Python has to know of it. */
function describeModel({ cell, layers, loss, sizes, ragged, sequences }: Shape, seed: number) {
  const { T, B, I, H, O, backwards } = sizes
  const trainable = ragged !== sequences
  const names = ['rnn', 'rnn_1'].slice(0, layers)
  const options = {
    units: H,
    goBackwards: backwards,
    initialState: trainable ? 'trainable' : 'zeros',
  } as const
  const stack = names.map((name, k) =>
    (cell === 'lstm' ? lstm : elman)({ ...options, name, returnSequences: sequences || k < layers - 1 }),
  )
  const model = sequential([...stack, dense({ units: O })], { input: { shape: [null, I], dtype: 'f32' } })
  const { numbers, integers, weights } = random(seed)
  const targets = B * (sequences ? T : 1)
  const x = () => numbers(B * T * I)
  const y = () => (loss === 'softmaxCrossEntropy' ? integers(targets, 0, O - 1) : numbers(targets * O))
  const lengths = ragged ? integers(B, 1, T) : null
  const told = { ...sizes, cell, layers, names, sequences, loss, trainable, lengths, weights: weights(model) }
  return { model, told, draw: { x, y }, bindings: new Map(Object.entries({ T, B })) }
}

const gradients = KINDS.flatMap((kind) =>
  SIZES.flatMap((sizes) =>
    LOSSES.flatMap((loss) =>
      [false, true].flatMap((ragged) =>
        [false, true].map((sequences) => ({ ...kind, sizes, loss, ragged, sequences })),
      ),
    ),
  ),
).map((shape, i) => {
  const { told, draw, ...rest } = describeModel(shape, i)
  return { ...rest, shape, told: { kind: 'gradients', ...told, x: draw.x(), y: draw.y() } }
})

const STEPS = 20
const OPTIMIZERS = [
  { name: 'adam', learningRate: 0.01, epsilon: 1e-7 },
  { name: 'sgd', learningRate: 0.3, momentum: 0 },
  { name: 'sgd', learningRate: 0.1, momentum: 0.9 },
] as const
const training = OPTIMIZERS.flatMap((optimizer, i) =>
  (['elman', 'lstm'] as const).map((cell) => {
    const shape = { cell, layers: 2, loss: LOSSES[1], sizes: SIZES[2]!, ragged: false, sequences: true }
    const { told, draw, ...rest } = describeModel(shape, 100 + i)
    const [xs, ys] = [Array.from({ length: STEPS }, draw.x), Array.from({ length: STEPS }, draw.y)]
    // Above some norms and below others.
    const clip = cell === 'lstm' ? 0.3 : 0.6
    return { ...rest, told: { kind: 'training', ...told, optimizer, clip, xs, ys } }
  }),
)

/** The training step with names for what it updates: an update is a choice between a new value and the input's old one. */
function stepOf(model: Sequential, options: StepOptions): NamedGraph {
  const graph = trainingGraph(model, options)
  const donate = graph.outputs.slice(2).map((update, i) => {
    const old = update.inputs[2]!
    return [i + 2, isKind(old, 'param') ? graph.params.indexOf(old) : -1] as const
  })
  return { graph, inputs: graph.names, outputs: ['loss', 'gradientNorm'], donate: new Map(donate) }
}

describe.skipIf(skipped)('against PyTorch', () => {
  const answers = ask(
    'pytorch.py',
    [...gradients, ...training].map(({ told }) => told),
  )

  test.each(KINDS)(
    '$cell, layers: $layers: loss, outputs, final states and all gradients',
    async ({ cell, layers }) => {
      let compared = 0
      for (const [i, { model, shape, told, bindings }] of gradients.entries()) {
        if (shape.cell !== cell || shape.layers !== layers) continue
        const named = traceLoss(model, shape.loss, shape.ragged)
        const given = { ...told.weights, x: told.x, y: told.y, lengths: told.lengths ?? [] }
        const [expected, what] = [answers[i]!, JSON.stringify(shape)]
        expect(named.outputs.toSorted(), what).toEqual(Object.keys(expected).toSorted())
        expect(outside('f64', runOracle(named, given, bindings), expected), `f64, ${what}`).toEqual([])
        const wasm = await openWasm(named)
        expect(outside('f32', await wasm(given, bindings), expected), `WASM, ${what}`).toEqual([])
        compared++
      }
      expect(compared).toBe(gradients.length / KINDS.length)
    },
  )

  // The 20 steps run in f64 throughout, the optimizer's state included: Adam turns f32 noise near a zero gradient into a
  // whole learning rate. Each step in WASM begins where the oracle's does, and of Adam its parameters are left out.
  test.each(training.map((each, i) => [each.told.optimizer, each.told.cell, each, i] as const))(
    `${STEPS} clipped steps: %j, %s`,
    async (_optimizer, _cell, { model, told, bindings }, i) => {
      const optimizer: Optimizer = told.optimizer.name === 'adam' ? adam(told.optimizer) : sgd(told.optimizer)
      const step = stepOf(model, { loss: told.loss, optimizer, clipGlobalNorm: told.clip })
      const wasm = await openWasm(step)
      const slots = optimizer.slots.flatMap((slot) =>
        [...model.built.params].map(([path, { shape }]) => [
          `${slot} of ${path}`,
          new Float64Array(elementCount(shape)),
        ]),
      )
      const scalars = Object.entries(optimizer.scalars).map(([name, value]) => [name, [value]])
      const learningRate = [told.optimizer.learningRate]
      let values: Named = { ...told.weights, ...Object.fromEntries([...slots, ...scalars]), learningRate }
      const [losses, norms]: [number[], number[]] = [[], []]
      for (const [at, x] of told.xs.entries()) {
        const given = { ...values, x, y: told.ys[at]! }
        const results = runOracle(step, given, bindings)
        const compared = Object.entries(results).filter(
          ([name]) => optimizer.name !== 'adam' || told.weights[name] === undefined,
        )
        expect(
          outside('f32', await wasm(given, bindings), Object.fromEntries(compared)),
          `step ${at + 1}`,
        ).toEqual([])
        losses.push(results['loss']![0]!)
        norms.push(results['gradientNorm']![0]!)
        values = { ...values, ...results }
      }
      expect([norms.some((norm) => norm > told.clip), norms.some((norm) => norm < told.clip)]).toEqual([
        true,
        true,
      ])
      expect(outside('f64', { ...values, losses, norms }, answers[gradients.length + i]!)).toEqual([])
    },
  )
})
