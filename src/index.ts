/**
 * The public list. Subpaths hold more: `recurra/graph`, `recurra/cells`, `recurra/train`, `recurra/data`, `recurra/io`,
 * `recurra/inspect`.
 */
export { clockworkCell } from './cells/clockwork.ts'
export { convLstm1dCell, convLstm2dCell } from './cells/conv-lstm.ts'
export { coupledLstmCell } from './cells/coupled-lstm.ts'
export { type Cell, defineCell } from './cells/define.ts'
export { echoStateCell } from './cells/echo-state.ts'
export { elmanCell } from './cells/elman.ts'
export { gruCell } from './cells/gru.ts'
export { indRnnCell } from './cells/ind-rnn.ts'
export { irnnCell } from './cells/irnn.ts'
export { jordanCell } from './cells/jordan.ts'
export { layerNormGruCell } from './cells/layer-norm-gru.ts'
export { layerNormLstmCell } from './cells/layer-norm-lstm.ts'
export { leakyCell } from './cells/leaky.ts'
export { lruCell } from './cells/lru.ts'
export { lstmCell } from './cells/lstm.ts'
export { minGruCell } from './cells/min-gru.ts'
export { minLstmCell } from './cells/min-lstm.ts'
export { minimalGatedCell } from './cells/minimal-gated.ts'
export { peepholeLstmCell } from './cells/peephole-lstm.ts'
export { qrnnCell } from './cells/qrnn.ts'
export { slstmCell } from './cells/slstm.ts'
export { sruCell } from './cells/sru.ts'
export { stacked } from './cells/stacked.ts'
export { type ExplainOptions, explain } from './codegen/explain.ts'
export { concat, relu, sigmoid, softmax, tanh, type Value, where } from './graph/value.ts'
export { constraint, maxNorm, minMaxNorm, nonNeg, unitNorm } from './init/constraints.ts'
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
  parameter,
  truncatedNormal,
  uniform,
  zeros,
} from './init/initializers.ts'
export { l1, l1L2, l2, orthogonalRegularizer, regularizer } from './init/regularizers.ts'
export type { Constraint, Regularizer } from './init/rules.ts'
export { attention, pointer } from './layers/attention.ts'
export { batchNorm } from './layers/batch-norm.ts'
export { bidirectional } from './layers/bidirectional.ts'
export { convLstm1d, convLstm2d } from './layers/conv-lstm.ts'
export { conv1d } from './layers/conv1d.ts'
export { dense } from './layers/dense.ts'
export { dropout } from './layers/dropout.ts'
export { echoState } from './layers/echo-state.ts'
export { embedding } from './layers/embedding.ts'
export { flatten } from './layers/flatten.ts'
export { call, type Flow, input, model } from './layers/functional.ts'
export { globalAveragePooling1d, globalMaxPooling1d } from './layers/global-pooling.ts'
export { highway } from './layers/highway.ts'
export { layerNorm } from './layers/layer-norm.ts'
export { masking } from './layers/masking.ts'
export { add, average, concatenate, maximum, multiply, subtract } from './layers/merge.ts'
export type { Model } from './layers/model.ts'
export { averagePooling1d, maxPooling1d } from './layers/pooling.ts'
export { elman, gru, jordan, lstm, recurrent } from './layers/recurrent.ts'
export { repeatVector } from './layers/repeat-vector.ts'
export { residual } from './layers/residual.ts'
export { sequential } from './layers/sequential.ts'
export type { StepInput, StepNumbers, Stream, StreamOptions, StreamState } from './layers/stream.ts'
export { summary } from './layers/summary.ts'
export { timeDistributed } from './layers/time-distributed.ts'
export {
  ArgumentError,
  DataError,
  FormatError,
  RecurraError,
  ShapeError,
} from './tensor/errors.ts'
export { type NestedNumbers, type Tensor, tensor } from './tensor/tensor.ts'
export { ctc } from './train/ctc.ts'
export { ctcDecode, labelErrorRate } from './train/ctc-decode.ts'
export { type Decoded, type DecodeOptions, decode } from './train/decode.ts'
export { type FitOptions, fit } from './train/fit.ts'
export { freeRun } from './train/free-run.ts'
export { type GenerateOptions, generate } from './train/generate.ts'
export { lazyAdam } from './train/lazy-adam.ts'
export { huber, type Loss, type LossFunction } from './train/losses.ts'
export { f1, type Metric, mase, precision, recall, topKAccuracy } from './train/metrics.ts'
export { movingAverage } from './train/moving-average.ts'
export { adam, adamW, type Optimizer, rmsprop, sgd } from './train/optimizers.ts'
export { evaluate, predict, predictWithStates } from './train/predict.ts'
export { fitReadout } from './train/readout.ts'
export type { History, Run, TrainingEvent } from './train/run.ts'
export { scheduledSampling } from './train/scheduled-sampling.ts'
export {
  constantRate,
  cosineDecay,
  exponentialDecay,
  linearDecay,
  type Schedule,
  stepDecay,
  warmup,
} from './train/schedules.ts'
export { sequenceAccuracy } from './train/sequence-accuracy.ts'
export type { TrainingState } from './train/state.ts'
export { resetState } from './train/stateful.ts'
export { trainingGraph } from './train/training-graph.ts'
