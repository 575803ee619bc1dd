/** The command line of an experiment: how many seeds it tries. */

import { readSeeds, UsageError } from '../options.mjs'

/**
 * Runs an experiment with as many seeds as the command line says, 16 where it says nothing.
 *
 * @param {string} name
 * @param {string} about what it prints
 * @param {(seeds: number) => void} run
 */
export function experiment(name, about, run) {
  const [first = '16', ...others] = process.argv.slice(2)
  if (first === '--help') {
    console.log(
      `Usage: node reproduce/experiments/${name}.mjs [SEEDS]\n\n${about} SEEDS: 16 where nothing is said.`,
    )
    return
  }
  try {
    if (others.length > 0) throw new UsageError(`expected SEEDS alone; received ${others.join(' ')} too`)
    run(readSeeds(first, 'SEEDS'))
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(`${name}: ${error.message}`)
    process.exitCode = 2
  }
}
