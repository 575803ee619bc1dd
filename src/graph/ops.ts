/**
 * The closed set of operations. Every table about operations (shapes, gradients, interpretation, lowering) is a
 * total record over these unions, so that an operation added here does not compile until each table has it.
 */
import type { Dtype } from '../tensor/dtype.ts'
import type { Shape, Size } from '../tensor/size.ts'

/** What an element-wise function reads and yields. `same`: all operands and the result share one type. */
interface ElementwiseSignature {
  readonly arity: 1 | 2 | 3 | 6
  readonly operands: 'f32' | 'i32' | 'number' | 'bool' | 'any' | 'select'
  readonly result: Dtype | 'same'
}

/** Element-wise functions: equal shapes in, the same shape out. */
export const ELEMENTWISE = {
  neg: { arity: 1, operands: 'number', result: 'same' },
  abs: { arity: 1, operands: 'number', result: 'same' },
  exp: { arity: 1, operands: 'f32', result: 'f32' },
  log: { arity: 1, operands: 'f32', result: 'f32' },
  sqrt: { arity: 1, operands: 'f32', result: 'f32' },
  /** The integer below, towards −∞. */
  floor: { arity: 1, operands: 'f32', result: 'f32' },
  sin: { arity: 1, operands: 'f32', result: 'f32' },
  cos: { arity: 1, operands: 'f32', result: 'f32' },
  tanh: { arity: 1, operands: 'f32', result: 'f32' },
  sigmoid: { arity: 1, operands: 'f32', result: 'f32' },
  add: { arity: 2, operands: 'number', result: 'same' },
  sub: { arity: 2, operands: 'number', result: 'same' },
  mul: { arity: 2, operands: 'number', result: 'same' },
  div: { arity: 2, operands: 'f32', result: 'f32' },
  /** ⌊a / b⌋ and a − b ⌊a / b⌋; both 0 where b is 0. */
  floorDiv: { arity: 2, operands: 'i32', result: 'i32' },
  mod: { arity: 2, operands: 'i32', result: 'i32' },
  max: { arity: 2, operands: 'number', result: 'same' },
  min: { arity: 2, operands: 'number', result: 'same' },
  less: { arity: 2, operands: 'number', result: 'bool' },
  lessEqual: { arity: 2, operands: 'number', result: 'bool' },
  equal: { arity: 2, operands: 'number', result: 'bool' },
  and: { arity: 2, operands: 'bool', result: 'bool' },
  or: { arity: 2, operands: 'bool', result: 'bool' },
  not: { arity: 1, operands: 'bool', result: 'bool' },
  isFinite: { arity: 1, operands: 'f32', result: 'bool' },
  toF32: { arity: 1, operands: 'any', result: 'f32' },
  toI32: { arity: 1, operands: 'any', result: 'i32' },
  select: { arity: 3, operands: 'select', result: 'same' },
  /** A multiple of 2⁻²⁴ in [0, 1): the first word of Philox4x32-10 for counters c0 … c3 and keys k0, k1. */
  random: { arity: 6, operands: 'i32', result: 'f32' },
  stopGradient: { arity: 1, operands: 'number', result: 'same' },
} as const satisfies Record<string, ElementwiseSignature>

export type ElementwiseName = keyof typeof ELEMENTWISE
export type ReduceName = 'sum' | 'max'

export type Op =
  /** The graph's parameter number `index`. */
  | { readonly kind: 'param'; readonly index: number }
  /** One number in every element. */
  | { readonly kind: 'constant'; readonly value: number }
  /** A size as a number, in every element. */
  | { readonly kind: 'size'; readonly size: Size }
  /** The index along `axis`. */
  | { readonly kind: 'iota'; readonly axis: number }
  | { readonly kind: 'elementwise'; readonly fn: ElementwiseName }
  /** Axis i of the operand becomes axis axes[i]; the other axes repeat it. */
  | { readonly kind: 'broadcast'; readonly axes: readonly number[] }
  /** The same elements in row-major order under another shape. */
  | { readonly kind: 'reshape' }
  /** Axis i of the result is axis permutation[i] of the operand. */
  | { readonly kind: 'transpose'; readonly permutation: readonly number[] }
  /** Elements start, start + step, … along one axis, as many as the result has. */
  | { readonly kind: 'slice'; readonly axis: number; readonly start: Size; readonly step: number }
  /** Element i stands at low + step · i among zeros, along one axis of low + step · n + high elements. */
  | {
      readonly kind: 'pad'
      readonly axis: number
      readonly low: Size
      readonly high: Size
      readonly step: number
    }
  /** The last element first along one axis. */
  | { readonly kind: 'flip'; readonly axis: number }
  | { readonly kind: 'concat'; readonly axis: number }
  | { readonly kind: 'reduce'; readonly fn: ReduceName; readonly axes: readonly number[] }
  /**
   * out = Σ a·b over the labels that `out` lacks (Einstein's convention). Every label stands once in an operand and
   * in at least two of a, b, out.
   */
  | { readonly kind: 'einsum'; readonly a: Labels; readonly b: Labels; readonly out: Labels }
  /** Rows of a table [V, …D] at indices […N]: […N, …D]. An index outside 0 … V−1 reads zeros. */
  | { readonly kind: 'gather' }
  /** The indices that put the last axis in order, as i32: lowest first, NaN last, equal ones as they stand. */
  | { readonly kind: 'argsort' }
  /** The adjoint of gather: indices […N] and updates […N, …D] sum to a table [V, …D]. */
  | { readonly kind: 'scatterAdd'; readonly rows: Size }
  /** Where each of the indices […N] into a table of V rows stands first, counted through all N; −1 outside 0 … V−1. */
  | { readonly kind: 'firsts'; readonly rows: Size }
  /**
   * A table [V, …D] whose row at each of the indices […N] is that of values […N, …D]. Where an index stands several times
   * its first row counts; one outside 0 … V−1 is passed over.
   */
  | { readonly kind: 'setRows' }
  /**
   * A body folded through time. Inputs: `carries` initial states, then per-step inputs [steps, …] (as many as
   * the body's other parameters less `consts`), then constants. The body's outputs: next states, then what each step
   * yields. Its own outputs, read through `output`: final states, then the yields stacked [steps, …].
   */
  | {
      readonly kind: 'scan'
      readonly body: Graph
      readonly carries: number
      readonly consts: number
      readonly steps: Size
      readonly reverse: boolean
      /** Rows that end at different steps; a last input then says how many are alive at each: i32 [steps]. */
      readonly packing: Packing | undefined
      /** Its steps are made anew where their gradients are: passes stack nothing of them that was not asked for. */
      readonly checkpoint: boolean
    }
  /** Output number `index` of a scan. */
  | { readonly kind: 'output'; readonly index: number }

/**
 * How rows that end at different steps lie: ordered by length, longest first, so that those alive at a step are the
 * first ones, and step after step one behind the other, so that nothing is kept of rows that have ended. The body runs
 * on the rows alive at its step. What of it begins with the axis `alive` stands outside with the axis `rows` (states and
 * constants: rows that are not alive hold) or `total` (per-step inputs and yields).
 */
export interface Packing {
  /** All rows. */
  readonly rows: Size
  /** Those alive at a step: a symbol of the body's own. */
  readonly alive: Size
  /** Their sum over the steps. */
  readonly total: Size
}

/** Names of axes in an einsum, one letter an axis. */
export type Labels = string

export type OpKind = Op['kind']
export type OpOf<K extends OpKind> = Extract<Op, { kind: K }>

export interface Node<O extends Op = Op> {
  /** Unique while the node lives. Inputs have smaller ids. It never decides an order that reaches numbers. */
  readonly id: number
  readonly op: O
  readonly inputs: readonly Node[]
  readonly shape: Shape
  readonly dtype: Dtype
}

export type ParamNode = Node<OpOf<'param'>>
export type ScanNode = Node<OpOf<'scan'>>

/** Two sizes that could not be proved equal while tracing; checked when sizes are bound. */
export interface Guard {
  readonly left: Size
  readonly right: Size
  readonly message: string
}

/** A closed function: everything enters through parameters. */
export interface Graph {
  readonly params: readonly ParamNode[]
  readonly outputs: readonly Node[]
  /** For people; outside identity. */
  readonly names: readonly string[]
  readonly guards: readonly Guard[]
  readonly key: string
}
