/**
 * Sequences → batches, the only form in which data reaches training.
 * Enters: a stream of ids, or sequences of unlike lengths. Leaves: batch-first tensors, the same on every pass.
 * B rows of a batch, T time steps.
 */
import { requireFlag } from '../tensor/checks.ts'
import { ArgumentError, DataError, ShapeError } from '../tensor/errors.ts'
import { alike, asLong, isTensor, pad, requireSameSize, type Sequence } from '../tensor/padding.ts'
import { elementCount, type Tensor, tensor } from '../tensor/tensor.ts'
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

/** N examples of one size, as the generators make them; `sequences(inputs, targets, …)` makes batches of them. */
export interface Examples {
  /** [N, T, …] */
  readonly inputs: Tensor
  /** One target a time step, [N, T, …], or one a row, [N, …]. */
  readonly targets: Tensor
}

/** One epoch. It may be iterated any number of times and gives the same batches each time. */
export interface Batches extends Iterable<Batch> {
  /** Batches in an epoch. */
  readonly count: number
  /** Time steps in an epoch, those that are masked not counted; for text, the tokens predicted. */
  readonly tokens: number
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
  requireInteger('batch', batch, 1)
  requireInteger('steps', steps, 1)
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

/**
 * Sequences of unlike lengths, in the order given, padded with zeros to the longest of their batch. Every batch has
 * `lengths` (or a `mask`) and resets; the last may have fewer rows. Sequences of one length may be one tensor, [N, T, …]:
 * then there are no lengths.
 *
 * Lists of numbers (f32 [features]) with one target a row are rows without time: they come as they are, without lengths.
 *
 *     sequences([[[1], [2], [3]], [[4]]], tensor([[0], [1]]), { batch: 2 })   // inputs f32 [2, 3, 1], lengths [3, 1]
 *
 * @param inputs N sequences, alike in all but length; or one tensor [N, T, …]
 * @param targets a list of N sequences, each as long as its input (one target a step); or one tensor [N, …] (one a
 * row, or, of inputs that are one tensor, [N, T, …]), where plain numbers are one class a row, i32 [N]
 * @param options.batch B, the rows of every batch but perhaps the last
 * @param options.mask for each sequence as many 0 and 1 as it has steps: what stands at a 0 is not looked at
 * @param options.labels targets are labels of no step in particular, for `ctc`: i32 [B, S], −1 behind each row's last
 * @param options.weights how much sequences weigh in the loss: one number each, or for each as many as it has steps
 * @throws {ArgumentError} unless `batch` is an integer of at least 1, and for lists that are none
 * @throws {DataError} when there is no sequence, one has no step, or inputs and targets (or mask, or weights) differ in number or length
 * @throws {ShapeError} when sequences differ in element type or in their sizes after time
 */
export function sequences(
  inputs: readonly Sequence[] | Tensor,
  targets: readonly Sequence[] | readonly number[] | Tensor,
  options: {
    readonly batch: number
    readonly mask?: readonly Sequence[]
    readonly weights?: readonly Sequence[] | readonly number[] | Tensor
    readonly labels?: boolean
  },
): Batches {
  requireOptions('sequences', options, ['batch', 'mask', 'weights', 'labels'])
  const { batch, labels = false } = options
  requireFlag('sequences', 'labels', labels)
  requireInteger('batch', batch, 1)
  const even = isTensor(inputs)
  const rows = alike('inputs', even ? rowsOf(inputs) : inputs)
  const lengths = Int32Array.from(rows, ({ shape }) => shape[0]!)
  const one = labels ? undefined : oneARow(targets)
  const targetsOf = labels
    ? labelRows(targets, rows.length)
    : one !== undefined
      ? perRow('targets', one, rows.length)
      : perStep(targets as Sequence[], lengths)
  const timeless = one !== undefined && rows[0]!.shape.length === 1 && rows[0]!.dtype === 'f32'
  if (timeless) requireSameSize(lengths)
  const there = presence(lengths, { timeless, even }, options.mask)
  const weightsOf = options.weights === undefined ? undefined : weightRows(options.weights, lengths)
  return {
    count: Math.ceil(rows.length / batch),
    tokens: there.steps,
    *[Symbol.iterator]() {
      for (let start = 0; start < rows.length; start += batch) {
        const end = Math.min(start + batch, rows.length)
        yield {
          inputs: pad(rows.slice(start, end)),
          targets: targetsOf(start, end),
          ...there.of(start, end),
          ...(weightsOf && { weights: weightsOf(start, end) }),
          reset: true,
        }
      }
    },
  }
}

type Rows = (start: number, end: number) => Tensor

/** Targets that are one a row as a tensor; undefined where they are a list of sequences. */
function oneARow(targets: readonly Sequence[] | readonly number[] | Tensor): Tensor | undefined {
  if (isTensor(targets)) return targets
  const isNumber = (each: unknown) => typeof each === 'number'
  if (!Array.isArray(targets) || targets.length === 0 || !targets.every(isNumber)) return undefined
  const odd = targets.find((each) => (each | 0) !== each)
  if (odd === undefined) return tensor(targets, undefined, 'i32')
  throw new DataError(
    `targets: plain numbers are classes, whole numbers; received ${odd}. For values give a tensor: tensor([[0.5], …])`,
  )
}

function perRow(name: string, values: Tensor, count: number): Rows {
  const { data, shape, dtype } = values
  if (shape[0] !== count) {
    throw new DataError(
      `${name} of shape [${shape.join(', ')}] must have one row for each of the ${count} sequences`,
    )
  }
  const width = elementCount(shape.slice(1))
  return (start, end) =>
    tensor(data.slice(start * width, end * width), [end - start, ...shape.slice(1)], dtype)
}

function perStep(targets: readonly Sequence[], lengths: Int32Array): Rows {
  const advice = 'Give one target a step, or a tensor with one row a sequence.'
  const rows = asLong('targets', targets, lengths, advice)
  return (start, end) => pad(rows.slice(start, end))
}

/** Labels of each row, as many as it has, filled up with −1. */
function labelRows(all: readonly Sequence[] | readonly number[] | Tensor, count: number): Rows {
  if (!Array.isArray(all) || all.length !== count) {
    throw new DataError(
      `targets: expected a list of labels for each of the ${count} sequences; received ${Array.isArray(all) ? all.length : typeof all}`,
    )
  }
  const rows = all.map((each: Sequence | number, i) => {
    const own = isTensor(each) ? each.data : each
    const isList = Array.isArray(own) || own instanceof Int32Array
    if (isList && own.every((label: unknown) => Number.isInteger(label) && Number(label) >= 0))
      return own as Int32Array
    throw new DataError(
      `targets: labels are a list of integers of at least 0; received ${String(own)} for sequence ${i}`,
    )
  })
  return (start, end) => {
    const own = rows.slice(start, end)
    const most = own.reduce((length, labels) => Math.max(length, labels.length), 1)
    const data = new Int32Array(own.length * most).fill(-1)
    for (const [b, labels] of own.entries()) data.set(labels, b * most)
    return tensor(data, [own.length, most])
  }
}

/** The rows of a tensor [N, …], over its own numbers. */
function rowsOf({ data, shape, dtype }: Tensor): Tensor[] {
  const width = elementCount(shape.slice(1))
  return Array.from({ length: shape[0] ?? 0 }, (_, n) =>
    tensor(data.subarray(n * width, (n + 1) * width), shape.slice(1), dtype),
  )
}

/** Weights [N], one a row, or those of each sequence's steps. */
function weightRows(all: readonly Sequence[] | readonly number[] | Tensor, lengths: Int32Array): Rows {
  const isNumbers = Array.isArray(all) && all.every((each) => typeof each === 'number')
  if (isTensor(all) || isNumbers) {
    const one = isTensor(all) ? all : tensor(all as readonly number[], undefined, 'f32')
    if (one.shape.length === 1) return perRow('weights', one, lengths.length)
    throw new ShapeError(`weights: expected a number a row, [N]; received [${one.shape.join(', ')}]`)
  }
  const rows = asLong('weights', all as readonly Sequence[], lengths, 'Give one a step, or one a sequence.')
  const odd = rows.find(({ shape }) => shape.length !== 1)
  if (odd === undefined) return (start, end) => pad(rows.slice(start, end))
  throw new ShapeError(`weights: expected a number a step; received [${odd.shape.join(', ')}]`)
}

/** What says which steps are there, and how many are. */
function presence(
  lengths: Int32Array,
  { timeless, even }: { readonly timeless: boolean; readonly even: boolean },
  mask: readonly Sequence[] | undefined,
) {
  const of = (some: (start: number, end: number) => Pick<Batch, 'lengths' | 'mask'>) => some
  const sum = (counts: Iterable<number>) => Array.from(counts).reduce((all, count) => all + count, 0)
  if (mask === undefined && (timeless || even)) {
    return { steps: timeless ? lengths.length : sum(lengths), of: of(() => ({})) }
  }
  if (mask === undefined) {
    return { steps: sum(lengths), of: of((start, end) => ({ lengths: tensor(lengths.slice(start, end)) })) }
  }
  if (timeless)
    throw new ArgumentError('mask: rows of numbers have no time, so nothing of them can be masked')
  const rows = maskRows(mask, lengths)
  const steps = sum(rows.map(({ data }) => sum(data)))
  return { steps, of: of((start, end) => ({ mask: pad(rows.slice(start, end)) })) }
}

/** A mask for every sequence, bool [T]. */
function maskRows(all: readonly Sequence[], lengths: Int32Array): Tensor[] {
  const rows = asLong('mask', all, lengths, 'Give 0 or 1 for each step.')
  return rows.map(({ data, shape }, i) => {
    if (shape.length !== 1) {
      throw new ShapeError(`mask: expected a number a step; received [${shape.join(', ')}] for sequence ${i}`)
    }
    const odd = data.findIndex((value: number) => value !== 0 && value !== 1)
    if (odd >= 0) {
      throw new DataError(`mask: expected 0 or 1; received ${data[odd]} in sequence ${i}, step ${odd}`)
    }
    if (!data.includes(1)) throw new DataError(`mask: no step of sequence ${i} is left. Leave it out.`)
    return tensor(Int32Array.from(data), shape, 'bool')
  })
}
