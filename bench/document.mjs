/** The grid as Markdown: one line a point, our settings side by side, between two markers of a file. */

import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { groupsOf } from './groups.mjs'
import { digits, percent } from './table.mjs'
import { verdicts } from './targets.mjs'

/** @typedef {import('./table.mjs').Row} Row */
/** @typedef {import('./suites/core.mjs').Ratio} Ratio */

export const BEGIN = '<!-- grid: written by npm run bench -- grid --doc -->'
export const END = '<!-- grid: end -->'

const TITLES = { train: 'Training step', infer: 'Whole sequences', stream: 'One step a call' }

/** @param {string} file @throws {Error} if there is no such file, or no markers in it */
export function requireMarkers(file) {
  partsOf(readFileSync(file, 'utf8'))
}

/** @param {string} text @returns {[before: string, after: string]} with the markers */
function partsOf(text) {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (begin < 0 || end < begin) throw new Error(`expected the lines '${BEGIN}' and '${END}'`)
  return [text.slice(0, begin + BEGIN.length), text.slice(end)]
}

/** @param {string} file @param {Row[]} rows @param {{ rounds: number, minMs: number }} options */
export function writeDocument(file, rows, { rounds, minMs }) {
  const [before, after] = partsOf(readFileSync(file, 'utf8'))
  const { model = 'an unknown processor' } = cpus()[0] ?? {}
  const taken = `${model}, ${cpus().length} cores, Node ${process.versions.node}; ${rounds} rounds of turns of at least ${minMs} ms.`
  const parts = [
    taken,
    ...Object.keys(TITLES).flatMap((kind) => ratioTable(rows, kind)),
    ...ownTable(rows),
    ...costTable(rows),
  ]
  const reached = verdicts(rows).map(({ target, met, text }) => [
    target,
    met === undefined ? '–' : met ? 'yes' : '**no**',
    text,
  ])
  parts.push('### Targets', markdown(['target', 'met', 'measured'], reached))
  writeFileSync(file, `${before}\n\n${parts.join('\n\n')}\n\n${after}`)
}

/** @param {Row[]} rows @returns {Ratio[]} of each peer those of its best number of threads */
const bestRatios = (rows) => /** @type {Ratio[]} */ (rows.filter((row) => row.kind !== 'cost' && row.best))

/** @param {Ratio} row of Recurra against itself */
const isOwn = ({ peer }) => peer.startsWith('recurra')

/** @param {Row[]} rows @param {keyof typeof TITLES} kind @returns {string[]} */
function ratioTable(rows, kind) {
  const all = bestRatios(rows).filter((row) => row.kind === kind && !isOwn(row))
  if (all.length === 0) return []
  const settingOf = ({ backend, threads }) => `${backend} ${threads}`
  const settings = [...new Set(all.map(settingOf))].sort()
  const shared = (row) => [row.cell, row.T, row.B, row.I, row.H, row.peer]
  const lines = groupsOf(all, (row) =>
    [...shared(row), row.peer === 'onnxruntime' ? row.peerThreads : ''].join(),
  )
  const cells = [...lines.values()].map((line) => {
    const ours = settings.map((setting) => {
      const row = line.find((each) => settingOf(each) === setting)
      if (row === undefined) return ''
      const share = row.share === undefined ? '' : `, ${percent(row.share)}`
      return `${digits(row.ms)} (${digits(row.ratio)}${share})`
    })
    const [{ peerMs, peerThreads }] = line
    return [...shared(line[0]), `${digits(peerMs)} on ${peerThreads}`, ...ours].map(String)
  })
  const heads = settings.map((setting) => `${setting}, ms (ratio${kind === 'train' ? ', of peak' : ''})`)
  return [`### ${TITLES[kind]}`, markdown(['cell', 'T', 'B', 'I', 'H', 'peer', 'its ms', ...heads], cells)]
}

/** @param {Row[]} rows @returns {string[]} */
function ownTable(rows) {
  const cells = bestRatios(rows)
    .filter(isOwn)
    .map((row) => {
      const against = row.peer === 'recurra' ? 'one thread' : 'rows padded to T, ours of lengths 1 … T'
      const about = [against, row.kind, row.cell, row.T, row.B, row.I, row.H, row.backend, row.threads]
      return [...about, digits(row.ms), digits(row.peerMs), digits(row.ratio)].map(String)
    })
  if (cells.length === 0) return []
  const heads = [
    'against',
    'kind',
    'cell',
    'T',
    'B',
    'I',
    'H',
    'backend',
    'threads',
    'ms',
    'other ms',
    'ratio',
  ]
  return ['### Recurra against itself', markdown(heads, cells)]
}

/** @param {Row[]} rows @returns {string[]} */
function costTable(rows) {
  const cells = rows.flatMap((row) =>
    row.kind === 'cost'
      ? [[row.name, row.backend, `${digits(row.value)} ${row.unit}`, digits(row.bound), row.how]]
      : [],
  )
  if (cells.length === 0) return []
  return ['### Costs', markdown(['cost', 'backend', 'measured', 'at most', 'how'], cells)]
}

/** @param {string[]} heads @param {string[][]} lines @returns {string} */
function markdown(heads, lines) {
  return [heads, heads.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
