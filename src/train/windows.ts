/**
 * Truncated back-propagation through time, TBPTT(k1, k2) (Williams and Peng 1990): every k1 steps an update whose
 * gradients go back k2 steps. Batches bring the k1 new steps; the k2 − k1 steps before them are kept here (with their
 * targets where these are fed back) and run again with today's weights. In front of them stands the detached state,
 * which moves on with the window.
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
import { type Model, SOLE_INPUT, SOLE_OUTPUT } from '../layers/model.ts'
import { requireKnown } from '../tensor/checks.ts'
import { ArgumentError, DataError } from '../tensor/errors.ts'
import { isTensor } from '../tensor/padding.ts'
import type { Bindings } from '../tensor/size.ts'
import { elementCount, type Tensor, tensor } from '../tensor/tensor.ts'
import { entriesOf, lengthsOf, maskOf, type Time, timesIn } from './inputs.ts'
import { dataInput, maskInput, partOf, targetInput } from './leaves.ts'

export interface Truncation {
  /** Steps between updates: those of each batch, at most. */
  readonly k1: number
  /** Steps that gradients go back, as far as the document reaches: at least k1. */
  readonly k2: number
}

export function checkTruncation(truncate: Truncation): void {
  requireKnown('truncate', truncate, ['k1', 'k2'])
  for (const name of ['k1', 'k2'] as const) {
    const steps = truncate[name]
    if (!Number.isInteger(steps) || steps < 1) {
      throw new ArgumentError(`truncate.${name} must be an integer of at least 1; received ${String(steps)}`)
    }
  }
  if (truncate.k2 < truncate.k1) {
    throw new ArgumentError(
      `truncate.k2 must be at least k1 (gradients go back k2 ≥ k1 steps); received k1 ${truncate.k1}, k2 ${truncate.k2}`,
    )
  }
}

/** Whether windows share steps, so that past inputs are needed. */
export function overlaps(truncate: Truncation | undefined): boolean {
  return truncate !== undefined && truncate.k2 > truncate.k1
}

/** What one update reads of its batch and those before it. */
export interface Window {
  /** Inputs and targets. */
  readonly tensors: readonly (readonly [name: string, tensor: Tensor])[]
  readonly sizes: Bindings
  /** How many steps rows have, in each time, or each part of it that is run by itself. */
  readonly parts: readonly { readonly part: string; readonly lengths: Int32Array; readonly steps: number }[]
  /** Which steps are there of each time. */
  readonly masks: () => readonly (readonly [name: string, mask: Int32Array])[]
  /** Whether it begins where the document does, instead of at a carried state. */
  readonly fresh: boolean
  /** What the next window goes on from, where windows share steps. */
  readonly shared?: {
    readonly x: Tensor
    readonly y: Tensor
    readonly mask: Tensor
    readonly carriedSteps: number
    readonly ragged: boolean
  }
}

/** Makes windows of batches. A window counts as passed only when `pass` is told, after its update. */
export class Windows {
  readonly #truncate: Truncation | undefined
  readonly #teacherForcing: boolean
  /** The steps that the next window begins with, [B, P, …]. */
  #past: Tensor | undefined
  /** Their targets, where these are fed back. */
  #pastTargets: Tensor | undefined
  /** Which of them are there, bool [B, P]. */
  #pastMask: Tensor | undefined
  #rows = 0
  /** Whether the next window begins where the document does. */
  #fresh = true
  /** Whether some rows of the last batch had ended. */
  #ragged = false

  constructor(truncate: Truncation | undefined, teacherForcing: boolean) {
    this.#truncate = truncate
    this.#teacherForcing = teacherForcing
  }

  get rows(): number {
    return this.#rows
  }

  /** @throws {ArgumentError} for a batch of more than k1 steps */
  next(model: Model, batch: NamedBatch, rows: number): Window {
    const times = timesIn(model, batch)
    const steps = Math.max(0, ...[...times.values()].map(({ inputs }) => inputs.shape[1]!))
    const anew = batch.reset || rows !== this.#rows
    const fresh = anew || this.#fresh
    if (this.#truncate === undefined) return plain(batch, times, fresh)
    const { k1, k2 } = this.#truncate
    if (steps > k1) {
      throw new ArgumentError(
        `truncate says windows of ${k1} steps, but a batch has ${steps}: cut the batches to ${k1} steps`,
      )
    }
    if (k1 === k2) return plain(batch, times, fresh)
    const { inputs, targets } = requireOne(batch)
    if (!anew && this.#ragged) {
      throw new DataError('with k1 < k2, a batch after one whose rows have ended must reset; it does not')
    }
    const past = anew ? undefined : this.#past
    const x = past === undefined ? inputs : joined(past, inputs)
    const pastTargets = anew ? undefined : this.#pastTargets
    const y = pastTargets === undefined ? targets : joined(pastTargets, targets)
    const [time] = times.values()
    const own = tensor(maskOf(time!), [rows, steps], 'bool')
    const mask = past === undefined ? own : joined(this.#pastMask!, own)
    const P = past?.shape[1] ?? 0
    const C = Math.max(0, P + steps - (k2 - k1))
    const ends = lengthsOf(time!)
    const parts = [
      { part: 'before', lengths: ends.map((length) => Math.min(P + length, C)), steps: C },
      { part: 'after', lengths: ends.map((length) => Math.max(P + length - C, 0)), steps: P + steps - C },
    ]
    const sizes = new Map(Object.entries({ P, C }))
    return {
      tensors: [
        [dataInput(SOLE_INPUT), x],
        [targetInput(SOLE_OUTPUT), y],
      ],
      ...{ sizes, parts, fresh },
      masks: () => [[maskInput('T'), mask.data as Int32Array]],
      shared: { x, y, mask, carriedSteps: C, ragged: ends.some((length) => length < steps) },
    }
  }

  pass({ shared, fresh }: Window, rows: number): void {
    this.#rows = rows
    this.#fresh = fresh && shared?.carriedSteps === 0
    if (shared === undefined) return
    const { x, y, mask, carriedSteps, ragged } = shared
    this.#past = since(x, carriedSteps)
    this.#pastTargets = this.#teacherForcing ? since(y, carriedSteps) : undefined
    this.#pastMask = since(mask, carriedSteps)
    this.#ragged = ragged
  }

  /** The next batch begins anew: what the step held of the rows is lost. */
  forget(): void {
    const past = { past: undefined, pastTargets: undefined, pastMask: undefined }
    this.restore({ rows: 0, fresh: true, ragged: false, ...past })
  }

  /** The host's part of a training state. */
  state() {
    const [rows, fresh, ragged] = [this.#rows, this.#fresh, this.#ragged]
    const past = { past: this.#past, pastTargets: this.#pastTargets, pastMask: this.#pastMask }
    return { rows, fresh, ragged, ...past }
  }

  restore({ rows, fresh, ragged, past, pastTargets, pastMask }: ReturnType<Windows['state']>): void {
    this.#rows = rows
    this.#fresh = fresh
    this.#ragged = ragged
    this.#past = past
    this.#pastTargets = pastTargets
    this.#pastMask = pastMask
  }
}

function plain(batch: NamedBatch, times: ReadonlyMap<string, Time>, fresh: boolean): Window {
  const all = [...times]
  return {
    tensors: [
      ...entriesOf(batch.inputs, SOLE_INPUT).map(([name, x]) => [dataInput(name), x] as const),
      ...entriesOf(batch.targets, SOLE_OUTPUT).map(([name, y]) => [targetInput(name), y] as const),
    ],
    sizes: new Map(),
    parts: all.flatMap(([name, time]) =>
      time.mask === undefined
        ? [{ part: partOf(name), lengths: lengthsOf(time), steps: time.inputs.shape[1]! }]
        : [],
    ),
    masks: () => all.map(([name, time]) => [maskInput(name), maskOf(time)] as const),
    fresh,
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
