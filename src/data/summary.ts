/** Columns → what is in them, as data and as text. */
import { type Column, type ColumnKind, timeIn } from './cells.ts'

/** Of texts the least is the first by their characters' codes, of dates the earliest; neither has a mean. */
export interface ColumnSummary {
  readonly name: string
  readonly kind: ColumnKind
  /** How many cells hold a value. */
  readonly count: number
  /** How many are empty. */
  readonly missing: number
  /** Undefined where all are empty; the mean of true and false is the share of true. */
  readonly least: number | string | undefined
  readonly mean: number | undefined
  readonly largest: number | string | undefined
}

export interface TableSummary {
  readonly rows: number
  readonly columns: readonly ColumnSummary[]
  /** All of it, a line a column, to be printed. */
  readonly text: string
}

export function summaryOf(name: string, columns: ReadonlyMap<string, Column>): TableSummary {
  const all = [...columns].map(([each, column]) => columnSummary(each, column))
  const rows = all[0]!.count + all[0]!.missing
  const head = ['column', 'kind', 'count', 'missing', 'least', 'mean', 'largest']
  const lines = all.map((each) => [
    each.name,
    each.kind,
    ...[each.count, each.missing, each.least, each.mean, each.largest].map(printed),
  ])
  const widths = head.map((title, i) => Math.max(title.length, ...lines.map((line) => line[i]!.length)))
  const text = [head, ...lines].map((line) =>
    line.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
  )
  return { rows, columns: all, text: [`${name}: ${rows} rows`, ...text].join('\n') }
}

function columnSummary(name: string, { kind, values }: Column): ColumnSummary {
  if (values instanceof Float64Array) {
    const there = values.filter((value) => !Number.isNaN(value))
    const [from] = there
    if (from === undefined) return empty(name, kind, values.length)
    // From the first value on, as in standardize.
    const mean = from + there.reduce((sum, value) => sum + (value - from), 0) / there.length
    const [least, largest] = [there.reduce((a, b) => Math.min(a, b)), there.reduce((a, b) => Math.max(a, b))]
    return { name, kind, count: there.length, missing: values.length - there.length, least, mean, largest }
  }
  const there = values.filter((text) => text !== null)
  if (there.length === 0) return empty(name, kind, values.length)
  const keys = kind === 'date' ? there.map(timeIn) : there
  let [first, last] = [0, 0]
  for (const [i, key] of keys.entries()) {
    if (key < keys[first]!) first = i
    if (key > keys[last]!) last = i
  }
  const [least, largest] = [there[first], there[last]]
  const [count, missing] = [there.length, values.length - there.length]
  return { name, kind, count, missing, least, mean: undefined, largest }
}

function empty(name: string, kind: ColumnKind, missing: number): ColumnSummary {
  return { name, kind, count: 0, missing, least: undefined, mean: undefined, largest: undefined }
}

/** Six digits of a number, the beginning of a long text. */
function printed(value: number | string | undefined): string {
  if (value === undefined) return ''
  if (typeof value === 'number')
    return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)))
  const line = value.replace(/\s+/g, ' ')
  return line.length <= 24 ? line : `${line.slice(0, 23)}…`
}
