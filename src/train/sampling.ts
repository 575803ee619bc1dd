/** Scheduled sampling in a training step: what is sampled, and how often. Loaded only for it. */
import type { Model } from '../layers/model.ts'
import { SOLE_OUTPUT } from '../layers/parts.ts'
import { requireNumber } from '../tensor/checks.ts'
import type { TensorData } from '../tensor/dtype.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { checkForcing } from './forcing-checks.ts'
import { counterInputs, FORCING, type Reading } from './leaves.ts'
import type { Losses } from './losses.ts'
import { checkSampledTokens, sampledTokens } from './sampled-tokens.ts'
import type { ScheduledSampling } from './scheduled-sampling.ts'
import type { StepOptions } from './step.ts'

export class Sampling {
  /** Whether tokens are sampled, which the model has as an input: its targets are classes, which no cell can read. */
  readonly tokens: boolean
  readonly #plan: ScheduledSampling
  readonly #options: StepOptions
  readonly #losses: Losses

  /** @throws {ArgumentError} for what is no schedule */
  constructor(plan: ScheduledSampling, options: StepOptions, losses: Losses) {
    if (typeof plan?.probability !== 'function') {
      throw new ArgumentError(
        `teacherForcing must be true, false or what scheduledSampling({ decay }) makes; received ${JSON.stringify(plan)}`,
      )
    }
    this.#plan = plan
    this.#options = options
    this.#losses = losses
    this.tokens = losses.get(SOLE_OUTPUT)?.targets === 'classes'
  }

  /** @throws {ArgumentError} for a model that cannot go on from what it puts out; the layers of one that is built are looked at */
  check(model: Model): void {
    if (this.tokens) checkSampledTokens(model, this.#options, this.#plan)
    else checkForcing(model, this.#losses)
  }

  /** As `whole` does, with tokens sampled if they are what is sampled. */
  reading(whole: Reading): Reading {
    return this.tokens ? sampledTokens(this.#plan) : whole
  }

  /** What is drawn in this step, and how often targets are read. @throws {ArgumentError} for a schedule that gives no probability */
  inputs(model: Model, step: number): [string, TensorData][] {
    const { accumulate = 1, seed = 0 } = this.#options
    const update = Math.floor(step / accumulate)
    const probability = this.#plan.probability(update)
    requireNumber('scheduledSampling', `the probability of update ${update}`, probability, 'from 0 to 1')
    return [[FORCING, Float32Array.of(probability)], ...counterInputs(model, seed, step, true)]
  }
}
