/** How often a figure is measured, and about how long that takes. */

/** @typedef {import('./task.mjs').Figure} Figure */
/** @typedef {import('./task.mjs').Level} Level */

/** Where one takes less, three seeds are measured. */
const LONG = 90

/** @param {Figure} figure @param {Level} level @param {number} seconds of one seed @returns {number[]} */
export function seedsOf(figure, level, seconds) {
  return level === 'quick' || figure.seedless || seconds >= LONG ? [1] : [1, 2, 3]
}

/** @param {Figure[]} figures @param {Level} level @returns {number} of all their seeds */
export function expectedSeconds(figures, level) {
  return figures.reduce((sum, figure) => {
    const budget = figure.budgets[level]
    return budget === undefined ? sum : sum + budget.seconds * seedsOf(figure, level, budget.seconds).length
  }, 0)
}
