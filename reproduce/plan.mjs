/** How often a figure is measured, and about how long that takes. */

/** @typedef {import('./task.mjs').Figure} Figure */
/** @typedef {import('./task.mjs').Level} Level */

/** Where one takes less, three seeds are measured. */
const LONG = 90

/** @typedef {{ level: Level, seeds?: number | undefined }} Extent `seeds`: how many, if not by the rule */

/** @param {Figure} figure @param {Extent} extent @param {number} seconds of one seed @returns {number[]} */
export function seedsOf(figure, { level, seeds }, seconds) {
  const byRule = level === 'quick' || seconds >= LONG ? 1 : 3
  return Array.from({ length: figure.seedless ? 1 : (seeds ?? byRule) }, (_, i) => i + 1)
}

/** @param {Figure[]} figures @param {Extent} extent @returns {number} of all their seeds */
export function expectedSeconds(figures, extent) {
  return figures.reduce((sum, figure) => {
    const budget = figure.budgets[extent.level]
    return budget === undefined ? sum : sum + budget.seconds * seedsOf(figure, extent, budget.seconds).length
  }, 0)
}
