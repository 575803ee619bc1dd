/**
 * Time series → windows to learn from.
 * Enters: one series, [T] or [T, F], or N of one length, [N, T, F]. Leaves: inputs and targets, f32 tensors.
 * T time steps, F features, L steps of a window, H values ahead, O forecast features, N windows.
 */
import { requireFlag } from '../tensor/checks.ts'
import { ArgumentError, DataError, ShapeError } from '../tensor/errors.ts'
import { isTensor } from '../tensor/padding.ts'
import { elementCount, type NestedNumbers, type Tensor, tensor } from '../tensor/tensor.ts'
import type { Examples } from './batches.ts'
import { requireInteger, requireOptions } from './guards.ts'

/** A series: T numbers, T rows of F numbers, or N such lists of rows; as arrays, a typed array or a tensor. */
export type Series = Tensor | Float64Array | Float32Array | readonly NestedNumbers[]

/** The numbers of a series as they were given, in f64, row-major. */
export interface SeriesNumbers {
  readonly values: Float64Array
  readonly shape: readonly number[]
}

export interface WindowOptions {
  /** L, the steps that a window shows. */
  readonly length: number
  /** H, how many values after them are to be forecast. Default: 1. */
  readonly horizon?: number
  /** Steps from the start of one window to the start of the next. Default: 1. */
  readonly stride?: number
  /** The features that are to be forecast, by column. Default: all. */
  readonly target?: readonly number[]
  /** Whether every step has targets, the H values after it, or only the last. Default: false. */
  readonly everyStep?: boolean
}

/**
 * All windows of a series. Window n shows steps s = n · stride … s + L − 1; its targets are the H values after the last:
 *
 *     inputs[n, t, f] = x(s + t, f)
 *     targets[n, h·O + o] = x(s + L + h, target[o])                 0 ≤ h < H
 *     targets[n, t, h·O + o] = x(s + t + 1 + h, target[o])          with everyStep
 *
 * so inputs are [N, L, F] and targets [N, H·O], what `dense({ units: H · O })` gives, or [N, L, H·O]. Several series give
 * the windows of the first, then those of the second, and so on; none spans two.
 *
 *     windows([1, 2, 3, 4, 5], { length: 3 })       // inputs [[[1], [2], [3]], [[2], [3], [4]]], targets [[4], [5]]
 *
 * Source: Géron, "Hands-On Machine Learning", 2nd edition, chapter 15, where everyStep is "sequence to sequence".
 *
 * @throws {ArgumentError} for options outside their range, and a target that is no column
 * @throws {DataError} when a series is shorter than L + H, or holds a number that is not finite in f32; names its place
 * @throws {ShapeError} for rows of unlike lengths
 */
export function windows(series: Series, options: WindowOptions): Examples {
  requireOptions('windows', options, ['length', 'horizon', 'stride', 'target', 'everyStep'])
  const { length, horizon = 1, stride = 1, everyStep = false } = options
  requireInteger('windows: length', length, 1)
  requireInteger('windows: horizon', horizon, 1)
  requireInteger('windows: stride', stride, 1)
  requireFlag('windows', 'everyStep', everyStep)
  const { values, shape } = numbersOf('windows', series)
  requireF32(values, shape)
  const features = shape.length === 1 ? 1 : shape[shape.length - 1]!
  const steps = shape.length === 1 ? shape[0]! : shape[shape.length - 2]!
  const target = columnsOf('windows', options.target, features)
  if (steps < length + horizon) {
    throw new DataError(
      `windows: a window of ${length} steps and ${horizon} ahead needs a series of at least ${length + horizon} steps; ` +
        `received ${steps}. Give a longer series, or a smaller length or horizon.`,
    )
  }
  const each = Math.floor((steps - length - horizon) / stride) + 1
  const count = each * (values.length / (steps * features))
  const inputs = new Float32Array(count * length * features)
  const from = everyStep ? 1 : length
  const width = horizon * target.length
  const targets = new Float32Array(count * (length + 1 - from) * width)
  let written = 0
  for (let n = 0; n < count; n++) {
    const start = Math.floor(n / each) * steps + (n % each) * stride
    inputs.set(values.subarray(start * features, (start + length) * features), n * length * features)
    for (let after = from; after <= length; after++) {
      for (let h = 0; h < horizon; h++) {
        for (const column of target) targets[written++] = values[(start + after + h) * features + column]!
      }
    }
  }
  return {
    inputs: tensor(inputs, [count, length, features]),
    targets: tensor(targets, everyStep ? [count, length, width] : [count, width]),
  }
}

/** The columns asked for, or all of them. */
export function columnsOf(
  what: string,
  columns: readonly number[] | undefined,
  features: number,
): readonly number[] {
  if (columns === undefined) return Array.from({ length: features }, (_, f) => f)
  const isColumn = (f: unknown) => Number.isInteger(f) && Number(f) >= 0 && Number(f) < features
  if (Array.isArray(columns) && columns.length > 0 && columns.every(isColumn)) return columns
  throw new ArgumentError(
    `${what}: expected a list of columns from 0 to ${features - 1}; received ${JSON.stringify(columns)}`,
  )
}

/**
 * @throws {ArgumentError} for what is no series
 * @throws {ShapeError} for rows of unlike lengths; names the row
 * @throws {DataError} for nothing, and numbers that are not finite; names the row
 */
export function numbersOf(what: string, series: Series): SeriesNumbers {
  const { values, shape } = unchecked(what, series)
  if (shape.length < 1 || shape.length > 3) {
    throw new ShapeError(`${what}: a series is [T], [T, F] or [N, T, F]; received [${shape.join(', ')}]`)
  }
  if (values.length === 0) throw new DataError(`${what}: the series is empty, [${shape.join(', ')}]`)
  const at = values.findIndex((value) => !Number.isFinite(value))
  if (at < 0) return { values, shape }
  throw new DataError(
    `${what}: expected finite numbers; received ${values[at]} at ${placeOf(at, shape)}. Fill the gap, or leave it out.`,
  )
}

/** @throws {DataError} for a number that f32 does not hold */
function requireF32(values: Float64Array, shape: readonly number[]): void {
  const at = values.findIndex((value) => !Number.isFinite(Math.fround(value)))
  if (at < 0) return
  throw new DataError(
    `windows: expected numbers within ±3.4e38, which f32 holds; received ${values[at]} at ${placeOf(at, shape)}. Scale the ` +
      'series first, or correct it.',
  )
}

function unchecked(what: string, series: Series): SeriesNumbers {
  if (isTensor(series)) return { values: Float64Array.from(series.data), shape: series.shape }
  if (series instanceof Float64Array || series instanceof Float32Array) {
    return { values: Float64Array.from(series), shape: [series.length] }
  }
  if (!Array.isArray(series)) {
    throw new ArgumentError(
      `${what}: expected a series, numbers or rows of numbers; received ${kind(series)}`,
    )
  }
  const shape: number[] = []
  for (let level: unknown = series; Array.isArray(level); level = level[0]) shape.push(level.length)
  const flat = new Float64Array(elementCount(shape))
  let written = 0
  const read = (value: unknown, depth: number, place: string): void => {
    if (depth === shape.length) {
      if (typeof value !== 'number') {
        throw new ShapeError(`${what}: expected a number at ${place}; received ${kind(value)}`)
      }
      flat[written++] = value
      return
    }
    if (!Array.isArray(value) || value.length !== shape[depth]) {
      const received = Array.isArray(value) ? `${value.length}` : kind(value)
      throw new ShapeError(
        `${what}: rows must be of equal length; expected ${shape[depth]} values at ${place}; received ${received}`,
      )
    }
    for (const [i, inner] of value.entries()) read(inner, depth + 1, `${place}[${i}]`)
  }
  read(series, 0, 'series')
  return { values: flat, shape }
}

function placeOf(at: number, shape: readonly number[]): string {
  const indices = shape.map((size, axis) => Math.floor(at / elementCount(shape.slice(axis + 1))) % size)
  return `series${indices.map((i) => `[${i}]`).join('')}`
}

function kind(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value
}
