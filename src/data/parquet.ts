/**
 * Parquet → tables.
 * Enters: the bytes of a file, untrusted. Leaves: its columns, in the order asked for.
 */
import { ArgumentError, DataError, FormatError } from '../tensor/errors.ts'
import { quoted } from './columns.ts'
import { requireOptions, requireText } from './guards.ts'
import { COMES_ALONG, loaded } from './on-demand.ts'
import { type Table, tableOfCells } from './table.ts'

/** What hyparquet itself undoes; the package beside it undoes the others. */
const BUILT_IN = ['UNCOMPRESSED', 'SNAPPY']
/** Geometry is no column of numbers, and looking for it may never end in an altered file. */
const NO_MAPS = { geoparquet: false }
const MARK = 'PAR1'

/**
 * The table of a Parquet file, read by hyparquet: numbers, texts, true and false; dates as ISO texts in UTC, to the millisecond.
 * Integers of 64 bits are numbers where they are exact, within ±2⁵³; a column with others is one of texts, which `series`
 * refuses and `groupBy` takes.
 *
 *     const flights = await parseParquet(await readFile('flights.parquet'), 'flights.parquet', { columns: ['time', 'delay'] })
 *
 * @param name what error messages call the file, usually its path
 * @param options.columns the columns to read, in this order; default: all
 * @throws {ArgumentError} for what are no bytes, and columns that are not there
 * @throws {FormatError} for a file that is none, is cut short or altered
 * @throws {DataError} for a column of lists or objects, and a file without rows
 */
export async function parseParquet(
  bytes: Uint8Array,
  name = 'the Parquet file',
  options: { readonly columns?: readonly string[] } = {},
): Promise<Table> {
  requireText('parseParquet: name', name)
  requireOptions('parseParquet', options, ['columns'])
  requireMarks(bytes, name)
  const { parquetMetadata, parquetRead, parquetSchema } = await loaded(
    'parseParquet',
    'hyparquet',
    () => import('hyparquet'),
    COMES_ALONG,
  )
  const metadata = await understood(name, async () => parquetMetadata(bytes, NO_MAPS))
  const there = await understood(name, async () =>
    parquetSchema(metadata).children.map(({ element }) => element.name),
  )
  const columns = options.columns === undefined ? there : columnsAmong(name, options.columns, there)
  const cells = new Map(columns.map((column): [string, unknown[]] => [column, []]))
  const needed = metadata.row_groups.flatMap((group) =>
    group.columns.flatMap(({ meta_data: data }) =>
      data && cells.has(data.path_in_schema[0]!) ? [data.codec] : [],
    ),
  )
  const compressed = needed.some((codec) => !BUILT_IN.includes(codec))
  const { compressors } = compressed
    ? await loaded(
        'parseParquet',
        'hyparquet-compressors',
        () => import('hyparquet-compressors'),
        COMES_ALONG,
      )
    : { compressors: {} }
  const file = {
    byteLength: bytes.length,
    slice: (start: number, end?: number) => new Uint8Array(bytes.subarray(start, end)).buffer,
  }
  const filled = new Map<string, number>()
  await understood(name, () =>
    parquetRead({
      file,
      metadata,
      columns: [...columns],
      compressors,
      onChunk({ columnName, columnData, rowStart }) {
        const column = cells.get(columnName)!
        filled.set(columnName, (filled.get(columnName) ?? 0) + columnData.length)
        for (let i = 0; i < columnData.length; i++) column[rowStart + i] = columnData[i]
      },
    }),
  )
  for (const [column, { length }] of cells) {
    const found = filled.get(column) ?? 0
    if (found === length && BigInt(found) === metadata.num_rows) continue
    throw new FormatError(
      `${name}: expected ${metadata.num_rows} rows in column "${column}"; it has ${found}. Get the file again.`,
    )
  }
  return tableOfCells(cells, name)
}

/** A Parquet file begins and ends with its mark. */
function requireMarks(bytes: Uint8Array, name: string): void {
  if (!(bytes instanceof Uint8Array)) {
    const received = typeof bytes === 'string' ? 'a text. Read the file without an encoding' : typeof bytes
    throw new ArgumentError(`${name}: expected bytes in a Uint8Array; received ${received}`)
  }
  if (bytes.length === 0) throw new DataError(`${name}: expected a Parquet file, but it is empty`)
  const markAt = (at: number) => String.fromCharCode(...bytes.subarray(at, at + MARK.length))
  if (markAt(0) !== MARK) {
    throw new FormatError(
      `${name}: expected a Parquet file, which begins with "${MARK}"; received ${JSON.stringify(markAt(0))}. ` +
        'For a CSV: parseCsv(decodeText(bytes, name), name).',
    )
  }
  if (bytes.length < 12 || markAt(bytes.length - MARK.length) !== MARK) {
    throw new FormatError(
      `${name}: begins as a Parquet file does, but does not end with "${MARK}": it was cut short, to ${bytes.length} bytes. ` +
        'Get the file again.',
    )
  }
}

function columnsAmong(name: string, columns: readonly string[], there: readonly string[]): readonly string[] {
  if (!Array.isArray(columns) || columns.length === 0) {
    throw new ArgumentError(
      `parseParquet: columns must be a list of names; received ${JSON.stringify(columns)}`,
    )
  }
  const unknown = columns.find((column) => !there.includes(column))
  if (unknown === undefined) return columns
  throw new ArgumentError(
    `${name}: there is no column ${JSON.stringify(unknown)}; expected some of ${quoted(there)}`,
  )
}

/** What a file makes its reader throw is the file's fault. */
async function understood<T>(name: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new FormatError(
      `${name}: expected a whole Parquet file; its reader found: ${reason}. Get the file again.`,
      {
        cause,
      },
    )
  }
}
