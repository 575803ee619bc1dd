/** The command `npm run reproduce`: reads the command line, brings the data sets, measures, prints and writes rows. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installOnFirstUse } from '../scripts/install.mjs'
import { isInstalled } from './data.mjs'
import { INTERRUPTED, onInterrupt } from './interrupt.mjs'
import { measure } from './measure.mjs'
import { help, readOptions, UsageError } from './options.mjs'
import { expectedSeconds } from './plan.mjs'
import { Progress } from './progress.mjs'
import { Saved } from './saved.mjs'
import { headOf, lineOf, markdownOf, putBetween, readRows, TABLE_HEAD } from './table.mjs'
import { fullName } from './task.mjs'

const FOLDER = fileURLToPath(new URL('.', import.meta.url))
const SAVED = join(FOLDER, '.cache/results.ndjson')
const VERSION = JSON.parse(readFileSync(join(FOLDER, '../package.json'), 'utf8')).version

/** @typedef {import('./measure.mjs').Row} Row */

/** @param {string[]} args @returns {Promise<number>} the exit code */
async function main(args) {
  const options = readOptions(args)
  if (options.kind === 'measure') return run(options)
  if (options.kind === 'help') process.stdout.write(help())
  else table(options)
  return 0
}

/** @param {import('./options.mjs').Measure} options @returns {Promise<number>} the exit code */
async function run({ chosen, extent, json, saved: file = SAVED }) {
  const { level } = extent
  /** @type {Row[]} */
  const rows = []
  const write = () => json !== undefined && writeRows(json, rows)
  write() // before the work, so that a file which cannot be written does not cost a run
  const controller = new AbortController()
  const { signal } = controller
  const release = onInterrupt(() => controller.abort())
  const figures = chosen.flatMap((each) => each.figures)
  const progress = new Progress(process.stderr, expectedSeconds(figures, extent))
  const saved = new Saved(file)
  /** @param {string} text */
  const print = (text) => {
    progress.clear()
    console.log(text)
  }
  let skipped = 0
  const skip = (name, reason) => {
    skipped++
    print(`skipped: ${name}: ${reason}`)
  }
  try {
    print(TABLE_HEAD)
    for (const { task, figures } of chosen) {
      print(`\n${headOf(task)}`)
      const absent = absentData(task, print)
      if (absent !== undefined) {
        progress.change(-expectedSeconds(figures, extent))
        skip(task.name, absent)
        continue
      }
      for (const figure of figures) {
        if (figure.budgets[level] === undefined) {
          print(`${fullName(task, figure)}: only ${levelsOf(figure)}`)
          continue
        }
        const row = await measure(task, figure, { extent, version: VERSION, saved, progress, signal })
        rows.push(row)
        print(lineOf(row))
        write()
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error
    print(
      `stopped; figures: ${rows.length}. Every seed that was finished is saved; --full goes on from there`,
    )
    return INTERRUPTED
  } finally {
    progress.clear()
    release()
  }
  if (rows.length > 0) {
    print(`\n${rows.filter(({ reached }) => reached).length} of ${rows.length} figures reached`)
    return skipped > 0 ? 1 : 0
  }
  console.error('reproduce: nothing was measured')
  return 1
}

/** @param {import('./task.mjs').Figure} figure @returns {string} */
function levelsOf({ budgets }) {
  const words = { quick: 'with --quick', standard: 'without --quick and --full', full: 'with --full' }
  return Object.keys(budgets)
    .map((level) => words[level])
    .join(' or ')
}

/**
 * @param {import('./task.mjs').Task} task
 * @param {(text: string) => void} print
 * @returns {string | undefined} why its data sets are absent, if they are
 */
function absentData(task, print) {
  const names = (task.data ?? []).filter((name) => !isInstalled(name))
  if (names.length === 0) return undefined
  const reason = installOnFirstUse(FOLDER, () =>
    print('installing the data sets on first use (npm ci in reproduce)'),
  )
  if (reason === undefined) return undefined
  return (
    `it reads ${names.join(', ')} of the npm registry, not installed: ${reason}. ` +
    'Run it again where the registry can be reached, or run npm ci in reproduce/ by hand'
  )
}

/** @param {import('./options.mjs').Table} options */
function table({ files, markdown }) {
  const text = markdownOf(readRows(files))
  if (markdown === undefined) process.stdout.write(text)
  else putBetween(markdown, text)
}

/** @param {string} file @param {Row[]} rows @throws {UsageError} if the file cannot be written */
function writeRows(file, rows) {
  try {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, `${JSON.stringify(rows, null, 2)}\n`)
  } catch (error) {
    throw new UsageError(`--json: cannot write ${file}: ${error instanceof Error ? error.message : error}`)
  }
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(`reproduce: ${error.message}\nSee: npm run reproduce -- --help`)
  process.exitCode = 2
}
