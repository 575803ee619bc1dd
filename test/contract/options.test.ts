/** Every option of every layer, cell, loss, optimizer and schedule refuses what it cannot hold, when built, by name. */
import { describe, expect, test } from 'vitest'
import { clockworkCell } from '../../src/cells/clockwork.ts'
import { coupledLstmCell } from '../../src/cells/coupled-lstm.ts'
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
import { maxNorm } from '../../src/init/constraints.ts'
import { l2 } from '../../src/init/regularizers.ts'
import { attention, pointer } from '../../src/layers/attention.ts'
import { batchNorm } from '../../src/layers/batch-norm.ts'
import { bidirectional } from '../../src/layers/bidirectional.ts'
import { convLstm1d, convLstm2d } from '../../src/layers/conv-lstm.ts'
import { conv1d } from '../../src/layers/conv1d.ts'
import { dense } from '../../src/layers/dense.ts'
import { dropout } from '../../src/layers/dropout.ts'
import { echoState } from '../../src/layers/echo-state.ts'
import { embedding } from '../../src/layers/embedding.ts'
import { flatten } from '../../src/layers/flatten.ts'
import { globalAveragePooling1d, globalMaxPooling1d } from '../../src/layers/global-pooling.ts'
import { highway } from '../../src/layers/highway.ts'
import { layerNorm } from '../../src/layers/layer-norm.ts'
import { masking } from '../../src/layers/masking.ts'
import { add, average, concatenate, maximum, multiply, subtract } from '../../src/layers/merge.ts'
import { averagePooling1d, maxPooling1d } from '../../src/layers/pooling.ts'
import { elman, gru, jordan, lstm, recurrent } from '../../src/layers/recurrent.ts'
import { repeatVector } from '../../src/layers/repeat-vector.ts'
import { residual } from '../../src/layers/residual.ts'
import { timeDistributed } from '../../src/layers/time-distributed.ts'
import { ArgumentError } from '../../src/tensor/errors.ts'
import { ctc } from '../../src/train/ctc.ts'
import { EarlyStopping } from '../../src/train/early-stopping.ts'
import { lazyAdam } from '../../src/train/lazy-adam.ts'
import { huber } from '../../src/train/losses.ts'
import { movingAverage } from '../../src/train/moving-average.ts'
import { adam, adamW, rmsprop, sgd } from '../../src/train/optimizers.ts'
import { Plateau } from '../../src/train/plateau.ts'
import {
  constantRate,
  cosineDecay,
  exponentialDecay,
  linearDecay,
  stepDecay,
  warmup,
} from '../../src/train/schedules.ts'
import { checkTruncation } from '../../src/train/truncation.ts'

const never = [
  null,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  '1',
  [1],
  {},
  true,
  Symbol('1'),
]
/** What an option of each kind cannot be. */
const WRONG = {
  count: [...never, 0, -1, 1.5],
  integer: [...never, 1.5],
  sizes: [null, 1, 'x', {}, [0], [-1], [1.5], ['1'], [Number.NaN]],
  pair: [...never, 0, -1, 1.5, [], [1, 0], [1, 2, 3], ['1', 1]],
  countOr0: [...never, -1, 1.5],
  above0: [...never, 0, -1],
  atLeast0: [...never, -1],
  share: [...never, -0.1, 1],
  fraction: [...never, -0.1, 1.1],
  portion: [...never, 0, -0.1, 1.1],
  number: never,
  periods: [null, 1, 'x', {}, [], [0], [1.5], ['1'], [2, 2], [3, 2], [2 ** 12 - 1, 2 ** 13]],
  // A function is a schedule.
  rate: [...never, 0, -1],
  flag: [null, 0, 1, 'true', 'false', Number.NaN, {}, []],
  text: [null, 1, true, {}, [], Number.NaN],
  choice: [null, '', 'other', 'toString', 1, true, {}],
  choiceOrNull: ['', 'other', 'toString', 1, true, {}],
  initializer: [
    null,
    'zeros',
    1,
    {},
    [],
    { kind: 'other' },
    { kind: 'toString' },
    { kind: 'glorotUniform', gain: 1 },
  ],
  rates: [
    null,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    '1',
    [1],
    true,
    Symbol('1'),
    -0.1,
    1,
    { h: 1 },
    { h: null },
  ],
  regularizer: [null, 'l2', 1, {}, [], l2, maxNorm(), { kind: 'regularizer', name: 'l2' }],
  constraint: [null, 'maxNorm', 1, {}, [], maxNorm, l2(), { kind: 'constraint', name: 'own' }],
} as const satisfies Readonly<Record<string, readonly unknown[]>>
type Kind = keyof typeof WRONG
type Kinds = Readonly<Record<string, Kind>>
type Build = (options: never) => unknown

const inputOnly: Kinds = {
  units: 'count',
  useBias: 'flag',
  kernelInitializer: 'initializer',
  biasInitializer: 'initializer',
  ...{ kernelRegularizer: 'regularizer', biasRegularizer: 'regularizer' },
  ...{ kernelConstraint: 'constraint', biasConstraint: 'constraint' },
}
const { units: _, ...withoutUnits } = inputOnly
const ofState: Kinds = {
  recurrentInitializer: 'initializer',
  recurrentRegularizer: 'regularizer',
  recurrentConstraint: 'constraint',
}
const basics: Kinds = { ...inputOnly, activation: 'choice', ...ofState }
const gained: Kinds = {
  ...{ center: 'flag', scale: 'flag' },
  ...{ betaInitializer: 'initializer', gammaInitializer: 'initializer' },
  ...{ betaRegularizer: 'regularizer', gammaRegularizer: 'regularizer' },
  ...{ betaConstraint: 'constraint', gammaConstraint: 'constraint' },
}
const layer: Kinds = {
  returnSequences: 'flag',
  returnState: 'flag',
  goBackwards: 'flag',
  initialState: 'choice',
  zeroOutputForMask: 'flag',
  zoneout: 'rates',
  seed: 'integer',
  stateful: 'flag',
  name: 'text',
}
const scored: Kinds = { score: 'choice', units: 'count', scaled: 'flag', name: 'text' }
const pool: Kinds = { poolSize: 'count', strides: 'count', padding: 'choice', name: 'text' }
const drops: Kinds = { dropout: 'share', recurrentDropout: 'share' }
const gates: Kinds = { ...basics, recurrentActivation: 'choice' }
const convolved = (size: Kind): Kinds => {
  const { units, ...rest } = gates
  const sizes = { kernelSize: size, strides: size, dilationRate: size }
  return { filters: 'count', ...sizes, padding: 'choice', unitForgetBias: 'flag', ...rest }
}
const adamOptions: Kinds = { learningRate: 'rate', beta1: 'share', beta2: 'share', epsilon: 'above0' }

/** What is built, what has to be given, and the kinds of all options. */
const BUILDERS: readonly (readonly [string, Build, object | undefined, Kinds])[] = [
  ['elman', elman, { units: 2 }, { ...basics, ...drops, ...layer }],
  ['gru', gru, { units: 2 }, { ...gates, ...drops, ...layer, resetAfter: 'flag' }],
  ['jordan', jordan, { units: 2, outputs: 2 }, { ...basics, ...layer, outputs: 'count' }],
  ['lstm', lstm, { units: 2 }, { ...gates, ...drops, ...layer, unitForgetBias: 'flag' }],
  ['elman', elmanCell, { units: 2 }, { ...basics, ...drops }],
  ['gru', gruCell, { units: 2 }, { ...gates, ...drops, resetAfter: 'flag' }],
  ['jordan', jordanCell, { units: 2, outputs: 2 }, { ...basics, outputs: 'count' }],
  ['lstm', lstmCell, { units: 2 }, { ...gates, ...drops, unitForgetBias: 'flag' }],
  [
    'peepholeLstm',
    peepholeLstmCell,
    { units: 2 },
    { ...gates, unitForgetBias: 'flag', peepholeInitializer: 'initializer' },
  ],
  ['coupledLstm', coupledLstmCell, { units: 2 }, { ...gates, unitForgetBias: 'flag' }],
  ['layerNormLstm', layerNormLstmCell, { units: 2 }, { ...gates, unitForgetBias: 'flag', epsilon: 'above0' }],
  ['layerNormGru', layerNormGruCell, { units: 2 }, { ...gates, epsilon: 'above0' }],
  ['minimalGated', minimalGatedCell, { units: 2 }, gates],
  ['indRnn', indRnnCell, { units: 2 }, basics],
  ['irnn', irnnCell, { units: 2 }, { ...basics, ...drops }],
  [
    'echoState',
    echoStateCell,
    { units: 2 },
    {
      ...{ units: 'count', spectralRadius: 'above0', leakRate: 'portion', connectivity: 'portion' },
      ...{ inputScaling: 'above0', biasScaling: 'atLeast0', activation: 'choice' },
    },
  ],
  [
    'echoState',
    echoState,
    { units: 2, outputs: 1 },
    { units: 'count', outputs: 'count', spectralRadius: 'above0', returnSequences: 'flag' },
  ],
  ['convLstm1d', convLstm1d, { filters: 2, kernelSize: 2 }, { ...convolved('count'), ...layer }],
  ['convLstm2d', convLstm2d, { filters: 2, kernelSize: [2, 1] }, { ...convolved('pair'), ...layer }],
  ['leaky', leakyCell, { units: 2, leakRate: 0.5 }, { ...basics, leakRate: 'portion' }],
  ['clockwork', clockworkCell, { units: 4 }, { ...basics, periods: 'periods' }],
  [
    'sru',
    sruCell,
    { units: 2 },
    { ...inputOnly, recurrentInitializer: 'initializer', highwayBias: 'number' },
  ],
  ['qrnn', qrnnCell, { units: 2 }, { ...inputOnly, activation: 'choice' }],
  ['minGru', minGruCell, { units: 2 }, inputOnly],
  ['minLstm', minLstmCell, { units: 2 }, inputOnly],
  [
    'slstm',
    slstmCell,
    { units: 2 },
    {
      ...inputOnly,
      ...ofState,
      ...{ forgetActivation: 'choice', unitForgetBias: 'flag' },
    },
  ],
  [
    'lru',
    lruCell,
    { units: 2 },
    {
      ...{ units: 'count', outputs: 'count' },
      ...{ minRadius: 'share', maxRadius: 'portion', maxPhase: 'above0' },
    },
  ],
  ['lstm', (options) => recurrent(lstmCell({ units: 2 }), options), undefined, layer],
  [
    'dense',
    dense,
    { units: 2 },
    {
      ...{ units: 'count', activation: 'choice', useBias: 'flag', tiedTo: 'text', name: 'text' },
      ...inputOnly,
    },
  ],
  [
    'embedding',
    embedding,
    { inputDim: 3, outputDim: 2 },
    {
      ...{ inputDim: 'count', outputDim: 'count', maskZero: 'flag', name: 'text' },
      embeddingsInitializer: 'initializer',
      ...{ embeddingsRegularizer: 'regularizer', embeddingsConstraint: 'constraint' },
    },
  ],
  ['dropout', dropout, { rate: 0.5 }, { rate: 'share', seed: 'integer', noiseShape: 'sizes', name: 'text' }],
  ['layerNorm', layerNorm, undefined, { epsilon: 'above0', ...gained, name: 'text' }],
  [
    'batchNorm',
    batchNorm,
    undefined,
    {
      ...{ momentum: 'fraction', epsilon: 'above0', ...gained, name: 'text' },
      ...{ movingMeanInitializer: 'initializer', movingVarianceInitializer: 'initializer' },
    },
  ],
  [
    'bidirectional',
    (options) => bidirectional(lstm({ units: 2 }), options),
    undefined,
    { mergeMode: 'choiceOrNull', name: 'text' },
  ],
  ['flatten', flatten, undefined, { name: 'text' }],
  ['repeatVector', repeatVector, { n: 2 }, { n: 'count', name: 'text' }],
  [
    'timeDistributed',
    (options) => timeDistributed(dense({ units: 2 }), options),
    undefined,
    { name: 'text' },
  ],
  ['residual', (options) => residual(dense({ units: 2 }), options), undefined, { name: 'text' }],
  [
    'highway',
    (options) => highway(dense({ units: 2 }), options),
    undefined,
    { kernelInitializer: 'initializer', biasInitializer: 'initializer', name: 'text' },
  ],
  ['masking', masking, undefined, { maskValue: 'number', name: 'text' }],
  [
    'conv1d',
    conv1d,
    { filters: 2, kernelSize: 2 },
    {
      ...{
        filters: 'count',
        kernelSize: 'count',
        strides: 'count',
        dilationRate: 'count',
        padding: 'choice',
        groups: 'count',
      },
      ...{ ...withoutUnits, activation: 'choice', name: 'text' },
    },
  ],
  ['attention', attention, undefined, { ...scored, dropout: 'share', seed: 'integer' }],
  ['pointer', pointer, undefined, scored],
  ['maxPooling1d', maxPooling1d, undefined, pool],
  ['averagePooling1d', averagePooling1d, undefined, pool],
  ['globalMaxPooling1d', globalMaxPooling1d, undefined, { keepDims: 'flag', name: 'text' }],
  ['globalAveragePooling1d', globalAveragePooling1d, undefined, { keepDims: 'flag', name: 'text' }],
  ['concatenate', concatenate, undefined, { axis: 'integer', name: 'text' }],
  ...Object.entries({ add, subtract, multiply, average, maximum }).map(
    ([name, merge]) => [name, merge, undefined, { name: 'text' }] as const,
  ),
  ['sgd', sgd, undefined, { learningRate: 'rate', momentum: 'share', nesterov: 'flag' }],
  [
    'rmsprop',
    rmsprop,
    undefined,
    { learningRate: 'rate', rho: 'share', momentum: 'share', epsilon: 'above0', centered: 'flag' },
  ],
  ['adam', adam, undefined, adamOptions],
  ['lazyAdam', lazyAdam, undefined, adamOptions],
  ['adamW', adamW, undefined, { ...adamOptions, weightDecay: 'atLeast0' }],
  ['movingAverage', (options) => movingAverage(adam(), options), undefined, { momentum: 'share' }],
  ['huber', huber, undefined, { delta: 'above0' }],
  ['ctc', ctc, undefined, { blank: 'countOr0', zeroInfinity: 'flag' }],
  ['cosineDecay', (options) => cosineDecay(1, 10, options), undefined, { end: 'fraction' }],
  [
    'earlyStopping',
    (options) => new EarlyStopping(options),
    {},
    { patience: 'countOr0', minDelta: 'atLeast0', restoreBest: 'flag' },
  ],
  [
    'reduceOnPlateau',
    (options) => new Plateau(options, 0.1),
    {},
    {
      ...{ factor: 'share', patience: 'countOr0', minDelta: 'atLeast0', cooldown: 'countOr0' },
      minLearningRate: 'atLeast0',
    },
  ],
  ['truncate', checkTruncation, { k1: 2, k2: 4 }, { k1: 'count', k2: 'count' }],
]

/** What an act throws; its message, if it is an ArgumentError. */
function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (error instanceof ArgumentError) return error.message
    return `no ArgumentError: ${String(error)}`
  }
  return 'nothing was thrown'
}

describe.each(BUILDERS)('%s', (name, make, base, kinds) => {
  const build = (options: unknown) => make(options as never)

  test.each(Object.entries(kinds))('%s: %s', (option, kind) => {
    build(base)
    for (const value of [...WRONG[kind], ...(base !== undefined && option in base ? [undefined] : [])]) {
      const said = refusal(() => build({ ...base, [option]: value }))
      expect(said, `for ${String(value)}`).toMatch(new RegExp(`^${name}.*${option}.*(received|expected)`))
    }
  })

  test('options that are none, and one that is not there', () => {
    for (const value of [null, 7, 'x', [], () => 1, ...(base === undefined ? [] : [undefined])]) {
      const said = refusal(() => build(value))
      expect(said, `for ${String(value)}`).toMatch(
        new RegExp(`^${name}: expected an object of options .* received`),
      )
    }
    const said = refusal(() => build({ ...base, unitz: 1 }))
    expect(said).toMatch(
      new RegExp(`^${name}: there is no option unitz; expected .*${Object.keys(kinds)[0]}`),
    )
  })
})

test.each<[string, (...args: never[]) => unknown, readonly unknown[], readonly Kind[]]>([
  ['constantRate', constantRate, [1], ['above0']],
  ['linearDecay', linearDecay, [1, 10, 0.1], ['above0', 'above0', 'fraction']],
  ['cosineDecay', cosineDecay, [1, 10], ['above0', 'above0']],
  ['stepDecay', stepDecay, [1, 10, 0.1], ['above0', 'above0', 'above0']],
  ['exponentialDecay', exponentialDecay, [1, 10, 0.1], ['above0', 'above0', 'above0']],
  ['warmup', warmup, [5, 0.1], ['countOr0', 'rate']],
])('%s', (_, make, good, kinds) => {
  make(...(good as never[]))
  for (const [place, kind] of kinds.entries()) {
    for (const value of WRONG[kind]) {
      const said = refusal(() => make(...(good.with(place, value) as never[])))
      expect(said, `argument ${place}, ${String(value)}`).toMatch(/ must be .*; received/)
    }
  }
})
