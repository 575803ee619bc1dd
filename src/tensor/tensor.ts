/**
 * The user's handle on numbers: a typed array with a shape, row-major.
 * Enters: nested arrays, or a typed array and its shape. Holds: data.length = product of the shape.
 */

import { requireChoice } from './checks.ts'
import type { Dtype, TensorData } from './dtype.ts'
import { ArgumentError, DataError, ShapeError } from './errors.ts'

export interface Tensor {
  readonly data: TensorData
  readonly shape: readonly number[]
  readonly dtype: Dtype
}

export type NestedNumbers = number | readonly NestedNumbers[]

/** The number of elements of a shape: the product of its sizes. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

/**
 * Makes a tensor from nested arrays of equal lengths, or from a typed array and a shape.
 *
 *     tensor([[1, 2], [3, 4]])                      // f32 [2, 2]
 *     tensor(new Int32Array([0, 2, 1]), [3])        // i32 [3]
 *
 * @throws {ShapeError} when rows are of unlike length, or the shape does not hold the data
 * @throws {DataError} when a number does not fit the type
 */
export function tensor(values: NestedNumbers | TensorData, shape?: readonly number[], dtype?: Dtype): Tensor {
  if (values instanceof Float32Array || values instanceof Int32Array) {
    const dims = shape ?? [values.length]
    requireSizes(dims)
    if (elementCount(dims) !== values.length) {
      throw new ShapeError(
        `shape [${dims.join(', ')}] holds ${elementCount(dims)} elements, but the data has ${values.length}`,
      )
    }
    return { data: values, shape: dims, dtype: dtypeOf(values, dtype) }
  }
  if (dtype !== undefined) requireDtype(dtype)
  const found = nested(values, dtype)
  return tensor(found.data, shape ?? found.shape, found.dtype)
}

/** A tensor from nested arrays of equal lengths; the messages of its errors begin with `where`. */
export function nested(values: NestedNumbers, dtype: Dtype = 'f32', where = ''): Tensor {
  const shape = nestedShape(values)
  const flat: number[] = []
  flatten(values, shape, 0, flat, where)
  if (dtype !== 'f32') requireIntegers(flat, dtype, where)
  return { data: dtype === 'f32' ? Float32Array.from(flat) : Int32Array.from(flat), shape, dtype }
}

function requireDtype(dtype: Dtype): void {
  requireChoice('tensor', 'dtype', dtype, ['f32', 'i32', 'bool'])
}

/** The type said, if the data can be of it, or the data's own. */
function dtypeOf(data: TensorData, said: Dtype | undefined): Dtype {
  const own = data instanceof Float32Array ? 'f32' : 'i32'
  if (said === undefined) return own
  requireDtype(said)
  if ((said === 'f32') === (own === 'f32')) return said
  throw new ArgumentError(
    `tensor: f32 numbers stand in a Float32Array, i32 and bool in an Int32Array; received ${said} in a ${data.constructor.name}`,
  )
}

function requireIntegers(values: readonly number[], dtype: Dtype, where: string): void {
  const odd = values.find((value) => (value | 0) !== value)
  if (odd === undefined) return
  throw new DataError(`${where}${dtype} numbers are integers of 32 bits; received ${odd}`)
}

function requireSizes(shape: readonly number[]): void {
  if (!Array.isArray(shape)) {
    throw new ArgumentError(`a shape is a list of sizes; received ${String(shape)}`)
  }
  for (const size of shape) {
    if (!Number.isInteger(size) || size < 0) {
      throw new ArgumentError(`a shape consists of integers of at least 0; received [${shape.join(', ')}]`)
    }
  }
}

function nestedShape(values: NestedNumbers): number[] {
  const shape: number[] = []
  let level: NestedNumbers | undefined = values
  while (Array.isArray(level)) {
    shape.push(level.length)
    level = level[0]
  }
  return shape
}

function flatten(values: NestedNumbers, shape: number[], depth: number, into: number[], where: string): void {
  if (typeof values === 'number') {
    if (depth !== shape.length)
      throw new ShapeError(`${where}a number stands where an array of ${shape[depth]} was expected`)
    into.push(values)
    return
  }
  if (!Array.isArray(values) || values.length !== shape[depth]) {
    throw new ShapeError(
      `${where}nested arrays must be of equal length: expected ${shape[depth] ?? 'a number'} at depth ${depth}, ` +
        `received ${Array.isArray(values) ? values.length : typeof values}`,
    )
  }
  for (const value of values) flatten(value, shape, depth + 1, into, where)
}
