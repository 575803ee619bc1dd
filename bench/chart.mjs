/** The grid's ratios as SVG: a line a point, a mark for each of our settings, on a logarithmic axis. */

import { groupsOf } from './groups.mjs'
import { shapeName } from './workload.mjs'

/** @typedef {import('./suites/core.mjs').Ratio} Ratio */

const [LABELS, PLOT, LINE, TOP] = [330, 560, 18, 64]
const COLORS = { native: '#b3261e', wasm: '#1f5fbf' }
const [INK, GRID] = ['#222', '#ddd']

/** @param {string} text @returns {string} */
const escaped = (text) => text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`)

/** @param {Ratio[]} rows @returns {string} the chart's file; of each peer its best number of threads */
export function chartOf(rows) {
  const best = rows.filter((row) => row.best)
  const groups = groupsOf(best, ({ kind, peer }) => `${kind}, against ${peer}`)
  const decades = best.map(({ ratio }) => Math.log10(ratio))
  const [low, high] = [Math.floor(Math.min(0, ...decades)), Math.ceil(Math.max(1, ...decades))]
  const x = (ratio) => LABELS + (PLOT * (Math.log10(ratio) - low)) / (high - low)

  let y = TOP
  const marks = []
  for (const [title, group] of groups) {
    y += LINE
    marks.push(text(10, y, title, 'font-weight="bold"'))
    for (const [name, line] of groupsOf(group, (row) => `${row.cell} ${shapeName(row)}`)) {
      y += LINE
      marks.push(text(LABELS - 10, y, name, 'text-anchor="end"'))
      for (const row of line) marks.push(mark(x(row.ratio), y - 4, row))
    }
    y += LINE / 2
  }
  const bottom = y + LINE
  const axis = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)).flatMap((ratio) => [
    `<line x1="${x(ratio)}" x2="${x(ratio)}" y1="${TOP}" y2="${bottom}" stroke="${ratio === 1 ? INK : GRID}"/>`,
    text(x(ratio), bottom + LINE, `${ratio}×`, 'text-anchor="middle"'),
  ])
  const [width, height] = [LABELS + PLOT + 40, bottom + 2 * LINE]
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="12" fill="${INK}">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(
      10,
      22,
      "Ratio: the peer's time / Recurra's, so to the right of 1 Recurra is faster",
      'font-size="14"',
    ),
    ...legend(best),
    ...axis,
    ...marks,
    '</svg>\n',
  ].join('\n')
}

/** @param {Ratio[]} rows @returns {string[]} one entry for each of our settings */
function legend(rows) {
  const settings = new Map(rows.map((row) => [`${row.backend}, ${threadsText(row)}`, row]))
  return [...settings].flatMap(([name, row], i) => [
    mark(16 + 150 * i, 42, row),
    text(26 + 150 * i, 46, name),
  ])
}

/** @param {Ratio} row */
const threadsText = ({ threads }) => (threads === 1 ? '1 thread' : `${threads} threads`)

/** A ring for one thread, a disk for more. @param {number} x @param {number} y @param {Ratio} row */
function mark(x, y, row) {
  const color = COLORS[row.backend]
  const fill = row.threads === 1 ? 'none' : color
  const about = `${row.backend}, ${threadsText(row)}: ${row.ratio.toPrecision(3)}`
  return `<circle cx="${x.toFixed(1)}" cy="${y}" r="4.5" fill="${fill}" stroke="${color}" stroke-width="1.5"><title>${about}</title></circle>`
}

/** @param {number} x @param {number} y @param {string} content @param {string} [attributes] */
function text(x, y, content, attributes = '') {
  return `<text x="${x.toFixed(1)}" y="${y}" ${attributes}>${escaped(content)}</text>`
}
