/** Size equalities that tracing assumes: proved at once, refuted at once, or left as guards for when sizes are bound. */
import { ShapeError } from '../tensor/errors.ts'
import { type Bindings, constantOf, evaluateSize, maxSize, type Size, subSize } from '../tensor/size.ts'
import type { Guard } from './node.ts'

const collectors: Map<string, Guard>[] = []

/** Runs `build` and returns what it left unproved. */
export function collectGuards<R>(build: () => R): { result: R; guards: Guard[] } {
  const found = new Map<string, Guard>()
  collectors.push(found)
  try {
    const result = build()
    return { result, guards: [...found.values()] }
  } finally {
    collectors.pop()
  }
}

/** @throws {ShapeError} where the two can never be equal */
export function requireEqual(left: Size, right: Size, message: () => string): void {
  if (left === right) return
  if (constantOf(subSize(left, right)) !== undefined) throw new ShapeError(message())
  for (const found of collectors) {
    const key = `${left.key}=${right.key}`
    if (!found.has(key)) found.set(key, { left, right, message: message() })
  }
}

/** As requireEqual for `size ≥ 0`, which is max(size, 0) = size. */
export function requireAtLeastZero(size: Size, message: () => string): void {
  if (size.terms.every(({ coefficient }) => coefficient > 0)) return
  requireEqual(maxSize(size, 0), size, message)
}

/** @throws {ShapeError} for the first guard that the bound sizes break */
export function checkGuards(guards: readonly Guard[], bindings: Bindings): void {
  for (const { left, right, message } of guards) {
    const [a, b] = [evaluateSize(left, bindings), evaluateSize(right, bindings)]
    if (a !== b) throw new ShapeError(`${message}: ${left.key} is ${a}, ${right.key} is ${b}`)
  }
}
