/** The command line: what it may say, and what a run gets to know of it. */

import { parseArgs } from 'node:util'
import { expectedSeconds } from './plan.mjs'
import { fullName } from './task.mjs'
import { TASKS } from './tasks.mjs'

/** @typedef {import('./task.mjs').Task} Task */
/** @typedef {import('./task.mjs').Figure} Figure */
/** @typedef {import('./task.mjs').Level} Level */

/** @typedef {{ task: Task, figures: Figure[] }} Chosen */
/** @typedef {{ kind: 'help' }} Help */
/** @typedef {{ kind: 'measure', chosen: Chosen[], extent: import('./plan.mjs').Extent, json: string | undefined, saved: string | undefined }} Measure */
/** @typedef {{ kind: 'table', files: string[], markdown: string | undefined }} Table */

/** An error in what the user typed: reported without a stack, exit code 2. */
export class UsageError extends Error {}

/** @returns {string} */
export const help = () => `Usage: npm run reproduce -- NAME … | all [options]
       npm run reproduce -- table FILE … [--markdown DOC]

Measures published results of recurrent networks again: the same data, model, optimizer, epochs and metric, and what
the source leaves open said with it. A figure counts as reached when it is as good as the published one or better,
rounded to the published digits; the median counts where there are several seeds. "by a seed" says that the median is
not, but one of the seeds is.

Names, each alone or with one of its figures, as in two-sines-next/linear (seconds: --quick, standard, --full)
${TASKS.map(helpLine).join('\n')}

Options
  --quick          one seed, smaller budgets, fewer figures: ${minutes('quick')} for all
  (neither)        three seeds where one takes under 90 s, else one: ${minutes('standard')} for all
  --full           the budgets of the sources; goes on from results that were saved before: ${minutes('full')} for all
  --seeds N        so many seeds of each figure instead
  --json FILE      write the rows as JSON too
  --saved FILE     where every result of a seed is saved (default: reproduce/.cache/results.ndjson)
  --help           this text

Data sets are installed when a task first reads them. Ctrl-C leaves after the step under way.

table: the rows of such JSON files as a table in Markdown; of a name that stands in several, the last
  --markdown DOC   put it into DOC, between its lines <!-- results --> and <!-- /results -->

Exit code: 0, 1 if something could not be measured, 2 for a wrong command, 130 after Ctrl-C.
`

/** @param {Task} task @returns {string} */
function helpLine(task) {
  const seconds = /** @type {Level[]} */ (['quick', 'standard', 'full']).map((level) => {
    const all = expectedSeconds(task.figures, { level })
    return (all === 0 ? '–' : String(Math.ceil(all))).padStart(6)
  })
  return `  ${task.name.padEnd(18)}${seconds.join('')}  ${task.title}`
}

/** @param {Level} level @returns {string} */
function minutes(level) {
  const all = expectedSeconds(
    TASKS.flatMap(({ figures }) => figures),
    { level },
  )
  return `about ${Math.ceil(all / 60)} minutes`
}

/** @param {string[]} names @returns {Chosen[]} in the order of TASKS @throws {UsageError} */
function choose(names) {
  const known = new Set(
    TASKS.flatMap((task) => [task.name, ...task.figures.map((each) => fullName(task, each))]),
  )
  const odd = names.find((name) => name !== 'all' && !known.has(name))
  if (odd !== undefined) {
    const task = TASKS.find(({ name }) => odd.startsWith(`${name}/`))
    const names = task
      ? task.figures.map((each) => fullName(task, each))
      : ['all', ...TASKS.map(({ name }) => name)]
    throw new UsageError(`unknown name '${odd}': expected ${names.join(', ')}`)
  }
  const wanted = (...each) => each.some((name) => names.includes(name))
  return TASKS.flatMap((task) => {
    const figures = task.figures.filter((figure) => wanted('all', task.name, fullName(task, figure)))
    return figures.length === 0 ? [] : [{ task, figures }]
  })
}

/**
 * @param {string[]} args
 * @returns {Help | Measure | Table}
 * @throws {UsageError}
 */
export function readOptions(args) {
  const { values, positionals } = parse(args)
  const [first, ...rest] = positionals
  if (values.help) return { kind: 'help' }
  if (first === undefined) {
    throw new UsageError(`expected a name: all, ${TASKS.map(({ name }) => name).join(', ')}`)
  }
  const odd = Object.keys(values).find((name) => (first === 'table') !== (name === 'markdown'))
  if (odd !== undefined)
    throw new UsageError(`--${odd} is not for ${first === 'table' ? '' : 'anything but '}table`)
  if (first === 'table') {
    if (rest.length === 0) throw new UsageError('table: expected a file that --json wrote')
    return { kind: 'table', files: rest, markdown: values.markdown }
  }
  if (values.quick && values.full) throw new UsageError('expected --quick or --full; received both')
  const level = values.quick ? 'quick' : values.full ? 'full' : 'standard'
  const { json, saved, seeds } = values
  const extent = { level, seeds: seeds === undefined ? undefined : readSeeds(seeds) }
  return { kind: 'measure', chosen: choose(positionals), extent, json, saved }
}

/** @param {string} text @param {string} name what it is the value of @returns {number} @throws {UsageError} */
export function readSeeds(text, name = '--seeds') {
  const count = Number(text)
  if (Number.isInteger(count) && count >= 1) return count
  throw new UsageError(`${name}: expected a whole number of at least 1; received '${text}'`)
}

/** @param {string[]} args @throws {UsageError} */
function parse(args) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        quick: { type: 'boolean' },
        full: { type: 'boolean' },
        seeds: { type: 'string' },
        json: { type: 'string' },
        saved: { type: 'string' },
        markdown: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}
