/**
 * Cells as files and databases give them → columns of one kind.
 * Enters: anything. Holds: no integer is changed, for one that no number holds exactly stays a text; of what has a decimal
 * point or an exponent the nearest f64 is taken.
 */
import { DataError } from '../tensor/errors.ts'

/** What a table holds; null where nothing is. */
export type Cell = number | string | boolean | null

/** What a table is made of: undefined and NaN are nothing, dates become texts, integers of 64 bits numbers or texts. */
export type CellValue = Cell | bigint | Date | undefined

/** What the cells of a column are. Dates are texts such as 2024-01-31 and 2024-01-31T06:30:00Z. */
export type ColumnKind = 'number' | 'boolean' | 'date' | 'text'

/** NaN, or null, where nothing is; true is 1. */
export interface Column {
  readonly kind: ColumnKind
  /** An array of numbers where the kind is number or boolean. */
  readonly values: Float64Array | readonly (string | null)[]
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const INTEGER = /^[+-]?\d+$/
const CODE = /^[+-]?0\d/
const TRUTH = /^(?:true|false)$/i
const DATE =
  /^([+-]\d{6}|\d{4})-(\d\d)(?:-(\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d(?:\.\d+)?))? ?(?:(Z)|([+-]\d\d)(?::?(\d\d))?)?)?)?$/

/**
 * A column of cells of any type, of the kind that holds them all.
 *
 * @param placeOf the file and the row, for messages
 * @throws {DataError} at the first cell that is none, such as a list
 */
export function columnOf(cells: ArrayLike<unknown>, placeOf: (row: number) => string): Column {
  const found = new Set<string>()
  for (let row = 0; row < cells.length; row++) found.add(typeOf(cells[row], row, placeOf))
  found.delete('nothing')
  const only = (type: string) => found.size === 1 && found.has(type)
  if (only('boolean')) return { kind: 'boolean', values: numbersIn(cells) }
  if (!['date', 'text', 'large'].some((type) => found.has(type))) {
    return { kind: 'number', values: numbersIn(cells) }
  }
  const dates = only('date')
  const days = dates && Array.from(cells).every((cell) => isNothing(cell) || Number(cell) % 86_400_000 === 0)
  const texts = Array.from(cells, (cell) => textOf(cell, days))
  return dates ? { kind: 'date', values: texts } : textColumn(texts)
}

/** A column of texts of which nothing is known: numbers, true and false, dates or texts, whatever all of them are. */
export function columnOfTexts(texts: readonly (string | null)[]): Column {
  const all = (is: (text: string) => boolean) => texts.every((text) => text === null || is(text))
  // A code such as 007 is no number.
  if (all((text) => !Number.isNaN(numberIn(text)) && !CODE.test(text.trim()))) {
    return {
      kind: 'number',
      values: Float64Array.from(texts, (text) => (text === null ? Number.NaN : numberIn(text))),
    }
  }
  if (all((text) => TRUTH.test(text.trim()))) {
    const truth = (text: string) => Number(text.trim().toLowerCase() === 'true')
    return {
      kind: 'boolean',
      values: Float64Array.from(texts, (text) => (text === null ? Number.NaN : truth(text))),
    }
  }
  return textColumn(texts)
}

/**
 * The number that a text writes, the nearest f64 of 0.1 or 12345678901234567.5; NaN for none, and for an integer beyond ±2⁵³,
 * which could become another.
 */
export function numberIn(text: string): number {
  const written = text.trim()
  if (!NUMBER.test(written)) return Number.NaN
  const value = Number(written)
  return INTEGER.test(written) && !Number.isSafeInteger(value) ? Number.NaN : value
}

/** Milliseconds since 1970 of an ISO date, in UTC where it has no zone; NaN for what is none. */
export function timeIn(text: string): number {
  const [found, year, month, day = '01', time = '00:00', seconds = '00', , hours, minutes = '00'] =
    DATE.exec(text.trim()) ?? []
  if (found === undefined) return Number.NaN
  const local = Date.parse(`${year}-${month}-${day}T${time}:${seconds.slice(0, 6)}Z`)
  if (Number.isNaN(local)) return Number.NaN
  // Engines take February 30 for March 1.
  const midnight = Number(day) > 28 ? new Date(Date.parse(`${year}-${month}-${day}T00:00Z`)) : undefined
  if (midnight !== undefined && midnight.getUTCDate() !== Number(day)) return Number.NaN
  if (hours === undefined) return local
  const ahead = Math.abs(Number(hours)) * 60 + Number(minutes)
  return local - (hours.startsWith('-') ? -ahead : ahead) * 60_000
}

/** The cell of a row, as users see it. */
export function cellOf(column: Column, row: number): Cell {
  const value = column.values[row]!
  if (typeof value !== 'number') return value
  if (Number.isNaN(value)) return null
  return column.kind === 'boolean' ? value === 1 : value
}

function textColumn(values: readonly (string | null)[]): Column {
  const dates = values.every((text) => text === null || !Number.isNaN(timeIn(text)))
  return { kind: dates && values.some((text) => text !== null) ? 'date' : 'text', values }
}

function typeOf(cell: unknown, row: number, placeOf: (row: number) => string): string {
  if (isNothing(cell)) return 'nothing'
  if (typeof cell === 'number' || typeof cell === 'boolean') return typeof cell
  if (typeof cell === 'string') return 'text'
  if (typeof cell === 'bigint') return Number.isSafeInteger(Number(cell)) ? 'number' : 'large'
  if (cell instanceof Date && !Number.isNaN(cell.getTime())) return 'date'
  const received = Array.isArray(cell) ? 'a list' : cell instanceof Date ? 'no valid date' : `${typeof cell}`
  throw new DataError(
    `${placeOf(row)}: a cell is a number, a text, true, false, a date or nothing; received ${received}. ` +
      'Leave the column out, or make several of it.',
  )
}

function isNothing(cell: unknown): boolean {
  return cell === null || cell === undefined || Number.isNaN(cell)
}

function numbersIn(cells: ArrayLike<unknown>): Float64Array {
  return Float64Array.from({ length: cells.length }, (_, row) =>
    isNothing(cells[row]) ? Number.NaN : Number(cells[row]),
  )
}

function textOf(cell: unknown, days: boolean): string | null {
  if (isNothing(cell)) return null
  if (!(cell instanceof Date)) return String(cell)
  const text = cell.toISOString()
  return days ? text.slice(0, text.indexOf('T')) : text.replace('.000Z', 'Z')
}
