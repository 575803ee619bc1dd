/** The order of rows, cut into batches, of every epoch. B rows of a batch. */
import { requireFlag, requireSeed } from '../tensor/checks.ts'
import { shuffle as permutation } from '../tensor/random.ts'
import { requireInteger } from './guards.ts'

export interface Order {
  /** B, the rows of every batch but perhaps one. */
  readonly batch: number
  /** Every epoch of a `fit` in another order, drawn from `seed`. Default: false, the order given. */
  readonly shuffle?: boolean
  /** Default: 0. */
  readonly seed?: number
  /**
   * Rows of like lengths share a batch, so that little of it is padding: the rows of so many batches, as they come, are
   * put in order of length, stably, before they are cut into batches. With `shuffle` those come in an order of their own. Of
   * several inputs the longest counts. Default: 1, batches as rows come.
   */
  readonly bucket?: number
}

/** Streams of numbers beside those of epochs. */
const OF_BATCHES = 2 ** 31

/**
 * The rows of each batch of an epoch, 1, 2, …, as indices, for all N rows' `lengths` in steps.
 *
 * @throws {ArgumentError} for options outside their range, at once
 */
export function batchesOf({ batch, shuffle = false, seed = 0, bucket = 1 }: Order) {
  requireInteger('sequences: batch', batch, 1)
  requireInteger('sequences: bucket', bucket, 1)
  requireFlag('sequences', 'shuffle', shuffle)
  requireSeed('sequences', seed)
  return (lengths: Int32Array) => {
    const inOrder = lengths.map((_, row) => row)
    return (epoch: number): Int32Array[] => {
      const order = shuffle ? permutation(lengths.length, seed, epoch) : inOrder
      if (bucket === 1) return cut(order, batch)
      const batches = cut(order, batch * bucket).flatMap((rows) =>
        cut(
          rows.slice().sort((a, b) => lengths[a]! - lengths[b]!),
          batch,
        ),
      )
      if (!shuffle) return batches
      return Array.from(permutation(batches.length, seed, OF_BATCHES + epoch), (place) => batches[place]!)
    }
  }
}

function cut(rows: Int32Array, size: number): Int32Array[] {
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, i) =>
    rows.subarray(i * size, (i + 1) * size),
  )
}
