/** Cells: the built-in ones and the way to write your own. */
export {
  constraint,
  type MaxNormOptions,
  type MinMaxNormOptions,
  maxNorm,
  minMaxNorm,
  type NormOptions,
  nonNeg,
  unitNorm,
} from '../init/constraints.ts'
export {
  filled,
  glorotNormal,
  glorotUniform,
  heNormal,
  heUniform,
  type Initializer,
  identity,
  joined,
  lecunNormal,
  lecunUniform,
  normal,
  ones,
  orthogonal,
  type Parameter,
  parameter,
  truncatedNormal,
  uniform,
  zeros,
} from '../init/initializers.ts'
export {
  type L1Options,
  type L2Options,
  l1,
  l1L2,
  l2,
  type OrthogonalRegularizerOptions,
  orthogonalRegularizer,
  regularizer,
} from '../init/regularizers.ts'
export type { Constraint, Regularizer } from '../init/rules.ts'
export {
  celu,
  elu,
  exponential,
  gelu,
  hardShrink,
  hardSilu,
  hardTanh,
  leakyRelu,
  logSigmoid,
  mish,
  relu6,
  selu,
  silu,
  softplus,
  softShrink,
  softsign,
  squareplus,
  tanhShrink,
} from './activation-functions.ts'
export type { Activation } from './activations.ts'
export { type ClockworkOptions, clockworkCell } from './clockwork.ts'
export {
  type ConvLstm1dOptions,
  type ConvLstm2dOptions,
  convLstm1dCell,
  convLstm2dCell,
} from './conv-lstm.ts'
export { type CoupledLstmOptions, coupledLstmCell } from './coupled-lstm.ts'
export {
  type Cell,
  type CellOptions,
  defineCell,
  type Noise,
  type StateShape,
  type TracedCell,
} from './define.ts'
export { type EchoStateOptions, echoStateCell } from './echo-state.ts'
export { type ElmanOptions, elmanCell } from './elman.ts'
export { type GruOptions, gruCell } from './gru.ts'
export { type IndRnnOptions, indRnnCell } from './ind-rnn.ts'
export type { InputAxes, InputShape } from './inputs.ts'
export { irnnCell } from './irnn.ts'
export { type JordanOptions, jordanCell } from './jordan.ts'
export { type LayerNormGruOptions, layerNormGruCell } from './layer-norm-gru.ts'
export { type LayerNormLstmOptions, layerNormLstmCell } from './layer-norm-lstm.ts'
export { type LeakyOptions, leakyCell } from './leaky.ts'
export { type LruOptions, lruCell } from './lru.ts'
export { type LstmOptions, lstmCell } from './lstm.ts'
export { minGruCell } from './min-gru.ts'
export { minLstmCell } from './min-lstm.ts'
export { minimalGatedCell } from './minimal-gated.ts'
export type { CellBasics, GatedBasics, InputBasics } from './options.ts'
export { type PeepholeLstmOptions, peepholeLstmCell } from './peephole-lstm.ts'
export { type QrnnOptions, qrnnCell } from './qrnn.ts'
export { type SlstmOptions, slstmCell } from './slstm.ts'
export { type SruOptions, sruCell } from './sru.ts'
export { stacked } from './stacked.ts'
