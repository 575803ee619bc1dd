/** How many rows of what was written are right as wholes. */
import { requireInteger, requireKnown } from '../tensor/checks.ts'
import { DataError, ShapeError } from '../tensor/errors.ts'
import { isTensor } from '../tensor/padding.ts'
import type { Tensor } from '../tensor/tensor.ts'

export interface SequenceAccuracyOptions {
  /** The token that ends a row: what stands behind it does not count. Default: none. */
  readonly end?: number
}

/** Rows of tokens, [B, T] or a list of rows of any lengths. */
export type TokenRows = Tensor | readonly ArrayLike<number>[]

/**
 * The share of rows of which every token is that of its target, lengths included: sequence accuracy, or exact match.
 *
 *     const { tokens } = await decode(net, { source }, { start: GO, end: STOP, steps: 30 })
 *     sequenceAccuracy(tokens, targets, { end: STOP })
 *
 * @throws {ShapeError} for a tensor that is not [B, T]
 * @throws {DataError} where there is not one row for each target, or none
 */
export function sequenceAccuracy(
  tokens: TokenRows,
  targets: TokenRows,
  options: SequenceAccuracyOptions = {},
): number {
  requireKnown('sequenceAccuracy', options, ['end'])
  const { end } = options
  if (end !== undefined) requireInteger('sequenceAccuracy', 'end', end, 0)
  const [written, expected] = [tokens, targets].map((each) => rowsOf(each).map((row) => before(row, end)))
  if (written!.length !== expected!.length || written!.length === 0) {
    throw new DataError(
      `sequenceAccuracy: expected a row of tokens for each target, and at least one; received ${written!.length} for ` +
        `${expected!.length}`,
    )
  }
  return written!.filter((row, i) => String(row) === String(expected![i])).length / written!.length
}

function rowsOf(given: TokenRows): number[][] {
  if (!isTensor(given)) return Array.from(given, (row) => Array.from(row))
  const { data, shape } = given
  if (shape.length !== 2) {
    throw new ShapeError(`sequenceAccuracy: expected tokens [B, T]; received [${shape.join(', ')}]`)
  }
  const [rows, steps] = shape as [number, number]
  return Array.from({ length: rows }, (_, b) => Array.from(data.subarray(b * steps, (b + 1) * steps)))
}

function before(row: number[], end: number | undefined): number[] {
  const at = end === undefined ? -1 : row.indexOf(end)
  return at < 0 ? row : row.slice(0, at + 1)
}
