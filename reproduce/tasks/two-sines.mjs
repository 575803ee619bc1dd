/** What both tasks on two sines share: the series, cut as the book cuts them, and how they are trained on. */

import { splitInOrder, tensor, twoSines, windows } from '../recurra.mjs'

/** @typedef {import('../../dist/index.js').Tensor} Tensor */
/** @typedef {import('../../dist/data/index.js').Examples} Examples */

export const STEPS_SEEN = 50
export const BATCH = 32
export const EPOCHS = 20
export const LOSS = 'meanSquaredError'

/**
 * @param {number} seed
 * @param {import('../../dist/data/index.js').WindowOptions} options
 * @returns {{ train: Examples, validation: Examples }} 7,000 and 2,000 series, one window each
 */
export function sines(seed, options) {
  const series = twoSines({ count: 10_000, steps: options.length + (options.horizon ?? 1), seed })
  const { inputs, targets } = windows(series, options)
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
