/** Graphs by hand: trace a function, differentiate it, look at it, run it in f64. */
export { gradient } from './grad.ts'
export { interpret } from './interpret.ts'
export type { Graph, Node } from './node.ts'
export { printGraph } from './print.ts'
export { scan } from './scan.ts'
export { type ParamSpec, trace } from './trace.ts'
export * from './value.ts'
export { verify } from './verify.ts'
