/**
 * Columns of one length → numbers, times, keys, parts of them.
 * Holds: what refuses a cell names the file, the line or row there, the column, what was found and what to do.
 */
import { said } from '../tensor/checks.ts'
import { ArgumentError, DataError } from '../tensor/errors.ts'
import { type Cell, type Column, cellOf, numberIn, timeIn } from './cells.ts'
import { requireOptions } from './guards.ts'

export interface Columns {
  readonly name: string
  readonly rows: number
  readonly byName: ReadonlyMap<string, Column>
  /** Where a row stands in the file, such as "line 7". */
  readonly placeOf: (row: number) => string
}

/** What stands for an empty cell: the value before it, a number, or nothing: its row is left out. */
export type Missing = 'previous' | 'drop' | number | undefined

/** @throws {DataError} without columns or rows */
export function columnsWith(
  byName: ReadonlyMap<string, Column>,
  name: string,
  placeOf: (row: number) => string,
): Columns {
  const [first] = byName.values()
  if (first === undefined) throw new DataError(`${name}: expected at least one column; there is none`)
  const rows = first.values.length
  if (rows === 0) throw new DataError(`${name}: expected at least one row; there is none`)
  return { name, rows, byName, placeOf }
}

export function columnNamed({ name, byName }: Columns, wanted: string): Column {
  const column = byName.get(wanted)
  if (column !== undefined) return column
  const there = quoted([...byName.keys()])
  throw new ArgumentError(`${name}: there is no column ${JSON.stringify(wanted)}; expected one of ${there}`)
}

export function quoted(names: readonly string[]): string {
  return names.map((each) => JSON.stringify(each)).join(', ')
}

/** Rows of numbers [T, F]; see `Table.series`. */
export function seriesOf(columns: Columns, names: readonly string[], missing: Missing): number[][] {
  const features = names.map((each) => columnNamed(columns, each))
  const series: number[][] = []
  for (let row = 0; row < columns.rows; row++) {
    const numbers = features.map((column) => numberAt(column, row))
    const gaps = numbers.flatMap((value, f) => (Number.isFinite(value) ? [] : [f]))
    const odd = gaps.find((f) => cellOf(features[f]!, row) !== null)
    if (odd !== undefined) {
      throw refusal(columns, row, names[odd]!, 'a finite number', todoForOdd(features[odd]!, names[odd]!))
    }
    if (missing === 'drop' && gaps.length > 0) continue
    const before = series[series.length - 1]
    for (const f of gaps) {
      const value = missing === 'previous' ? before?.[f] : missing
      if (typeof value !== 'number') {
        throw refusal(columns, row, names[f]!, 'a finite number', todoForGap(missing))
      }
      numbers[f] = value
    }
    series.push(numbers)
  }
  if (series.length > 0) return series
  throw new DataError(
    `${columns.name}: with missing: 'drop' none of the ${columns.rows} rows is left: each has an empty cell among ` +
      `${quoted(names)}. Name fewer columns.`,
  )
}

/** @throws {ArgumentError} for anything else */
export function missingIn(options: { readonly missing?: Missing }): Missing {
  requireOptions('series', options, ['missing'])
  const { missing } = options
  if (missing === undefined || missing === 'previous' || missing === 'drop' || Number.isFinite(missing)) {
    return missing
  }
  throw new ArgumentError(
    `series: missing must be 'previous', 'drop' or a finite number; received ${said(missing)}`,
  )
}

/** Milliseconds since 1970, [T]. */
export function timesOf(columns: Columns, name: string): Float64Array {
  const { values } = columnNamed(columns, name)
  return Float64Array.from({ length: columns.rows }, (_, row) => {
    const value = values[row]
    const time = typeof value === 'string' ? timeIn(value) : Number.NaN
    if (!Number.isNaN(time)) return time
    const expected = 'an ISO date such as 2024-01-31 or 2024-01-31T06:30:00Z'
    throw refusal(columns, row, name, expected, 'Write dates in that form, here or by with().')
  })
}

/** The cells of a column that may not be empty. */
export function keysOf(columns: Columns, name: string, expected: string): Exclude<Cell, null>[] {
  const column = columnNamed(columns, name)
  return Array.from({ length: columns.rows }, (_, row) => {
    const key = cellOf(column, row)
    if (key !== null) return key
    throw refusal(columns, row, name, expected, 'Fill the gap, or leave the row out.')
  })
}

/** Some rows of all columns, which know where they stood. */
export function rowsOf({ name, byName, placeOf }: Columns, order: readonly number[]): Columns {
  const taken = ({ kind, values }: Column): Column => {
    if (values instanceof Float64Array)
      return { kind, values: Float64Array.from(order, (row) => values[row]!) }
    return { kind, values: order.map((row) => values[row]!) }
  }
  const parts = new Map([...byName].map(([each, column]) => [each, taken(column)]))
  return columnsWith(parts, name, (row) => placeOf(order[row]!))
}

/** NaN for what is none. */
function numberAt({ values }: Column, row: number): number {
  const value = values[row]!
  return typeof value === 'number' ? value : value === null ? Number.NaN : numberIn(value)
}

function refusal(columns: Columns, row: number, name: string, expected: string, todo: string): DataError {
  const cell = cellOf(columnNamed(columns, name), row)
  return new DataError(
    `${columns.name}, ${columns.placeOf(row)}, column ${JSON.stringify(name)}: expected ${expected}; ` +
      `${cell === null ? 'found nothing' : `received ${said(cell)}`}. ${todo}`,
  )
}

function todoForGap(missing: Missing): string {
  return missing === 'previous'
    ? "No row before it has a value: sort the rows, or say missing: 'drop' or a number."
    : "Fill the gap, or say missing: 'previous', 'drop' or a number."
}

function todoForOdd({ kind, values }: Column, name: string): string {
  if (kind === 'date') return `Leave it out of the names, or add a column of what times("${name}") gives.`
  if (values instanceof Float64Array) return 'Correct it, or leave the column out.'
  return (
    'Correct it, leave the column out, or add one of numbers by with(); integers beyond ±2⁵³ stay texts. ' +
    'Where the text stands for no value: parseCsv(text, name, { empty: [it] }).'
  )
}
