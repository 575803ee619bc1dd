/**
 * The constructors of nodes, one per operation (a scan's stands in build-scan.ts): each infers the result's shape and
 * type from its operands and throws a typed error that names what was expected and received. Passes and gradients build
 * with them too.
 */
import type { Dtype } from '../tensor/dtype.ts'
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import {
  addSize,
  constantOf,
  floorDivSize,
  mulSize,
  ONE,
  printShape,
  productOf,
  type Shape,
  type Size,
  type SizeLike,
  size,
  subSize,
} from '../tensor/size.ts'
import { requireAtLeastZero, requireEqual } from './guards.ts'
import { intern, type Node, type ParamNode } from './node.ts'
import { ELEMENTWISE, type ElementwiseName, type Labels, type ReduceName } from './ops.ts'

export function param(index: number, shape: Shape, dtype: Dtype): ParamNode {
  return intern({ kind: 'param', index }, [], shape, dtype) as ParamNode
}

export function constant(value: number, shape: Shape = [], dtype: Dtype = 'f32'): Node {
  if (dtype !== 'f32' && (value | 0) !== value) {
    throw new ArgumentError(`a constant of ${dtype} must be an integer; received ${value}`)
  }
  return intern({ kind: 'constant', value }, [], shape, dtype)
}

export function zerosLike(node: Node): Node {
  return constant(0, node.shape, node.dtype)
}

/** A size as a number, so that a mean over T steps can divide by T. */
export function sizeNode(value: Size, shape: Shape = [], dtype: Dtype = 'f32'): Node {
  const known = constantOf(value)
  return known === undefined
    ? intern({ kind: 'size', size: value }, [], shape, dtype)
    : constant(known, shape, dtype)
}

export function iota(shape: Shape, axis: number, dtype: Dtype = 'i32'): Node {
  requireAxis('iota', shape, axis)
  return intern({ kind: 'iota', axis }, [], shape, dtype)
}

export function elementwise(fn: ElementwiseName, ...inputs: readonly Node[]): Node {
  const signature = ELEMENTWISE[fn]
  if (inputs.length !== signature.arity) {
    throw new ArgumentError(`${fn} takes ${signature.arity} operands; received ${inputs.length}`)
  }
  const [first, second, third] = inputs as [Node, Node, Node]
  requireTypes(fn, inputs)
  const shape = inputs.reduce((known, input) => matchShapes(fn, known, input.shape), first.shape)
  const own = fn === 'select' ? second.dtype : first.dtype
  if (fn === 'select' && second.dtype !== third.dtype) throw typeError(fn, 'two values of one type', inputs)
  return intern(
    { kind: 'elementwise', fn },
    inputs,
    shape,
    signature.result === 'same' ? own : signature.result,
  )
}

function requireTypes(fn: ElementwiseName, inputs: readonly Node[]): void {
  const { operands } = ELEMENTWISE[fn]
  const first = inputs[0]!.dtype
  if (operands === 'f32' && inputs.some((input) => input.dtype !== 'f32')) throw typeError(fn, 'f32', inputs)
  if (operands === 'i32' && inputs.some((input) => input.dtype !== 'i32')) throw typeError(fn, 'i32', inputs)
  if (operands === 'bool' && inputs.some((input) => input.dtype !== 'bool'))
    throw typeError(fn, 'bool', inputs)
  if (operands === 'select' && first !== 'bool') throw typeError(fn, 'a bool condition', inputs)
  if (operands === 'number' && (first === 'bool' || inputs.some((input) => input.dtype !== first))) {
    throw typeError(fn, 'numbers of one type', inputs)
  }
}

export function typeError(fn: string, expected: string, inputs: readonly Node[]): ArgumentError {
  const received = inputs.map((input) => `${input.dtype}${printShape(input.shape)}`).join(', ')
  return new ArgumentError(`${fn} expects ${expected}; received ${received}`)
}

/** Shapes that must agree; where symbols cannot be proved equal, a guard is left. */
export function matchShapes(what: string, a: Shape, b: Shape): Shape {
  const message = () => `${what}: shapes ${printShape(a)} and ${printShape(b)} do not agree`
  if (a.length !== b.length) throw new ShapeError(message())
  for (const [axis, each] of a.entries()) requireEqual(each, b[axis]!, message)
  return a
}

function requireAxis(what: string, shape: Shape, axis: number): void {
  if (!Number.isInteger(axis) || axis < 0 || axis >= shape.length) {
    throw new ShapeError(`${what}: axis ${axis} is not an axis of ${printShape(shape)}`)
  }
}

export function broadcast(input: Node, shape: Shape, axes: readonly number[]): Node {
  const message = () =>
    `broadcast: ${printShape(input.shape)} does not fit ${printShape(shape)} at axes [${axes}]`
  if (axes.length !== input.shape.length) throw new ShapeError(message())
  for (const [axis, target] of axes.entries()) {
    if (shape[target] === undefined || (axis > 0 && target <= axes[axis - 1]!))
      throw new ShapeError(message())
    requireEqual(input.shape[axis]!, shape[target], message)
  }
  return axes.length === shape.length
    ? input
    : intern({ kind: 'broadcast', axes }, [input], shape, input.dtype)
}

export function reshape(input: Node, shape: Shape): Node {
  const [from, to] = [productOf(input.shape), productOf(shape)]
  requireEqual(
    from,
    to,
    () => `reshape: ${printShape(input.shape)} has ${from.key} elements, ${printShape(shape)} ${to.key}`,
  )
  const same = shape.length === input.shape.length && shape.every((each, axis) => each === input.shape[axis])
  return same ? input : intern({ kind: 'reshape' }, [input], shape, input.dtype)
}

export function transpose(input: Node, permutation: readonly number[]): Node {
  const sorted = [...permutation].sort((a, b) => a - b)
  if (permutation.length !== input.shape.length || sorted.some((axis, i) => axis !== i)) {
    throw new ShapeError(
      `transpose: [${permutation}] is no permutation of the axes of ${printShape(input.shape)}`,
    )
  }
  if (permutation.every((axis, i) => axis === i)) return input
  const shape = permutation.map((axis) => input.shape[axis]!)
  return intern({ kind: 'transpose', permutation }, [input], shape, input.dtype)
}

/** Elements start, start + step, … below `end`. */
export function slice(input: Node, axis: number, start: SizeLike, end: SizeLike, step = 1): Node {
  requireAxis('slice', input.shape, axis)
  requireStep('slice', step)
  const [from, to] = [size(start), size(end)]
  const message = () => `slice: ${from.key} … ${to.key} leaves axis ${axis} of ${printShape(input.shape)}`
  for (const each of [subSize(to, from), subSize(input.shape[axis]!, to)]) requireAtLeastZero(each, message)
  return strided(input, axis, from, floorDivSize(addSize(subSize(to, from), step - 1), step), step)
}

/** `length` elements start, start + step, … */
export function strided(input: Node, axis: number, start: Size, length: Size, step: number): Node {
  requireAxis('slice', input.shape, axis)
  requireStep('slice', step)
  const whole = input.shape[axis]!
  // Whole steps are counted: the last may reach up to step − 1 beyond the end.
  const room = addSize(subSize(whole, addSize(start, mulSize(length, step))), step - 1)
  for (const each of [start, length, room]) {
    requireAtLeastZero(
      each,
      () =>
        `slice: ${length.key} elements from ${start.key} on by ${step} leave axis ${axis} of ${printShape(input.shape)}`,
    )
  }
  if (constantOf(start) === 0 && length === whole && step === 1) return input
  return intern({ kind: 'slice', axis, start, step }, [input], input.shape.with(axis, length), input.dtype)
}

/** Element i at low + step · i of low + step · n + high; `high` may be as low as 1 − step: nothing follows the last. */
export function pad(input: Node, axis: number, low: SizeLike, high: SizeLike, step = 1): Node {
  requireAxis('pad', input.shape, axis)
  requireStep('pad', step)
  const [before, after] = [size(low), size(high)]
  for (const each of [before, addSize(after, step - 1)]) {
    requireAtLeastZero(each, () => `pad: ${before.key} elements before, ${after.key} after`)
  }
  if (constantOf(before) === 0 && constantOf(after) === 0 && step === 1) return input
  const length = addSize(addSize(before, mulSize(input.shape[axis]!, step)), after)
  return intern(
    { kind: 'pad', axis, low: before, high: after, step },
    [input],
    input.shape.with(axis, length),
    input.dtype,
  )
}

function requireStep(what: string, step: number): void {
  if (Number.isInteger(step) && step >= 1) return
  throw new ArgumentError(`${what}: step must be an integer of at least 1; received ${String(step)}`)
}

export function flip(input: Node, axis: number): Node {
  requireAxis('flip', input.shape, axis)
  return input.shape[axis] === ONE ? input : intern({ kind: 'flip', axis }, [input], input.shape, input.dtype)
}

export function concat(inputs: readonly Node[], axis: number): Node {
  const first = inputs[0]
  if (first === undefined) throw new ArgumentError('concat expects at least one operand; received none')
  requireAxis('concat', first.shape, axis)
  if (inputs.some((input) => input.dtype !== first.dtype)) throw typeError('concat', 'one type', inputs)
  if (inputs.length === 1) return first
  let total = size(0)
  for (const input of inputs) {
    const message = () =>
      `concat along axis ${axis}: ${printShape(first.shape)} and ${printShape(input.shape)} differ in other axes`
    if (input.shape.length !== first.shape.length) throw new ShapeError(message())
    for (const [other, each] of first.shape.entries()) {
      if (other !== axis) requireEqual(each, input.shape[other]!, message)
    }
    total = addSize(total, input.shape[axis]!)
  }
  return intern({ kind: 'concat', axis }, inputs, first.shape.with(axis, total), first.dtype)
}

export function reduce(fn: ReduceName, input: Node, axes: readonly number[]): Node {
  for (const axis of axes) requireAxis(`reduce ${fn}`, input.shape, axis)
  if (input.dtype !== 'f32') throw typeError(`reduce ${fn}`, 'f32', [input])
  const sorted = [...new Set(axes)].sort((a, b) => a - b)
  if (sorted.length === 0) return input
  const shape = input.shape.filter((_, axis) => !sorted.includes(axis))
  return intern({ kind: 'reduce', fn, axes: sorted }, [input], shape, 'f32')
}

export function einsum(a: Node, labelsA: Labels, b: Node, labelsB: Labels, out: Labels): Node {
  const message = () =>
    `matmul: ${printShape(a.shape)} (${labelsA}) and ${printShape(b.shape)} (${labelsB}) do not agree for (${out})`
  if (a.dtype !== 'f32' || b.dtype !== 'f32') throw typeError('matmul', 'f32', [a, b])
  if (labelsA.length !== a.shape.length || labelsB.length !== b.shape.length) throw new ShapeError(message())
  const sizes = new Map<string, Size>()
  for (const [labels, shape] of [
    [labelsA, a.shape],
    [labelsB, b.shape],
  ] as const) {
    if (new Set(labels).size !== labels.length)
      throw new ShapeError(`${message()}: a letter stands twice in an operand`)
    for (const [axis, label] of [...labels].entries()) {
      const known = sizes.get(label)
      if (known === undefined) sizes.set(label, shape[axis]!)
      else requireEqual(known, shape[axis]!, message)
    }
  }
  for (const label of sizes.keys()) {
    const places =
      Number(labelsA.includes(label)) + Number(labelsB.includes(label)) + Number(out.includes(label))
    if (places < 2) throw new ShapeError(`${message()}: letter ${label} stands in one place only`)
  }
  if (new Set(out).size !== out.length)
    throw new ShapeError(`${message()}: a letter stands twice in the result`)
  const shape = [...out].map((label) => {
    const known = sizes.get(label)
    if (known === undefined) throw new ShapeError(`${message()}: no operand has letter ${label}`)
    return known
  })
  return intern({ kind: 'einsum', a: labelsA, b: labelsB, out }, [a, b], shape, 'f32')
}

export function gather(table: Node, indices: Node): Node {
  if (indices.dtype !== 'i32') throw typeError('gather', 'i32 indices', [indices])
  if (table.shape.length === 0)
    throw new ShapeError('gather: expected a table of rank 1 or more; received a number')
  return intern(
    { kind: 'gather' },
    [table, indices],
    [...indices.shape, ...table.shape.slice(1)],
    table.dtype,
  )
}

export function argsort(input: Node): Node {
  if (input.dtype !== 'f32' || input.shape.length === 0)
    throw typeError('argsort', 'f32 with an axis', [input])
  return intern({ kind: 'argsort' }, [input], input.shape, 'i32')
}

export function scatterAdd(indices: Node, updates: Node, rows: Size): Node {
  if (indices.dtype !== 'i32' || updates.dtype !== 'f32')
    throw typeError('scatterAdd', 'i32, f32', [indices, updates])
  const rank = indices.shape.length
  matchShapes('scatterAdd', indices.shape, updates.shape.slice(0, rank))
  return intern({ kind: 'scatterAdd', rows }, [indices, updates], [rows, ...updates.shape.slice(rank)], 'f32')
}
