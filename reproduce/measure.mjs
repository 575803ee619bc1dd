/** Figures → rows: seed after seed, saved as they come. */

import { seedsOf } from './plan.mjs'
import { fullName, isReached } from './task.mjs'

/** @typedef {import('./task.mjs').Task} Task */
/** @typedef {import('./task.mjs').Figure} Figure */
/** @typedef {import('./task.mjs').Level} Level */
/** @typedef {import('./saved.mjs').Result} Result */

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {string} metric
 * @property {number} published
 * @property {string} printed the same as the source prints it
 * @property {import('./task.mjs').Direction} direction
 * @property {number | null} value the median over the seeds; null where the training of one failed
 * @property {[number, number] | null} spread the least and the largest
 * @property {boolean} reached whether the median is as good as what was published
 * @property {boolean} withinSpread whether that of some seed is
 * @property {number} seconds of all seeds
 * @property {Level} level
 * @property {import('./task.mjs').Budget} budget of one seed
 * @property {(Result & { seed: number })[]} seeds
 */

/**
 * @typedef {object} Measuring
 * @property {import('./plan.mjs').Extent} extent
 * @property {string} version of the library
 * @property {import('./saved.mjs').Saved} saved
 * @property {import('./progress.mjs').Progress} progress
 * @property {AbortSignal} signal
 */

/**
 * @param {Task} task
 * @param {Figure} figure with a budget at this level
 * @param {Measuring} measuring
 * @returns {Promise<Row>}
 * @throws what the task throws, and the signal's reason when it is aborted
 */
export async function measure(task, figure, { extent, version, saved, progress, signal }) {
  const { level } = extent
  const name = fullName(task, figure)
  const budget = /** @type {import('./task.mjs').Budget} */ (figure.budgets[level])
  let planned = seedsOf(figure, extent, budget.seconds)
  /** @type {Row['seeds']} */
  const seeds = []
  for (let next = 0; next < planned.length; next++) {
    const seed = planned[next]
    const { seconds: _, ...own } = budget
    const key = [name, task.version, version, own, seed]
    const known = level === 'full' ? saved.get(key) : undefined
    const run = async () => {
      progress.begin(`${name}, seed ${seed}`, budget.seconds)
      const result = await timed(figure, {
        seed,
        budget,
        signal,
        progress: (share) => progress.share(share),
      })
      saved.put(key, result)
      progress.end()
      return result
    }
    if (known !== undefined) progress.change(-budget.seconds)
    const result = known ?? (await run())
    seeds.push({ seed, ...result })
    if (next > 0) continue
    const changed = seedsOf(figure, extent, result.seconds)
    progress.change((changed.length - planned.length) * budget.seconds)
    planned = changed
  }
  const values = seeds.map(({ value }) => value)
  const numbers = values.includes(null) ? [] : values.toSorted((a, b) => a - b)
  const value = numbers.length === 0 ? null : median(numbers)
  return {
    name,
    metric: figure.metric,
    published: Number(figure.published),
    printed: figure.published,
    direction: figure.direction,
    value,
    spread: value === null ? null : [numbers[0], numbers[numbers.length - 1]],
    reached: isReached(figure, value),
    withinSpread: values.some((each) => isReached(figure, each)),
    seconds: seeds.reduce((sum, { seconds }) => sum + seconds, 0),
    level,
    budget,
    seeds,
  }
}

/**
 * @param {Figure} figure
 * @param {import('./task.mjs').Context} context
 * @returns {Promise<Result>} a training that ended in what is not finite is a result too
 */
async function timed(figure, context) {
  const start = performance.now()
  const elapsed = () => (performance.now() - start) / 1000
  try {
    const value = await figure.run(context)
    context.signal.throwIfAborted()
    return { value, seconds: elapsed() }
  } catch (error) {
    context.signal.throwIfAborted()
    if (error?.code !== 'not-finite') throw error
    return { value: null, seconds: elapsed(), failure: error.message }
  }
}

/** @param {number[]} numbers in order @returns {number} */
function median(numbers) {
  const [low, high] = [numbers[(numbers.length - 1) >> 1], numbers[numbers.length >> 1]]
  return (low + high) / 2
}
