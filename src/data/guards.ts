/** Checks of arguments that every file of this folder shares. */
import { requireKnown, said } from '../tensor/checks.ts'
import { ArgumentError } from '../tensor/errors.ts'

/** @throws {ArgumentError} unless `value` is an object with no other options than these */
export function requireOptions(what: string, value: object, known: readonly string[]): void {
  if (typeof value !== 'object' || value === null) {
    throw new ArgumentError(`${what}: expected the options { ${known.join(', ')} }; received ${said(value)}`)
  }
  requireKnown(what, value, known)
}

/** @throws {ArgumentError} unless `ids` are tokens as `Vocabulary.encode` makes them */
export function requireIds(name: string, ids: Int32Array): void {
  if (ids instanceof Int32Array) return
  throw new ArgumentError(
    `${name}: expected ids in an Int32Array, as Vocabulary.encode or Int32Array.from makes it; received ${typeof ids}`,
  )
}

export function requireText(name: string, text: string): void {
  if (typeof text === 'string') return
  throw new ArgumentError(`${name}: expected a text; received ${text === null ? 'null' : typeof text}`)
}

/** @throws {ArgumentError} unless `value` is an integer of at least `least` */
export function requireInteger(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new ArgumentError(`${name} must be an integer of at least ${least}; received ${said(value)}`)
  }
}
