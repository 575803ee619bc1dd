/** What both tasks on two sines share: the book's very series, cut as the book cuts them, and how they are trained on. */

import MersenneTwister from 'mersenne-twister'
import { splitInOrder, tensor, windows } from '../recurra.mjs'

/** @typedef {import('../../dist/index.js').Tensor} Tensor */
/** @typedef {import('../../dist/data/index.js').Examples} Examples */

export const STEPS_SEEN = 50
export const BATCH = 32
export const EPOCHS = 20
export const LOSS = 'meanSquaredError'

const SERIES = 10_000
const SERIES_SEED = 42

/**
 * The series of the book's notebook, which draws from NumPy's generator seeded with 42: MT19937, 53 bits a number, first the
 * two frequencies of all series, then the two offsets, then the noise.
 *
 * @param {number} steps
 * @returns {Tensor} [10000, T, 1]
 */
function series(steps) {
  const twister = new MersenneTwister(SERIES_SEED)
  const draws = (count) => Float64Array.from({ length: count }, () => twister.random_long())
  const [f, g, p, q] = [draws(SERIES), draws(SERIES), draws(SERIES), draws(SERIES)]
  const values = Float32Array.from(draws(SERIES * steps), (noise, i) => {
    const [n, s] = [Math.floor(i / steps), (i % steps) / (steps - 1)]
    const waves =
      0.5 * Math.sin((s - p[n]) * (f[n] * 10 + 10)) + 0.2 * Math.sin((s - q[n]) * (g[n] * 20 + 20))
    return waves + 0.1 * (noise - 0.5)
  })
  return tensor(values, [SERIES, steps, 1])
}

/**
 * @param {import('../../dist/data/index.js').WindowOptions} options
 * @returns {{ train: Examples, validation: Examples }} 7,000 and 2,000 series, one window each
 */
export function sines(options) {
  const { inputs, targets } = windows(series(options.length + (options.horizon ?? 1)), options)
  const [x, y] = [inputs, targets].map((rows) => splitInOrder(rows, { validation: 0.2, test: 0.1 }))
  return {
    train: { inputs: x.train, targets: y.train },
    validation: { inputs: x.validation, targets: y.validation },
  }
}

/** @param {Tensor} inputs [N, T, 1] @returns {Tensor} [N, T]: rows without time */
export function flat({ data, shape }) {
  return tensor(data, shape.slice(0, 2))
}
