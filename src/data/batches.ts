/**
 * Batches, the only form in which data reaches training, and those of one stream; sequences.ts makes those of many.
 * Leaves: batch-first tensors, the same on every pass.
 * B rows of a batch, T time steps.
 */
import { ArgumentError, DataError } from '../tensor/errors.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import { requireInteger, requireOptions } from './guards.ts'

/** What one training step reads. */
export interface Batch {
  /** Ids, i32 [B, T], or values, [B, T, …]. */
  readonly inputs: Tensor
  /** One target a time step, [B, T, …], or one a row, [B, …]. */
  readonly targets: Tensor
  /** i32 [B]: row b ends after `lengths[b]` steps and the rest is padding. Absent: every row has T steps. */
  readonly lengths?: Tensor
  /** bool [B, T], or i32 of 0 and 1, instead of lengths: which steps are there, so that rows may begin late and have gaps. */
  readonly mask?: Tensor
  /**
   * f32 [B] or [B, T], of at least 0: how much a row, or each of its steps, weighs in the loss. As in Keras 3 the sum of
   * weighted terms is divided by how many steps are there, not by the sum of weights. Absent: 1.
   */
  readonly weights?: Tensor
  /** Whether the rows begin anew. Otherwise row b goes on where row b of the batch before ended. */
  readonly reset: boolean
}

/** One of a kind, or several by the names of a model's inputs or outputs. */
export type Named<T> = T | Readonly<Record<string, T>>

/** A batch of a model that has several inputs or outputs, by their names; any {@link Batch} is one. */
export interface NamedBatch {
  readonly inputs: Named<Tensor>
  readonly targets: Named<Tensor>
  /** Of inputs that are sequences, as a {@link Batch}'s; of inputs that share their time, one says it, or all the same. */
  readonly lengths?: Named<Tensor>
  readonly mask?: Named<Tensor>
  /** Of outputs, or of some of them, as a {@link Batch}'s. */
  readonly weights?: Named<Tensor>
  readonly reset: boolean
}

/** N examples of one size, as the generators make them; `sequences(inputs, targets, …)` makes batches of them. */
export interface Examples {
  /** [N, T, …] */
  readonly inputs: Tensor
  /** One target a time step, [N, T, …], or one a row, [N, …]. */
  readonly targets: Tensor
}

/** One epoch. It may be iterated any number of times and gives the same batches each time. */
export interface Batches<B extends NamedBatch = Batch> extends Iterable<B> {
  /** Batches in an epoch. */
  readonly count: number
  /** Time steps in an epoch, those that are masked not counted; for text, the tokens predicted. */
  readonly tokens: number
  /** Those of epoch 1, 2, …, where epochs differ: `fit` asks for them. */
  readonly epoch?: (epoch: number) => Iterable<B>
}

/**
 * Contiguous windows of one stream, for truncated back-propagation with carried state.
 *
 * The stream is cut into B rows of R = ⌊(n − 1) / B⌋ steps: row b predicts tokens bR + 1 … (b + 1)R, each from the one
 * before it. Batch j holds window j of every row, so row b of batch j + 1 goes on where row b of batch j ended. The last
 * batch has fewer than T steps unless T divides R. Fewer than B tokens at the very end are left over, none with B = 1.
 *
 *     textWindows(ids, { batch: 32, steps: 64 })    // inputs and targets: i32 [32, 64]
 *
 * @param ids the n tokens of the stream
 * @param options.batch B, the rows
 * @param options.steps T, the time steps of a window
 * @throws {ArgumentError} unless `ids` is an Int32Array and both sizes are integers of at least 1
 * @throws {DataError} when the stream has no full window for each row: n < B·T + 1
 */
export function textWindows(
  ids: Int32Array,
  options: { readonly batch: number; readonly steps: number },
): Batches {
  if (!(ids instanceof Int32Array)) {
    throw new ArgumentError(
      'textWindows: expected ids in an Int32Array, as Vocabulary.encode or Int32Array.from makes it',
    )
  }
  requireOptions('textWindows', options, ['batch', 'steps'])
  const { batch, steps } = options
  requireInteger('textWindows: batch', batch, 1)
  requireInteger('textWindows: steps', steps, 1)
  const needed = batch * steps + 1
  if (ids.length < needed) {
    throw new DataError(
      `${batch} rows of ${steps} steps need a text of at least ${needed} characters (batch · steps + 1), ` +
        `but this one has ${ids.length}. Give a longer text, a smaller batch or fewer steps.`,
    )
  }
  const rowLength = Math.floor((ids.length - 1) / batch)
  const window = (start: number, length: number): Tensor => {
    const data = new Int32Array(batch * length)
    for (let b = 0; b < batch; b++) {
      const from = b * rowLength + start
      data.set(ids.subarray(from, from + length), b * length)
    }
    return tensor(data, [batch, length])
  }
  return {
    count: Math.ceil(rowLength / steps),
    tokens: batch * rowLength,
    *[Symbol.iterator]() {
      for (let start = 0; start < rowLength; start += steps) {
        const length = Math.min(steps, rowLength - start)
        yield { inputs: window(start, length), targets: window(start + 1, length), reset: start === 0 }
      }
    },
  }
}
