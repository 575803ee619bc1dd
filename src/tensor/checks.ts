/** Checks of arguments that many functions share. */
import { ArgumentError } from './errors.ts'

export function requireUnits(what: string, units: number, name = 'units'): void {
  if (!Number.isInteger(units) || units < 1) {
    throw new ArgumentError(`${what}: ${name} must be an integer of at least 1; received ${String(units)}`)
  }
}

/** Throws for an option that is not there: a misspelt name would otherwise change nothing, silently. */
export function requireKnown(what: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    throw new ArgumentError(`${what}: there is no option ${name}; expected ${known.join(', ')}`)
  }
}

/** A seed is a safe integer. */
export function requireSeed(what: string, seed: number): void {
  if (Number.isSafeInteger(seed)) return
  throw new ArgumentError(`${what}: seed must be an integer within ±2⁵³; received ${String(seed)}`)
}

export function requireChoice(what: string, name: string, value: string, choices: readonly string[]): void {
  if (!choices.includes(value)) {
    throw new ArgumentError(
      `${what}: ${name} must be one of ${choices.join(', ')}; received ${String(value)}`,
    )
  }
}
