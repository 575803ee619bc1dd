/**
 * Windows that share steps with the one before (windows.ts): the steps that were kept stand in front of the batch's own.
 * Loaded only for truncation with k1 < k2.
 */
import type { Batch } from '../data/batches.ts'
import type { Bindings } from '../tensor/size.ts'
import { elementCount, type Tensor, tensor } from '../tensor/tensor.ts'
import { lengthsOf, maskOf } from './inputs.ts'

/** What one update reads besides its batch. */
export interface Window {
  readonly x: Tensor
  readonly y: Tensor
  readonly sizes: Bindings
  /** How many steps rows have, in each part that is run by itself. */
  readonly parts: readonly { readonly part: string; readonly lengths: Int32Array; readonly steps: number }[]
  /** Which steps of x are there, [B, P + T]; absent where x is the batch's inputs. */
  readonly mask?: Int32Array
  /** Whether it begins where the document does, instead of at a carried state. */
  readonly fresh: boolean
  /** C */
  readonly carriedSteps: number
}

/** The steps that a window begins with, if it shares any with the one before. */
export interface Past {
  /** [B, P, …] */
  readonly past: Tensor | undefined
  /** Their targets, where these are fed back. */
  readonly pastTargets: Tensor | undefined
  /** Which of them are there, bool [B, P]. */
  readonly pastMask: Tensor | undefined
}

/** The window of a batch; the next one shares at most `most` steps with it. */
export function windowAfter(
  { past, pastTargets, pastMask }: Past,
  batch: Batch,
  most: number,
): Omit<Window, 'fresh'> {
  const { inputs, targets } = batch
  const [rows, steps] = inputs.shape as [number, number]
  const x = past === undefined ? inputs : joined(past, inputs)
  const y = pastTargets === undefined ? targets : joined(pastTargets, targets)
  const own = tensor(maskOf(batch), [rows, steps], 'bool')
  const mask = past === undefined ? own : joined(pastMask!, own)
  const P = past?.shape[1] ?? 0
  const C = Math.max(0, P + steps - most)
  const ends = lengthsOf(batch)
  const parts = [
    { part: 'before', lengths: ends.map((length) => Math.min(P + length, C)), steps: C },
    { part: 'after', lengths: ends.map((length) => Math.max(P + length - C, 0)), steps: P + steps - C },
  ]
  const sizes = new Map(Object.entries({ P, C }))
  return { x, y, sizes, parts, mask: mask.data as Int32Array, carriedSteps: C }
}

/** What the window after this one begins with; targets where they are fed back. */
export function pastOf({ x, y, mask, carriedSteps: C }: Window, forced: boolean): Past {
  return {
    past: since(x, C),
    pastTargets: forced ? since(y, C) : undefined,
    pastMask: since(tensor(mask!, x.shape.slice(0, 2), 'bool'), C),
  }
}

/** a [B, S, …] and b [B, T, …] → [B, S + T, …] */
function joined(a: Tensor, b: Tensor): Tensor {
  const [rows, first, ...rest] = a.shape as [number, number, ...number[]]
  const steps = first + b.shape[1]!
  const width = elementCount(rest)
  const data =
    b.dtype === 'f32' ? new Float32Array(rows * steps * width) : new Int32Array(rows * steps * width)
  for (let row = 0; row < rows; row++) {
    const at = row * steps * width
    data.set(a.data.subarray(row * first * width, (row + 1) * first * width), at)
    const own = (steps - first) * width
    data.set(b.data.subarray(row * own, (row + 1) * own), at + first * width)
  }
  return tensor(data, [rows, steps, ...rest], b.dtype)
}

/** Steps start … of every row. */
function since({ data, shape, dtype }: Tensor, start: number): Tensor {
  const [rows, steps, ...rest] = shape as [number, number, ...number[]]
  const width = elementCount(rest)
  const length = (steps - start) * width
  const kept = dtype === 'f32' ? new Float32Array(rows * length) : new Int32Array(rows * length)
  for (let row = 0; row < rows; row++) {
    const at = (row * steps + start) * width
    kept.set(data.subarray(at, at + length), row * length)
  }
  return tensor(kept, [rows, steps - start, ...rest], dtype)
}
