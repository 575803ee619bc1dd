/**
 * Windows that share steps, k1 < k2 (windows.ts): the k2 − k1 steps before a batch's own are kept here (with their
 * targets where these are fed back) and run again with today's weights. In front of them stands the detached state,
 * which moves on with the window. Loaded only for them.
 *
 *     steps      0   1   2   3   4   5   6   7      k1 = 2, k2 = 5
 *     update 1  [ℓ   ℓ]                             the document's beginning: nothing to go back to
 *     update 2  [·   ·   ℓ   ℓ]
 *     update 3      [·   ·   ·   ℓ   ℓ]             the state after step 0 was carried
 *     update 4              [·   ·   ·   ℓ   ℓ]     the state after step 2: k1 steps further
 *
 * P steps before the batch's own T; the window is run in two parts, C steps up to where the next one begins, and the
 * rest, so that the state between them can be carried.
 */
import type { NamedBatch } from '../data/batches.ts'
import type { Model } from '../layers/model.ts'
import { SOLE_INPUT, SOLE_OUTPUT } from '../layers/parts.ts'
import { ArgumentError, DataError } from '../tensor/errors.ts'
import { isTensor } from '../tensor/padding.ts'
import { constantOf } from '../tensor/size.ts'
import { elementCount, type Tensor, tensor } from '../tensor/tensor.ts'
import type { Time } from './inputs.ts'
import { dataInput, maskInput, targetInput } from './leaves.ts'
import { lengthsOf, maskOf } from './masks.ts'
import { counterIn, entry, type TrainingState } from './state.ts'
import type { Past, Truncation, Window } from './truncation.ts'

export class Overlap {
  readonly #truncate: Truncation
  readonly #teacherForcing: boolean
  #past: Past | undefined
  /** Whether some rows of the last batch had ended. */
  #ragged = false
  /** What the window under way leaves behind. */
  #next: { readonly past: Past; readonly ragged: boolean } | undefined

  constructor(truncate: Truncation, teacherForcing: boolean) {
    this.#truncate = truncate
    this.#teacherForcing = teacherForcing
  }

  /** @throws {ArgumentError} for a past that is not of this model */
  restore(state: TrainingState, { input, output }: Model): void {
    this.#ragged = counterIn(state, 'training ragged') !== 0
    const found = state.get('training past')
    if (found === undefined) return
    const [rows, steps] = [counterIn(state, 'training rows'), found.shape[1] ?? 0]
    const sizes = input.shape.map((size) => (typeof size === 'number' ? size : steps))
    const outputs = output.shape.map((size) => constantOf(size) ?? steps)
    this.#past = {
      x: entry(state, 'training past', input.dtype, [rows, ...sizes]),
      y: this.#teacherForcing ? entry(state, 'training past targets', 'f32', [rows, ...outputs]) : undefined,
      mask: entry(state, 'training past mask', 'bool', [rows, steps]),
    }
  }

  get ragged(): boolean {
    return this.#ragged
  }

  next(
    batch: NamedBatch,
    times: ReadonlyMap<string, Time>,
    { anew, fresh }: { readonly anew: boolean; readonly fresh: boolean },
  ): Window {
    const { k1, k2 } = this.#truncate
    const { inputs, targets } = requireOne(batch)
    if (!anew && this.#ragged) {
      throw new DataError('with k1 < k2, a batch after one whose rows have ended must reset; it does not')
    }
    const [rows, steps] = inputs.shape as [number, number]
    const [time] = times.values()
    const past = anew ? undefined : this.#past
    const own = tensor(maskOf(time!), [rows, steps], 'bool')
    const x = past === undefined ? inputs : joined(past.x, inputs)
    const y = past?.y === undefined ? targets : joined(past.y, targets)
    const mask = past === undefined ? own : joined(past.mask, own)
    const P = past?.x.shape[1] ?? 0
    const C = Math.max(0, P + steps - (k2 - k1))
    const ends = lengthsOf(time!)
    this.#next = {
      past: { x: since(x, C), y: this.#teacherForcing ? since(y, C) : undefined, mask: since(mask, C) },
      ragged: ends.some((length) => length < steps),
    }
    return {
      tensors: [
        [dataInput(SOLE_INPUT), x],
        [targetInput(SOLE_OUTPUT), y],
      ],
      sizes: new Map(Object.entries({ P, C })),
      lengths: ends,
      parts: async () => [
        { part: 'before', lengths: ends.map((length) => Math.min(P + length, C)), steps: C },
        { part: 'after', lengths: ends.map((length) => Math.max(P + length - C, 0)), steps: P + steps - C },
      ],
      masks: async () => [[maskInput('T'), mask.data as Int32Array]],
      fresh,
      moved: C > 0,
    }
  }

  pass(): void {
    this.#past = this.#next?.past
    this.#ragged = this.#next?.ragged ?? false
  }

  forget(): void {
    this.#past = undefined
    this.#ragged = false
  }

  state(): (readonly [string, Tensor])[] {
    if (this.#past === undefined) return []
    const { x, y, mask } = this.#past
    return [
      ['training past', x],
      ...(y === undefined ? [] : [['training past targets', y] as const]),
      ['training past mask', mask],
    ]
  }
}

/** @throws {ArgumentError} for a batch of several inputs or targets, of which no steps are kept */
function requireOne({ inputs, targets }: NamedBatch) {
  if (isTensor(inputs) && isTensor(targets)) return { inputs, targets }
  throw new ArgumentError('truncate with k1 < k2 expects a model with one input and one output: give k1 = k2')
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
