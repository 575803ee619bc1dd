/** Cells: the built-in ones and the way to write your own. */
export * from '../init/initializers.ts'
export { type Cell, type CellOptions, defineCell, type StateShape, type TracedCell } from './define.ts'
export { type ElmanOptions, elmanCell } from './elman.ts'
export { type LstmOptions, lstmCell } from './lstm.ts'
