/** What emitters of functions share: locals for vectors, polynomials. */
import type { Code, Local } from './assembler.ts'

/** Vector locals for `body` alone. */
export function vectors(
  f: Code,
  count: number,
  body: (...locals: Local[]) => void,
  found: Local[] = [],
): void {
  if (found.length === count) body(...found)
  else f.scoped('v128', (local) => vectors(f, count, body, [...found, local]))
}

/** Pushes c₀ + x (c₁ + x (c₂ + …)). */
export function emitPolynomial(f: Code, coefficients: readonly number[], x: Local): void {
  f.f32x4.const(coefficients.at(-1)!)
  for (const coefficient of coefficients.slice(0, -1).reverse()) {
    f.get(x)
    f.f32x4.mul()
    f.f32x4.const(coefficient)
    f.f32x4.add()
  }
}
