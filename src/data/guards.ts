/** Checks of arguments that every file of this folder shares. */
import { ArgumentError } from '../tensor/errors.ts'

/** @throws {ArgumentError} unless `value` is an integer of at least `least` */
export function requireInteger(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new ArgumentError(`${name} must be an integer of at least ${least}; received ${String(value)}`)
  }
}
