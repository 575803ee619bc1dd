/** Integer arithmetic that SIMD has no instruction for, and random bits. */
import type { Code, Local } from './assembler.ts'
import { vectors } from './vectors.ts'

/** Pops two v128 of i32 lanes; pushes what `emit` makes of each pair of lanes. */
export function emitByLane(f: Code, emit: (f: Code, a: Local, b: Local) => void): void {
  f.scoped('v128', (right) =>
    f.scoped('v128', (left) =>
      f.scoped('i32', (a) =>
        f.scoped('i32', (b) => {
          f.set(right)
          f.set(left)
          f.get(left)
          for (const lane of [0, 1, 2, 3]) {
            f.get(left)
            f.i32x4.extractLane(lane)
            f.set(a)
            f.get(right)
            f.i32x4.extractLane(lane)
            f.set(b)
            emit(f, a, b)
            f.i32x4.replaceLane(lane)
          }
        }),
      ),
    ),
  )
}

/** Pushes b where it can divide (0 and, for its overflow, −1 cannot), else 1. */
function pushDivisor(f: Code, b: Local): void {
  f.get(b)
  f.i32.const(1)
  f.get(b)
  f.i32.const(1)
  f.i32.add()
  f.i32.const(1)
  f.i32.gtU()
  f.select()
}

/** a mod b with the sign of b; 0 where b is 0 or −1. */
export function emitMod(f: Code, a: Local, b: Local): void {
  f.scoped('i32', (rest) => {
    f.get(a)
    pushDivisor(f, b)
    f.i32.remS()
    f.set(rest)
    // The remainder has the sign of a: where that is not b's, one more b.
    f.get(rest)
    f.get(b)
    f.i32.const(0)
    f.get(rest)
    f.get(b)
    f.i32.xor()
    f.i32.const(0)
    f.i32.ltS()
    f.get(rest)
    f.i32.const(0)
    f.i32.ne()
    f.i32.and()
    f.select()
    f.i32.add()
  })
}

/** ⌊a / b⌋; 0 where b is 0, −a where it is −1. */
export function emitFloorDiv(f: Code, a: Local, b: Local): void {
  f.scoped('i32', (rest) => {
    emitMod(f, a, b)
    f.set(rest)
    // (a − a mod b) / b is exact; by −1 and by 0 it is a product.
    f.get(a)
    f.get(rest)
    f.i32.sub()
    pushDivisor(f, b)
    f.i32.divS()
    f.get(b)
    f.i32.const(1)
    f.get(b)
    f.i32.const(1)
    f.i32.add()
    f.i32.const(1)
    f.i32.leU()
    f.select()
    f.i32.mul()
  })
}

const MULTIPLIERS = [0xd2511f53 | 0, 0xcd9e8d57 | 0] as const
const KEY_STEPS = [0x9e3779b9 | 0, 0xbb67ae85 | 0] as const
const ROUNDS = 10

/**
 * Pops counters c0 … c3 and keys k0, k1; pushes the first word of their Philox4x32-10 block as a multiple of 2⁻²⁴ in
 * [0, 1). The same numbers as `philox` of tensor/random.ts.
 */
export function emitRandom(f: Code): void {
  vectors(f, 6, (c0, c1, c2, c3, k0, k1) => {
    for (const local of [k1, k0, c3, c2, c1, c0]) f.set(local!)
    vectors(f, 2, (high, low) => {
      for (let round = 0; round < ROUNDS; round++) {
        // (c0, c1, c2, c3) ← (hi(c2 M1) ⊕ c1 ⊕ k0, lo(c2 M1), hi(c0 M0) ⊕ c3 ⊕ k1, lo(c0 M0))
        cross(f, c2!, MULTIPLIERS[1], c1!, k0!, high!, low!)
        cross(f, c0!, MULTIPLIERS[0], c3!, k1!, c1!, c3!)
        f.get(c1!)
        f.set(c2!)
        f.get(high!)
        f.set(c0!)
        f.get(low!)
        f.set(c1!)
        for (const [i, key] of [k0!, k1!].entries()) {
          f.get(key)
          f.i32x4.const(KEY_STEPS[i]!)
          f.i32x4.add()
          f.set(key)
        }
      }
    })
    f.get(c0!)
    f.i32.const(8)
    f.i32x4.shrU()
    f.f32x4.convertI32x4S()
    f.f32x4.const(2 ** -24)
    f.f32x4.mul()
  })
}

/** high = upper half of x · m, ⊕ other ⊕ key; low = its lower half. `other` may be one of the two. */
function cross(f: Code, x: Local, m: number, other: Local, key: Local, high: Local, low: Local): void {
  f.get(x)
  f.i32x4.const(m)
  f.i64x2.extmulLowI32x4U()
  f.get(x)
  f.i32x4.const(m)
  f.i64x2.extmulHighI32x4U()
  f.i8x16.shuffle([4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31])
  f.get(other)
  f.v128.xor()
  f.get(key)
  f.v128.xor()
  f.get(x)
  f.i32x4.const(m)
  f.i32x4.mul()
  f.set(low)
  f.set(high)
}
