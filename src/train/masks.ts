/** Which steps of a batch are there. Loaded only where some are not. */
import type { Batch, NamedBatch } from '../data/batches.ts'
import type { Model } from '../layers/model.ts'
import type { OpenShape } from '../layers/parts.ts'
import { ArgumentError, DataError, ShapeError } from '../tensor/errors.ts'
import { asTensor, type Time, timeOf, timesIn } from './inputs.ts'
import { maskInput, partOf } from './leaves.ts'
import type { Part } from './truncation.ts'

/** Lengths as i32 [B], checked against T; all T where the batch has none. */
export function lengthsOf({ inputs, lengths }: Pick<Batch, 'inputs' | 'lengths'>): Int32Array {
  const [rows, steps] = inputs.shape as [number, number]
  if (lengths === undefined) return new Int32Array(rows).fill(steps)
  if (lengths.dtype !== 'i32' || String(lengths.shape) !== String([rows])) {
    throw new ShapeError(
      `lengths are i32[${rows}], one a row; received ${lengths.dtype}[${lengths.shape.join(', ')}]`,
    )
  }
  for (const [row, length] of lengths.data.entries()) {
    if (length < 1 || length > steps) {
      throw new DataError(`a length must lie in 1 … ${steps}; received ${length} in row ${row}`)
    }
  }
  return lengths.data as Int32Array
}

/**
 * A mask as 0 or 1 for every row and step, [B, T], checked; from lengths, or all 1, where the batch has none.
 * @throws {ArgumentError} for lengths and a mask at once
 * @throws {DataError} for other numbers, and for a row that has no step
 */
export function maskOf(batch: Time): Int32Array {
  const [rows, steps] = batch.inputs.shape as [number, number]
  if (batch.mask === undefined) {
    const lengths = lengthsOf(batch)
    return Int32Array.from({ length: rows * steps }, (_, i) =>
      i % steps < lengths[Math.floor(i / steps)]! ? 1 : 0,
    )
  }
  if (batch.lengths !== undefined) {
    throw new ArgumentError('expected lengths or a mask, which says all that lengths say; received both')
  }
  const { data, shape, dtype } = asTensor(batch.mask)
  if (dtype === 'f32' || String(shape) !== String([rows, steps])) {
    throw new ShapeError(
      `a mask is bool[${rows}, ${steps}] or i32 of 0 and 1, one a step; received ${dtype}[${shape.join(', ')}]`,
    )
  }
  for (let row = 0; row < rows; row++) {
    const own = data.subarray(row * steps, (row + 1) * steps)
    const odd = own.findIndex((value: number) => value !== 0 && value !== 1)
    if (odd >= 0) throw new DataError(`a mask holds 0 and 1; received ${own[odd]} in row ${row}, step ${odd}`)
    if (!own.includes(1)) throw new DataError(`the mask leaves no step of row ${row}: leave the row out`)
  }
  return Int32Array.from(data)
}

/** @throws {ShapeError} where inputs that share a time say unlike things of it; a mask may have gaps within lengths */
function requireAgreement(times: ReadonlyMap<string, Time>): void {
  for (const { said = [] } of times.values()) {
    const [first, ...others] = said.filter(([, own]) => own.mask ?? own.lengths)
    for (const [name, own] of others) {
      if (agree(first![1], own)) continue
      throw new ShapeError(
        `inputs ${first![0]} and ${name} share their time, but not their lengths or masks: ` +
          `give one a time of its own, input({ shape: ['T${name}', …] })`,
      )
    }
  }
}

type Said = Pick<Batch, 'lengths' | 'mask'>

function agree(a: Said, b: Said): boolean {
  const [one, other] = [a.mask ?? a.lengths!, b.mask ?? b.lengths!]
  if (!a.mask === !b.mask) return String(one.data) === String(other.data)
  const [mask, { data }] = a.mask ? [one, other] : [other, one]
  const steps = mask.shape[1]!
  return (mask.data as Int32Array).every((there, i) => !there || i % steps < data[Math.floor(i / steps)]!)
}

/** The inputs that say it by masks. */
export function masksOf(times: ReadonlyMap<string, Time>): (readonly [string, Int32Array])[] {
  requireAgreement(times)
  return [...times].map(([name, time]) => [maskInput(name), maskOf(time)])
}

/** How many steps rows have in each time. */
export function partsOf(times: ReadonlyMap<string, Time>): Part[] {
  requireAgreement(times)
  return [...times].map(([name, time]) => ({
    ...{ part: partOf(name), lengths: lengthsOf(time), steps: time.inputs.shape[1]! },
  }))
}

/** Says whether a step of an output is there, by lengths or mask, both checked. */
export function presence(
  model: Model,
  batch: Omit<NamedBatch, 'targets' | 'reset'>,
  output: OpenShape,
): (row: number, step: number) => boolean {
  const time = timeOf(output, timesIn(model, batch))
  if (time === undefined) return () => true
  const steps = time.inputs.shape[1]!
  if (time.mask === undefined) {
    const lengths = lengthsOf(time)
    return (row, step) => step < lengths[row]!
  }
  const mask = maskOf(time)
  return (row, step) => mask[row * steps + step] !== 0
}
