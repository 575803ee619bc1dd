/** Looking inside a model: how gradients travel through time. */
export {
  type Contributions,
  type GradientFlow,
  type GradientFlowOptions,
  gradientFlow,
  type StateFlow,
} from './gradient-flow.ts'
