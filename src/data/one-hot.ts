/** Ids → vectors that are 1 at one place. */
import { ArgumentError, DataError } from '../tensor/errors.ts'
import { isTensor } from '../tensor/padding.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import { requireInteger } from './guards.ts'

/**
 * One-hot vectors: f32 [..., depth] of ids i32 [...]; element d is 1 where d is the id, else 0.
 *
 *     oneHot(Int32Array.of(0, 2), 3)                // [[1, 0, 0], [0, 0, 1]]
 *
 * @param ids an i32 tensor, or the Int32Array that `Vocabulary.encode` gives
 * @throws {ArgumentError} unless `ids` are i32 and `depth` is an integer of at least 1
 * @throws {DataError} for an id outside 0 … depth − 1; names its place
 */
export function oneHot(ids: Tensor | Int32Array, depth: number): Tensor {
  requireInteger('oneHot: depth', depth, 1)
  const { data, shape } = isTensor(ids) ? ids : { data: ids, shape: [ids?.length] }
  if (!(data instanceof Int32Array)) {
    throw new ArgumentError('oneHot: expected ids, an Int32Array or an i32 tensor')
  }
  const hot = new Float32Array(data.length * depth)
  for (const [i, id] of data.entries()) {
    if (id < 0 || id >= depth) {
      throw new DataError(`oneHot: expected ids from 0 to ${depth - 1}; received ${id} at ${i}`)
    }
    hot[i * depth + id] = 1
  }
  return tensor(hot, [...shape, depth])
}
