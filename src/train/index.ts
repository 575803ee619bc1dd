/** Training and running models. */
export { type FitOptions, fit } from './fit.ts'
export { type GenerateOptions, generate } from './generate.ts'
export type { TensorLike } from './inputs.ts'
export type { LossName } from './losses.ts'
export {
  type AdamOptions,
  adam,
  linearDecay,
  type Optimizer,
  type Schedule,
  type SgdOptions,
  sgd,
} from './optimizers.ts'
export {
  type EvaluateOptions,
  type Evaluation,
  evaluate,
  type Prediction,
  type PredictOptions,
  predict,
  predictWithStates,
} from './predict.ts'
export type { EpochEvent, History, Run, StepEvent, TrainingEvent } from './run.ts'
export { type StepOptions, type StepResult, TrainingStep } from './step.ts'
