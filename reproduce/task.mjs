/**
 * What a task is: one file in tasks/ and one line in tasks.mjs. A task has one figure for each number of its source, and
 * each figure is measured by itself.
 */

/** @typedef {'quick' | 'standard' | 'full'} Level */

/**
 * How much is spent on one seed. All but `seconds` is the task's own, such as epochs.
 *
 * @typedef {{ seconds: number } & Record<string, number>} Budget `seconds`: about how long it takes, for the plan
 */

/**
 * @typedef {object} Context
 * @property {number} seed of data, weights and order
 * @property {Budget} budget
 * @property {AbortSignal} signal what takes long throws when it is aborted
 * @property {(share: number) => void} progress from 0 to 1
 */

/**
 * - `at most`, `at least`: as good as the published figure or better, once rounded to its digits
 * - `near`: within 5% of it. For properties of generated data, which no model can better
 * - `exactly`: the same number
 *
 * @typedef {'at most' | 'at least' | 'near' | 'exactly'} Direction
 */

/**
 * @typedef {object} Figure
 * @property {string} name
 * @property {string} metric
 * @property {string} published as printed in the source, since its digits are the precision
 * @property {Direction} direction
 * @property {Partial<Record<Level, Budget>>} budgets a level that is absent leaves the figure out
 * @property {boolean} [seedless] whether no seed changes it
 * @property {(context: Context) => Promise<number>} run
 */

/**
 * @typedef {object} Task
 * @property {string} name
 * @property {string} title
 * @property {number} version counted up when what is run changes: results saved before then do not count
 * @property {string} source
 * @property {string} note what the source leaves open, and what was done about it
 * @property {string[]} [data] packages of data sets that it reads
 * @property {Figure[]} figures
 */

/**
 * @param {Budget} budget
 * @returns {Record<Level, Budget>} the same at every level
 */
export function always(budget) {
  return { quick: budget, standard: budget, full: budget }
}

/** @param {Task} task @param {Figure} figure @returns {string} */
export function fullName(task, figure) {
  return `${task.name}/${figure.name}`
}

const NEAR = 0.05

/**
 * @param {Pick<Figure, 'published' | 'direction'>} figure
 * @param {number | null} value null where training failed
 * @returns {boolean}
 */
export function isReached({ published, direction }, value) {
  if (value === null) return false
  const goal = Number(published)
  if (direction === 'near') return Math.abs(value - goal) <= NEAR * Math.abs(goal)
  if (direction === 'exactly') return value === goal
  const own = Number(value.toFixed(decimals(published)))
  return direction === 'at most' ? own <= goal : own >= goal
}

/** @param {string} published @returns {number} how many digits stand behind its point, 6 in 5.3e-5 */
function decimals(published) {
  const [mantissa, exponent = '0'] = published.split('e')
  return Math.max(0, (mantissa.split('.')[1]?.length ?? 0) - Number(exponent))
}
