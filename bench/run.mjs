/**
 * The command `npm run bench`: reads the command line, brings the peers, runs the suites, prints and writes
 * what they measured.
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installOnFirstUse } from '../scripts/install.mjs'
import { HELP, readOptions, UsageError } from './options.mjs'
import { PEERS } from './peers/list.mjs'
import { runRatios } from './suites/core.mjs'
import { runCosts } from './suites/costs.mjs'
import { tableHead, tableLine } from './table.mjs'

const FOLDER = fileURLToPath(new URL('.', import.meta.url))
const sayThatItInstalls = () => console.log('bench: installing the peers on first use (npm ci in bench)')

/** @typedef {import('./table.mjs').Row} Row */
/** @typedef {import('./suites/core.mjs').Report} Report */
/** @typedef {(options: import('./options.mjs').Options, report: Report) => Promise<void>} Run */

/** @type {Record<string, Record<string, Run>>} by suite and part */
const RUN = {
  core: {
    ratios: (options, report) => runRatios(options, absentPeers(options.peers), report),
    costs: runCosts,
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
  const { json } = options
  /** @type {Row[]} */
  const rows = []
  const write = () => json !== undefined && writeRows(json, rows)
  write() // before the work, so that a file which cannot be written does not cost a run

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
  for (const suite of options.suites) {
    for (const part of options.parts) await RUN[suite][part](options, report)
  }
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

/** @param {string[]} peers @returns {Map<string, string>} those that could not be installed, with the reason */
function absentPeers(peers) {
  const installed = peers.filter((name) => PEERS[name].installed)
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
