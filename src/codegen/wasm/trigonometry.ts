/**
 * sin and cos of four f32 lanes, emitted in line, as math.ts: no call, branch or memory, nothing fused.
 * x = n π/2 + r with |r| ≤ π/4, in three parts of π/2; polynomials after Cephes (Moshier 1989). For |x| ≤ 8,192 at most
 * 1.55 ULP where |y| ≥ 0.01, and an absolute error of 8.8e-8 anywhere (over every second f32); beyond, the error grows
 * with |x|. ±∞ gives NaN.
 */
import type { Code, Local } from './assembler.ts'
import { emitPolynomial, vectors } from './vectors.ts'

const PARTS = [1.5703125, 4.837512969970703e-4, 7.549789948768648e-8] as const
const SIN = [-0.16666654611, 0.0083321608736, -0.00019515295891] as const
const COS = [0.04166664568298827, -0.001388731625493765, 0.00002443315711809948] as const
/** 1.5 · 2²³: a float near it holds integers, to which adding it rounds. */
const ROUNDING = 12582912

export function emitSin(f: Code): void {
  emitWave(f, 0)
}

export function emitCos(f: Code): void {
  emitWave(f, 1)
}

/** sin(x + quarters π/2). */
function emitWave(f: Code, quarters: 0 | 1): void {
  vectors(f, 4, (r, n, square, quadrant) => {
    f.tee(r)
    f.f32x4.const(2 / Math.PI)
    f.f32x4.mul()
    f.f32x4.const(ROUNDING)
    f.f32x4.add()
    f.tee(n)
    f.i32x4.const(quarters)
    f.i32x4.add()
    f.set(quadrant)
    f.get(n)
    f.f32x4.const(ROUNDING)
    f.f32x4.sub()
    f.set(n)
    for (const part of PARTS) {
      f.get(r)
      f.get(n)
      f.f32x4.const(part)
      f.f32x4.mul()
      f.f32x4.sub()
      f.set(r)
    }
    f.get(r)
    f.get(r)
    f.f32x4.mul()
    f.set(square)
    emitCosine(f, square)
    emitSine(f, r, square)
    // An odd quadrant takes the cosine; quadrants 2 and 3 change the sign.
    f.get(quadrant)
    f.i32.const(31)
    f.i32x4.shl()
    f.i32.const(31)
    f.i32x4.shrS()
    f.v128.bitselect()
    f.get(quadrant)
    f.i32.const(1)
    f.i32x4.shrU()
    f.i32.const(31)
    f.i32x4.shl()
    f.v128.xor()
  })
}

/** r + r³ Σ c_k r^2k */
function emitSine(f: Code, r: Local, square: Local): void {
  emitPolynomial(f, SIN, square)
  f.get(square)
  f.f32x4.mul()
  f.get(r)
  f.f32x4.mul()
  f.get(r)
  f.f32x4.add()
}

/** 1 − r²/2 + r⁴ Σ c_k r^2k */
function emitCosine(f: Code, square: Local): void {
  emitPolynomial(f, COS, square)
  f.get(square)
  f.f32x4.mul()
  f.f32x4.const(-0.5)
  f.f32x4.add()
  f.get(square)
  f.f32x4.mul()
  f.f32x4.const(1)
  f.f32x4.add()
}
