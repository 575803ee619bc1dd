/**
 * What each update reads: a batch, its own k1 steps or all, and what is kept of those before it, where k1 < k2, which
 * stands in overlap.ts and is loaded then.
 */
import type { NamedBatch } from '../data/batches.ts'
import { type Model, SOLE_INPUT, SOLE_OUTPUT } from '../layers/model.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { constantOf } from '../tensor/size.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { entriesOf, type Time, timesIn } from './inputs.ts'
import { dataInput, targetInput } from './leaves.ts'
import type { Overlap } from './overlap.ts'
import { counter, counterIn, entry, type TrainingState } from './state.ts'
import { overlaps, type Past, type Truncation, type Window } from './truncation.ts'

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
