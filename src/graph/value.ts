/**
 * Symbolic tensors: what a step function receives and returns while it is traced. Methods and named functions are
 * the same operations. Shapes broadcast as NumPy's do: aligned at the right, axes of size 1 repeat.
 */
import type { Dtype } from '../tensor/dtype.ts'
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import {
  constantOf,
  ONE,
  printShape,
  productOf,
  type Shape,
  type Size,
  type SizeLike,
  shapeOf,
  size,
} from '../tensor/size.ts'
import { normalAxis } from './axes.ts'
import * as build from './build.ts'
import type { Node } from './node.ts'
import type { ElementwiseName } from './ops.ts'

export type Operand = Value | number

/** The function being traced to which a value belongs. */
export interface Scope {
  /** How many traces enclose it. */
  readonly depth: number
  /** A value of an enclosing trace as this one sees it. */
  lift(value: Value): Value
  /** Throws where other outer values that this trace has taken in depend on this outer one. */
  requireNoOtherPath(value: Value): void
}

/** A symbolic tensor. */
export class Value {
  readonly node: Node
  /** The trace it belongs to; constants belong to none and may be used in all. */
  readonly trace: Scope | undefined

  constructor(node: Node, trace?: Scope) {
    this.node = node
    this.trace = trace
  }

  get shape(): Shape {
    return this.node.shape
  }
  get dtype(): Dtype {
    return this.node.dtype
  }
  get rank(): number {
    return this.node.shape.length
  }

  /** A step runs once, on values that have no numbers yet: `if (x > 0)` would take one way for good. */
  [Symbol.toPrimitive](): never {
    throw new ArgumentError(
      'a symbolic value has no number while it is traced: use where(condition, a, b), x.greater(0), x.add(1)',
    )
  }

  add(other: Operand): Value {
    return add(this, other)
  }
  sub(other: Operand): Value {
    return sub(this, other)
  }
  mul(other: Operand): Value {
    return mul(this, other)
  }
  div(other: Operand): Value {
    return div(this, other)
  }
  neg(): Value {
    return neg(this)
  }
  abs(): Value {
    return abs(this)
  }
  square(): Value {
    return mul(this, this)
  }
  sin(): Value {
    return sin(this)
  }
  cos(): Value {
    return cos(this)
  }
  exp(): Value {
    return exp(this)
  }
  log(): Value {
    return log(this)
  }
  sqrt(): Value {
    return sqrt(this)
  }
  tanh(): Value {
    return tanh(this)
  }
  sigmoid(): Value {
    return sigmoid(this)
  }
  relu(): Value {
    return relu(this)
  }
  max(other: Operand): Value {
    return maximum(this, other)
  }
  min(other: Operand): Value {
    return minimum(this, other)
  }
  less(other: Operand): Value {
    return less(this, other)
  }
  lessEqual(other: Operand): Value {
    return lessEqual(this, other)
  }
  greater(other: Operand): Value {
    return greater(this, other)
  }
  equal(other: Operand): Value {
    return equal(this, other)
  }
  matmul(other: Value): Value {
    return matmul(this, other)
  }
  sum(axes?: Axes, options?: KeepDims): Value {
    return reduceSum(this, axes, options)
  }
  mean(axes?: Axes, options?: KeepDims): Value {
    return reduceMean(this, axes, options)
  }
  reduceMax(axes?: Axes, options?: KeepDims): Value {
    return reduceMax(this, axes, options)
  }
  reshape(shape: readonly (SizeLike | string)[]): Value {
    return reshape(this, shape)
  }
  transpose(permutation?: readonly number[]): Value {
    return transpose(this, permutation)
  }
  slice(axis: number, start: SizeLike, end?: SizeLike, step?: number): Value {
    return slice(this, axis, start, end, step)
  }
  broadcastTo(shape: readonly (SizeLike | string)[]): Value {
    return broadcastTo(this, shape)
  }
  expandDims(axis: number): Value {
    return expandDims(this, axis)
  }
  toF32(): Value {
    return derive([this], ([x]) => build.elementwise('toF32', x!))
  }
  toI32(): Value {
    return derive([this], ([x]) => build.elementwise('toI32', x!))
  }
}

/** An axis or several; negative ones count from the end. Absent: all. */
export type Axes = number | readonly number[]
export interface KeepDims {
  readonly keepDims?: boolean
}

/** Brings operands into the innermost of their traces and makes a value of what `make` builds there. */
export function derive(values: readonly Value[], make: (nodes: readonly Node[]) => Node): Value {
  let innermost: Scope | undefined
  for (const value of values) {
    if (!(value instanceof Value))
      throw new ArgumentError(`expected a symbolic value; received ${describe(value)}`)
    if (value.trace !== undefined && (innermost === undefined || value.trace.depth > innermost.depth))
      innermost = value.trace
  }
  const nodes = values.map((value) => (innermost === undefined ? value : innermost.lift(value)).node)
  return new Value(make(nodes), innermost)
}

function describe(value: unknown): string {
  if (value === undefined) return 'undefined (is a name misspelt?)'
  return typeof value === 'object' ? 'an object that is no value' : `${typeof value} ${String(value)}`
}

function asValue(operand: Operand, like: Operand): Value {
  if (typeof operand !== 'number') return operand
  const dtype = typeof like === 'number' || like.dtype === 'bool' ? 'f32' : like.dtype
  return new Value(build.constant(operand, [], dtype))
}

/** The shape to which shapes broadcast. */
function broadcastShape(what: string, shapes: readonly Shape[]): Shape {
  const rank = Math.max(...shapes.map((shape) => shape.length))
  const result: Size[] = Array.from({ length: rank }, () => ONE)
  for (const shape of shapes) {
    for (const [i, each] of shape.entries()) {
      const axis = rank - shape.length + i
      const known = result[axis]!
      if (known === ONE) result[axis] = each
      else if (
        each !== ONE &&
        each !== known &&
        constantOf(each) !== undefined &&
        constantOf(known) !== undefined
      ) {
        throw new ShapeError(`${what}: shapes ${shapes.map(printShape).join(' and ')} do not broadcast`)
      }
    }
  }
  return result
}

/** Repeats a node to a shape that it broadcasts to. */
function spread(node: Node, shape: Shape): Node {
  if (node.op.kind === 'constant') return build.constant(node.op.value, shape, node.dtype)
  const offset = shape.length - node.shape.length
  const kept = node.shape
    .map((_, axis) => axis)
    .filter((axis) => node.shape[axis] !== ONE || shape[offset + axis] === ONE)
  const squeezed = build.reshape(
    node,
    kept.map((axis) => node.shape[axis]!),
  )
  return build.broadcast(
    squeezed,
    shape,
    kept.map((axis) => axis + offset),
  )
}

function apply(fn: ElementwiseName, ...operands: readonly Operand[]): Value {
  const like =
    operands.find((operand) => typeof operand !== 'number' && operand?.dtype !== 'bool') ?? operands[0]!
  const values = operands.map((operand) => asValue(operand, like))
  return derive(values, (nodes) => {
    const shape = broadcastShape(
      fn,
      nodes.map((node) => node.shape),
    )
    return build.elementwise(fn, ...nodes.map((node) => spread(node, shape)))
  })
}

export const add = (a: Operand, b: Operand): Value => apply('add', a, b)
export const sub = (a: Operand, b: Operand): Value => apply('sub', a, b)
export const mul = (a: Operand, b: Operand): Value => apply('mul', a, b)
export const div = (a: Operand, b: Operand): Value => apply('div', a, b)
export const maximum = (a: Operand, b: Operand): Value => apply('max', a, b)
export const minimum = (a: Operand, b: Operand): Value => apply('min', a, b)
export const neg = (x: Operand): Value => apply('neg', x)
export const abs = (x: Operand): Value => apply('abs', x)
export const exp = (x: Operand): Value => apply('exp', x)
export const log = (x: Operand): Value => apply('log', x)
export const sqrt = (x: Operand): Value => apply('sqrt', x)
export const floor = (x: Operand): Value => apply('floor', x)
export const sin = (x: Operand): Value => apply('sin', x)
export const cos = (x: Operand): Value => apply('cos', x)
/** tanh x = (e^x − e^−x) / (e^x + e^−x) */
export const tanh = (x: Operand): Value => apply('tanh', x)
/** σ(x) = 1 / (1 + e^−x) */
export const sigmoid = (x: Operand): Value => apply('sigmoid', x)
/** ⌊a / b⌋ of i32, 0 where b is 0 */
export const floorDiv = (a: Operand, b: Operand): Value => apply('floorDiv', a, b)
/** a − b ⌊a / b⌋ of i32: the sign of b, 0 where b is 0 */
export const mod = (a: Operand, b: Operand): Value => apply('mod', a, b)
/** max(x, 0); its gradient at 0 is 0 */
export const relu = (x: Operand): Value => apply('max', x, 0)
export const less = (a: Operand, b: Operand): Value => apply('less', a, b)
export const lessEqual = (a: Operand, b: Operand): Value => apply('lessEqual', a, b)
export const greater = (a: Operand, b: Operand): Value => apply('less', b, a)
export const greaterEqual = (a: Operand, b: Operand): Value => apply('lessEqual', b, a)
export const equal = (a: Operand, b: Operand): Value => apply('equal', a, b)
export const and = (a: Value, b: Value): Value => apply('and', a, b)
export const or = (a: Value, b: Value): Value => apply('or', a, b)
export const not = (a: Value): Value => apply('not', a)
/** Neither infinite nor NaN */
export const finite = (x: Value): Value => apply('isFinite', x)
/** a where the condition holds, else b */
export const where = (condition: Value, a: Operand, b: Operand): Value => apply('select', condition, a, b)
/**
 * Numbers in [0, 1), multiples of 2⁻²⁴: a pure function of six i32 numbers, four counters and two keys, by
 * Philox4x32-10. The same six give the same number, on every machine.
 */
export const random = (counters: readonly [Operand, Operand, Operand, Operand, Operand, Operand]): Value =>
  apply('random', ...counters)
/** The same value, through which no gradient travels. */
export const stopGradient = (x: Value): Value => apply('stopGradient', x)

/** Constants; they need no trace. */
export function constant(
  value: number,
  shape: readonly (SizeLike | string)[] = [],
  dtype: Dtype = 'f32',
): Value {
  return new Value(build.constant(value, shapeOf(shape), dtype))
}
export function zeros(shape: readonly (SizeLike | string)[], dtype: Dtype = 'f32'): Value {
  return constant(0, shape, dtype)
}
/** The index along `axis`, as i32. */
export function iota(shape: readonly (SizeLike | string)[], axis = 0): Value {
  return new Value(build.iota(shapeOf(shape), axis))
}
/** A size as an f32 number. */
export function sizeValue(value: SizeLike): Value {
  return new Value(build.sizeNode(size(value)))
}

/**
 * The matrix product of NumPy: [… M, K] by [K, N], or [… M, K] by [… K, N] with equal leading axes.
 * @throws {ShapeError} naming both shapes
 */
export function matmul(a: Value, b: Value): Value {
  return derive([a, b], ([x, y]) => {
    const [rankA, rankB] = [x!.shape.length, y!.shape.length]
    if (rankA < 1 || rankB < 2 || (rankB > 2 && rankA !== rankB)) {
      throw new ShapeError(
        `matmul: ${printShape(x!.shape)} by ${printShape(y!.shape)}: expected […, M, K] by [K, N]`,
      )
    }
    const lead = 'abcdefghij'.slice(0, Math.max(rankA, rankB) - 2)
    const row = rankA === 1 ? '' : 'm'
    const labelsB = rankB === 2 ? 'kn' : `${lead}kn`
    return build.einsum(
      x!,
      `${lead.slice(0, Math.max(0, rankA - 2))}${row}k`,
      y!,
      labelsB,
      `${lead.slice(0, Math.max(0, rankA - 2))}${row}n`,
    )
  })
}

function normalAxes(value: Value, axes: Axes | undefined): number[] {
  const { rank } = value
  if (axes === undefined) return Array.from({ length: rank }, (_, axis) => axis)
  return (typeof axes === 'number' ? [axes] : [...axes]).map((axis) => normalAxis(value.shape, axis))
}

function reduction(fn: 'sum' | 'max', x: Value, axes: Axes | undefined, options?: KeepDims): Value {
  const reduced = normalAxes(x, axes)
  return derive([x], ([node]) => {
    const result = build.reduce(fn, node!, reduced)
    if (options?.keepDims !== true) return result
    return build.reshape(
      result,
      node!.shape.map((each, axis) => (reduced.includes(axis) ? ONE : each)),
    )
  })
}

export const reduceSum = (x: Value, axes?: Axes, options?: KeepDims): Value =>
  reduction('sum', x, axes, options)
export const reduceMax = (x: Value, axes?: Axes, options?: KeepDims): Value =>
  reduction('max', x, axes, options)
export function reduceMean(x: Value, axes?: Axes, options?: KeepDims): Value {
  const count = productOf(normalAxes(x, axes).map((axis) => x.shape[axis]!))
  return div(reduceSum(x, axes, options), sizeValue(count))
}

export function reshape(x: Value, shape: readonly (SizeLike | string)[]): Value {
  return derive([x], ([node]) => build.reshape(node!, shapeOf(shape)))
}
/** Reverses the axes, or orders them as given. */
export function transpose(x: Value, permutation?: readonly number[]): Value {
  const order = permutation ?? Array.from({ length: x.rank }, (_, axis) => x.rank - 1 - axis)
  return derive([x], ([node]) => build.transpose(node!, order))
}
/** Elements start, start + step, … below `end` along an axis. */
export function slice(x: Value, axis: number, start: SizeLike, end?: SizeLike, step = 1): Value {
  const at = normalAxis(x.shape, axis)
  return derive([x], ([node]) => build.slice(node!, at, start, end ?? node!.shape[at]!, step))
}
/** The last element first along an axis. */
export function flip(x: Value, axis: number): Value {
  const at = normalAxis(x.shape, axis)
  return derive([x], ([node]) => build.flip(node!, at))
}
export function concat(values: readonly Value[], axis: number): Value {
  const first = values[0]
  if (first === undefined) throw new ArgumentError('concat expects at least one value; received none')
  const at = normalAxis(first.shape, axis)
  return derive(values, (nodes) => build.concat(nodes, at))
}
/** Stacks equal shapes along a new axis. */
export function stack(values: readonly Value[], axis = 0): Value {
  return concat(
    values.map((value) => expandDims(value, axis)),
    axis,
  )
}
export function broadcastTo(x: Value, shape: readonly (SizeLike | string)[]): Value {
  return derive([x], ([node]) => {
    const target = shapeOf(shape)
    broadcastShape('broadcastTo', [node!.shape, target])
    return spread(node!, target)
  })
}
export function expandDims(x: Value, axis: number): Value {
  const at = axis < 0 ? axis + x.rank + 1 : axis
  if (!Number.isInteger(axis) || at < 0 || at > x.rank) {
    throw new ShapeError(`expandDims: ${axis} is no place among the axes of ${printShape(x.shape)}`)
  }
  return derive([x], ([node]) =>
    build.reshape(node!, [...node!.shape.slice(0, at), ONE, ...node!.shape.slice(at)]),
  )
}
/** Rows of a table [V, …D] at i32 indices […N]: […N, …D]. An index outside 0 … V−1 reads zeros. */
export function gather(table: Value, indices: Value): Value {
  return derive([table, indices], ([rows, at]) => build.gather(rows!, at!))
}
/** The adjoint of gather: updates […N, …D] summed into a table of `rows` rows at indices […N]. */
export function scatterAdd(indices: Value, updates: Value, rows: SizeLike): Value {
  return derive([indices, updates], ([at, what]) => build.scatterAdd(at!, what!, size(rows)))
}
/** 1 at the index, 0 elsewhere, along a new last axis of `depth`. */
export function oneHot(indices: Value, depth: SizeLike): Value {
  const shape = [...indices.shape, size(depth)]
  return equal(expandDims(indices, -1), iota(shape, shape.length - 1)).toF32()
}

/** log Σ exp(x) over an axis, shifted by the maximum so that nothing overflows. */
export function logSumExp(x: Value, axis = -1, options?: KeepDims): Value {
  const highest = stopGradient(reduceMax(x, axis, { keepDims: true }))
  const sum = add(log(reduceSum(exp(sub(x, highest)), axis, { keepDims: true })), highest)
  return options?.keepDims === true ? sum : reduceSum(sum, axis)
}
/** x − log Σ exp(x) over an axis */
export function logSoftmax(x: Value, axis = -1): Value {
  const shifted = sub(x, stopGradient(reduceMax(x, axis, { keepDims: true })))
  return sub(shifted, log(reduceSum(exp(shifted), axis, { keepDims: true })))
}
/** exp(x) / Σ exp(x) over an axis */
export function softmax(x: Value, axis = -1): Value {
  const weights = exp(sub(x, stopGradient(reduceMax(x, axis, { keepDims: true }))))
  return div(weights, reduceSum(weights, axis, { keepDims: true }))
}
