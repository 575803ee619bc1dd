/** Rows as text, one at a time, since a comparison can take a minute and the reader should see each come. */

/** @typedef {import('./suites/core.mjs').Ratio} Ratio */
/** @typedef {import('./suites/costs.mjs').Cost} Cost */
/** @typedef {Ratio | Cost} Row */

/**
 * @template R
 * @typedef {[title: string, width: number, cell: (row: R) => string]} Column a negative width aligns left
 */

/** @type {Column<Ratio>[]} */
const RATIO = [
  ['peer', -18, (row) => row.peer],
  ['backend', -7, (row) => row.backend],
  ['cell', -13, (row) => row.cell],
  ['T', 4, (row) => String(row.T)],
  ['B', 4, (row) => String(row.B)],
  ['I', 4, (row) => String(row.I)],
  ['H', 4, (row) => String(row.H)],
  ['threads', 7, (row) => String(row.threads)],
  ['ms', 9, (row) => digits(row.ms)],
  ['peer ms', 9, (row) => digits(row.peerMs)],
  ['ratio', 7, (row) => digits(row.ratio)],
  ['theirs', 7, (row) => `${row.peerThreads}${row.best === false ? '' : '*'}`],
  ['GFLOP/s', 7, (row) => (row.gflops === undefined ? '' : digits(row.gflops))],
  ['of peak', 7, (row) => (row.share === undefined ? '' : percent(row.share))],
]

/** @type {Column<Cost>[]} */
const COST = [
  ['cost', -27, (row) => row.name],
  ['backend', -7, (row) => row.backend],
  ['measured', 9, (row) => digits(row.value)],
  ['at most', 9, (row) => digits(row.bound)],
  ['unit', -20, (row) => row.unit],
  ['met', -3, (row) => (row.met ? 'yes' : 'no')],
]

/** @type {Record<Row['kind'], Column<any>[]>} */
const TABLES = { train: RATIO, infer: RATIO, stream: RATIO, cost: COST }

/** @param {number} value @returns {string} with three significant digits or all whole ones */
export function digits(value) {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3)
}

/** @param {number} share of 1 @returns {string} */
export function percent(share) {
  return `${(100 * share).toFixed(0)}%`
}

/** @param {Row['kind']} kind @param {(column: Column<any>) => string} text @returns {string} */
function line(kind, text) {
  return TABLES[kind]
    .map((column) => {
      const width = column[1]
      return width < 0 ? text(column).padEnd(-width) : text(column).padStart(width)
    })
    .join('  ')
    .trimEnd()
}

/** @param {Row['kind']} kind @returns {string} */
export function tableHead(kind) {
  return line(kind, ([title]) => title)
}

/** @param {Row} row @returns {string} a cost's is followed by one that says how it was taken */
export function tableLine(row) {
  const text = line(row.kind, ([, , cell]) => cell(row))
  return row.kind === 'cost' ? `${text}\n  ${row.how}` : text
}
