/**
 * Tables: columns by name, all of one length → series to learn from.
 * Enters: columns or records; what files and databases hold (csv.ts, parquet.ts, sql.ts). Leaves: rows of finite numbers.
 * Holds: a message about a cell names the file, the line or row there, and the column, also after sorting and grouping.
 */
import { ArgumentError, DataError } from '../tensor/errors.ts'
import { type Cell, type CellValue, type Column, cellOf, columnOf } from './cells.ts'
import {
  type Columns,
  columnNamed,
  columnsWith,
  keysOf,
  missingIn,
  rowsOf,
  seriesOf,
  timesOf,
} from './columns.ts'
import { requireText } from './guards.ts'
import { summaryOf, type TableSummary } from './summary.ts'

export interface TableSeriesOptions {
  /** What stands for an empty cell: the value before it, a number, or nothing: its row is left out. Default: an error. */
  readonly missing?: 'previous' | 'drop' | number
}

export interface Table {
  /** What error messages call it, usually a path. */
  readonly name: string
  /** T, the number of rows, at least 1. */
  readonly rows: number
  /** The names of the columns, in their order. */
  readonly names: readonly string[]

  /**
   * The cells of a column; null where nothing is.
   *
   * @throws {ArgumentError} for a name that is not there
   */
  column(name: string): readonly Cell[]

  /**
   * Rows of numbers, [T, F], in f64: what `windows`, `splitInOrder`, `standardize` and `sequences` take. True is 1, and a
   * text is the number that it writes.
   *
   *     weather.series(['temperature', 'wind'], { missing: 'previous' })
   *
   * @param names the features, in this order; default: all columns but those of dates
   * @throws {ArgumentError} for names that are not there
   * @throws {DataError} at the first cell that is no finite number; names its place
   */
  series(names?: readonly string[], options?: TableSeriesOptions): number[][]

  /**
   * The times of a column of ISO dates, milliseconds since 1970, [T]; UTC where a date has no zone.
   *
   * @throws {ArgumentError} for a name that is not there
   * @throws {DataError} at the first cell that is no ISO date; names its place
   */
  times(name: string): Float64Array

  /**
   * The table with one more column, or another in the place of one.
   *
   *     weather.with('hour', weather.times('date').map((time) => (time / 3_600_000) % 24))
   *
   * @param values a cell for each row
   * @throws {DataError} unless there is one for each row
   */
  with(name: string, values: ArrayLike<CellValue>): Table

  /**
   * The rows by a column, the least first: numbers by size, dates by time, texts by their characters' codes. Equal ones keep
   * their order.
   *
   * @throws {DataError} for empty cells
   */
  sortBy(name: string): Table

  /**
   * The rows of each key, in the order in which keys come first: of a long table of many stations, shops or patients, one
   * table each.
   *
   *     const each = [...readings.groupBy('station').values()].map((station) => station.series(['level']))
   *
   * @throws {DataError} for empty cells
   */
  groupBy(name: string): Map<number | string | boolean, Table>

  /** What is in the columns: `console.log(table.describe().text)`. */
  describe(): TableSummary
}

/**
 * A table of columns, lists or typed arrays, or of records, as JSON and drivers of databases have them.
 *
 *     tableOf({ date: ['2024-01-01', '2024-01-02'], sales: [12, null] })
 *     tableOf([{ date: '2024-01-01', sales: 12 }, { date: '2024-01-02' }])
 *
 * @param name what error messages call it
 * @throws {ArgumentError} for what is neither
 * @throws {DataError} without rows or columns, for columns of unlike lengths, and for cells that are lists or objects
 */
export function tableOf(
  data: Readonly<Record<string, ArrayLike<CellValue>>> | readonly Readonly<Record<string, CellValue>>[],
  name = 'the table',
): Table {
  requireText('tableOf: name', name)
  if (typeof data !== 'object' || data === null || ArrayBuffer.isView(data)) {
    throw new ArgumentError(
      `tableOf: expected columns by name, or a list of records; received ${typeof data}`,
    )
  }
  if (!isRecords(data)) return tableOfCells(new Map(Object.entries(data)), name)
  const odd = data.findIndex(
    (record) => typeof record !== 'object' || record === null || Array.isArray(record),
  )
  if (odd >= 0) {
    throw new ArgumentError(`tableOf: expected a list of records; received ${kindOf(data[odd])} at ${odd}`)
  }
  const names = [...new Set(data.flatMap((record) => Object.keys(record)))]
  return tableOfCells(new Map(names.map((each) => [each, data.map((record) => record[each])])), name)
}

/** A table of columns of which nothing is known. */
export function tableOfCells(cells: ReadonlyMap<string, ArrayLike<unknown>>, name: string): Table {
  const placeOf = (row: number) => `row ${row}`
  const columns = new Map<string, Column>()
  const [first] = cells
  for (const [column, values] of cells) {
    if (typeof values !== 'object' || !Number.isInteger(values?.length)) {
      throw new ArgumentError(
        `${name}, column "${column}": expected a list of cells; received ${kindOf(values)}`,
      )
    }
    if (values.length !== first![1].length) {
      throw new DataError(
        `${name}: columns must be of equal length; "${first![0]}" has ${first![1].length} cells, "${column}" ${values.length}`,
      )
    }
    columns.set(
      column,
      columnOf(values, (row) => `${name}, ${placeOf(row)}, column "${column}"`),
    )
  }
  return tableOfColumns(columns, name, placeOf)
}

/** @param placeOf where a row stands in the file, such as "line 7" */
export function tableOfColumns(
  byName: ReadonlyMap<string, Column>,
  name: string,
  placeOf: (row: number) => string,
): Table {
  return tableAround(columnsWith(byName, name, placeOf))
}

function tableAround(columns: Columns): Table {
  const { name, rows, byName, placeOf } = columns
  const names = [...byName.keys()]
  return {
    name,
    rows,
    names,
    column(wanted) {
      const column = columnNamed(columns, wanted)
      return Array.from({ length: rows }, (_, row) => cellOf(column, row))
    },
    series(wanted = names.filter((each) => byName.get(each)!.kind !== 'date'), options = {}) {
      if (!Array.isArray(wanted) || wanted.length === 0) {
        const received = Array.isArray(wanted) ? 'none' : kindOf(wanted)
        throw new ArgumentError(`series: expected a list of names of columns; received ${received}`)
      }
      return seriesOf(columns, wanted, missingIn(options))
    },
    times: (wanted) => timesOf(columns, wanted),
    with(added, values) {
      requireText('with: name', added)
      const length = typeof values === 'object' ? values?.length : undefined
      if (length !== rows) {
        throw new DataError(
          `${name}, column "${added}": expected ${rows} cells, one a row; received ${length ?? kindOf(values)}`,
        )
      }
      const column = columnOf(values, (row) => `${name}, ${placeOf(row)}, column "${added}"`)
      return tableOfColumns(new Map([...byName, [added, column]]), name, placeOf)
    },
    sortBy(wanted) {
      const isDate = columnNamed(columns, wanted).kind === 'date'
      const keys = isDate ? timesOf(columns, wanted) : keysOf(columns, wanted, 'a value to sort by')
      const order = Array.from({ length: rows }, (_, row) => row)
      order.sort((a, b) => (keys[a]! < keys[b]! ? -1 : keys[a]! > keys[b]! ? 1 : a - b))
      return tableAround(rowsOf(columns, order))
    },
    groupBy(wanted) {
      const groups = new Map<number | string | boolean, number[]>()
      for (const [row, key] of keysOf(columns, wanted, 'a key').entries()) {
        const group = groups.get(key)
        if (group === undefined) groups.set(key, [row])
        else group.push(row)
      }
      return new Map([...groups].map(([key, order]) => [key, tableAround(rowsOf(columns, order))]))
    },
    describe: () => summaryOf(name, byName),
  }
}

function isRecords(data: object): data is readonly Readonly<Record<string, CellValue>>[] {
  return Array.isArray(data)
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value
}
