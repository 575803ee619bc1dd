/** Recurra against itself, and what it costs besides time: lengths that differ, native builds, resident memory. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inFreshProcess } from '../child.mjs'
import { median, paired } from '../measure.mjs'
import { recurraContender } from '../recurra.mjs'
import { digits } from '../table.mjs'
import { LARGEST, shapeName, shapesOf } from '../workload.mjs'
import { reasonOf } from './core.mjs'
import { GRID_BACKENDS } from './grid-contenders.mjs'

/** @typedef {import('../options.mjs').Options} Options */
/** @typedef {import('./core.mjs').Report} Report */
/** @typedef {import('./grid-contenders.mjs').Contenders} Contenders */

const BUILDS = 3
const MB = 1e6

/**
 * @param {Options} options
 * @param {string} what
 * @param {Report} report
 * @param {(backend: import('../recurra.mjs').Backend, threads: number) => Promise<void>} body
 */
async function eachSetting({ backends = GRID_BACKENDS, threads }, what, report, body) {
  for (const backend of backends) {
    for (const count of threads) {
      try {
        await body(backend, count)
      } catch (error) {
        report.skipped(`${what}, recurra ${backend}, threads ${count}`, reasonOf(error))
      }
    }
  }
}

/** Lengths uniform in 1 … T against rows that all have T steps. @param {Options} options @param {Contenders} _ @param {Report} report */
export async function runRagged(options, _, report) {
  for (const shape of shapesOf(options.shapes, [LARGEST])) {
    await eachSetting(options, 'ragged', report, async (backend, threads) => {
      const work = { kind: /** @type {const} */ ('train'), cell: /** @type {const} */ ('lstm'), shape }
      const ragged = await recurraContender(work, { backend, threads, ragged: true })
      const padded = await recurraContender(work, { backend, threads })
      const about = { peer: 'recurra-padded', backend, cell: 'lstm', ...shape, threads, peerThreads: threads }
      report.row({ ...about, kind: 'train', ...(await paired(ragged, padded, options)), best: true })
    })
  }
}

/** @param {Options} options @param {Contenders} _ @param {Report} report */
export async function runBuild({ backends = GRID_BACKENDS }, _, report) {
  if (!backends.includes('native')) return
  try {
    const runs = []
    for (let i = 0; i < BUILDS; i++) runs.push(await builds())
    const middle = (name) => digits(median(runs.map((run) => run[name])))
    const cost = (name, bound, values, what) => {
      const value = median(values)
      const how = `${what}; median of ${values.map(digits).join(' ')}, each in a fresh process`
      const about = { name, backend: /** @type {const} */ ('native'), unit: 'ms' }
      report.row({ kind: 'cost', ...about, value, bound, met: value <= bound, how })
    }
    const cold = `an LSTM's training step, tiles already there; a machine's first model, tiles included: ${middle('first')} ms`
    const warm = 'the same once more'
    cost(
      'build, new model',
      400,
      runs.map((run) => run.cold),
      cold,
    )
    cost(
      'build, from the cache',
      15,
      runs.map((run) => run.warm),
      warm,
    )
  } catch (error) {
    report.skipped('build', reasonOf(error))
  }
}

/** @returns what building takes in an empty cache folder, in one with the tiles of another model, and from the cache */
async function builds() {
  const folder = await mkdtemp(join(tmpdir(), 'recurra-bench-'))
  try {
    const build = async (cell) => {
      const { buildMs } = await inFreshProcess('build-once.mjs', [cell], { XDG_CACHE_HOME: folder })
      return buildMs
    }
    const [first, cold, warm] = [await build('gru'), await build('lstm'), await build('lstm')]
    return { first, cold, warm }
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** @param {Options} options @param {Contenders} _ @param {Report} report */
export async function runMemory(options, _, report) {
  await eachSetting(options, 'memory', report, async (backend, threads) => {
    const { resident, arena } = await inFreshProcess('memory-once.mjs', [backend, String(threads)])
    const [value, bound] = [(resident - arena) / MB, 120]
    const [all, ours] = [resident, arena].map((bytes) => (bytes / MB).toFixed(0))
    const how = `LSTM ${shapeName(LARGEST)}: ${all} MB resident when most were, ${ours} of them the arena`
    const about = { name: `memory, threads ${threads}`, backend, unit: 'MB beside the arena' }
    report.row({ kind: 'cost', ...about, value, bound, met: value <= bound, how })
  })
}
