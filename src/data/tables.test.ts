/** Tables of CSV, Parquet, SQL and of one's own: values, places in messages, and what is refused. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ArgumentError, DataError, FormatError, RecurraError } from '../tensor/errors.ts'
import {
  decodeText,
  parseCsv,
  parseParquet,
  queryTable,
  splitInOrder,
  standardize,
  tableOf,
  windows,
} from './index.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const golden = (file: string) => readFileSync(`${root}test/golden/tables/${file}`)
const hasDuckDb = existsSync(`${root}node_modules/@duckdb/node-api`)
const READINGS = {
  day: ['2024-02-28', '2024-02-29', '2024-03-01'],
  time: ['2024-02-28T06:30:00.250Z', '2024-02-28T07:30:00.250Z', '2024-02-28T08:30:00.250Z'],
  station: ['station 0', 'station 1', 'station 0'],
  level: [-0.1, null, 0.4],
  price: [0, 1.25, 2.5],
  visits: [9007199254740990, 9007199254740991, 9007199254740990],
  id: ['9007199254740991', '9007199254740992', '9007199254740993'],
  open: [false, false, true],
}
const names = Object.keys(READINGS)

const WEATHER = `date,station,level,open,code,note
2024-01-02,north,1.5,true,007,"two
lines"
2024-01-01,south,,FALSE,010,"a ""quote"", a comma"

2024-01-01,north, -2e1 ,true,011,
2024-01-03,south,n/a,true,012,
`
const weather = () => parseCsv(WEATHER, 'weather.csv', { empty: ['n/a'] })

test('numbers of a CSV are those that were written, whatever stands between cells and at the ends of lines', async () => {
  // JavaScript writes neither -0 nor, as other than integers, what lies between 2⁵³ and 1e21.
  const isKept = (value: number) =>
    !Object.is(value, -0) && (Math.abs(value) < 2 ** 53 || Math.abs(value) >= 1e21)
  const numbers = fc.double({ noNaN: true, noDefaultInfinity: true }).filter(isKept)
  const rows = fc.array(fc.tuple(numbers, numbers, fc.integer()), { minLength: 1, maxLength: 20 })
  const forms = fc.record({
    cut: fc.constantFrom(',', ';', '\t', '|'),
    end: fc.constantFrom('\n', '\r\n', '\r'),
  })
  const quotes = fc.constantFrom('', '"')
  await fc.assert(
    fc.asyncProperty(rows, forms, quotes, async (series, { cut, end }, quote) => {
      const lines = [['a', 'b', 'c'], ...series].map((line) =>
        line.map((cell) => quote + cell + quote).join(cut),
      )
      const table = await parseCsv(`\uFEFF${lines.join(end)}${end}`, 'n.csv')
      expect(table.series()).toEqual(series)
      expect(table.series(['c', 'a'])).toEqual(series.map(([a, , c]) => [c, a]))
      expect(tableOf({ a: series.map(([a]) => a), c: series.map(([, , c]) => BigInt(c)) }).series()).toEqual(
        series.map(([a, , c]) => [a, c]),
      )
      const sorted = series.map(([a]) => [a]).sort(([a], [b]) => a! - b!)
      expect(table.sortBy('a').series(['a'])).toEqual(sorted)
    }),
  )
})

test('a CSV: kinds of columns, gaps, groups, orders, columns of one’s own; what it says of each column', async () => {
  const table = await weather()
  expect(table.names.map((name) => table.column(name))).toEqual([
    ['2024-01-02', '2024-01-01', '2024-01-01', '2024-01-03'],
    ['north', 'south', 'north', 'south'],
    [1.5, null, -20, null],
    [true, false, true, true],
    ['007', '010', '011', '012'],
    ['two\nlines', 'a "quote", a comma', null, null],
  ])
  expect(table.series(['level', 'open', 'code'], { missing: 'previous' })).toEqual([[1.5, 1, 7], [1.5, 0, 10], [-20, 1, 11], [-20, 1, 12]]) // biome-ignore format: one line
  expect(table.series(['open', 'level'], { missing: 'drop' })).toEqual([[1, 1.5], [1, -20]]) // biome-ignore format: one line
  expect(table.series(['level'], { missing: 0 })).toEqual([[1.5], [0], [-20], [0]])
  expect(
    [...table.groupBy('station')].map(([key, part]) => [key, part.series(['level'], { missing: 7 })]),
  ).toEqual([
    ['north', [[1.5], [-20]]],
    ['south', [[7], [7]]],
  ])
  const sorted = table.sortBy('date')
  expect(sorted.column('code')).toEqual(['010', '011', '007', '012'])
  const days = sorted.with(
    'day',
    sorted.times('date').map((time) => time / 86_400_000),
  )
  expect(days.series(['day'])).toEqual([[19723], [19723], [19724], [19725]])
  expect(() => sorted.series(['level'])).toThrow(/weather\.csv, line 4, column "level": .*nothing.* missing:/)
  expect(() => table.groupBy('station').get('south')!.series(['note'])).toThrow(
    /line 4, .*"a \\"quote\\", a comma"/,
  )
  expect(table.describe().columns[2]).toEqual({ name: 'level', kind: 'number', count: 2, missing: 2, least: -20, mean: -9.25, largest: 1.5 }) // biome-ignore format: one line
  expect(table.describe().text).toBe(`weather.csv: 4 rows
column   kind     count  missing               least   mean     largest
date     date         4        0          2024-01-01         2024-01-03
station  text         4        0               north              south
level    number       2        2                 -20  -9.25         1.5
open     boolean      4        0                   0   0.75           1
code     text         4        0                 007                012
note     text         2        2  a "quote", a comma          two lines`)
  const plain = await parseCsv('1;2\n3;4\n', undefined, { header: ['x', 'y'] })
  expect(plain.series()).toEqual([[1, 2], [3, 4]]) // biome-ignore format: one line
  // The nearest f64, as of any text with a decimal point.
  const long = await parseCsv('x\n12345678901234567.5\n0.1')
  expect(long.column('x')).toEqual([12345678901234568, 0.1])
  const one = await parseCsv('x\n1\n\n3\n\n')
  expect(one.column('x')).toEqual([1, null, 3])
  const records = tableOf([
    { a: 1, at: new Date('2024-05-01T12:00Z') },
    { b: 'x', a: Number.NaN },
  ])
  expect(records.names.map((name) => records.column(name))).toEqual([[1, null], ['2024-05-01T12:00:00Z', null], [null, 'x']]) // biome-ignore format: one line
})

test('a table is what windows, scalers and splits take', () => {
  const table = tableOf({ t: Float64Array.from({ length: 40 }, (_, i) => 1e9 + i / 7) })
  const { train } = splitInOrder(table.series(), { validation: 0.25 })
  expect(train).toEqual(Array.from({ length: 30 }, (_, i) => [1e9 + i / 7]))
  expect(windows(standardize(train).transform(train), { length: 4 }).inputs.shape).toEqual([26, 4, 1])
})

test('dates are times: any zone, UTC where there is none', () => {
  const date = fc.date({
    noInvalidDate: true,
    min: new Date('0000-01-01T00:00Z'),
    max: new Date('9999-12-31T00:00Z'),
  })
  const zone = fc.constantFrom(
    [0, ''],
    [0, 'Z'],
    [60, '+01:00'],
    [-570, '-0930'],
    [840, '+14'],
  ) as fc.Arbitrary<[number, string]>
  fc.assert(
    fc.property(date, zone, fc.constantFrom('T', ' '), (at, [minutes, suffix], between) => {
      const text = at.toISOString().replace('T', between).replace('Z', suffix)
      const time = at.getTime() - minutes * 60_000
      expect([...tableOf({ at: [text, at] }).times('at')]).toEqual([time, at.getTime()])
    }),
  )
  const dates = ['2024-02-29', '2024-12', '2000-01-01T00:00', '1969-12-31 23:59:59.9999']
  expect([...tableOf({ dates }).times('dates')]).toEqual([1709164800000, 1733011200000, 946684800000, -1])
  for (const odd of ['2023-02-29', '2024-13-01', '2024-01-32', '1/2/2024', '2024-01-01T25:00']) {
    expect(() =>
      tableOf({ at: [null, odd] }, 'a')
        .with('at', ['2024-01-01', odd])
        .times('at'),
    ).toThrow(/a, row 1, column "at": .*ISO/)
  }
})

test('Parquet: the values that another library wrote, types, gaps, dates, integers of 64 bits, a codec loaded on demand', async () => {
  const table = await parseParquet(golden('readings.parquet'), 'r', { columns: names })
  expect(Object.fromEntries(names.map((name) => [name, table.column(name)]))).toEqual(READINGS)
  expect(table.describe().columns.map(({ kind }) => kind)).toEqual(['date', 'date', 'text', 'number', 'number', 'number', 'text', 'boolean']) // biome-ignore format: one line
  expect((await parseParquet(golden('readings.parquet'), 'r', { columns: ['id', 'day'] })).names).toEqual([
    'id',
    'day',
  ])
  expect(() => table.series(['level', 'id'], { missing: 0 })).toThrow(
    /r, row 1, column "id": .*"9007199254740992".*±2⁵³/,
  )
})

test('a Parquet file cut short or altered at any byte gives a table, or an error of ours', async () => {
  const bytes = golden('readings.parquet')
  const outcome = async (altered: Uint8Array) => {
    try {
      return (await parseParquet(altered)).rows
    } catch (error) {
      return error
    }
  }
  for (let at = 0; at < bytes.length; at++) {
    expect(await outcome(bytes.subarray(0, at))).toBeInstanceOf(RecurraError)
    const altered = Uint8Array.from(bytes, (byte, i) => (i === at ? byte ^ (1 << (at % 8)) : byte))
    const found = await outcome(altered)
    if (found !== 3) expect(found).toBeInstanceOf(RecurraError)
  }
})

test('SQL: the rows of a query, of files and with parameters; what DuckDB refuses', async ({ skip }) => {
  if (!hasDuckDb) {
    await expect(queryTable('SELECT 1')).rejects.toThrow(/@duckdb\/node-api.*npm install @duckdb\/node-api/)
    skip('skipped: @duckdb/node-api is not installed')
  }
  const rows = decodeText(golden('readings.sql'), 'readings.sql')
  const table = await queryTable(`SELECT ${names.join(', ')} FROM (${rows}\n)`)
  expect(Object.fromEntries(names.map((name) => [name, table.column(name)]))).toEqual(READINGS)
  const sums = await queryTable('SELECT station, sum(price) AS price FROM read_parquet($file) GROUP BY station ORDER BY station', { parameters: { file: `${root}test/golden/tables/readings.parquet` } }) // biome-ignore format: one line
  expect(sums.series(['price'])).toEqual([[2.5], [1.25]])
  for (const [sql, said, options] of [
    ['SELEC 1', /q: DuckDB refused: Parser Error.*SELEC/s, {}],
    ['SELECT 1 AS a, 2 AS a', /q: .*"a" stands twice.* AS/, {}],
    ['SELECT 1 AS a WHERE false', /q: .*at least one row/, {}],
    ['SELECT 1 AS a', /q: DuckDB refused: .*none\.duckdb/, { database: '/none.duckdb' }],
  ] as const) {
    await expect(queryTable(sql, { ...options, name: 'q' })).rejects.toThrow(said)
  }
})

const table = tableOf({ a: [1, 2], text: ['x', '2'], day: ['2024-01-01', '2024-01-02'], gap: [null, 1], vast: [1, Infinity] }, 't') // biome-ignore format: one line
const bytes = Uint8Array.of(1, 2)
type Refusal = [string, () => unknown, new (message: string) => Error, RegExp]
const refusals: Refusal[] = [
  ['a ragged line', () => parseCsv('a,b\n1,2\n\n3\n', 'x.csv'), DataError, /x\.csv, line 4: expected 2 cells.* received 1\./],
  ['a line too long, after lines within a cell', () => parseCsv('a,b\n"1\n\n",2\n3,4,5', 'x'), DataError, /x, line 5: .* received 3\./],
  ['an unknown column', () => table.column('b'), ArgumentError, /t: .*"b".* "a", "text", "day", "gap", "vast"/],
  ['a name twice', () => parseCsv('a, b,a\n1,2,3', 'x'), DataError, /x: .*"a" stands twice/],
  ['an empty file', () => parseCsv('\n \n', 'x'), DataError, /x: .* empty/],
  ['a header alone', () => parseCsv('a,b\n', 'x'), DataError, /x: .* below the header/],
  ['a quotation that does not close', () => parseCsv('a,b\n1,2\n"3,4\n', 'x'), DataError, /x, line 3: .*quotation/],
  ['bytes for text', () => parseCsv(bytes as never, 'x'), ArgumentError, /x: .*received bytes.*decodeText/],
  ['Parquet as text', () => parseCsv('PAR1…', 'x'), DataError, /x: .*Parquet/],
  ['a delimiter of quotes', () => parseCsv('a', 'x', { delimiter: '"' }), ArgumentError, /delimiter/],
  ['a text for a list', () => parseCsv('a', 'x', { empty: 'NA' as never }), ArgumentError, /empty must be a list.*"NA"/],
  ['a misspelt option', () => parseCsv('a', 'x', { delimeter: ';' } as never), ArgumentError, /no option delimeter/],
  ['text for bytes', () => parseParquet('PAR1' as never, 'x'), ArgumentError, /x: expected bytes.*received a text/],
  ['no bytes', () => parseParquet(new Uint8Array(), 'x'), DataError, /x: .* empty/],
  ['a CSV as Parquet', () => parseParquet(new TextEncoder().encode('a,b\n1,2\n'), 'x'), FormatError, /x: .*"a,b\\n".*parseCsv/],
  ['half of a Parquet', () => parseParquet(golden('readings.parquet').subarray(0, 600), 'x'), FormatError, /x: .*cut short, to 600 bytes/],
  ['an unknown column of Parquet', () => parseParquet(golden('readings.parquet'), 'x', { columns: ['b'] }), ArgumentError, /x: .*"b".* "day", "time"/],
  ['a column of lists', () => parseParquet(golden('readings.parquet'), 'x', { columns: ['pair'] }), DataError, /x, row 0, column "pair": .*received a list/],
  ['no SQL', () => queryTable(7 as never), ArgumentError, /expected a text; received number/],
  ['a text among numbers', () => table.series(['a', 'text']), DataError, /t, row 0, column "text": .*received "x".*empty/],
  ['dates as numbers', () => table.series(['day']), DataError, /t, row 0, column "day": .*"2024-01-01".*times\("day"\)/],
  ['an empty cell', () => table.series(['gap']), DataError, /t, row 0, column "gap": .*found nothing.*'previous'/],
  ['nothing before', () => table.series(['gap'], { missing: 'previous' }), DataError, /row 0, .*No row before it/],
  ['no end', () => table.series(['vast'], { missing: 0 }), DataError, /t, row 1, column "vast": .*received Infinity/],
  ['no row left', () => tableOf({ a: [null, 1], b: [1, null] }).series(['a', 'b'], { missing: 'drop' }), DataError, /none of the 2 rows.*"a", "b"/],
  ['a way to fill', () => table.series(['a'], { missing: 'next' as never }), ArgumentError, /'previous', 'drop'.*received "next"/],
  ['a name for a list', () => table.series('a' as never), ArgumentError, /list of names.*received string/],
  ['no names', () => table.series([]), ArgumentError, /list of names.*received none/],
  ['numbers as dates', () => table.times('a'), DataError, /t, row 0, column "a": .*ISO date.*received 1/],
  ['a key that is not there', () => table.groupBy('gap'), DataError, /t, row 0, column "gap": expected a key; found nothing/],
  ['too few cells', () => table.with('b', [1]), DataError, /t, column "b": expected 2 cells.*received 1/],
  ['columns of two lengths', () => tableOf({ a: [1], b: [1, 2] }, 't'), DataError, /t: .*"a" has 1 cells, "b" 2/],
  ['no columns', () => tableOf({}, 't'), DataError, /t: .*column/],
  ['no rows', () => tableOf({ a: [] }, 't'), DataError, /t: .*row/],
  ['an object in a cell', () => tableOf([{ a: 1 }, { a: {} as never }], 't'), DataError, /t, row 1, column "a": .*received object/],
  ['no date', () => tableOf({ a: [new Date(Number.NaN)] }, 't'), DataError, /row 0, .*no valid date/],
  ['no records', () => tableOf([1 as never]), ArgumentError, /list of records; received number at 0/],
  ['a cell for a column', () => tableOf({ a: 1 as never }, 't'), ArgumentError, /t, column "a": .*received number/],
] // biome-ignore format: a case a line
test.each(refusals)('refused: %s', async (_name, run, kind, message) => {
  const refused = expect(async () => run()).rejects
  await refused.toThrow(kind)
  await refused.toThrow(message)
})
