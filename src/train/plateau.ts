/** Lowers the learning rate of a training that gets no better. As Keras's ReduceLROnPlateau. */
import { requireInteger, requireKnown, requireNumber } from '../tensor/checks.ts'
import { ArgumentError } from '../tensor/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Schedule } from './schedules.ts'
import { counter, counterIn, exactly, exactlyIn, type TrainingState } from './state.ts'

export interface ReduceOnPlateauOptions {
  /** What the learning rate is multiplied by: at least 0, below 1. Default: 0.1. */
  readonly factor?: number
  /** Epochs without a better loss after which it is lowered; 0 is as 1. Default: 10. */
  readonly patience?: number
  /** A loss is better when it is lower by more than this. Default: 1e-4. */
  readonly minDelta?: number
  /** Epochs after a lowering that do not count as without a better loss. Default: 0. */
  readonly cooldown?: number
  /** The learning rate does not go below. Default: 0. */
  readonly minLearningRate?: number
}

export class Plateau {
  readonly #options: Required<ReduceOnPlateauOptions>
  #rate: number
  #best = Number.POSITIVE_INFINITY
  #waited = 0
  #cooling = 0

  /** @throws {ArgumentError} for options outside their range, and a learning rate that is a schedule */
  constructor(options: ReduceOnPlateauOptions, rate: number | Schedule) {
    const what = 'reduceOnPlateau'
    requireKnown(what, options, ['factor', 'patience', 'minDelta', 'cooldown', 'minLearningRate'])
    const { factor = 0.1, patience = 10, minDelta = 1e-4, cooldown = 0, minLearningRate = 0 } = options
    requireNumber(what, 'factor', factor, 'of at least 0 and below 1')
    requireInteger(what, 'patience', patience, 0)
    requireNumber(what, 'minDelta', minDelta, 'of at least 0')
    requireInteger(what, 'cooldown', cooldown, 0)
    requireNumber(what, 'minLearningRate', minLearningRate, 'of at least 0')
    if (typeof rate !== 'number') {
      throw new ArgumentError(`${what} lowers a learning rate that is a number; received a schedule`)
    }
    this.#options = { factor, patience, minDelta, cooldown, minLearningRate }
    this.#rate = rate
  }

  get rate(): number {
    return this.#rate
  }

  /** Takes in the loss after an epoch. */
  watch(loss: number): void {
    const { factor, patience, minDelta, cooldown, minLearningRate } = this.#options
    if (this.#cooling > 0) {
      this.#cooling--
      this.#waited = 0
    }
    if (loss < this.#best - minDelta) {
      this.#best = loss
      this.#waited = 0
    } else if (this.#cooling === 0 && ++this.#waited >= patience && this.#rate > minLearningRate) {
      this.#rate = Math.max(this.#rate * factor, minLearningRate)
      this.#cooling = cooldown
      this.#waited = 0
    }
  }

  state(): [string, Tensor][] {
    return [
      ['training plateau rate', exactly(this.#rate)],
      ['training plateau best', exactly(this.#best)],
      ['training plateau waited', counter(this.#waited)],
      ['training plateau cooling', counter(this.#cooling)],
    ]
  }

  restore(state: TrainingState): void {
    this.#rate = exactlyIn(state, 'training plateau rate')
    this.#best = exactlyIn(state, 'training plateau best')
    this.#waited = counterIn(state, 'training plateau waited')
    this.#cooling = counterIn(state, 'training plateau cooling')
  }
}
