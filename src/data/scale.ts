/**
 * Features of unlike sizes → features of one size, and back.
 * Enters: the training part of a series, which alone decides. Leaves: a scaler for all parts.
 */
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import { requireOptions } from './guards.ts'
import { columnsOf, numbersOf, type Series } from './series.ts'

/** z = (x − offset_f) / factor_f and its inverse; feature f is the place in the last axis, modulo F. */
export interface Scaler {
  /** F values: the means of `standardize`; what `minMax` takes to 0. */
  readonly offset: Float64Array
  /** F values, none of them 0. */
  readonly factor: Float64Array
  /** z of a series or of windows, in the same shape, f32. */
  transform(series: Series): Tensor
  /** x of what `transform` gave, or of forecasts [N, H·F]. */
  inverse(series: Series): Tensor
  /** The scaler of some features, for forecasts of those alone. */
  select(columns: readonly number[]): Scaler
}

/**
 * A scaler to mean 0 and deviation 1: offset_f is the mean, factor_f the deviation √(Σ (x − mean)² / T) of feature f. A
 * feature that never changes becomes 0.
 *
 *     const scaler = standardize(train)
 *     const examples = windows(scaler.transform(train), { length: 50 })
 *
 * Source: Keras's Normalization and scikit-learn's StandardScaler.
 *
 * @param train [T], [T, F] or [N, T, F]: the part that is trained on, since what is forecast must not be known beforehand
 * @throws {DataError} for an empty series, and numbers that are not finite
 */
export function standardize(train: Series): Scaler {
  const columns = columnsIn('standardize', train)
  // From the first value on: the mean of what never changes is exact, and its deviation 0.
  const means = columns.map((column) => column[0]! + sum(column.map((x) => x - column[0]!)) / column.length)
  const deviations = columns.map((column, f) => {
    const variance = sum(column.map((x) => (x - means[f]!) * (x - means[f]!))) / column.length
    return Math.sqrt(variance)
  })
  return scaler(means, deviations)
}

/**
 * A scaler that takes the least value of each feature to `range[0]` and the largest to `range[1]`; by default 0 … 1. A
 * feature that never changes becomes `range[0]`. Source: scikit-learn's MinMaxScaler.
 *
 * @param train as for `standardize`
 * @throws {ArgumentError} unless the range is two finite numbers that rise
 * @throws {DataError} for an empty series, and numbers that are not finite
 */
export function minMax(train: Series, options: { readonly range?: readonly [number, number] } = {}): Scaler {
  requireOptions('minMax', options, ['range'])
  const { range = [0, 1] } = options
  const isRange = Array.isArray(range) && range.length === 2 && range.every(Number.isFinite)
  if (!isRange || range[0] >= range[1]) {
    throw new ArgumentError(`minMax: range must be two numbers that rise; received ${JSON.stringify(range)}`)
  }
  const [low, high] = range
  const bounds = columnsIn('minMax', train).map((column) => ({
    from: column.reduce((least, x) => Math.min(least, x)),
    to: column.reduce((most, x) => Math.max(most, x)),
  }))
  const factors = bounds.map(({ from, to }) => (to - from) / (high - low))
  return scaler(
    bounds.map(({ from }, f) => from - low * (factors[f]! || 1)),
    factors,
  )
}

function scaler(offsets: readonly number[], factors: readonly number[]): Scaler {
  const features = offsets.length
  const offset = Float64Array.from(offsets)
  const factor = Float64Array.from(factors, (each) => each || 1)
  const mapped = (what: string, series: Series, each: (x: number, f: number) => number) => {
    const { values, shape } = numbersOf(what, series)
    const last = shape.length === 1 ? 1 : shape[shape.length - 1]!
    if (last % features !== 0) {
      throw new ShapeError(
        `${what}: the scaler was fitted to ${features} features; received [${shape.join(', ')}], which ends with ${last}. ` +
          'For some of the features, use scaler.select(columns).',
      )
    }
    return tensor(
      Float32Array.from(values, (x, i) => each(x, i % features)),
      shape,
    )
  }
  return {
    offset,
    factor,
    transform: (series) => mapped('transform', series, (x, f) => (x - offset[f]!) / factor[f]!),
    inverse: (series) => mapped('inverse', series, (z, f) => z * factor[f]! + offset[f]!),
    select(columns) {
      const chosen = columnsOf('select', columns, features)
      return scaler(
        chosen.map((f) => offset[f]!),
        chosen.map((f) => factor[f]!),
      )
    },
  }
}

/** The values of each feature, over all steps of all series. */
function columnsIn(what: string, series: Series): Float64Array[] {
  const { values, shape } = numbersOf(what, series)
  const features = shape.length === 1 ? 1 : shape[shape.length - 1]!
  return Array.from({ length: features }, (_, f) => values.filter((_, i) => i % features === f))
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0)
}
