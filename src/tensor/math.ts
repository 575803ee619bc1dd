/**
 * exp, log, pow, sin, cos, tanh and sigmoid of an f64 with the same bits in every engine; ECMAScript leaves
 * the last bits of Math's own to each engine.
 * Holds: only +, −, ×, ÷, floor and bit patterns decide a result; no module state survives a call.
 * Polynomials are our own minimax (Remez) fits, rounded to f64. Each stated error is the largest found
 * against 113-bit arithmetic over millions of arguments, rounded up, in units in the last place (ULP).
 */
import { ArgumentError } from './errors.ts'

/** ln 2 in two parts; the first has 42 significant bits, so its product with |n| ≤ 1100 is exact. */
const ln2High = 0.6931471805598903
const ln2Low = 5.497923018708371e-14
/** π / 2 in four parts; the first three have 33 significant bits, so their products with |n| < 2²⁰ are exact. */
const halfPi = [
  1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.4784276603689e-32,
] as const
/** The upper half of the bits of √½. */
const upperHalfOfRootHalf = 0x3fe6a09e
const smallestNormal = 2 ** -1022

/** exp(r) ≈ 1 + r + r² Σ c_k r^k for |r| ≤ ln2/2, relative error 7e-19. */
const expCoefficients = [
  0.5, 0.16666666666666682, 0.041666666666666095, 0.008333333333317035, 0.0013888888889115702,
  0.0001984126989638039, 2.480158692649947e-5, 2.755723486478977e-6, 2.755758195227806e-7,
  2.5112035986246516e-8, 2.082659732823393e-9,
]
/** log((1 + s) / (1 − s)) ≈ 2s + s³ Σ c_k s^2k for |s| ≤ 0.1716, relative error 3e-19. */
const logCoefficients = [
  0.6666666666666666, 0.4000000000000623, 0.28571428569090174, 0.22222222646215195, 0.18181775707589976,
  0.15387089086174474, 0.1325015250113473, 0.13251043164538936,
]
/** sin(r) ≈ r + r³ Σ c_k r^2k for |r| ≤ π/4, relative error 1e-17. */
const sinCoefficients = [
  -0.1666666666666663, 0.008333333333322108, -0.00019841269829580475, 2.755731361811662e-6,
  -2.5050747232821656e-8, 1.589619844326986e-10,
]
/** cos(r) ≈ 1 − r²/2 + r⁴ Σ c_k r^2k for |r| ≤ π/4, relative error 1e-18. */
const cosCoefficients = [
  0.041666666666666595, -0.001388888888887304, 2.480158728884133e-5, -2.755731417621586e-7,
  2.0875700412417998e-9, -1.13585137471238e-11,
]
/** tanh(x) ≈ x + x³ Σ c_k x^2k for |x| ≤ 0.55, relative error 2e-18. */
const tanhCoefficients = [
  -0.333333333333333, 0.13333333333326622, -0.05396825396376062, 0.021869488385857075, -0.008863232601470507,
  0.003592092030783567, -0.0014555428481888785, 0.000588444496715682, -0.000233381592701079,
  8.331648715600201e-5, -1.9494712087820475e-5,
]

/** A number as the exact sum of two, the second below half a last place of the first. */
interface Sum {
  readonly high: number
  readonly low: number
}

const bits = new DataView(new ArrayBuffer(8))

/** eˣ. At most 0.7 ULP, 0.8 where the result is subnormal. Above 709.783 it is +∞, below −745.133 it is 0. */
export function exp(x: number): number {
  return expOfSum(x, 0)
}

/** The natural logarithm. At most 0.55 ULP. log(±0) = −∞; NaN for x < 0. */
export function log(x: number): number {
  const { high, low } = logAsSum(x)
  return high + low
}

/**
 * xʸ = exp(y log x). At most 1.3 ULP where 10⁻¹⁷ < xʸ < 10¹⁷, 2.5 ULP elsewhere.
 * Special cases are those of ECMAScript's `**`: x⁰ = 1 for every x, (±1)^±∞ = NaN, (x < 0)ʸ = NaN unless y is an integer.
 */
export function pow(x: number, y: number): number {
  if (y === 0) return 1
  if (x < 0 && x !== -Infinity && Math.floor(y) !== y) return NaN
  const negative = (x < 0 || Object.is(x, -0)) && Math.abs(y % 2) === 1
  const logarithm = logAsSum(Math.abs(x))
  const high = y * logarithm.high
  const moderate = high !== 0 && Math.abs(high) < 1000
  const low = moderate ? productError(y, logarithm.high, high) + y * logarithm.low : 0
  const magnitude = expOfSum(high, low)
  return negative ? -magnitude : magnitude
}

/** tanh(x) = 1 − 2 / (exp(2x) + 1), odd to the bit. At most 1.5 ULP. */
export function tanh(x: number): number {
  const magnitude = Math.abs(x)
  if (magnitude < 2 ** -28) return x
  if (magnitude < 0.55) {
    const square = x * x
    return x + x * square * polynomial(tanhCoefficients, square)
  }
  const result = 1 - 2 / (exp(2 * magnitude) + 1)
  return x < 0 ? -result : result
}

/** 1 / (1 + exp(−x)). At most 2.4 ULP, in both tails. */
export function sigmoid(x: number): number {
  const small = exp(-Math.abs(x))
  return (x < 0 ? small : 1) / (1 + small)
}

/**
 * The sine of x radians. At most 0.9 ULP. NaN for ±∞.
 *
 * @throws {ArgumentError} for finite |x| > 2²⁰
 */
export function sin(x: number): number {
  return Math.abs(x) < 2 ** -27 ? x : sinAfter(0, x)
}

/**
 * The cosine of x radians. At most 0.9 ULP. NaN for ±∞.
 *
 * @throws {ArgumentError} for finite |x| > 2²⁰
 */
export function cos(x: number): number {
  return sinAfter(1, x)
}

/** exp(high + low) = 2ⁿ exp(r) with n = round(high / ln 2). */
function expOfSum(high: number, low: number): number {
  if (high > 710) return Infinity
  if (high < -746) return 0
  const n = Math.floor(high * Math.LOG2E + 0.5)
  const near = high - n * ln2High
  const correction = low - n * ln2Low
  const r = near + correction
  const rest = near - r + correction
  // 1 + r keeps its rounding error, since r is much larger than what follows.
  const main = 1 + r
  const scaled = main + (1 - main + r + (rest + r * r * polynomial(expCoefficients, r)))
  // Two steps, since 2¹⁰²⁴ and 2^−1075 are not representable; the first is exact.
  const half = Math.floor(n / 2)
  return scaled * powerOfTwo(half) * powerOfTwo(n - half)
}

/**
 * log(x) = e ln 2 + log((1 + s) / (1 − s)) with x = 2ᵉ m, √½ ≤ m < √2, s = (m − 1) / (m + 1). The sum's
 * relative error is 2⁻⁵⁹; s, of which 2s is nearly all, is kept in two parts.
 */
function logAsSum(x: number): Sum {
  if (!(x > 0 && x < Infinity)) return { high: x === 0 ? -Infinity : x < 0 ? NaN : x, low: 0 }
  const subnormal = x < smallestNormal
  bits.setFloat64(0, subnormal ? x * 2 ** 54 : x)
  const upper = bits.getInt32(0)
  const exponent = (upper - upperHalfOfRootHalf) >> 20
  bits.setInt32(0, upper - (exponent << 20))
  const m = bits.getFloat64(0)
  const e = subnormal ? exponent - 54 : exponent

  const numerator = m - 1
  const denominator = m + 1
  const denominatorLow = numerator - (denominator - 2)
  const s = numerator / denominator
  const product = s * denominator
  const remainder = numerator - product - productError(s, denominator, product) - s * denominatorLow
  const square = s * s
  const series = s * square * polynomial(logCoefficients, square)

  const whole = e * ln2High
  const main = whole + 2 * s
  const rest = whole - main + 2 * s + (e * ln2Low + ((2 * remainder) / denominator + series))
  const high = main + rest
  return { high, low: main - high + rest }
}

/** sin(x + turns π/2), with x = n π/2 + r and |r| ≤ π/4 (Cody and Waite's reduction). */
function sinAfter(turns: number, x: number): number {
  if (Math.abs(x) > 2 ** 20 && Math.abs(x) !== Infinity) {
    throw new ArgumentError(`sin and cos take at most 2^20 radians; received ${x}`)
  }
  const n = Math.floor(x / (Math.PI / 2) + 0.5)
  const first = x - n * halfPi[0]
  const second = n * halfPi[1]
  const near = first - second
  const back = first - near
  const rounding = first - (near + back) + (back - second)
  const rest = rounding - n * halfPi[2]
  const r = near + rest
  const low = near - r + rest - n * halfPi[3]

  const square = r * r
  const quarter = (n + turns) & 3
  const result =
    (quarter & 1) === 0
      ? r + (low + r * square * polynomial(sinCoefficients, square))
      : cosNear(square, square * square * polynomial(cosCoefficients, square) - r * low)
  return (quarter & 2) === 0 ? result : -result
}

/** 1 − square/2 + rest, rounded once. */
function cosNear(square: number, rest: number): number {
  const half = square / 2
  const difference = 1 - half
  return difference + (1 - difference - half + rest)
}

/** a b − product, exactly, for product = a b rounded (Dekker 1971). */
function productError(a: number, b: number, product: number): number {
  const aHigh = upperBits(a)
  const bHigh = upperBits(b)
  const aLow = a - aHigh
  const bLow = b - bHigh
  return aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow)
}

/** x rounded to 26 significant bits (Veltkamp). */
function upperBits(x: number): number {
  const scaled = (2 ** 27 + 1) * x
  return scaled - (scaled - x)
}

/** 2ⁿ for −1022 ≤ n ≤ 1023. */
function powerOfTwo(n: number): number {
  bits.setInt32(0, (n + 1023) << 20)
  bits.setInt32(4, 0)
  return bits.getFloat64(0)
}

/** Σ coefficients[k] · x^k by Horner's rule. */
function polynomial(coefficients: readonly number[], x: number): number {
  let sum = 0
  for (let k = coefficients.length - 1; k >= 0; k--) sum = sum * x + coefficients[k]!
  return sum
}
