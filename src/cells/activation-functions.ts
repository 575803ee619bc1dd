/**
 * More of Keras 3's activations, as functions of values: each is there only where it is imported.
 *
 *     dense({ units: 8, activation: gelu })
 *     lstm({ units: 8, activation: (x) => leakyRelu(x, 0.1) })
 *
 * No large |x| makes a number infinite that need not be, nor a gradient; what nears 0 keeps its digits.
 */
import { div, exp, sigmoid, tanh, type Value, where } from '../graph/value.ts'
import { requireFlag, requireNumber } from '../tensor/checks.ts'

/** x where it is at most 0, else 0: what a choice leaves out is finite, and so is its gradient. */
const negativePart = (x: Value) => where(x.greater(0), 0, x)
/** |x|, with the slope 1 at 0, so that what is chosen at 0 has its own. */
const sizeOf = (x: Value) => where(x.less(0), x.neg(), x)

/** eˣ − 1 for x ≤ 0, as 2 t / (1 − t), t = tanh(x / 2), which keeps the digits of a small x. */
function expMinusOne(x: Value): Value {
  const t = tanh(x.div(2))
  return t.mul(2).div(t.neg().add(1))
}

/** log(1 + u) for u ≥ 0, as u · log w / (w − 1) with w = 1 + u as it is rounded, which keeps the digits of a small u. */
function logOnePlus(u: Value): Value {
  const w = u.add(1)
  const same = w.equal(1)
  return u.mul(where(same, 1, w.log().div(where(same, 1, w.sub(1)))))
}

/** eˣ: infinite beyond x = 88. */
export const exponential = (x: Value): Value => exp(x)

/** x where x > 0, else α (eˣ − 1) (Clevert et al. 2016). Default: α = 1. */
export function elu(x: Value, alpha = 1): Value {
  requireNumber('elu', 'alpha', alpha, 'that is finite')
  return where(x.greater(0), x, expMinusOne(negativePart(x)).mul(alpha))
}

/** x where x > 0, else α (e^(x / α) − 1) (Barron 2017). Default: α = 1. */
export function celu(x: Value, alpha = 1): Value {
  requireNumber('celu', 'alpha', alpha, 'above 0')
  return where(x.greater(0), x, expMinusOne(negativePart(x).div(alpha)).mul(alpha))
}

/** λ elu(x, α), λ = 1.0507…, α = 1.6732…, which keep mean 0 and variance 1 (Klambauer et al. 2017). */
export const selu = (x: Value): Value => elu(x, 1.6732632423543772).mul(1.0507009873554805)

/** x where x ≥ 0, else s x. Default: s = 0.2. */
export function leakyRelu(x: Value, negativeSlope = 0.2): Value {
  requireNumber('leakyRelu', 'negativeSlope', negativeSlope, 'that is finite')
  return where(x.less(0), x.mul(negativeSlope), x)
}

/** x within 0 … 6. */
export const relu6 = (x: Value): Value => x.max(0).min(6)

/** x within −1 … 1. */
export const hardTanh = (x: Value): Value => x.max(-1).min(1)

/** x σ(x), also called swish (Ramachandran et al. 2017). */
export const silu = (x: Value): Value => x.mul(sigmoid(x))

/** x times x / 6 + 1/2 within 0 … 1, also called hard swish (Howard et al. 2019). */
export const hardSilu = (x: Value): Value => x.mul(x.div(6).add(0.5).max(0).min(1))

/** Φ(x) is 0 or 1 beyond, to all digits. */
const FAR = 20
/** erfc(z) = t e^(−z² + Σ cᵢ tⁱ), t = 1 / (1 + z / 2), but for 1.2 · 10⁻⁷ of it (Press et al. 1992, section 6.2). */
const ERFC = [
  -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587,
  -0.82215223, 0.17087277,
]

/**
 * x Φ(x), Φ the normal distribution's (Hendrycks and Gimpel 2016). Φ is a fit that is off by at most 1.2 · 10⁻⁷ of it or of
 * 1 − Φ, about the distance of neighboring f32 numbers.
 * `approximate`, as in Keras: Φ(x) ≈ (1 + tanh(√(2 / π) (x + 0.044715 x³))) / 2, off by up to 4 · 10⁻⁴. Default: false.
 */
export function gelu(x: Value, approximate = false): Value {
  requireFlag('gelu', 'approximate', approximate)
  if (approximate) {
    const near = x.max(-FAR).min(FAR)
    return x.mul(sigmoid(near.add(near.square().mul(near).mul(0.044715)).mul(2 * Math.sqrt(2 / Math.PI))))
  }
  const z = sizeOf(x).min(FAR).mul(Math.SQRT1_2)
  const t = div(1, z.div(2).add(1))
  const sum = ERFC.reduceRight((sum: Value | number, each) => t.mul(sum).add(each), 0) as Value
  const tail = t.mul(exp(sum.sub(z.square()))).div(2)
  return x.mul(where(x.less(0), tail, tail.neg().add(1)))
}

/** log(1 + eˣ) */
export function softplus(x: Value): Value {
  const positive = x.greater(0)
  return where(positive, x, 0).add(logOnePlus(exp(where(positive, x.neg(), x))))
}

/** log σ(x) = −log(1 + e⁻ˣ) */
export const logSigmoid = (x: Value): Value => softplus(x.neg()).neg()

/** x tanh(log(1 + eˣ)) (Misra 2019). */
export const mish = (x: Value): Value => x.mul(tanh(softplus(x)))

/** x / (1 + |x|) */
export const softsign = (x: Value): Value => x.div(x.abs().add(1))

/** (x + √(x² + b)) / 2 (Barron 2021). Default: b = 4. */
export function squareplus(x: Value, b = 4): Value {
  requireNumber('squareplus', 'b', b, 'above 0')
  const size = sizeOf(x)
  const scale = size.max(1)
  const root = size.div(scale).square().add(div(b, scale).div(scale)).sqrt().mul(scale)
  // x + √… = b / (√… − x), of which one has no difference.
  const sum = size.add(root)
  return where(x.less(0), div(b, sum), sum).div(2)
}

/** x − tanh x */
export const tanhShrink = (x: Value): Value => x.sub(tanh(x))

/** x where |x| > λ, else 0. Default: λ = 0.5. */
export function hardShrink(x: Value, threshold = 0.5): Value {
  requireNumber('hardShrink', 'threshold', threshold, 'of at least 0')
  return where(x.abs().lessEqual(threshold), 0, x)
}

/** x less the nearest number within −λ … λ. Default: λ = 0.5. */
export function softShrink(x: Value, threshold = 0.5): Value {
  requireNumber('softShrink', 'threshold', threshold, 'of at least 0')
  return x.sub(x.max(-threshold).min(threshold))
}
