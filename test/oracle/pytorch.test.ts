/**
 * Against PyTorch in double precision: losses, outputs, final states, every gradient, and whole training steps. Both
 * sides get the same numbers, exact in f32. Runs with RECURRA_ORACLES=1 where Python can import torch.
 */
import { describe, expect, test } from 'vitest'
import { isKind } from '../../src/graph/node.ts'
import { dense } from '../../src/layers/dense.ts'
import type { Model } from '../../src/layers/model.ts'
import { elman, lstm } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { elementCount } from '../../src/tensor/tensor.ts'
import { huber } from '../../src/train/losses.ts'
import { adam, adamW, type Optimizer, rmsprop, sgd } from '../../src/train/optimizers.ts'
import type { NamedGraph } from '../../src/train/session.ts'
import type { StepOptions } from '../../src/train/step.ts'
import { trainingGraph } from '../../src/train/training-graph.ts'
import { type Named, openWasm, outside, random, runOracle, traceLoss } from '../contract/support.ts'
import { withinLengths } from './cases.ts'
import { askPyTorch, skipped } from './python.ts'

const KINDS = (['elman', 'lstm'] as const).flatMap((cell) => [1, 2].map((layers) => ({ cell, layers })))
const LOSSES = ['meanSquaredError', 'softmaxCrossEntropy'] as const
/** With one model alone. */
const MORE_LOSSES = ['binaryCrossEntropy', 'hinge', 'meanAbsoluteError', 'huber'] as const
type Name = (typeof LOSSES)[number] | (typeof MORE_LOSSES)[number]
const lossCalled = (name: Name) => (name === 'huber' ? huber({ delta: 0.5 }) : name)
const SIZES = [
  { T: 1, B: 1, I: 1, H: 1, O: 2, backwards: false },
  { T: 5, B: 3, I: 4, H: 6, O: 3, backwards: true },
  { T: 9, B: 2, I: 7, H: 5, O: 4, backwards: false },
  { T: 3, B: 8, I: 2, H: 9, O: 5, backwards: true },
]

interface Shape {
  readonly cell: 'elman' | 'lstm'
  readonly layers: number
  readonly loss: Name
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
  const y = () => {
    if (loss === 'softmaxCrossEntropy') return integers(targets, 0, O - 1)
    const values = numbers(targets * O)
    if (loss === 'hinge') return values.map(Math.sign)
    return loss === 'binaryCrossEntropy' ? values.map(Math.abs) : values
  }
  const lengths = ragged ? integers(B, 1, T) : null
  const told = { ...sizes, cell, layers, names, sequences, loss, trainable, lengths, weights: weights(model) }
  return { model, told, draw: { x, y }, bindings: new Map(Object.entries({ T, B })) }
}

const gradients = KINDS.flatMap((kind) =>
  SIZES.flatMap((sizes) =>
    [...LOSSES, ...(kind === KINDS[0] ? MORE_LOSSES : [])].flatMap((loss) =>
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
const OPTIMIZERS = { sgd, rmsprop, adam, adamW }
/** Above some norms, or elements, and below others. */
const BOUNDS = {
  byNorm: { elman: { clipGlobalNorm: 0.6 }, lstm: { clipGlobalNorm: 0.3 } },
  byValue: { elman: { clipValue: 0.01 }, lstm: { clipValue: 0.01 } },
} as const
const RUNS = [
  ['adam', { learningRate: 0.01 }, 'byNorm'],
  ['adamW', { learningRate: 0.01, weightDecay: 0.1 }, 'byValue'],
  ['rmsprop', { learningRate: 0.01, momentum: 0, centered: false }, 'byNorm'],
  ['rmsprop', { learningRate: 0.01, momentum: 0.8, centered: true }, 'byValue'],
  ['sgd', { learningRate: 0.3, momentum: 0, nesterov: false }, 'byNorm'],
  ['sgd', { learningRate: 0.1, momentum: 0.9, nesterov: false }, 'byValue'],
  ['sgd', { learningRate: 0.1, momentum: 0.9, nesterov: true }, 'byNorm'],
] as const
const training = RUNS.flatMap(([optimizer, options, bounds], i) =>
  (['elman', 'lstm'] as const).map((cell) => {
    const shape = { cell, layers: 2, loss: LOSSES[1], sizes: SIZES[2]!, ragged: false, sequences: true }
    const { told, draw, ...rest } = describeModel(shape, 100 + i)
    const [xs, ys] = [Array.from({ length: STEPS }, draw.x), Array.from({ length: STEPS }, draw.y)]
    const clipping = BOUNDS[bounds][cell]
    return { ...rest, told: { kind: 'training', ...told, optimizer, options, clipping, xs, ys } }
  }),
)

/** The training step with names for what it updates: an update is a choice between a new value and the input's old one. */
function stepOf(model: Model, options: StepOptions): NamedGraph {
  const graph = trainingGraph(model, options)
  const donate = graph.outputs.slice(3).map((update, i) => {
    const old = update.inputs[2]!
    return [i + 3, isKind(old, 'param') ? graph.params.indexOf(old) : -1] as const
  })
  return { graph, inputs: graph.names, outputs: ['loss', 'gradientNorm', 'tokens'], donate: new Map(donate) }
}

describe.skipIf(skipped)('against PyTorch', () => {
  const answers = askPyTorch(
    'pytorch.py',
    [...gradients, ...training].map(({ told }) => told),
  )

  test.each(KINDS)(
    '$cell, layers: $layers: loss, outputs, final states and all gradients',
    async ({ cell, layers }) => {
      let compared = 0
      for (const [i, { model, shape, told, bindings }] of gradients.entries()) {
        if (shape.cell !== cell || shape.layers !== layers) continue
        const named = traceLoss(model, lossCalled(shape.loss), shape.ragged)
        const given = { ...told.weights, x: told.x, y: told.y, lengths: told.lengths ?? [] }
        const [expected, what] = [withinLengths(answers[i]!, told), JSON.stringify(shape)]
        expect(named.outputs.toSorted(), what).toEqual(Object.keys(expected).toSorted())
        expect(outside('f64', runOracle(named, given, bindings), expected), `f64, ${what}`).toEqual([])
        const wasm = await openWasm(named)
        expect(outside('f32', await wasm(given, bindings), expected), `WASM, ${what}`).toEqual([])
        compared++
      }
      expect(compared).toBe(
        gradients.filter(({ shape }) => shape.cell === cell && shape.layers === layers).length,
      )
      expect(compared).toBeGreaterThanOrEqual(SIZES.length * LOSSES.length * 4)
    },
  )

  // The 20 steps run in f64 throughout, the optimizer's state included: where gradients are divided by their size, f32
  // noise near zero turns into a whole learning rate. Each step in WASM begins where the oracle's does; what such a
  // quotient enters is left out there.
  test.each(
    training.map((each, i) => [each.told.optimizer, each.told.options, each.told.cell, each, i] as const),
  )(`${STEPS} clipped steps: %s %j, %s`, async (name, options, _cell, { model, told, bindings }, i) => {
    const optimizer: Optimizer = OPTIMIZERS[name](options)
    const step = stepOf(model, { loss: 'softmaxCrossEntropy', optimizer, ...told.clipping })
    const wasm = await openWasm(step)
    const slots = optimizer.slots.flatMap((slot) =>
      [...model.built.params].map(([path, { shape }]) => [
        `${slot} of ${path}`,
        new Float64Array(elementCount(shape)),
      ]),
    )
    const scalars = Object.entries(optimizer.scalars).map(([name, value]) => [name, [value]])
    const learningRate = [options.learningRate]
    let values: Named = { ...told.weights, ...Object.fromEntries([...slots, ...scalars]), learningRate }
    const [losses, norms]: [number[], number[]] = [[], []]
    for (const [at, x] of told.xs.entries()) {
      const given = { ...values, x, y: told.ys[at]! }
      const results = runOracle(step, given, bindings)
      const compared = Object.entries(results).filter(
        ([output]) => name === 'sgd' || (told.weights[output] === undefined && !output.startsWith('b of')),
      )
      expect(
        outside('f32', await wasm(given, bindings), Object.fromEntries(compared)),
        `step ${at + 1}`,
      ).toEqual([])
      losses.push(results['loss']![0]!)
      norms.push(results['gradientNorm']![0]!)
      values = { ...values, ...results }
    }
    const bound = 'clipGlobalNorm' in told.clipping ? told.clipping.clipGlobalNorm : undefined
    if (bound !== undefined) expect(new Set(norms.map((norm) => norm > bound)).size).toBe(2)
    expect(outside('f64', { ...values, losses, norms }, answers[gradients.length + i]!)).toEqual([])
  })
})
