/**
 * What each update reads: a batch, its own k1 steps or all, and what is kept of those before it, where k1 < k2, which
 * stands in overlap.ts and is loaded then.
 */
import type { NamedBatch } from '../data/batches.ts'
import type { Model } from '../layers/model.ts'
import { SOLE_INPUT, SOLE_OUTPUT } from '../layers/parts.ts'
import { ArgumentError } from '../tensor/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { entriesOf, type Time, timesIn } from './inputs.ts'
import { dataInput, targetInput } from './leaves.ts'
import type { Overlap } from './overlap.ts'
import { counter, counterIn, type TrainingState } from './state.ts'
import { overlaps, type Truncation, type Window } from './truncation.ts'

/** Makes windows of batches. A window counts as passed only when `pass` is told, after its update. */
export class Windows {
  readonly #truncate: Truncation | undefined
  readonly #teacherForcing: boolean
  /** The steps of windows that share some, once that is loaded. */
  #overlap: Overlap | undefined
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
  async load(model: Model, resume: TrainingState | undefined): Promise<void> {
    if (!overlaps(this.#truncate) || this.#overlap !== undefined) return
    const { Overlap } = await import('./overlap.ts')
    this.#overlap = new Overlap(this.#truncate, this.#teacherForcing)
    if (resume !== undefined) this.#overlap.restore(resume, model)
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

  restore(state: TrainingState): void {
    this.#rows = counterIn(state, 'training rows')
    this.#fresh = counterIn(state, 'training fresh') !== 0
  }
}

function plain(batch: NamedBatch, times: ReadonlyMap<string, Time>, fresh: boolean): Window {
  return {
    tensors: [
      ...entriesOf(batch.inputs, SOLE_INPUT).map(([name, x]) => [dataInput(name), x] as const),
      ...entriesOf(batch.targets, SOLE_OUTPUT).map(([name, y]) => [targetInput(name), y] as const),
    ],
    sizes: new Map(),
    parts: async () => (await import('./masks.ts')).partsOf(times),
    masks: async () => (await import('./masks.ts')).masksOf(times),
    fresh,
    moved: true,
  }
}
