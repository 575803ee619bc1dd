/**
 * What is published for adding over 600 steps, against chance: the mean squared error of always saying 1, the mean of all
 * targets, on test sets of 1,000 sequences.
 *
 *     npm run build; node reproduce/experiments/adding-chance.mjs 16
 *
 * Prints it for so many seeds, from least to largest.
 */

import { addingProblem } from '../recurra.mjs'
import { meanSquaredError } from '../training.mjs'

const chance = (seed) => {
  const { data } = addingProblem({ count: 1000, steps: 600, markers: 'anywhere', seed, stream: 1 }).targets
  return meanSquaredError(new Float32Array(data.length).fill(1), data)
}

const errors = Array.from({ length: Number(process.argv[2] ?? 16) }, (_, i) => chance(i + 1))
console.log(
  errors
    .toSorted((a, b) => a - b)
    .map((each) => each.toPrecision(3))
    .join(' '),
)
