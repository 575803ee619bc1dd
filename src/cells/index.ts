/** Cells: the built-in ones and the way to write your own. */
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
export type { Activation } from './activations.ts'
export { type Cell, type CellOptions, defineCell, type StateShape, type TracedCell } from './define.ts'
export { type ElmanOptions, elmanCell } from './elman.ts'
export { type GruOptions, gruCell } from './gru.ts'
export { type JordanOptions, jordanCell } from './jordan.ts'
export { type LstmOptions, lstmCell } from './lstm.ts'
export { stacked } from './stacked.ts'
