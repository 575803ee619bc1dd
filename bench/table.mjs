/** Rows as text, one at a time, since a comparison can take a minute and the reader should see each come. */

/** @typedef {import('./suites/core.mjs').Row} Row */

/** @type {[title: string, width: number, cell: (row: Row) => string][]} */
const COLUMNS = [
  ['peer', -18, (row) => row.peer],
  ['backend', -7, (row) => row.backend],
  ['cell', -8, (row) => row.cell],
  ['T', 4, (row) => String(row.T)],
  ['B', 4, (row) => String(row.B)],
  ['I', 4, (row) => String(row.I)],
  ['H', 4, (row) => String(row.H)],
  ['threads', 7, (row) => String(row.threads)],
  ['ms', 9, (row) => digits(row.ms)],
  ['peer ms', 9, (row) => digits(row.peerMs)],
  ['ratio', 7, (row) => digits(row.ratio)],
]

/** @param {number} value @returns {string} with three significant digits or all whole ones */
function digits(value) {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}

/** @param {(column: (typeof COLUMNS)[number]) => string} text @returns {string} negative widths align left */
function line(text) {
  return COLUMNS.map((column) => {
    const width = column[1]
    return width < 0 ? text(column).padEnd(-width) : text(column).padStart(width)
  })
    .join('  ')
    .trimEnd()
}

/** @returns {string} */
export function tableHead() {
  return line(([title]) => title)
}

/** @param {Row} row @returns {string} */
export function tableLine(row) {
  return line(([, , cell]) => cell(row))
}
