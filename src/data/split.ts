/**
 * Documents, series or examples → a part to train on and parts held out.
 * Holds: everything is in exactly one part, and the parts keep the order.
 */
import { requireNumber, said } from '../tensor/checks.ts'
import { ArgumentError, DataError } from '../tensor/errors.ts'
import { isTensor } from '../tensor/padding.ts'
import { elementCount, type Tensor, tensor } from '../tensor/tensor.ts'
import { requireIds, requireOptions } from './guards.ts'

/** What `holdOut` makes: two streams of ids, each the parts of all documents one after another. */
export interface Split {
  readonly train: Int32Array
  readonly heldOut: Int32Array
}

/**
 * Holds out the last `fraction` of each document (rounded to whole tokens), so that both parts know every document.
 *
 * @param documents the ids of each document
 * @throws {ArgumentError} unless 0 < fraction < 1
 * @throws {DataError} when a part has fewer than two tokens: one to read and one to predict
 */
export function holdOut(documents: readonly Int32Array[], fraction: number): Split {
  if (!Array.isArray(documents)) {
    throw new ArgumentError(`holdOut: expected a list of documents; received ${typeof documents}`)
  }
  for (const ids of documents) requireIds('holdOut', ids)
  if (!(Number.isFinite(fraction) && fraction > 0 && fraction < 1)) {
    throw new ArgumentError(
      `the fraction held out must lie between 0 and 1, both excluded; received ${said(fraction)}`,
    )
  }
  const cuts = documents.map((ids) => ids.length - Math.round(ids.length * fraction))
  const train = concatenate(documents.map((ids, i) => ids.subarray(0, cuts[i])))
  const heldOut = concatenate(documents.map((ids, i) => ids.subarray(cuts[i])))
  for (const [part, ids] of [['training', train] as const, ['held-out', heldOut] as const]) {
    if (ids.length < 2) {
      throw new DataError(
        `the ${part} part needs at least 2 tokens, but holding out ${fraction} of ${train.length + heldOut.length} ` +
          `leaves it ${ids.length}. Give a longer text.`,
      )
    }
  }
  return { train, heldOut }
}

/** What `splitInOrder` makes; a part of share 0 is empty. */
export interface Parts<T> {
  readonly train: T
  readonly validation: T
  readonly test: T
}

/** Shares of the whole, rounded to whole rows; what is left is trained on. Default: 0. */
export interface Shares {
  readonly validation?: number
  readonly test?: number
}

type Sliceable = Float32Array | Float64Array | Int32Array

/**
 * Cuts the rows of a list, an array or a tensor, its first axis, in the order they have: train, validation, test. For a
 * series that is the order of time, as what is to be forecast must not be trained on; cut before you take windows, since
 * windows overlap.
 *
 *     const { train, validation, test } = splitInOrder(series, { validation: 0.2, test: 0.1 })
 *
 * @throws {ArgumentError} for shares outside 0 … 1, and what has no rows
 * @throws {DataError} when nothing is left to train on, or a share above 0 is less than one row
 */
export function splitInOrder(rows: Tensor, shares: Shares): Parts<Tensor>
export function splitInOrder<T extends Sliceable>(rows: T, shares: Shares): Parts<T>
export function splitInOrder<T>(rows: readonly T[], shares: Shares): Parts<readonly T[]>
export function splitInOrder(rows: Tensor | Sliceable | readonly unknown[], shares: Shares): Parts<unknown> {
  requireOptions('splitInOrder', shares, ['validation', 'test'])
  const { validation = 0, test = 0 } = shares
  requireNumber('splitInOrder', 'validation', validation, 'of at least 0 and below 1')
  requireNumber('splitInOrder', 'test', test, 'of at least 0 and below 1')
  const count = isTensor(rows) ? rows.shape[0] : rows?.length
  if (count === undefined || typeof rows !== 'object') {
    throw new ArgumentError(`splitInOrder: expected a list, a typed array or a tensor of rows`)
  }
  const [validated, tested] = [Math.round(count * validation), Math.round(count * test)]
  const trained = count - validated - tested
  if (trained < 1 || (validation > 0 && validated < 1) || (test > 0 && tested < 1)) {
    throw new DataError(
      `splitInOrder: ${count} rows would be cut into ${trained} to train on, ${validated} to validate and ${tested} to ` +
        'test. Give more rows or other shares.',
    )
  }
  const part = (start: number, end: number) => {
    if (!isTensor(rows)) return rows.slice(start, end)
    const width = elementCount(rows.shape.slice(1))
    const data = rows.data.slice(start * width, end * width)
    return tensor(data, [end - start, ...rows.shape.slice(1)], rows.dtype)
  }
  return {
    train: part(0, trained),
    validation: part(trained, trained + validated),
    test: part(trained + validated, count),
  }
}

function concatenate(parts: readonly Int32Array[]): Int32Array {
  const whole = new Int32Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
