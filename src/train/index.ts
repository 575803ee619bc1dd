/** Training and running models. */

export type { ClippingOptions } from './clipping.ts'
export { type CtcOptions, ctc } from './ctc.ts'
export { type CtcDecodeOptions, ctcDecode, labelErrorRate } from './ctc-decode.ts'
export { type Decoded, type DecodeOptions, decode } from './decode.ts'
export type { EarlyStoppingOptions } from './early-stopping.ts'
export { type FitOptions, fit, type ValidationOptions } from './fit.ts'
export { type FreeRunOptions, freeRun } from './free-run.ts'
export { type GenerateOptions, generate } from './generate.ts'
export type { TensorLike } from './inputs.ts'
export { lazyAdam } from './lazy-adam.ts'
export {
  type HuberOptions,
  huber,
  type Loss,
  type LossFunction,
  type LossName,
  type LossOption,
  type Measured,
} from './losses.ts'
export type { EvaluateOptions, Evaluation } from './measure.ts'
export {
  type ClassMetricOptions,
  f1,
  type MaseOptions,
  type Metric,
  type MetricName,
  type MetricOption,
  type MetricOptions,
  mase,
  precision,
  recall,
  topKAccuracy,
} from './metrics.ts'
export { type MovingAverageOptions, movingAverage } from './moving-average.ts'
export {
  type AdamOptions,
  type AdamWOptions,
  adam,
  adamW,
  type Optimizer,
  type RmspropOptions,
  rmsprop,
  type SgdOptions,
  sgd,
  type Update,
  type Updated,
} from './optimizers.ts'
export type { InputLike } from './padding.ts'
export type { ReduceOnPlateauOptions } from './plateau.ts'
export {
  evaluate,
  type Prediction,
  type PredictOptions,
  predict,
  predictWithStates,
} from './predict.ts'
export { type KernelTime, type Profile, type ProfileOptions, profile, profileTable } from './profile.ts'
export { fitReadout, type ReadoutOptions } from './readout.ts'
export type {
  BestEpoch,
  EndEvent,
  EpochEvent,
  History,
  Run,
  StartEvent,
  StepEvent,
  TrainingEvent,
} from './run.ts'
export {
  type ScheduledSampling,
  type ScheduledSamplingOptions,
  scheduledSampling,
  type TeacherForcing,
} from './scheduled-sampling.ts'
export {
  type CosineOptions,
  constantRate,
  cosineDecay,
  exponentialDecay,
  linearDecay,
  type Schedule,
  stepDecay,
  warmup,
} from './schedules.ts'
export { type SequenceAccuracyOptions, sequenceAccuracy, type TokenRows } from './sequence-accuracy.ts'
export type { TrainingState } from './state.ts'
export { resetState } from './stateful.ts'
export type { StepOptions } from './step.ts'
export { type StepResult, TrainingStep } from './training-step.ts'
export type { Truncation } from './truncation.ts'
