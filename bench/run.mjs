/**
 * The command `npm run bench`: reads the command line, brings the peers, runs the suites, prints and writes
 * what they measured.
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installOnFirstUse } from '../scripts/install.mjs'
import { chartOf } from './chart.mjs'
import { requireMarkers, writeDocument } from './document.mjs'
import { HELP, readOptions, UsageError } from './options.mjs'
import { PEERS, peersOf } from './peers/list.mjs'
import { runRatios } from './suites/core.mjs'
import { runCosts } from './suites/costs.mjs'
import { runGrid } from './suites/grid.mjs'
import { tableHead, tableLine } from './table.mjs'
import { verdictLine, verdicts } from './targets.mjs'

const FOLDER = fileURLToPath(new URL('.', import.meta.url))
const sayThatItInstalls = () => console.log('bench: installing the peers on first use (npm ci in bench)')

/** @typedef {import('./table.mjs').Row} Row */
/** @typedef {import('./suites/core.mjs').Report} Report */
/** @typedef {import('./options.mjs').Options} Options */

/** @type {Record<string, (options: Options, report: Report) => Promise<void>>} the parts of core */
const PART = {
  ratios: (options, report) => runRatios(options, absentPeers('core', options.peers), report),
  costs: runCosts,
}

/** @type {Record<string, (options: Options, report: Report) => Promise<void>>} */
const SUITE = {
  async core(options, report) {
    for (const part of options.parts) await PART[part](options, report)
  },
  async grid(options, report) {
    /** @type {Row[]} */
    const rows = []
    const row = (each) => {
      rows.push(each)
      report.row(each)
    }
    await runGrid(options, absentPeers('grid', options.peers), { ...report, row })
    if (rows.length > 0) finishGrid(options, rows)
  },
}

/**
 * @param {string[]} args
 * @returns {Promise<number>} the exit code
 */
async function main(args) {
  const options = readOptions(args)
  if (options === 'help') {
    process.stdout.write(HELP)
    return 0
  }
  const { json, doc } = options
  /** @type {Row[]} */
  const rows = []
  const write = () => json !== undefined && writeRows(json, rows)
  // Before the work, so that a file which cannot be written does not cost a run.
  write()
  if (doc !== undefined) checkDocument(doc)

  /** @type {Report} */
  const report = {
    row(row) {
      const last = rows.at(-1)
      if (last?.kind !== row.kind) console.log(`${last ? '\n' : ''}${tableHead(row.kind)}`)
      rows.push(row)
      console.log(tableLine(row))
      write()
    },
    skipped: (name, reason) => console.log(`skipped: ${name}: ${reason}`),
    warning: (name, text) => console.log(`warning: ${name}: ${text}`),
  }
  for (const suite of options.suites) await SUITE[suite](options, report)
  if (rows.length > 0) return 0
  console.error('bench: nothing was measured')
  return 1
}

/**
 * @param {string} file
 * @param {Row[]} rows
 * @throws {UsageError} if the file cannot be written
 */
function writeRows(file, rows) {
  try {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, `${JSON.stringify(rows, null, 2)}\n`)
  } catch (error) {
    throw new UsageError(`--json: cannot write ${file}: ${error instanceof Error ? error.message : error}`)
  }
}

/** @param {string} file @throws {UsageError} if it is no file to write the grid's tables into */
function checkDocument(file) {
  try {
    requireMarkers(file)
  } catch (error) {
    throw new UsageError(`--doc: ${file}: ${error instanceof Error ? error.message : error}`)
  }
}

/** The chart, the document, and which targets are met. @param {Options} options @param {Row[]} rows */
function finishGrid({ json, doc, ...turns }, rows) {
  if (json !== undefined) {
    const ratios = /** @type {import('./suites/core.mjs').Ratio[]} */ (
      rows.filter(({ kind }) => kind !== 'cost')
    )
    writeFileSync(`${json.replace(/\.json$/, '')}.svg`, chartOf(ratios))
  }
  if (doc !== undefined) writeDocument(doc, rows, turns)
  console.log('')
  for (const verdict of verdicts(rows)) console.log(verdictLine(verdict))
}

/** @param {'core' | 'grid'} suite @param {string[]} peers @returns {Map<string, string>} those that could not be installed, with the reason */
function absentPeers(suite, peers) {
  const installed = peersOf(suite, peers).filter((name) => PEERS[name].installed)
  const reason = installed.length ? installOnFirstUse(FOLDER, sayThatItInstalls) : undefined
  return new Map(reason === undefined ? [] : installed.map((name) => [name, reason]))
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(`bench: ${error.message}\nSee: npm run bench -- --help`)
  process.exitCode = 2
}
