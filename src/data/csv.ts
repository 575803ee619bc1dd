/**
 * CSV and its like → tables.
 * Enters: text of cells between commas, tabs, semicolons or bars, untrusted. Holds: every line has as many as the header.
 */
import { ArgumentError, DataError } from '../tensor/errors.ts'
import { type Column, columnOfTexts } from './cells.ts'
import { requireOptions, requireText } from './guards.ts'
import { COMES_ALONG, loaded } from './on-demand.ts'
import { type Table, tableOfColumns } from './table.ts'

export interface CsvOptions {
  /** What stands between cells. Default: comma, tab, bar or semicolon, whichever cuts all lines alike. */
  readonly delimiter?: string
  /** The names of the columns, where the text has no line of them. */
  readonly header?: readonly string[]
  /** What stands for no value besides nothing, such as NA. */
  readonly empty?: readonly string[]
}

/**
 * The table of a text with a cell for each column in each line, the names in the first; RFC 4180, parsed by Papa Parse. A
 * column of which all cells are numbers, true and false, or ISO dates, is of that kind; codes such as 007, and integers beyond
 * ±2⁵³, stay texts. Empty lines are passed over; in a table of one column they are empty cells.
 *
 *     const weather = await parseCsv(decodeText(bytes, 'weather.csv'), 'weather.csv')
 *     const { train } = splitInOrder(weather.series(['temperature']), { validation: 0.2 })
 *
 * @param text as `decodeText` gives it
 * @param name what error messages call the text, usually its path
 * @throws {ArgumentError} for what is no text, and options outside their range
 * @throws {DataError} without rows, for a line of fewer or more cells than the header, a name that stands twice, and quotation
 * marks that do not close; names the line
 */
export async function parseCsv(text: string, name = 'the CSV', options: CsvOptions = {}): Promise<Table> {
  requireText('parseCsv: name', name)
  if (ArrayBuffer.isView(text) || (text as unknown) instanceof ArrayBuffer) {
    throw new ArgumentError(
      `${name}: expected a text; received bytes. decodeText(bytes, name) gives their text.`,
    )
  }
  requireText(name, text)
  requireOptions('parseCsv', options, ['delimiter', 'header', 'empty'])
  const { delimiter = '', empty = [] } = options
  if (typeof delimiter !== 'string' || /["\r\n]/.test(delimiter)) {
    throw new ArgumentError(
      `parseCsv: delimiter must be a text such as ";" or "\\t"; received ${JSON.stringify(delimiter)}`,
    )
  }
  requireTexts('empty', empty)
  if (text.startsWith('PAR1')) {
    throw new DataError(`${name}: this is a Parquet file. parseParquet takes its bytes.`)
  }
  const { default: Papa } = await loaded('parseCsv', 'papaparse', () => import('papaparse'), COMES_ALONG)
  const plain = text.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n')
  // Empty lines would tell against every delimiter.
  const guess = { preview: 1, skipEmptyLines: true, newline: '\n' } as const
  const { data, errors } = Papa.parse<string[]>(plain, {
    delimiter: delimiter || Papa.parse<string[]>(plain, guess).meta.delimiter,
    newline: '\n',
  })
  const lines = linesOf(data)
  const torn = errors.find(({ type }) => type === 'Quotes')
  if (torn !== undefined) {
    throw new DataError(
      `${name}, line ${lines[torn.row ?? 0]}: expected quotation marks around a whole cell, doubled within it; ` +
        'received one that does not close or ends within the cell. Correct the line.',
    )
  }
  return tableOfRows(data, lines, name, options.header, new Set(['', ...empty]))
}

function tableOfRows(
  data: readonly string[][],
  lines: Int32Array,
  name: string,
  header: readonly string[] | undefined,
  empty: ReadonlySet<string>,
): Table {
  const isBlank = (row: number) => data[row]!.length === 1 && data[row]![0]!.trim() === ''
  let end = data.length
  while (end > 0 && isBlank(end - 1)) end--
  let start = 0
  while (start < end && isBlank(start)) start++
  if (start === end) throw new DataError(`${name}: expected lines of cells, but it is empty`)
  if (header !== undefined) requireTexts('header', header)
  const names = (header ?? data[start++]!).map((each) => each.trim())
  const twice = names.find((each, i) => names.indexOf(each) < i)
  if (twice !== undefined) {
    throw new DataError(
      `${name}: each column has a name of its own; ${JSON.stringify(twice)} stands twice in the header`,
    )
  }
  const rows: number[] = []
  for (let row = start; row < end; row++) {
    if (isBlank(row) && names.length > 1) continue
    if (data[row]!.length !== names.length) {
      throw new DataError(
        `${name}, line ${lines[row]}: expected ${names.length} cells, as the header has; received ${data[row]!.length}. ` +
          'Correct the line, or say the delimiter.',
      )
    }
    rows.push(row)
  }
  if (rows.length === 0)
    throw new DataError(`${name}: expected lines of cells below the header; there are none`)
  const columns = names.map((each, i): [string, Column] => [
    each,
    columnOfTexts(rows.map((row) => (empty.has(data[row]![i]!.trim()) ? null : data[row]![i]!))),
  ])
  return tableOfColumns(new Map(columns), name, (row) => `line ${lines[rows[row]!]}`)
}

/** The line on which each row begins, from 1: cells in quotation marks may hold ends of lines. */
function linesOf(data: readonly string[][]): Int32Array {
  const lines = new Int32Array(data.length)
  let line = 1
  for (const [row, cells] of data.entries()) {
    lines[row] = line++
    for (const cell of cells) if (cell.includes('\n')) line += cell.split('\n').length - 1
  }
  return lines
}

function requireTexts(name: string, texts: readonly string[]): void {
  if (Array.isArray(texts) && texts.every((text) => typeof text === 'string')) return
  throw new ArgumentError(`parseCsv: ${name} must be a list of texts; received ${JSON.stringify(texts)}`)
}
