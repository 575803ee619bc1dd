/** The adding problem: two numbers far apart, marked in a long sequence, are to be added. */
import { requireChoice } from '../tensor/checks.ts'
import { fillUniform } from '../tensor/random.ts'
import { tensor } from '../tensor/tensor.ts'
import type { Examples } from './batches.ts'
import { SEEDED, type Seeded, seededBy } from './draws.ts'
import { requireInteger, requireOptions } from './guards.ts'

export interface AddingOptions extends Seeded {
  /** N, how many sequences. */
  readonly count: number
  /** T, at least 2. */
  readonly steps: number
  /**
   * Where the two markers stand: 'halves', one in the first ⌊T / 2⌋ steps and one in the rest (Arjovsky, Shah and Bengio
   * 2016); 'anywhere', at any two steps (Bai, Kolter and Koltun 2018). Default: 'halves'.
   */
  readonly markers?: 'halves' | 'anywhere'
}

/**
 * Inputs f32 [N, T, 2], each step [value, marker]: values are uniform in 0 … 1, the marker is 1 at two steps, else 0.
 * Targets f32 [N, 1] are the sum of the two marked values, on average 1, so that always to predict 1 errs by 2 · 1/12 = 1/6
 * (mean squared error).
 *
 * Source: Hochreiter and Schmidhuber 1997, section 5.4, in the form of later comparisons.
 *
 *     addingProblem({ count: 32, steps: 100, stream: 7 })     // a fresh batch for each stream
 *
 * @throws {ArgumentError} for options outside their range
 */
export function addingProblem(options: AddingOptions): Examples {
  requireOptions('addingProblem', options, ['count', 'steps', 'markers', ...SEEDED])
  const { count: N, steps: T, markers = 'halves' } = options
  requireInteger('addingProblem: count', N, 1)
  requireInteger('addingProblem: steps', T, 2)
  requireChoice('addingProblem', 'markers', markers, ['halves', 'anywhere'])
  const { seed, stream } = seededBy('addingProblem', options)
  const draws = new Float32Array(N * (T + 2))
  fillUniform(draws, seed, stream, 0, 1)
  const inputs = new Float32Array(N * T * 2)
  const targets = new Float32Array(N)
  for (let n = 0; n < N; n++) {
    const row = draws.subarray(n * (T + 2), (n + 1) * (T + 2))
    for (let t = 0; t < T; t++) inputs[2 * (n * T + t)] = row[t]!
    for (const t of PLACES[markers](row[T]!, row[T + 1]!, T)) {
      inputs[2 * (n * T + t) + 1] = 1
      targets[n]! += row[t]!
    }
  }
  return { inputs: tensor(inputs, [N, T, 2]), targets: tensor(targets, [N, 1]) }
}

/** Two unlike steps of T from two draws. */
const PLACES = {
  halves(first: number, second: number, T: number) {
    const half = Math.floor(T / 2)
    return [below(half, first), half + below(T - half, second)]
  },
  anywhere(first: number, second: number, T: number) {
    const one = below(T, first)
    const other = below(T - 1, second)
    return [one, other < one ? other : other + 1]
  },
}

/** An integer from 0 to count − 1; rounded to f32, a draw may be 1. */
function below(count: number, draw: number): number {
  return Math.min(count - 1, Math.floor(draw * count))
}
