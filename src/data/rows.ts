/**
 * What batches of sequences are filled from, row by row.
 * Enters: what `sequences` is given, of one input or output. Leaves: functions that fill a batch with the rows picked.
 */
import { said } from '../tensor/checks.ts'
import { ArgumentError, DataError, ShapeError } from '../tensor/errors.ts'
import { alike, asLong, isTensor, pad, type Sequence } from '../tensor/padding.ts'
import { elementCount, type Tensor, tensor } from '../tensor/tensor.ts'
import type { Batch } from './batches.ts'

export type Targets = readonly Sequence[] | readonly number[] | Tensor

/** Values of the rows that were picked. */
export type Rows = (picked: Int32Array) => Tensor

export function isTimeless([first]: readonly Tensor[]): boolean {
  return first!.shape.length === 1 && first!.dtype === 'f32'
}

export const lengthsOf = (rows: readonly Tensor[]) => Int32Array.from(rows, ({ shape }) => shape[0]!)
export const padded = (rows: readonly Tensor[], picked: Int32Array) =>
  pad(Array.from(picked, (row) => rows[row]!))
const sum = (counts: Iterable<number>) => Array.from(counts).reduce((all, count) => all + count, 0)

/** Targets that are one a row as a tensor; undefined where they are a list of sequences. */
export function oneARow(targets: Targets): Tensor | undefined {
  if (isTensor(targets)) return targets
  const isNumber = (each: unknown) => typeof each === 'number'
  if (!Array.isArray(targets) || targets.length === 0 || !targets.every(isNumber)) return undefined
  const odd = targets.find((each) => (each | 0) !== each)
  if (odd === undefined) return tensor(targets, undefined, 'i32')
  throw new DataError(
    `targets: plain numbers are classes, whole numbers; received ${odd}. For values give a tensor: tensor([[0.5], …])`,
  )
}

export function perRow(name: string, values: Tensor, count: number): Rows {
  const { shape } = values
  if (shape[0] !== count) {
    throw new DataError(
      `${name} of shape [${shape.join(', ')}] must have one row for each of the ${count} sequences`,
    )
  }
  const { data, dtype } = values
  const width = elementCount(shape.slice(1))
  return (picked) => {
    const own = data.slice(0, picked.length * width)
    for (const [place, row] of picked.entries()) {
      own.set(data.subarray(row * width, (row + 1) * width), place * width)
    }
    return tensor(own, [picked.length, ...shape.slice(1)], dtype)
  }
}

export function perStep(targets: readonly Sequence[], lengths: Int32Array): Rows {
  const rows = asLong(
    'targets',
    targets,
    lengths,
    'Give one target a step, or a tensor with one row a sequence.',
  )
  return (picked) => padded(rows, picked)
}

/** What has steps: how many, row by row. */
export interface Steps {
  readonly lengths: Int32Array
}

/** Sequences that are each as long as those of one of several inputs; or refused for the one that most are as long as. */
export function asLongAsOne<S extends Steps>(
  what: string,
  all: readonly Sequence[],
  inputs: readonly S[],
  advice: string,
): { readonly rows: readonly Tensor[]; readonly of: S } {
  const rows = alike(what, all)
  const fitting = ({ lengths }: S) => rows.filter(({ shape }, i) => shape[0] === lengths[i]).length
  const [of] = [...inputs].sort((a, b) => fitting(b) - fitting(a))
  if (of !== undefined) return { rows: asLong(what, rows, of.lengths, advice), of }
  throw new DataError(`${what}: no input has steps. Give a tensor with one row a sequence.`)
}

/** Labels of each row, as many as it has, filled up with −1. */
export function labelRows(what: string, all: Targets, count: number): Rows {
  if (!Array.isArray(all) || all.length !== count) {
    throw new DataError(
      `${what}: expected a list of labels for each of the ${count} sequences; received ${Array.isArray(all) ? all.length : typeof all}`,
    )
  }
  const rows = all.map((each: Sequence | number, i) => {
    const own = isTensor(each) ? each.data : each
    const isList = Array.isArray(own) || own instanceof Int32Array
    if (isList && own.every((label: unknown) => Number.isInteger(label) && Number(label) >= 0))
      return own as Int32Array
    throw new DataError(
      `${what}: labels are a list of integers of at least 0; received ${said(own)} for sequence ${i}`,
    )
  })
  return (picked) => {
    const own = Array.from(picked, (row) => rows[row]!)
    const most = own.reduce((length, labels) => Math.max(length, labels.length), 1)
    const data = new Int32Array(own.length * most).fill(-1)
    for (const [b, labels] of own.entries()) data.set(labels, b * most)
    return tensor(data, [own.length, most])
  }
}

/** The rows of a tensor [N, …], over its own numbers. */
export function rowsOf({ data, shape, dtype }: Tensor): Tensor[] {
  const width = elementCount(shape.slice(1))
  return Array.from({ length: shape[0] ?? 0 }, (_, n) =>
    tensor(data.subarray(n * width, (n + 1) * width), shape.slice(1), dtype),
  )
}
/** Weights [N], one a row, or those of the steps of one of the inputs. */
export function weightRows(what: string, all: Targets, count: number, inputs: readonly Steps[]): Rows {
  const isNumbers = Array.isArray(all) && all.every((each) => typeof each === 'number')
  if (isTensor(all) || isNumbers) {
    const one = isTensor(all) ? all : tensor(all as readonly number[], undefined, 'f32')
    if (one.shape.length === 1) return perRow(what, one, count)
    throw new ShapeError(`${what}: expected a number a row, [N]; received [${one.shape.join(', ')}]`)
  }
  const { rows } = asLongAsOne(
    what,
    all as readonly Sequence[],
    inputs,
    'Give one a step, or one a sequence.',
  )
  const odd = rows.find(({ shape }) => shape.length !== 1)
  if (odd === undefined) return (picked) => padded(rows, picked)
  throw new ShapeError(`${what}: expected a number a step; received [${odd.shape.join(', ')}]`)
}

/** What says which steps are there, and how many are. */
export function presence(
  lengths: Int32Array,
  { timeless, even }: { readonly timeless: boolean; readonly even: boolean },
  mask: readonly Sequence[] | undefined,
) {
  const of = (some: (picked: Int32Array) => Pick<Batch, 'lengths' | 'mask'>) => some
  if (mask === undefined && (timeless || even)) {
    return { steps: timeless ? lengths.length : sum(lengths), of: of(() => ({})) }
  }
  if (mask === undefined) {
    return {
      steps: sum(lengths),
      of: of((picked) => ({ lengths: tensor(picked.map((row) => lengths[row]!)) })),
    }
  }
  if (timeless)
    throw new ArgumentError('mask: rows of numbers have no time, so nothing of them can be masked')
  const rows = maskRows(mask, lengths)
  const steps = sum(rows.map(({ data }) => sum(data)))
  return { steps, of: of((picked) => ({ mask: padded(rows, picked) })) }
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
