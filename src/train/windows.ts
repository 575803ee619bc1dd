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
import type { Batch } from '../data/batches.ts'
import { requireKnown } from '../tensor/checks.ts'
import { ArgumentError, DataError } from '../tensor/errors.ts'
import { lengthsOf } from './inputs.ts'
import type { Past, Window } from './overlap.ts'

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

const NOTHING: Past = { past: undefined, pastTargets: undefined, pastMask: undefined }

/** Makes windows of batches, once it is loaded. A window counts as passed only when `pass` is told, after its update. */
export class Windows {
  readonly #truncate: Truncation | undefined
  readonly #teacherForcing: boolean
  #past: Past = NOTHING
  /** What windows need that share steps. */
  #overlap: typeof import('./overlap.ts') | undefined
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

  async load(): Promise<void> {
    if (overlaps(this.#truncate)) this.#overlap ??= await import('./overlap.ts')
  }

  /** @throws {ArgumentError} for a batch of more than k1 steps */
  next(batch: Batch, sequence: boolean): Window {
    const { inputs } = batch
    const [rows, steps] = [inputs.shape[0]!, sequence ? inputs.shape[1]! : 1]
    const anew = batch.reset || rows !== this.#rows
    const fresh = anew || this.#fresh
    if (this.#truncate === undefined) return plain(batch, fresh)
    const { k1, k2 } = this.#truncate
    if (steps > k1) {
      throw new ArgumentError(
        `truncate says windows of ${k1} steps, but a batch has ${steps}: cut the batches to ${k1} steps`,
      )
    }
    if (k1 === k2 || !sequence) return plain(batch, fresh)
    if (!anew && this.#ragged) {
      throw new DataError('with k1 < k2, a batch after one whose rows have ended must reset; it does not')
    }
    const past = anew ? NOTHING : this.#past
    return { ...this.#overlap!.windowAfter(past, batch, k2 - k1), fresh }
  }

  pass(window: Window, { inputs, lengths }: Batch): void {
    const { x, fresh, carriedSteps } = window
    this.#rows = x.shape[0]!
    this.#fresh = fresh && carriedSteps === 0
    this.#past = window.mask === undefined ? NOTHING : this.#overlap!.pastOf(window, this.#teacherForcing)
    this.#ragged = lengths?.data.some((length) => length < inputs.shape[1]!) ?? false
  }

  /** The next batch begins anew: what the step held of the rows is lost. */
  forget(): void {
    this.restore({ rows: 0, fresh: true, ragged: false, ...NOTHING })
  }

  /** The host's part of a training state. */
  state() {
    const [rows, fresh, ragged] = [this.#rows, this.#fresh, this.#ragged]
    return { rows, fresh, ragged, ...this.#past }
  }

  restore({ rows, fresh, ragged, ...past }: ReturnType<Windows['state']>): void {
    this.#rows = rows
    this.#fresh = fresh
    this.#ragged = ragged
    this.#past = past
  }
}

function plain(batch: Batch, fresh: boolean): Window {
  const { inputs: x, targets: y } = batch
  const steps = x.shape[1] ?? 1
  const parts = batch.mask === undefined ? [{ part: '', lengths: lengthsOf(batch), steps }] : []
  return { x, y, sizes: new Map(), parts, fresh, carriedSteps: steps }
}
