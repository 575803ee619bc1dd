/** Rows as text: lines that come one at a time while it runs, and a table in Markdown. */

import { readFileSync, writeFileSync } from 'node:fs'
import { UsageError } from './options.mjs'
import { fullName } from './task.mjs'
import { TASKS } from './tasks.mjs'

/** @typedef {import('./measure.mjs').Row} Row */
/** @typedef {import('./task.mjs').Task} Task */

const WIDE = 100
const BEGIN = '<!-- results -->'
const END = '<!-- /results -->'

/** What a direction is called before the published number. */
const SIGNS = { 'at most': '≤', 'at least': '≥', near: '≈', exactly: '=' }

/** @type {[title: string, width: number, cell: (row: Row) => string][]} a negative width aligns left */
const COLUMNS = [
  ['figure', -34, ({ name }) => name],
  ['published', 10, goalOf],
  ['reached', 9, ({ value }) => shown(value)],
  ['from … to', 17, spreadOf],
  ['met', -9, verdict],
  ['seconds', 8, ({ seconds }) => seconds.toFixed(seconds < 10 ? 1 : 0)],
]

export const TABLE_HEAD = line(([title]) => title)

/** @param {(column: (typeof COLUMNS)[number]) => string} text @returns {string} */
function line(text) {
  return COLUMNS.map((column) => {
    const width = column[1]
    return width < 0 ? text(column).padEnd(-width) : text(column).padStart(width)
  })
    .join('  ')
    .trimEnd()
}

/** @param {Row} row @returns {string} */
export function lineOf(row) {
  const failures = row.seeds.flatMap(({ failure, seed }) => (failure ? [`  seed ${seed}: ${failure}`] : []))
  return [line(([, , cell]) => cell(row)), ...failures].join('\n')
}

/** @param {Task} task @returns {string} what it is, whose figures, and what their source leaves open */
export function headOf({ title, source, note }) {
  return [title, ...wrapped(`Source: ${source}`), ...wrapped(note)].join('\n')
}

/** @param {string} text @returns {string[]} lines that are indented */
function wrapped(text) {
  const lines = ['']
  for (const word of text.split(' ')) {
    const last = lines.length - 1
    if (lines[last].length + word.length + 1 > WIDE) lines.push(`  ${word}`)
    else lines[last] += `${lines[last] === '' ? '  ' : ' '}${word}`
  }
  return lines
}

/** @param {Row} row @returns {string} */
function goalOf({ direction, printed }) {
  return `${SIGNS[direction]} ${printed}`
}

/** @param {Row} row @returns {string} */
function verdict({ reached, withinSpread }) {
  return reached ? 'yes' : withinSpread ? 'by a seed' : 'no'
}

/** @param {number | null} value @returns {string} with three significant digits or all whole ones */
function shown(value) {
  if (value === null) return 'failed'
  if (Number.isInteger(value)) return String(value)
  return Math.abs(value) < 1e-3 ? value.toExponential(2) : value.toPrecision(3)
}

/** @param {Row} row @returns {string} empty for one seed */
function spreadOf({ spread, seeds }) {
  return seeds.length < 2 || spread === null ? '' : spread.map(shown).join(' … ')
}

/**
 * @param {string[]} files
 * @returns {Row[]} of a name that stands in several files, the last
 * @throws {UsageError} for what holds no rows
 */
export function readRows(files) {
  /** @type {Map<string, Row>} */
  const rows = new Map()
  for (const file of files) {
    let content
    try {
      content = JSON.parse(readFileSync(file, 'utf8'))
    } catch (error) {
      throw new UsageError(`table: cannot read ${file}: ${error instanceof Error ? error.message : error}`)
    }
    if (!Array.isArray(content) || content.some((row) => typeof row?.name !== 'string' || !row.seeds)) {
      throw new UsageError(`table: ${file} holds no rows: expected what --json wrote`)
    }
    for (const row of content) rows.set(row.name, row)
  }
  return [...rows.values()]
}

/** @param {Row[]} rows @returns {string} in the order of the tasks; then what the sources leave open */
export function markdownOf(rows) {
  const head = ['Figure', 'Metric', 'Published', 'Reached', 'From … to', 'Met', 'Seeds', 'Time', 'Level']
  const cells = (row) => [
    `\`${row.name}\``,
    row.metric,
    goalOf(row),
    shown(row.value),
    spreadOf(row),
    verdict(row),
    String(row.seeds.length),
    `${row.seconds < 10 ? row.seconds.toFixed(1) : Math.round(row.seconds)} s`,
    row.level,
  ]
  const known = TASKS.flatMap((task) => {
    const own = task.figures.flatMap((figure) => rows.filter(({ name }) => name === fullName(task, figure)))
    return own.length === 0 ? [] : [{ task, own }]
  })
  const body = known.flatMap(({ own }) => own.map(cells))
  const widths = head.map((title, i) =>
    Math.max(...[title, ...body.map((each) => each[i])].map((cell) => cell.length)),
  )
  const lines = [head, widths.map((width) => '-'.repeat(width)), ...body].map((each) =>
    each.map((cell, i) => cell.padEnd(widths[i])).join(' | '),
  )
  const notes = known.map(
    ({ task }) => `- \`${task.name}\`: ${task.title}. Source: ${task.source} ${task.note}`,
  )
  return `${lines.map((each) => `| ${each} |`).join('\n')}\n\n${notes.join('\n')}\n`
}

/**
 * @param {string} file
 * @param {string} text
 * @throws {UsageError} where it cannot be read or written, or has no place for it
 */
export function putBetween(file, text) {
  try {
    const whole = readFileSync(file, 'utf8')
    const [from, to] = [whole.indexOf(BEGIN), whole.indexOf(END)]
    if (from < 0 || to < from) {
      throw new UsageError(`--markdown: ${file} has no lines ${BEGIN} and ${END} to put the table between`)
    }
    writeFileSync(file, `${whole.slice(0, from + BEGIN.length)}\n\n${text}\n${whole.slice(to)}`)
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`--markdown: ${file}: ${error instanceof Error ? error.message : error}`)
  }
}
