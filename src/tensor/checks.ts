/** Checks of arguments that many functions share. */
import { ArgumentError } from './errors.ts'

/** What came, in a message: texts in quotation marks, lists and records as short JSON. */
export function said(value: unknown): string {
  const plain = String(value)
  if (typeof value !== 'string' && !Array.isArray(value) && plain !== '[object Object]') return plain
  return JSON.stringify(value, (key, each) => (!key || Number.isFinite(each) ? each : String(each))).slice(
    0,
    80,
  )
}

export function requireUnits(what: string, units: number, name = 'units'): void {
  requireInteger(what, name, units, 1)
}

/**
 * Throws for what is no object of options, and for an option that is not there: a misspelt name would otherwise change
 * nothing, silently.
 */
export function requireKnown(what: string, options: object, known: readonly string[], kind = 'option'): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    const received = Array.isArray(options) ? 'a list' : said(options)
    throw new ArgumentError(
      `${what}: expected an object of ${kind}s { ${known.join(', ')} }; received ${received}`,
    )
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    throw new ArgumentError(`${what}: there is no ${kind} ${name}; expected ${known.join(', ')}`)
  }
}

const RANGES = {
  'that is finite': () => true,
  'above 0': (value: number) => value > 0,
  'of at least 1': (value: number) => value >= 1,
  'of at least 0': (value: number) => value >= 0,
  'of at least 0 and below 1': (value: number) => value >= 0 && value < 1,
  'above 0 and below 1': (value: number) => value > 0 && value < 1,
  'above 0 and at most 1': (value: number) => value > 0 && value <= 1,
  'from 0 to 1': (value: number) => value >= 0 && value <= 1,
}

/** Throws for what is no finite number of the range. */
export function requireNumber(what: string, name: string, value: number, range: keyof typeof RANGES): void {
  if (Number.isFinite(value) && RANGES[range](value)) return
  throw new ArgumentError(`${what}: ${name} must be a number ${range}; received ${said(value)}`)
}

/** @throws {ArgumentError} for what is no integer of at least `least` */
export function requireInteger(what: string, name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return
  throw new ArgumentError(`${what}: ${name} must be an integer of at least ${least}; received ${said(value)}`)
}

export function requireFlag(what: string, name: string, value: boolean): void {
  if (typeof value === 'boolean') return
  throw new ArgumentError(`${what}: ${name} must be true or false; received ${said(value)}`)
}

/** A seed is a safe integer. */
export function requireSeed(what: string, seed: number): void {
  if (Number.isSafeInteger(seed)) return
  throw new ArgumentError(`${what}: seed must be an integer within ±2⁵³; received ${said(seed)}`)
}

export function requireChoice(what: string, name: string, value: string, choices: readonly string[]): void {
  if (!choices.includes(value)) {
    throw new ArgumentError(`${what}: ${name} must be one of ${choices.join(', ')}; received ${said(value)}`)
  }
}

/** @throws {ArgumentError} where what is cut into groups is no multiple of their number */
export function requireGroups(what: string, groups: number, name: string, count: number | undefined): void {
  if (count! % groups === 0) return
  throw new ArgumentError(`${what}: groups must divide the ${name}; received ${groups} and ${count}`)
}
