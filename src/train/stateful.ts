/** Where the rows of stateful layers stand: what a model goes on from in its next batch. Loaded only where a layer is stateful. */
import { type Model, requireModel } from '../layers/model.ts'
import type { TensorData } from '../tensor/dtype.ts'
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { elementCount, type Tensor } from '../tensor/tensor.ts'
import { ANEW, freshRows, stateInput } from './leaves.ts'
import { counter, counterIn } from './state.ts'
import type { StepOptions } from './step.ts'
import { overlaps } from './truncation.ts'

/** The states of all rows after a batch, none before the first and after a reset. */
export class RowStates {
  #rows = 0
  #states: ReadonlyMap<string, TensorData> = new Map()
  #resets = 0

  /** How often it was reset: who has taken states out sees by this whether they still count. */
  get resets(): number {
    return this.#resets
  }

  reset(): void {
    this.#resets++
    this.keep(0, new Map())
  }

  /** By path. */
  keep(rows: number, states: ReadonlyMap<string, TensorData>): void {
    this.#rows = rows
    this.#states = states
  }

  /** What a call reads for the states of these paths. @throws {ShapeError} for another number of rows than before */
  inputs(model: Model, paths: readonly string[], rows: number): [string, TensorData][] {
    if (paths.length === 0) return []
    if (this.#rows > 0) requireRows(model, this.#rows, rows)
    const shapes = model.built.states
    return [
      ...freshRows(paths, rows, this.#rows === 0, ANEW),
      ...paths.map((path): [string, TensorData] => [
        stateInput(path),
        this.#states.get(path) ?? new Float32Array(rows * elementCount(shapes.get(path)!)),
      ]),
    ]
  }
}

const namesOf = (model: Model) =>
  [...new Set(model.statefulStates().map((path) => path.slice(0, path.indexOf('/'))))].join(', ')

/** @throws {ShapeError} for a batch of other rows than those that stateful layers go on with */
function requireRows(model: Model, expected: number, received: number): void {
  if (received === expected) return
  throw new ShapeError(
    `${namesOf(model)}: stateful with another batch size: row i goes on as row i of the batch before, so batches have ` +
      `${expected} rows; received ${received}: call resetState(model) before others, or give batches of one size`,
  )
}

const models = new WeakMap<Model, RowStates>()

export function statesOf(model: Model): RowStates {
  const known = models.get(model) ?? new RowStates()
  models.set(model, known)
  return known
}

/**
 * Stateful layers begin anew with the next batch, which may have another number of rows: Keras's `reset_state`. In a `fit`
 * that is under way it holds from the next step on.
 *
 * @throws {ArgumentError} for what is no model
 */
export function resetState(model: Model): void {
  requireModel('resetState', model)
  statesOf(model).reset()
}

const RESETS = 'training anew'

/** The states of a training, which holds them itself while it runs. */
export class StatefulTraining {
  readonly #model: Model
  readonly #states: RowStates
  /** The resets before the states that the training holds; −1: it holds none. */
  #at = -1

  /** @throws {ArgumentError} for windows that share steps */
  constructor(model: Model, { resume, truncate }: StepOptions) {
    if (overlaps(truncate)) {
      throw new ArgumentError(
        `${namesOf(model)}: stateful layers go on from the end of the batch before; windows of truncate with k1 < k2 ` +
          'begin before that: give k1 = k2',
      )
    }
    this.#model = model
    this.#states = statesOf(model)
    if (resume === undefined || counterIn(resume, 'training rows') === 0) return
    this.#states.keep(0, new Map())
    if (counterIn(resume, RESETS) === 0) this.#at = this.#states.resets
  }

  /** What a step reads besides what the training holds of so many rows. */
  inputs(rows: number, held: number): [string, TensorData][] {
    const paths = this.#model.statefulStates()
    if (held === 0 || this.#isAnew) return this.#states.inputs(this.#model, paths, rows)
    requireRows(this.#model, held, rows)
    return freshRows(paths, rows, false, ANEW)
  }

  /** A step has left its states behind. */
  pass(): void {
    this.#at = this.#states.resets
  }

  /** The model goes on from them. */
  async keep(rows: number, read: (name: string) => Promise<TensorData>): Promise<void> {
    if (rows === 0 || this.#isAnew) return
    const states = new Map<string, TensorData>()
    for (const path of this.#model.statefulStates()) states.set(path, await read(stateInput(path)))
    this.#states.keep(rows, states)
  }

  state(): [string, Tensor][] {
    return [[RESETS, counter(this.#isAnew)]]
  }

  get #isAnew(): boolean {
    return this.#at !== this.#states.resets
  }
}
