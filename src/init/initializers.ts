/**
 * Initializers: how a parameter's numbers come to be, as data, so that files can hold them. Names and defaults are
 * those of Keras 3. The numbers depend on the seed, the parameter's path and its shape alone.
 */
import { ArgumentError } from '../tensor/errors.ts'
import { fillNormal, fillUniform, streamOf } from '../tensor/random.ts'
import { elementCount } from '../tensor/tensor.ts'

export type Initializer =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'uniform'; readonly low: number; readonly high: number }
  | { readonly kind: 'normal'; readonly deviation: number }
  /** Uniform within ±√(6 / (fan in + fan out)) (Glorot and Bengio 2010). */
  | { readonly kind: 'glorotUniform' }
  /** Rows or columns, whichever are fewer, of length 1 and at right angles (Saxe et al. 2014). */
  | { readonly kind: 'orthogonal'; readonly gain: number }
  /** 1 where row and column are equal, times `gain`. */
  | { readonly kind: 'identity'; readonly gain: number }
  /** One after the other along the last axis. */
  | { readonly kind: 'joined'; readonly parts: readonly Parameter[] }

/** A parameter: a shape and how its numbers begin. */
export interface Parameter {
  readonly shape: readonly number[]
  readonly init: Initializer
}

function parameter(shape: readonly number[], init: Initializer): Parameter {
  for (const size of shape) {
    if (!Number.isInteger(size) || size < 1) {
      throw new ArgumentError(
        `a parameter's sizes must be integers of at least 1; received [${shape.join(', ')}]`,
      )
    }
  }
  return { shape, init }
}

export const zeros = (...shape: number[]): Parameter => parameter(shape, { kind: 'constant', value: 0 })
export const ones = (...shape: number[]): Parameter => parameter(shape, { kind: 'constant', value: 1 })
export const filled = (value: number, ...shape: number[]): Parameter =>
  parameter(shape, { kind: 'constant', value })
export const uniform = (low: number, high: number, ...shape: number[]): Parameter =>
  parameter(shape, { kind: 'uniform', low, high })
export const normal = (deviation: number, ...shape: number[]): Parameter =>
  parameter(shape, { kind: 'normal', deviation })
export const glorotUniform = (...shape: number[]): Parameter => parameter(shape, { kind: 'glorotUniform' })
export const orthogonal = (rows: number, columns: number, gain = 1): Parameter =>
  parameter([rows, columns], { kind: 'orthogonal', gain })
export const identity = (rows: number, columns: number, gain = 1): Parameter =>
  parameter([rows, columns], { kind: 'identity', gain })

/** Parameters one after the other along their last axis: an LSTM's bias of zeros with ones for its forget gate. */
export function joined(...parts: readonly Parameter[]): Parameter {
  const lead = parts[0]?.shape.slice(0, -1) ?? []
  for (const { shape } of parts) {
    if (shape.length !== lead.length + 1 || lead.some((size, axis) => shape[axis] !== size)) {
      throw new ArgumentError(
        `joined: parts must agree but for the last axis; received ${parts.map((part) => `[${part.shape.join(', ')}]`).join(', ')}`,
      )
    }
  }
  const last = parts.reduce((sum, { shape }) => sum + shape[shape.length - 1]!, 0)
  return parameter([...lead, last], { kind: 'joined', parts })
}

/** The numbers of a parameter, row-major. */
export function initialize({ shape, init }: Parameter, seed: number, path: string): Float32Array {
  const data = new Float32Array(elementCount(shape))
  const stream = streamOf(path)
  switch (init.kind) {
    case 'constant':
      return data.fill(init.value)
    case 'uniform':
      fillUniform(data, seed, stream, init.low, init.high)
      return data
    case 'normal':
      fillNormal(data, seed, stream, 0, init.deviation)
      return data
    case 'glorotUniform': {
      const limit = Math.sqrt(6 / sumOf(fans(shape)))
      fillUniform(data, seed, stream, -limit, limit)
      return data
    }
    case 'orthogonal':
      fillNormal(data, seed, stream, 0, 1)
      return orthogonalize(data, shape as [number, number], init.gain)
    case 'identity':
      for (let i = 0; i < Math.min(shape[0]!, shape[1]!); i++) data[i * shape[1]! + i] = init.gain
      return data
    case 'joined':
      fillJoined(data, shape[shape.length - 1]!, init.parts, seed, path)
      return data
  }
}

/** Fan in and fan out: of a matrix its rows and columns; of more axes, times the sizes of the leading ones. */
function fans(shape: readonly number[]): [number, number] {
  if (shape.length < 2) return [shape[0] ?? 1, shape[0] ?? 1]
  const field = elementCount(shape.slice(0, -2))
  return [shape[shape.length - 2]! * field, shape[shape.length - 1]! * field]
}

function sumOf([a, b]: readonly [number, number]): number {
  return a + b
}

function fillJoined(
  data: Float32Array,
  columns: number,
  parts: readonly Parameter[],
  seed: number,
  path: string,
): void {
  let start = 0
  for (const [i, part] of parts.entries()) {
    const own = initialize(part, seed, `${path}[${i}]`)
    const width = part.shape[part.shape.length - 1]!
    for (let at = 0; at < own.length; at++) {
      data[Math.floor(at / width) * columns + start + (at % width)] = own[at]!
    }
    start += width
  }
}

/** The modified Gram–Schmidt process over rows or columns, whichever are fewer, in f64. */
function orthogonalize(data: Float32Array, [rows, columns]: readonly [number, number], gain: number) {
  const byRow = rows <= columns
  const [count, length] = byRow ? [rows, columns] : [columns, rows]
  const at = (vector: number, i: number) => (byRow ? vector * columns + i : i * columns + vector)
  const basis: Float64Array[] = []
  for (let vector = 0; vector < count; vector++) {
    const own = Float64Array.from({ length }, (_, i) => data[at(vector, i)]!)
    for (const known of basis) {
      const along = dot(own, known)
      for (let i = 0; i < length; i++) own[i]! -= along * known[i]!
    }
    const norm = Math.sqrt(dot(own, own))
    for (let i = 0; i < length; i++) own[i]! /= norm
    basis.push(own)
    for (let i = 0; i < length; i++) data[at(vector, i)] = gain * own[i]!
  }
  return data
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}
