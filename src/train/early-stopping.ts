/** Ends a training that gets no better, and keeps the best weights. As Keras's EarlyStopping. */
import { requireFlag, requireInteger, requireKnown, requireNumber } from '../tensor/checks.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { BestEpoch } from './run.ts'
import { counter, counterIn, entry, exactly, exactlyIn, type TrainingState } from './state.ts'

export interface EarlyStoppingOptions {
  /** Epochs without a better loss after which training ends; 0 is as 1. Default: 0. */
  readonly patience?: number
  /** A loss is better when it is lower by more than this. Default: 0. */
  readonly minDelta?: number
  /** Whether the model ends with the weights of the best epoch instead of the last ones. Default: true. */
  readonly restoreBest?: boolean
}

type Weights = ReadonlyMap<string, Tensor>

/** The entry of a state that holds the best number of a parameter. */
const bestOf = (path: string) => `best ${path}`

export class EarlyStopping {
  readonly #patience: number
  readonly #minDelta: number
  readonly #restoreBest: boolean
  #best: BestEpoch = { epoch: 0, loss: Number.POSITIVE_INFINITY }
  #weights: Weights | undefined
  #waited = 0

  /** @throws {ArgumentError} for options outside their range */
  constructor(options: EarlyStoppingOptions) {
    requireKnown('earlyStopping', options, ['patience', 'minDelta', 'restoreBest'])
    const { patience = 0, minDelta = 0, restoreBest = true } = options
    requireInteger('earlyStopping', 'patience', patience, 0)
    requireNumber('earlyStopping', 'minDelta', minDelta, 'of at least 0')
    requireFlag('earlyStopping', 'restoreBest', restoreBest)
    this.#patience = patience
    this.#minDelta = minDelta
    this.#restoreBest = restoreBest
  }

  get best(): BestEpoch | undefined {
    return this.#best.epoch === 0 ? undefined : this.#best
  }

  /** Whether the patience is at its end. */
  get isOver(): boolean {
    return this.#waited > 0 && this.#waited >= this.#patience
  }

  /** What the model should end with; undefined where that is what it has. */
  get weights(): Weights | undefined {
    return this.#weights
  }

  /** Takes in the loss after an epoch, and the weights that had it. */
  watch(epoch: number, loss: number, weights: Weights): void {
    if (loss + this.#minDelta < this.#best.loss) {
      this.#best = { epoch, loss }
      this.#waited = 0
      if (this.#restoreBest) this.#weights = weights
    } else this.#waited++
  }

  state(): [string, Tensor][] {
    return [
      ['training best epoch', counter(this.#best.epoch)],
      ['training best loss', exactly(this.#best.loss)],
      ['training waited', counter(this.#waited)],
      ...[...(this.#weights ?? [])].map(([path, value]): [string, Tensor] => [bestOf(path), value]),
    ]
  }

  restore(state: TrainingState): void {
    this.#best = {
      epoch: counterIn(state, 'training best epoch'),
      loss: exactlyIn(state, 'training best loss'),
    }
    this.#waited = counterIn(state, 'training waited')
    const paths = [...state.keys()].filter((name) => state.has(bestOf(name)))
    if (!this.#restoreBest || paths.length === 0) return
    this.#weights = new Map(
      paths.map((path) => [path, entry(state, bestOf(path), 'f32', state.get(path)!.shape)]),
    )
  }
}
