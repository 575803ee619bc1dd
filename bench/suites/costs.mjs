/** The costs of the suite `core`: what a step of ours takes by itself, each against a bound that it must not exceed. */

import { inFreshProcess } from '../child.mjs'
import { fitLine } from '../line.mjs'
import { inProcess, inTurns, median, warmUp } from '../measure.mjs'
import { BACKENDS, createLanguageModel, memoryOf, recurraContender } from '../recurra.mjs'
import { digits } from '../table.mjs'
import { LARGEST, shapeName } from '../workload.mjs'
import { reasonOf } from './core.mjs'

/** @typedef {import('../workload.mjs').Shape} Shape */
/** @typedef {import('../recurra.mjs').Backend} Backend */
/** @typedef {import('../options.mjs').Options} Options */

/**
 * @typedef {object} Measured
 * @property {number} value
 * @property {string} how how it was taken, with the numbers behind it
 * @property {import('../line.mjs').Line} [fit]
 */

/**
 * One cost: met = value ≤ bound, both in the unit.
 *
 * @typedef {Measured & { kind: 'cost', name: string, backend: Backend, unit: string, bound: number, met: boolean }} Cost
 */

/**
 * @typedef {object} Question
 * @property {string} name
 * @property {string} unit
 * @property {number} bound
 * @property {(backend: Backend, options: { rounds: number, minMs: number }) => Promise<Measured>} measure
 */

/** Percent that a point may be off its line, a choice of ours: t ∝ x^1.15 would be 16 off. */
const OFF_THE_LINE = 10
const COMPILATIONS = 5
/** Both vary from each size to the next; none is larger in B or T than WARM_SIZE, so that memory is there. */
const WARM_SIZE = { B: 16, T: 32 }
const NEW_SIZES = Array.from({ length: 13 }, (_, i) => ({ B: 3 + i, T: 31 - 2 * i }))

/** @type {Question[]} */
export const QUESTIONS = [
  linearity('T', [25, 50, 100, 200], { T: 0, B: 16, I: 32, H: 64 }),
  linearity('B', [8, 16, 32, 64], { T: 50, B: 0, I: 32, H: 64 }),
  {
    name: `memory ${shapeName(LARGEST)}`,
    unit: 'floats/row and step',
    bound: 7 * LARGEST.H + 2 * LARGEST.I,
    measure: memory,
  },
  { name: 'compile two-layer LSTM', unit: 'ms', bound: 150, measure: compilation },
  { name: 'new B and T', unit: 'ms', bound: 2, measure: newSizes },
]

/**
 * @param {'T' | 'B'} letter
 * @param {readonly number[]} sizes
 * @param {Shape} rest what the other sizes are
 * @returns {Question} how far the time of a step is from a line in one size
 */
function linearity(letter, sizes, rest) {
  return {
    name: `time linear in ${letter}`,
    unit: '% off the line',
    bound: OFF_THE_LINE,
    async measure(backend, options) {
      const contenders = []
      for (const size of sizes) {
        contenders.push(
          await recurraContender(
            { kind: 'train', cell: 'lstm', shape: { ...rest, [letter]: size } },
            { backend },
          ),
        )
      }
      const times = (await inTurns(contenders, options)).map(median)
      const fit = fitLine(sizes.map((size, i) => [size, times[i]]))
      const fixed = shapeName(rest).replace(`${letter}0`, '')
      const how =
        `t = ${digits(fit.a)} + ${digits(fit.b)}·${letter} ms, R² ${fit.r2.toFixed(4)}; ` +
        `${fixed}, ${letter} ${sizes.join(' ')}: ${times.map(digits).join(' ')} ms`
      return { value: 100 * fit.deviation, how, fit }
    },
  }
}

/** @type {Question['measure']} */
async function memory(backend) {
  const { bytes, batch, parameters } = await memoryOf(LARGEST, backend)
  const value = (bytes / 4 - batch - 8 * parameters) / (LARGEST.T * LARGEST.B)
  const MiB = (bytes / 2 ** 20).toFixed(1)
  const how = `(${MiB} MiB − batch − 8 copies of ${parameters} parameters) / (T·B), known before a step runs; at most 7·H + 2·I`
  return { value, how }
}

/** @type {Question['measure']} */
async function compilation(backend) {
  const times = []
  for (let i = 0; i < COMPILATIONS; i++) times.push(await inFreshProcess('compile-once.mjs', [backend]))
  const how = `from the traced call (the model is built) to an instantiated module; median of fresh processes: ${times.map(digits).join(' ')}`
  return { value: median(times), how }
}

/** @type {Question['measure']} */
async function newSizes(backend, { minMs }) {
  const model = await createLanguageModel(backend)
  const trainer = { step: model.stepAt(WARM_SIZE.B, WARM_SIZE.T), close() {} }
  await warmUp(inProcess({ name: 'recurra-lstm', backend, threads: 1 }, trainer), minMs)
  const costs = []
  for (const { B, T } of NEW_SIZES) {
    const step = model.stepAt(B, T)
    const [first, next] = [await timed(step), await timed(step)]
    costs.push(first - next)
  }
  const how = `first call at a size less the next one there; median of ${costs.length} sizes: ${costs.map(digits).join(' ')}`
  return { value: median(costs), how }
}

/** @param {() => Promise<void>} step @returns {Promise<number>} milliseconds */
async function timed(step) {
  const start = performance.now()
  await step()
  return performance.now() - start
}

/**
 * @param {Pick<Options, 'backends' | 'rounds' | 'minMs'>} options
 * @param {import('./core.mjs').Report} report
 * @returns {Promise<void>}
 */
export async function runCosts({ backends = [BACKENDS[0]], rounds, minMs }, report) {
  for (const backend of backends) {
    for (const { name, unit, bound, measure } of QUESTIONS) {
      try {
        const { value, ...rest } = await measure(backend, { rounds, minMs })
        report.row({ kind: 'cost', name, backend, value, unit, bound, met: value <= bound, ...rest })
      } catch (error) {
        report.skipped(name, reasonOf(error))
      }
    }
  }
}
