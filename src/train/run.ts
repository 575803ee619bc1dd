/** A training run: awaitable (its history) and iterable (its events). It starts at once and loses no error either way. */

export interface StepEvent {
  readonly kind: 'step'
  readonly epoch: number
  /** Counted from 1, over all epochs. */
  readonly step: number
  /** The mean over the batch before the update. */
  readonly loss: number
  /** ‖∂L/∂θ‖ over all parameters, before clipping. */
  readonly gradientNorm: number
  readonly learningRate: number
  /** Steps of sequences in the batch, padding apart. */
  readonly tokens: number
}

export interface EpochEvent {
  readonly kind: 'epoch'
  /** Counted from 1. */
  readonly epoch: number
  /** The mean over the epoch's tokens, each at the time of its batch. */
  readonly loss: number
}

export type TrainingEvent = StepEvent | EpochEvent

export interface History {
  readonly epochs: readonly EpochEvent[]
  readonly steps: number
  /** Whether `stop` ended the run before its time. */
  readonly stopped: boolean
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
  readonly #sync: () => Promise<void>
  readonly #events: TrainingEvent[] = []
  #dropped = 0
  #ended = false
  #stopped = false
  #wake: (() => void)[] = []

  constructor(train: (control: Control) => Promise<History>, sync: () => Promise<void>) {
    this.#sync = sync
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
    this.#history = train({ stopped: () => this.#stopped, emit }).finally(end)
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

  /** Ends the run after the step that is under way; what was learnt is in the model. */
  stop(): void {
    this.#stopped = true
  }

  /** Copies the weights as they are now into the model, for a look while training goes on. */
  sync(): Promise<void> {
    return this.#sync()
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
