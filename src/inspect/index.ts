/** Looking inside a model: how gradients travel through time, and what it looks like. */
export { type DrawModelOptions, drawModel } from './drawing/draw-model.ts'
export {
  type Contributions,
  type GradientFlow,
  type GradientFlowOptions,
  gradientFlow,
  type StateFlow,
} from './gradient-flow.ts'
