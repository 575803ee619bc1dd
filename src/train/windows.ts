/**
 * Truncated back-propagation through time, TBPTT(k1, k2) (Williams and Peng 1990): every k1 steps an update whose
 * gradients go back k2 steps. Batches bring the k1 new steps; what is kept of those before them, where k1 < k2, stands in
 * overlap.ts, which is loaded then.
 */
import type { NamedBatch } from '../data/batches.ts'
import { type Model, SOLE_INPUT, SOLE_OUTPUT } from '../layers/model.ts'
import { requireKnown } from '../tensor/checks.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { type Bindings, constantOf } from '../tensor/size.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { entriesOf, lengthsOf, maskOf, type Time, timesIn } from './inputs.ts'
import { dataInput, maskInput, partOf, targetInput } from './leaves.ts'
import type { Overlap } from './overlap.ts'
import { counter, counterIn, entry, type TrainingState } from './state.ts'

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
export function overlaps(truncate: Truncation | undefined): truncate is Truncation {
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
  /** Whether the state that it ends with is not that of the document's beginning. */
  readonly moved: boolean
}

/** The last steps of a window, which the next one begins with: [B, P, …]. */
export interface Past {
  readonly x: Tensor
  /** Their targets, where these are fed back. */
  readonly y: Tensor | undefined
  /** Which of them are there, bool [B, P]. */
  readonly mask: Tensor
}

/** Makes windows of batches. A window counts as passed only when `pass` is told, after its update. */
export class Windows {
  readonly #truncate: Truncation | undefined
  readonly #teacherForcing: boolean
  /** The steps of windows that share some, once that is loaded. */
  #overlap: Overlap | undefined
  #past: Past | undefined
  #ragged = false
  #rows = 0
  /** Whether the next window begins where the document does. */
  #fresh = true

  constructor(truncate: Truncation | undefined, teacherForcing: boolean) {
    this.#truncate = truncate
    this.#teacherForcing = teacherForcing
  }

  get rows(): number {
    return this.#rows
  }

  /** Loads what windows that share steps need; before the first of them. */
  async load(): Promise<void> {
    if (!overlaps(this.#truncate)) return
    const { Overlap } = await import('./overlap.ts')
    this.#overlap ??= new Overlap(this.#truncate, this.#teacherForcing, this.#past, this.#ragged)
  }

  /** @throws {ArgumentError} for a batch of more than k1 steps */
  next(model: Model, batch: NamedBatch, rows: number): Window {
    const times = timesIn(model, batch)
    const steps = Math.max(0, ...[...times.values()].map(({ inputs }) => inputs.shape[1]!))
    const anew = batch.reset || rows !== this.#rows
    const fresh = anew || this.#fresh
    const { k1 } = this.#truncate ?? { k1: steps }
    if (steps > k1) {
      throw new ArgumentError(
        `truncate says windows of ${k1} steps, but a batch has ${steps}: cut the batches to ${k1} steps`,
      )
    }
    return this.#overlap?.next(batch, times, { anew, fresh }) ?? plain(batch, times, fresh)
  }

  pass(window: Window, rows: number): void {
    this.#rows = rows
    this.#fresh = window.fresh && !window.moved
    this.#overlap?.pass()
  }

  /** The next batch begins anew: what the step held of the rows is lost. */
  forget(): void {
    this.#rows = 0
    this.#fresh = true
    this.#overlap?.forget()
  }

  /** The host's part of a training state. */
  state(): (readonly [string, Tensor])[] {
    return [
      ['training rows', counter(this.#rows)],
      ['training fresh', counter(this.#fresh)],
      ['training ragged', counter(this.#overlap?.ragged ?? false)],
      ...(this.#overlap?.state() ?? []),
    ]
  }

  restore(state: TrainingState, model: Model): void {
    const rows = counterIn(state, 'training rows')
    this.#rows = rows
    this.#fresh = counterIn(state, 'training fresh') !== 0
    this.#ragged = counterIn(state, 'training ragged') !== 0
    const found = state.get('training past')
    if (found === undefined) return
    const { input, output } = model
    const steps = found.shape[1] ?? 0
    const sizes = input.shape.map((size) => (typeof size === 'number' ? size : steps))
    const outputs = output.shape.map((size) => constantOf(size) ?? steps)
    this.#past = {
      x: entry(state, 'training past', input.dtype, [rows, ...sizes]),
      y: this.#teacherForcing ? entry(state, 'training past targets', 'f32', [rows, ...outputs]) : undefined,
      mask: entry(state, 'training past mask', 'bool', [rows, steps]),
    }
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
    moved: true,
  }
}
