/**
 * exp, log, tanh and sigmoid of four f32 lanes, emitted in line.
 * Enters: one v128 on the stack. Leaves: one v128. Holds: no call, branch or memory; a lane's result
 * depends on that lane alone; nothing fused or relaxed, so every engine gives the same bits.
 * Polynomials are our own minimax (Remez) fits, rounded to f32 one coefficient after another. Each
 * stated error is the maximum over every f32, in units in the last place (ULP).
 */
import type { Code, Local } from './assembler.ts'
import { emitPolynomial, vectors } from './vectors.ts'

/** ln 2 in two parts; the first has 15 significant bits, so its product with |n| ≤ 256 is exact. */
const ln2High = 0.693145751953125
const ln2Low = 1.4286068202862268e-6

/** exp(r) ≈ Σ c_k r^k for |r| ≤ ln2/2, relative error 6e-9. */
const expCoefficients = [1, 1, 0.49999997, 0.16666523, 0.041667104, 0.0083692, 0.001392096]
/** exp(2r) − 1 ≈ 2r + r² Σ c_k r^k for |r| ≤ ln2/4, relative error 2e-8. */
const expm1Coefficients = [1.9999999, 1.3333218, 0.66667926, 0.26781508, 0.08879732]
/** log((1 + s) / (1 − s)) ≈ 2s + s³ Σ c_k s^2k for |s| ≤ 0.1716, relative error 1e-9. */
const logCoefficients = [0.66666776, 0.39977568, 0.2987146]

/** 1.5 · 2²³: a float near it holds integers, to which adding it rounds. */
const roundingShift = 12582912
const smallestNormal = 2 ** -126

/**
 * exp(x) = 2ⁿ · exp(r) with n = round(x / ln 2), r = x − n ln 2. At most 1.19 ULP.
 *
 * Beyond 88.7228 the result is +∞. A result under 2^−125.5 (x < −86.99) is 0, never subnormal. NaN stays.
 */
export function emitExp(f: Code): void {
  emitClamp(f, -87.3, 89)
  emitClampedExp(f, 1)
}

/**
 * sigmoid(x) = 1 / (1 + exp(−x)). At most 2.49 ULP, in both tails.
 *
 * Beyond −88.7228 the result is 0, and subnormal between there and −87.3366. NaN stays.
 */
export function emitSigmoid(f: Code): void {
  emitClamp(f, -89, 87.3)
  vectors(f, 1, (exponential) => {
    emitClampedExp(f, -1)
    f.set(exponential)
    f.f32x4.const(1)
    f.get(exponential)
    f.f32x4.const(1)
    f.f32x4.add()
    f.f32x4.div()
  })
}

/**
 * tanh(x) = sign(x) · e / (e + 2) with e = exp(2|x|) − 1. At most 2.62 ULP, and never beyond ±1.
 *
 * It is odd to the bit: tanh(−0) = −0. Subnormals stay as they are, and so does NaN.
 */
export function emitTanh(f: Code): void {
  // |x| rather than x: an error in e ≥ 0 shrinks in e / (e + 2), in e < 0 it would grow twofold.
  vectors(f, 4, (x, sign, n, scale) => {
    f.tee(x)
    f.get(x)
    f.f32x4.const(-0)
    f.v128.and()
    f.tee(sign)
    f.v128.xor()
    // tanh rounds to 1 from 9.011 on.
    f.f32x4.const(9.1)
    f.f32x4.pmin()
    f.tee(x)
    emitPowerOfTwo(f, { factor: 2 * Math.LOG2E, bias: 127, n, scale })

    // r = |x| − n ln2 / 2. One part of ln 2 suffices: where n is large, tanh is flat.
    f.get(x)
    f.get(n)
    f.f32x4.const(Math.LN2 / 2)
    f.f32x4.mul()
    f.f32x4.sub()
    f.tee(x)
    f.get(x)
    f.f32x4.add()
    f.get(x)
    f.get(x)
    f.f32x4.mul()
    emitPolynomial(f, expm1Coefficients, x)
    f.f32x4.mul()
    f.f32x4.add()

    // e = 2ⁿ (exp(2r) − 1) + (2ⁿ − 1)
    f.get(scale)
    f.f32x4.mul()
    f.get(scale)
    f.f32x4.const(1)
    f.f32x4.sub()
    f.f32x4.add()
    f.tee(x)
    f.get(x)
    f.f32x4.const(2)
    f.f32x4.add()
    f.f32x4.div()
    f.get(sign)
    f.v128.or()
  })
}

/**
 * log(x) = e ln 2 + log(m) with x = 2ᵉ m, √½ ≤ m < √2, and log(m) = log((1 + s) / (1 − s)),
 * s = (m − 1) / (m + 1). At most 0.96 ULP, subnormal x included.
 *
 * log(±0) = −∞, log(x < 0) = NaN, log(+∞) = +∞. NaN stays.
 */
export function emitLog(f: Code): void {
  vectors(f, 5, (x, m, e, s, rest) => {
    f.set(x)
    emitLogReduction(f, x, m, e)

    // With g = m − 1: s = g / (2 + g), rest = s² Σ c_k s^2k.
    f.get(m)
    f.f32x4.const(1)
    f.f32x4.sub()
    f.tee(m)
    f.f32x4.const(2)
    f.get(m)
    f.f32x4.add()
    f.f32x4.div()
    f.tee(s)
    f.get(s)
    f.f32x4.mul()
    f.tee(rest)
    emitPolynomial(f, logCoefficients, rest)
    f.f32x4.mul()
    f.set(rest)

    // e·high + (g − (s (g − rest) − e·low)); 2s = g − s g, and g is exact.
    f.get(e)
    f.f32x4.const(ln2High)
    f.f32x4.mul()
    f.get(m)
    f.get(s)
    f.get(m)
    f.get(rest)
    f.f32x4.sub()
    f.f32x4.mul()
    f.get(e)
    f.f32x4.const(ln2Low)
    f.f32x4.mul()
    f.f32x4.sub()
    f.f32x4.sub()
    f.f32x4.add()

    // x itself where it is +∞ or NaN; √x − ∞ where it is ±0 (−∞), negative or NaN (NaN).
    f.get(x)
    f.get(x)
    f.f32x4.const(Infinity)
    f.f32x4.lt()
    f.v128.bitselect()
    f.get(x)
    f.f32x4.sqrt()
    f.f32x4.const(Infinity)
    f.f32x4.sub()
    f.get(x)
    f.f32x4.const(0)
    f.f32x4.gt()
    f.v128.bitselect()
  })
}

/** Sets m in [√½, √2) and e, a float integer, such that x = 2ᵉ m for finite x > 0. */
function emitLogReduction(f: Code, x: Local, m: Local, e: Local): void {
  // Subnormal x is scaled to normal first: m holds the scaled x, e what that adds to the exponent.
  f.get(x)
  f.f32x4.const(2 ** 23)
  f.f32x4.mul()
  f.get(x)
  f.get(x)
  f.f32x4.const(smallestNormal)
  f.f32x4.lt()
  f.tee(e)
  f.v128.bitselect()
  f.set(m)
  f.get(e)
  f.f32x4.const(-23)
  f.v128.and()

  // The exponent field of x / √½ without its bias.
  f.get(m)
  f.f32x4.const(Math.SQRT1_2)
  f.i32x4.sub()
  f.i32.const(23)
  f.i32x4.shrS()
  f.tee(e)
  f.f32x4.convertI32x4S()
  f.get(m)
  f.get(e)
  f.i32.const(23)
  f.i32x4.shl()
  f.i32x4.sub()
  f.set(m)
  f.f32x4.add()
  f.set(e)
}

/**
 * Pops x within ±89 (or NaN); pushes exp(sign · x). The power of two is halved and the polynomial doubled:
 * n = 128 stays representable and overflows to +∞ only in the last product.
 */
function emitClampedExp(f: Code, sign: 1 | -1): void {
  vectors(f, 3, (x, n, scale) => {
    f.tee(x)
    emitPowerOfTwo(f, { factor: sign * Math.LOG2E, bias: 126, n, scale })
    // x becomes sign · r; the sign goes into the constants.
    f.get(x)
    f.get(n)
    f.f32x4.const(sign * ln2High)
    f.f32x4.mul()
    f.f32x4.sub()
    f.get(n)
    f.f32x4.const(sign * ln2Low)
    f.f32x4.mul()
    f.f32x4.sub()
    f.set(x)
    emitPolynomial(
      f,
      expCoefficients.map((coefficient, k) => (k % 2 === 0 ? 2 : 2 * sign) * coefficient),
      x,
    )
    f.get(scale)
    f.f32x4.mul()
  })
}

/** Pops x; n = round(factor · x), scale = 2^(n + bias − 127), or 0 where that exponent is −127. */
function emitPowerOfTwo(
  f: Code,
  { factor, bias, n, scale }: { factor: number; bias: number; n: Local; scale: Local },
): void {
  // The sum's low bits are n + bias; shifted into the exponent's place they need no conversion to i32,
  // which costs several machine instructions (saturation).
  const shift = roundingShift + bias
  f.f32x4.const(factor)
  f.f32x4.mul()
  f.f32x4.const(shift)
  f.f32x4.add()
  f.tee(n)
  f.i32.const(23)
  f.i32x4.shl()
  f.set(scale)
  f.get(n)
  f.f32x4.const(shift)
  f.f32x4.sub()
  f.set(n)
}

/** Pops x; pushes x held between low and high. NaN stays: pmin and pmax return x where they compare false. */
function emitClamp(f: Code, low: number, high: number): void {
  f.f32x4.const(high)
  f.f32x4.pmin()
  f.f32x4.const(low)
  f.f32x4.pmax()
}
