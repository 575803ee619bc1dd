/**
 * What is published for adding over 600 steps, against chance: the mean squared error of always saying 1, the mean of all
 * targets, on test sets of 1,000 sequences.
 *
 *     npm run build; node reproduce/experiments/adding-chance.mjs 16
 */

import { addingProblem } from '../recurra.mjs'
import { meanSquaredError } from '../training.mjs'
import { experiment } from './seeds.mjs'

const chance = (seed) => {
  const { data } = addingProblem({ count: 1000, steps: 600, markers: 'anywhere', seed, stream: 1 }).targets
  return meanSquaredError(new Float32Array(data.length).fill(1), data)
}

experiment(
  'adding-chance',
  'Prints the mean squared error of always saying 1 over 600 steps, of each seed, from least to largest.',
  (seeds) => {
    const errors = Array.from({ length: seeds }, (_, i) => chance(i + 1)).sort((a, b) => a - b)
    console.log(errors.map((each) => each.toPrecision(3)).join(' '))
  },
)
