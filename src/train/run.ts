/** A training run: awaitable (its history) and iterable (its events). It starts at once and loses no error either way. */
import type { Executable } from '../codegen/executable.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** The first event, before the first step. */
export interface StartEvent {
  readonly kind: 'start'
  /** What runs the steps. */
  readonly backend: Executable['backend']
}

export interface StepEvent {
  readonly kind: 'step'
  readonly epoch: number
  /** Counted from 1, over all epochs. */
  readonly step: number
  /** The mean over the batch before the update. */
  readonly loss: number
  /** ‖∂L/∂θ‖ over all parameters, before clipping; with `accumulate` of the mean over the batches since the last update. */
  readonly gradientNorm: number
  readonly learningRate: number
  /** Steps of sequences in the batch, padding apart. */
  readonly tokens: number
}

export interface EpochEvent {
  readonly kind: 'epoch'
  /** Counted from 1. */
  readonly epoch: number
  /** The mean over the epoch's tokens, each at the time of its batch; of several outputs, the first one's tokens count. */
  readonly loss: number
  /** What `evaluate` calls the loss of the validation, after the epoch; absent in epochs that have none. */
  readonly validationLoss?: number
  /** The validation's metrics by name; absent in epochs that have none. */
  readonly validationMetrics?: Readonly<Record<string, number>>
}

/** The last event of a run that did not fail; what the model keeps is in it. */
export interface EndEvent {
  readonly kind: 'end'
  readonly steps: number
  /** All epochs done; told to stop, by `stop` or the signal; or no better for too long. */
  readonly reason: 'epochs' | 'stopped' | 'earlyStopping'
  /** With `earlyStopping`: the epoch of the lowest loss that it watched. */
  readonly best?: BestEpoch
}

export interface BestEpoch {
  readonly epoch: number
  readonly loss: number
}

export type TrainingEvent = StartEvent | StepEvent | EpochEvent | EndEvent

export interface History {
  /** Those of this run; after `resume` the first are missing. */
  readonly epochs: readonly EpochEvent[]
  /** All steps, those before `resume` included. */
  readonly steps: number
  /** Whether `stop` or the signal ended the run before its time. */
  readonly stopped: boolean
  readonly reason: EndEvent['reason']
  readonly best?: BestEpoch
}

/** What a run is made of. */
export interface Training {
  train(control: Control): Promise<History>
  sync(): Promise<void>
  state(): Promise<Map<string, Tensor>>
}

/** What the loop of `fit` sees of its run. */
export interface Control {
  readonly stopped: () => boolean
  readonly emit: (event: TrainingEvent) => void
}

/** Events that are kept, at most: a run that is only awaited does not gather them for ever. */
const MOST_EVENTS = 10_000

export class Run implements PromiseLike<History>, AsyncIterable<TrainingEvent> {
  readonly #history: Promise<History>
  readonly #training: Training
  readonly #events: TrainingEvent[] = []
  #dropped = 0
  #ended = false
  #stopped = false
  #wake: (() => void)[] = []

  constructor(training: Training) {
    this.#training = training
    const emit = (event: TrainingEvent) => {
      this.#events.push(event)
      if (this.#events.length > MOST_EVENTS) {
        this.#events.shift()
        this.#dropped++
      }
      this.#wakeAll()
    }
    const end = () => {
      this.#ended = true
      this.#wakeAll()
    }
    this.#history = training.train({ stopped: () => this.#stopped, emit }).finally(end)
  }

  // biome-ignore lint/suspicious/noThenProperty: a run is awaitable on purpose
  then<A = History, B = never>(
    fulfilled?: ((history: History) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): PromiseLike<A | B> {
    return this.#history.then(fulfilled, rejected)
  }

  /** Every event from the first on, then the run's error if it failed. Who is more than 10,000 events late misses some. */
  async *[Symbol.asyncIterator](): AsyncGenerator<TrainingEvent, void> {
    // Thrown to whoever iterates, so it is no unhandled rejection.
    this.#history.catch(() => {})
    for (let next = 0; ; ) {
      next = Math.max(next, this.#dropped)
      const event = this.#events[next - this.#dropped]
      if (event !== undefined) {
        next++
        yield event
      } else if (this.#ended) break
      else await this.#change()
    }
    await this.#history
  }

  /** Ends the run after the step that is under way; what was learnt (with early stopping: the best of it) is in the model. */
  stop(): void {
    this.#stopped = true
  }

  /** Copies the weights as they are now into the model, for a look while training goes on. */
  sync(): Promise<void> {
    return this.#training.sync()
  }

  /**
   * All that the training stands on now, between two steps: weights, the optimizer's numbers, carried states, the place
   * in the epochs. `fit` with the same model, batches and options and this as `resume` goes on from there, bit for bit.
   */
  state(): Promise<Map<string, Tensor>> {
    return this.#training.state()
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve))
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

/** Lets timers, input and pages have their turn. */
export function pause(): Promise<void> {
  const { setImmediate } = globalThis as { setImmediate?: (run: () => void) => unknown }
  if (setImmediate !== undefined) return new Promise((resolve) => setImmediate(resolve))
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(undefined)
  })
}
