/**
 * Forecasts that need no network: what a network has to beat.
 * Enters: examples as `windows` makes them. Leaves: forecasts shaped like their targets, [N, H·O].
 */
import { requireNumber } from '../tensor/checks.ts'
import { DataError, ShapeError } from '../tensor/errors.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import type { Examples } from './batches.ts'
import { requireInteger, requireOptions } from './guards.ts'
import { columnsOf, numbersOf } from './series.ts'

/**
 * The value of one season before, forecast[n, h·O + o] = x(L + h − m⌈(h + 1) / m⌉, target[o]) for 0 ≤ h < H; with m = 1
 * the last value. Source: Hyndman and Athanasopoulos, "Forecasting: Principles and Practice", 3rd edition, section 5.2.
 *
 * @param inputs [N, L, F]
 * @param options.horizon H, default 1
 * @param options.season m, the steps of a season; default 1
 * @param options.target the features that are forecast, by column; default all
 * @throws {ArgumentError} for options outside their range
 * @throws {DataError} when the inputs have less than one season
 */
export function naiveForecast(
  inputs: Tensor,
  options: {
    readonly horizon?: number
    readonly season?: number
    readonly target?: readonly number[]
  } = {},
): Tensor {
  requireOptions('naiveForecast', options, ['horizon', 'season', 'target'])
  const { horizon = 1, season = 1 } = options
  requireInteger('naiveForecast: horizon', horizon, 1)
  requireInteger('naiveForecast: season', season, 1)
  const { values, shape } = numbersOf('naiveForecast', inputs)
  const [count, length, features] = shape as readonly [number, number, number]
  if (shape.length !== 3) {
    throw new ShapeError(`naiveForecast: expected windows [N, L, F]; received [${shape.join(', ')}]`)
  }
  if (length < season) {
    throw new DataError(`naiveForecast: a season of ${season} steps does not fit windows of ${length}`)
  }
  const target = columnsOf('naiveForecast', options.target, features)
  const forecast = new Float32Array(count * horizon * target.length)
  let written = 0
  for (let n = 0; n < count; n++) {
    for (let h = 0; h < horizon; h++) {
      const step = length + h - season * Math.ceil((h + 1) / season)
      for (const column of target) forecast[written++] = values[(n * length + step) * features + column]!
    }
  }
  return tensor(forecast, [count, horizon * target.length])
}

/** A fitted linear forecast, ŷ = x W + b with x the numbers of a window in a row. */
export interface LinearForecast {
  /** W, f64 [D, O]. */
  readonly weights: Float64Array
  /** b, f64 [O]. */
  readonly bias: Float64Array
  /** [N, …], each row of D numbers → [N, O]. */
  predict(inputs: Tensor): Tensor
}

/**
 * Linear least squares: the W and b of least Σ_n ‖y_n − x_n W − b‖² + l2 · ‖W‖², from the normal equations of centered
 * numbers, (XᵀX + l2 I) W = XᵀY, by Cholesky's factors in f64.
 *
 * @param examples inputs [N, …] of D numbers a row, targets [N, …] of O numbers a row
 * @param options.l2 default 0
 * @throws {ArgumentError} unless l2 is at least 0
 * @throws {ShapeError} unless inputs and targets have the same number of rows
 * @throws {DataError} where columns depend on one another (or on nothing: a constant), so that W is not determined
 */
export function linearForecast(examples: Examples, options: { readonly l2?: number } = {}): LinearForecast {
  requireOptions('linearForecast', options, ['l2'])
  const { l2 = 0 } = options
  requireNumber('linearForecast', 'l2', l2, 'of at least 0')
  const [x, y] = [rowsOf(examples.inputs), rowsOf(examples.targets)]
  if (x.count !== y.count) {
    throw new ShapeError(`linearForecast: ${x.count} rows of inputs, ${y.count} of targets`)
  }
  const [D, O] = [x.width, y.width]
  const [meanX, meanY] = [centered(x), centered(y)]
  const normal = products(x, x)
  for (let d = 0; d < D; d++) normal[d * D + d]! += l2
  const weights = solved(normal, products(x, y), D, O)
  const bias = meanY.map((mean, o) => meanX.reduce((rest, m, d) => rest - m * weights[d * O + o]!, mean))
  return {
    weights,
    bias,
    predict(inputs) {
      const { values, count, width } = rowsOf(inputs)
      if (width !== D) throw new ShapeError(`predict: fitted to rows of ${D} numbers; received ${width}`)
      const forecast = new Float32Array(count * O)
      for (let n = 0; n < count; n++) {
        for (let o = 0; o < O; o++) {
          let sum = bias[o]!
          for (let d = 0; d < D; d++) sum += values[n * D + d]! * weights[d * O + o]!
          forecast[n * O + o] = sum
        }
      }
      return tensor(forecast, [count, O])
    },
  }
}

interface Rows {
  readonly values: Float64Array
  readonly count: number
  readonly width: number
}

function rowsOf(given: Tensor): Rows {
  const { values, shape } = numbersOf('linearForecast', given)
  return { values, count: shape[0]!, width: values.length / shape[0]! }
}

/** Takes the means of the columns away, and gives them. */
function centered({ values, count, width }: Rows): Float64Array {
  const means = new Float64Array(width)
  for (const [i, value] of values.entries()) means[i % width]! += value / count
  for (let i = 0; i < values.length; i++) values[i]! -= means[i % width]!
  return means
}

/** AᵀB. */
function products(a: Rows, b: Rows): Float64Array {
  const sums = new Float64Array(a.width * b.width)
  for (let n = 0; n < a.count; n++) {
    for (let i = 0; i < a.width; i++) {
      const value = a.values[n * a.width + i]!
      for (let j = 0; j < b.width; j++) sums[i * b.width + j]! += value * b.values[n * b.width + j]!
    }
  }
  return sums
}

/** X with A X = B for a positive definite A [D, D]; overwrites both. */
function solved(a: Float64Array, b: Float64Array, D: number, O: number): Float64Array {
  for (let j = 0; j < D; j++) {
    const whole = a[j * D + j]!
    for (let i = j; i < D; i++) {
      let rest = a[i * D + j]!
      for (let k = 0; k < j; k++) rest -= a[i * D + k]! * a[j * D + k]!
      if (i > j) a[i * D + j] = rest / a[j * D + j]!
      else if (rest > 1e-12 * whole) a[j * D + j] = Math.sqrt(rest)
      else {
        throw new DataError(
          `linearForecast: number ${j} of a window is constant or follows from those before it, so the weights are not ` +
            'determined. Leave it out, give more windows, or set l2 above 0.',
        )
      }
    }
  }
  for (let o = 0; o < O; o++) {
    for (let i = 0; i < D; i++) {
      for (let k = 0; k < i; k++) b[i * O + o]! -= a[i * D + k]! * b[k * O + o]!
      b[i * O + o]! /= a[i * D + i]!
    }
    for (let i = D - 1; i >= 0; i--) {
      for (let k = i + 1; k < D; k++) b[i * O + o]! -= a[k * D + i]! * b[k * O + o]!
      b[i * O + o]! /= a[i * D + i]!
    }
  }
  return b
}
