/**
 * Documents → a part to train on and a part held out.
 * Holds: every token is in exactly one part, and both parts keep the order of the documents.
 */
import { ArgumentError, DataError } from '../tensor/errors.ts'
import { requireIds } from './guards.ts'

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
      `the fraction held out must lie between 0 and 1, both excluded; received ${String(fraction)}`,
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

function concatenate(parts: readonly Int32Array[]): Int32Array {
  const whole = new Int32Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
