/**
 * SQL → tables: files and databases through DuckDB, which a project installs beside this package. Node only.
 */
import { said } from '../tensor/checks.ts'
import { ArgumentError, DataError } from '../tensor/errors.ts'
import { requireOptions, requireText } from './guards.ts'
import { loaded } from './on-demand.ts'
import { type Table, tableOfCells } from './table.ts'

/** A name that no bundler follows: what few install must not be missed by all. */
const DUCKDB = '@duckdb/node-api'

/** The part of DuckDB that is used here. */
interface DuckDb {
  readonly DuckDBInstance: {
    create(
      path: string,
      options?: Record<string, string>,
    ): Promise<{
      connect(): Promise<{
        runAndReadAll(
          sql: string,
          values?: unknown,
        ): Promise<{
          columnNames(): string[]
          getColumnsJS(): unknown[][]
        }>
        closeSync(): void
      }>
      closeSync(): void
    }>
  }
}

export type QueryParameter = number | string | boolean | bigint | null

export interface QueryOptions {
  /** The path of a DuckDB database, opened to be read only. Default: none, for queries that name files. */
  readonly database?: string
  /** What $1, $2, … stand for, or $name by name. */
  readonly parameters?: readonly QueryParameter[] | Readonly<Record<string, QueryParameter>>
  /** What error messages call the table. Default: the query. */
  readonly name?: string
}

/**
 * The rows that a query gives. DuckDB reads Parquet, CSV and JSON files, whole folders of them, and its own databases; by its
 * extensions SQLite, Postgres and MySQL. The types are those of `parseParquet`.
 *
 *     const daily = await queryTable("SELECT day, sum(sales) AS sales FROM 'shops/*.parquet' GROUP BY day ORDER BY day")
 *     const shop = await queryTable('SELECT * FROM sales WHERE shop = $1', { database: 'shops.duckdb', parameters: [7] })
 *
 * Needs `npm install @duckdb/node-api`. Rows of other drivers are what `tableOf` takes.
 *
 * @throws {RecurraError} `package-missing` when it is not installed, and in a browser
 * @throws {ArgumentError} for what is no text, and options outside their range
 * @throws {DataError} for what DuckDB refuses, two columns of one name, cells that are lists or objects, and no rows
 */
export async function queryTable(sql: string, options: QueryOptions = {}): Promise<Table> {
  requireText('queryTable', sql)
  requireOptions('queryTable', options, ['database', 'parameters', 'name'])
  const { database, parameters, name = 'the query' } = options
  requireText('queryTable: name', name)
  if (database !== undefined) requireText('queryTable: database', database)
  if (parameters !== undefined && (typeof parameters !== 'object' || parameters === null)) {
    throw new ArgumentError(
      `queryTable: parameters must be a list, or values by name; received ${said(parameters)}`,
    )
  }
  const { DuckDBInstance } = await loaded<DuckDb>(
    'queryTable',
    DUCKDB,
    () => import(/* @vite-ignore */ /* webpackIgnore: true */ DUCKDB),
    `Node only: npm install ${DUCKDB}`,
  )
  const { names, columns } = await answered(name, async () => {
    const instance = await DuckDBInstance.create(
      database ?? ':memory:',
      database === undefined ? {} : { access_mode: 'READ_ONLY' },
    )
    try {
      const connection = await instance.connect()
      try {
        const reader = await connection.runAndReadAll(sql, parameters)
        return { names: reader.columnNames(), columns: reader.getColumnsJS() }
      } finally {
        connection.closeSync()
      }
    } finally {
      instance.closeSync()
    }
  })
  const twice = names.find((each, i) => names.indexOf(each) < i)
  if (twice !== undefined) {
    throw new DataError(
      `${name}: each column has a name of its own; "${twice}" stands twice. Name one of them with AS.`,
    )
  }
  return tableOfCells(new Map(names.map((each, i) => [each, columns[i] ?? []])), name)
}

async function answered<T>(name: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (cause) {
    throw new DataError(`${name}: DuckDB refused: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
}
