import { ArgumentError } from '../tensor/errors.ts'

export function requireUnits(what: string, units: number, name = 'units'): void {
  if (!Number.isInteger(units) || units < 1) {
    throw new ArgumentError(`${what}: ${name} must be an integer of at least 1; received ${String(units)}`)
  }
}

export function requireChoice(what: string, name: string, value: string, choices: readonly string[]): void {
  if (!choices.includes(value)) {
    throw new ArgumentError(
      `${what}: ${name} must be one of ${choices.join(', ')}; received ${String(value)}`,
    )
  }
}
