/**
 * Checked reading of JSON that nobody vouches for, built of readers: functions of a value and of where it stands.
 * Holds: every fault is one FormatError that says where (`cells[0].graphs[1].nodes[7]: …`); a field that nobody asked
 * for is a fault; a name from the file never indexes an object.
 */
import { FormatError, RecurraError } from '../tensor/errors.ts'

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  /** `undefined` is left out. */
  | { readonly [name: string]: Json | undefined }

export type Read<T> = (value: unknown, where: string) => T

/** Deep enough for every description of a model, shallow enough for any stack. */
const MAX_DEPTH = 32
const MAX_LIST = 1000

/** Parsed JSON of bounded depth without the one name that means something to objects. */
export function parseJson(json: string, where: string): unknown {
  let parsed: unknown
  try {
    parsed = JSON.parse(json)
  } catch (cause) {
    throw fault(where, 'is not JSON', cause)
  }
  requirePlain(parsed, where, 0)
  return parsed
}

function requirePlain(value: unknown, where: string, depth: number): void {
  if (typeof value !== 'object' || value === null) return
  if (depth === MAX_DEPTH) throw fault(where, `is nested more than ${MAX_DEPTH} deep`)
  if (Object.hasOwn(value, '__proto__')) throw fault(where, 'has a field named __proto__')
  for (const each of Object.values(value)) requirePlain(each, where, depth + 1)
}

/** One object of the file. `object` refuses the fields that were not asked for. */
export class Fields {
  readonly where: string
  readonly #values: ReadonlyMap<string, unknown>
  readonly #asked = new Set<string>()

  constructor(value: unknown, where: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw fault(where, `expected an object; received ${described(value)}`)
    }
    this.where = where
    this.#values = new Map(Object.entries(value))
  }

  get<T>(name: string, read: Read<T>): T {
    if (!this.#values.has(name)) throw fault(this.where, `field ${name} is missing`)
    this.#asked.add(name)
    return read(this.#values.get(name), this.where === '' ? name : `${this.where}.${name}`)
  }

  maybe<T>(name: string, read: Read<T>): T | undefined {
    return this.#values.has(name) ? this.get(name, read) : undefined
  }

  end(): void {
    for (const name of this.#values.keys()) {
      if (!this.#asked.has(name)) throw fault(this.where, `unknown field ${shown(name)}`)
    }
  }
}

export function object<T>(read: (fields: Fields) => T): Read<T> {
  return (value, where) => {
    const fields = new Fields(value, where)
    const result = read(fields)
    fields.end()
    return result
  }
}

export function list<T>(item: Read<T>, most = MAX_LIST): Read<T[]> {
  return (value, where) => {
    if (!Array.isArray(value)) throw fault(where, `expected a list; received ${described(value)}`)
    if (value.length > most) throw fault(where, `has ${value.length} entries: ${most} is the most`)
    return value.map((each, i) => item(each, `${where}[${i}]`))
  }
}

export function integer(lowest: number, highest: number): Read<number> {
  return (value, where) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= lowest && value <= highest)
      return value
    throw fault(where, `expected an integer from ${lowest} to ${highest}; received ${described(value)}`)
  }
}

/** A size that fits into i32. */
export const extent = integer(1, 2 ** 31 - 1)
/** Sizes, and null where one is left open. */
export const openShape = list<number | null>((value, where) => (value === null ? null : extent(value, where)))

/** One of a list, by its place. */
export function entryOf<T>(all: readonly T[], what: string): Read<T> {
  return (value, where) => {
    const place = integer(0, Number.MAX_SAFE_INTEGER)(value, where)
    if (place < all.length) return all[place]!
    throw fault(where, `there is no ${what} ${place}: there are ${all.length}`)
  }
}

export const text: Read<string> = (value, where) => {
  if (typeof value !== 'string') throw fault(where, `expected a text; received ${described(value)}`)
  return value
}

export const flag: Read<boolean> = (value, where) => {
  if (typeof value !== 'boolean') throw fault(where, `expected true or false; received ${described(value)}`)
  return value
}

export const anything: Read<unknown> = (value) => value

export function choice<T extends string>(choices: readonly T[], what = 'value'): Read<T> {
  return (value, where) => {
    const found = choices.find((each) => each === value)
    if (found !== undefined) return found
    throw fault(where, `unknown ${what} ${described(value)}; expected one of ${choices.join(', ')}`)
  }
}

/** What JSON has no numbers for. */
const UNWRITABLE: ReadonlyMap<string, number> = new Map(
  [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, -0].map((value) => [named(value), value]),
)

function named(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}

export function writeNumber(value: number): Json {
  return UNWRITABLE.has(named(value)) ? named(value) : value
}

export const number: Read<number> = (value, where) => {
  if (typeof value === 'number' && Number.isFinite(value)) return value
  const special = typeof value === 'string' ? UNWRITABLE.get(value) : undefined
  if (special !== undefined) return special
  throw fault(where, `expected a number; received ${described(value)}`)
}

/** What a constructor finds wrong with data from the file is a fault of the file. */
export function within<T>(where: string, build: () => T): T {
  try {
    return build()
  } catch (cause) {
    if (cause instanceof FormatError || !(cause instanceof RecurraError)) throw cause
    throw fault(where, cause.message, cause)
  }
}

export function fault(where: string, problem: string, cause?: unknown): FormatError {
  const message = `not a valid model file: ${where === '' ? '' : `${where}: `}${problem}`
  return new FormatError(message, cause === undefined ? undefined : { cause })
}

/** A name from a file, short enough for a message. */
export function shown(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name)
}

function described(value: unknown): string {
  if (typeof value === 'string') return shown(value)
  if (typeof value !== 'object' || value === null) return String(value)
  return Array.isArray(value) ? `a list of ${value.length}` : 'an object'
}
