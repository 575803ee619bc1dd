/**
 * Against TensorFlow.js where it agrees with Keras: losses, outputs, final states, every gradient, in f32. Runs with
 * RECURRA_ORACLES=1; the packages are those of bench/, installed on first use. Not here, because TF.js has it otherwise
 * or not at all: a GRU with resetAfter, hardSigmoid, masks under batchNorm, and what a layer gives before its first step.
 */
import { fileURLToPath } from 'node:url'
import { describe, test } from 'vitest'
import { installOnFirstUse } from '../../scripts/install.mjs'
import {
  batchNorm,
  bidirectional,
  conv1d,
  convLstm2d,
  dense,
  elman,
  embedding,
  gru,
  layerNorm,
  lstm,
  masking,
  repeatVector,
  timeDistributed,
} from '../../src/index.ts'
import type { Layer } from '../../src/layers/layer.ts'
import type { Recurrent, RecurrentOptions } from '../../src/layers/recurrent.ts'
import { ask, unless, wanted } from './ask.ts'
import { caseOf, compare, OUTPUTS, product, type Shape, VOCABULARY } from './cases.ts'

const bench = fileURLToPath(new URL('../../bench', import.meta.url))
const absent = wanted
  ? installOnFirstUse(bench, () => console.log('installing the packages of bench on first use (npm ci)'))
  : undefined
const skipped = unless(absent, 'TensorFlow.js')

interface Options extends RecurrentOptions {
  readonly units: number
  readonly useBias: boolean
}
/** From 2 steps on: TF.js fails at the gradient of cutting a sequence into one step. */
const SIZES = [
  { T: 2, B: 1, I: 1 },
  { T: 6, B: 4, I: 3 },
  { T: 4, B: 7, I: 5 },
]
const EITHER = [false, true]
/** What is varied about a model: every choice of one value for each. */
const AXES = {
  two: EITHER,
  sequences: EITHER,
  goBackwards: EITHER,
  padding: ['none', 'lengths', 'mask'] as Shape['padding'][],
  begin: ['zeros', 'trainable', 'carried'],
  training: [true],
}
type Ways = { readonly [K in keyof typeof AXES]: (typeof AXES)[K][number] }
const NAMES = Object.keys(AXES) as (keyof Ways)[]

interface Row extends Partial<{ readonly [K in keyof Ways]: readonly Ways[K][] }> {
  /** Layers of which the last recurrent one takes `last`; those before it take `below`. */
  readonly layers: (last: Options, below: Options, ways: Ways) => readonly Layer[]
  readonly tokens?: boolean
  /** The shape of a step. Default: features. */
  readonly shape?: readonly number[]
  readonly calls?: number
  readonly found?: boolean
  /** What TF.js has as an option of a layer and Recurra has otherwise. */
  readonly peer?: { readonly maskZero?: boolean }
}

type Make = (options: Options) => Recurrent
const CELLS: Readonly<Record<string, Make>> = {
  elman,
  'elman, relu': (options) => elman({ ...options, activation: 'relu' }),
  'gru, reset before the product': (options) => gru({ ...options, resetAfter: false }),
  lstm,
  'lstm, other functions': (options) =>
    lstm({ ...options, activation: 'sigmoid', recurrentActivation: 'tanh' }),
}
const onTop = dense({ units: OUTPUTS })
const stack =
  (make: Make): Row['layers'] =>
  (last, below, { two }) => [...(two ? [make(below)] : []), make(last), onTop]
const reading =
  (make: Make): Row['layers'] =>
  (last) => [embedding({ inputDim: VOCABULARY, outputDim: 3 }), make(last), dense({ units: VOCABULARY })]
/** Rows that have nothing to do with the number of layers and the direction. */
const only: Partial<Row> = { two: [false], goBackwards: [false] }
const forEachCell = (name: string, row: (make: Make) => Row) =>
  Object.entries(CELLS).map(([cell, make]) => [`${name}${cell}`, row(make)] as const)

const ROWS: Readonly<Record<string, Row>> = Object.fromEntries<Row>([
  ...forEachCell('', (make) => ({ layers: stack(make) })),
  ...forEachCell('tokens, ', (make) => ({ ...only, layers: reading(make), tokens: true, padding: ['none'] })),
  ...forEachCell('embedding, maskZero: ', (make) => ({
    ...{ two: [false], layers: reading(make), tokens: true, padding: ['mask'], peer: { maskZero: true } },
  })),
  ...forEachCell('stateful, ', (make) => ({
    layers: stack(make),
    begin: ['carried'],
    calls: 3,
    training: EITHER,
  })),
  ...forEachCell('inference, ', (make) => ({ layers: stack(make), training: [false] })),
  ...(['concat', 'sum', 'mul', 'ave'] as const).map((mergeMode) => {
    const layers: Row['layers'] = (last, below, { two }) => [
      ...(two ? [bidirectional(gru({ ...below, resetAfter: false }), { mergeMode })] : []),
      bidirectional(lstm(last), { mergeMode }),
      onTop,
    ]
    return [`bidirectional, ${mergeMode}`, { layers, goBackwards: [false] }] as const
  }),
  [
    'layer norm',
    {
      ...only,
      layers: (last) => [layerNorm(), lstm(last), layerNorm({ epsilon: 0.1 }), onTop],
    },
  ],
  [
    'batch norm',
    {
      ...only,
      layers: (last) => [batchNorm(), elman(last), batchNorm({ momentum: 0.7, epsilon: 0.1 }), onTop],
      // TF.js counts masked steps in a batch's mean and variance.
      padding: ['none'],
      training: EITHER,
    },
  ],
  [
    // TF.js fails at gradients without g or b.
    'norms without g or b, inference',
    {
      ...only,
      layers: (last) => [
        layerNorm({ center: false }),
        elman(last),
        ...[
          batchNorm({ scale: false }),
          layerNorm({ scale: false, epsilon: 0.1 }),
          batchNorm({ center: false }),
        ],
        onTop,
      ],
      training: [false],
      padding: ['none'],
    },
  ],
  [
    'convolutional LSTM over images',
    {
      layers: (last, below, { two }) => {
        const images = ({ units, ...rest }: Options) => ({ ...rest, filters: units, kernelSize: 2 })
        const upper = convLstm2d({ ...images(last), padding: 'same', strides: [1, 2] })
        return [...(two ? [convLstm2d(images(below))] : []), upper, onTop]
      },
      shape: [4, 5, 2],
      // TF.js cannot mask images.
      padding: ['none'],
    },
  ],
  [
    'conv1d',
    {
      ...only,
      layers: (last) => [
        conv1d({ filters: 4, kernelSize: 3, padding: 'same', activation: 'tanh' }),
        ...[lstm(last), onTop],
      ],
      padding: ['none'],
    },
  ],
  [
    // TF.js has no causal padding, and fails at gradients of what is dilated and of one step.
    'conv1d, other ways, inference',
    {
      ...only,
      layers: (last, _, { begin }) => {
        const own = {
          zeros: { kernelSize: 2 },
          trainable: { kernelSize: 3, padding: 'same', dilationRate: 2 },
          carried: { kernelSize: 1, strides: 2 },
        } as const
        return [conv1d({ filters: 4, ...own[begin as keyof typeof own] }), elman(last), onTop]
      },
      padding: ['none'],
      training: [false],
    },
  ],
  ...forEachCell('masking, ', (make) => ({
    ...{ layers: (...all) => [masking(), ...stack(make)(...all)], padding: ['mask'], found: true },
  })),
  [
    'repeatVector, timeDistributed(dense)',
    {
      ...only,
      layers: (last, below) => [
        lstm({ ...below, returnSequences: false }),
        ...[repeatVector({ n: 3 }), elman(last), timeDistributed(dense({ units: 4, activation: 'tanh' }))],
      ],
      sequences: [true],
      padding: ['none'],
    },
  ],
  [
    'timeDistributed(dense)',
    {
      ...only,
      layers: (last) => [
        timeDistributed(dense({ units: 4, activation: 'tanh' })),
        ...[lstm(last), timeDistributed(onTop)],
      ],
      sequences: [true],
      padding: ['none'],
    },
  ],
])

/** The long run takes every choice; others a third of many, in which any two values of two axes still meet. */
const long = process.env['RECURRA_LONG'] === '1'

function casesOf(
  [name, { layers, tokens = false, calls = 1, shape: step, found = false, peer, ...own }]: [string, Row],
  k: number,
) {
  const axes = { ...AXES, ...own }
  const all = [...product(axes).entries()]
  const places = (ways: Ways) =>
    NAMES.reduce((sum, name) => sum + (axes[name] as readonly unknown[]).indexOf(ways[name]), k)
  const taken = all.filter(([, ways]) => long || all.length < 10 || places(ways) % 3 === 0)
  return taken.map(([i, ways]) => {
    const { sequences, goBackwards, padding, begin, training } = ways
    const last = {
      units: 5,
      useBias: (i + k) % 4 > 0,
      returnSequences: sequences,
      initialState: begin === 'trainable' ? begin : 'zeros',
      goBackwards,
    } as const
    const shape: Shape = {
      ...SIZES[(i + Math.floor(i / 3) + k) % SIZES.length]!,
      ...(step && { I: step }),
      ...{ padding, found, sequences, tokens, calls, training, carried: begin === 'carried' },
      // Before a row's first step TF.js gives the state that it begins with, Recurra and Keras 0.
      edges: begin !== 'zeros',
    }
    const built = layers(last, { ...last, units: 3, returnSequences: true }, ways)
    return { name, what: JSON.stringify({ i, ...ways }), ...caseOf(built, shape, 100 * k + i, { peer }) }
  })
}
const cases = skipped ? [] : Object.entries(ROWS).flatMap(casesOf)

describe.skipIf(skipped)('layers against TensorFlow.js', () => {
  const told = cases.map((each) => each.told)
  const answers = skipped ? [] : ask(process.execPath, 'tfjs.mjs', told)

  test.each(Object.keys(ROWS))('%s', async (wantedName) => {
    for (const [i, { name, what, ...each }] of cases.entries()) {
      if (name === wantedName) await compare(each, answers[i]!, 'f32', what)
    }
  })
})
