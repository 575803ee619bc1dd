import { where } from '../graph/value.ts'
import { requireKnown, requireNumber } from '../tensor/checks.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { type Optimizer, requireOptimizer } from './optimizers.ts'

export interface MovingAverageOptions {
  /** How much of the average stays in each update. Default: 0.99. */
  readonly momentum?: number
}

/** The slot that holds the averages, and how many updates are in them: 2 stands for all from the second on. */
const [AVERAGE, AVERAGED] = ['average', 'averaged']

/**
 * An optimizer that keeps, beside what it does, an average of the parameters (Polyak and Juditsky 1992), as Keras 3's
 * optimizers do with use_ema:
 *
 *     a ← momentum a + (1 − momentum) θ after every update; after the first a = θ
 *
 * A training ends with the averages: its model's parameters become them, unless early stopping gives back better ones.
 * Until then losses and validations are those of the parameters themselves.
 *
 *     fit(net, batches, { loss: 'hinge', optimizer: movingAverage(adam(), { momentum: 0.999 }) })
 *
 * @throws {ArgumentError} for a momentum that is not of at least 0 and below 1, and an optimizer that averages already
 */
export function movingAverage(optimizer: Optimizer, options: MovingAverageOptions = {}): Optimizer {
  requireOptimizer(optimizer, 'movingAverage: optimizer')
  requireKnown('movingAverage', options, ['momentum'])
  const { momentum = 0.99 } = options
  requireNumber('movingAverage', 'momentum', momentum, 'of at least 0 and below 1')
  if (optimizer.final !== undefined) {
    throw new ArgumentError(`movingAverage: ${optimizer.name} ends with ${optimizer.final} already`)
  }
  return {
    ...optimizer,
    slots: [...optimizer.slots, AVERAGE],
    scalars: { ...optimizer.scalars, [AVERAGED]: 0 },
    final: AVERAGE,
    advance: (scalars) => ({
      ...optimizer.advance(scalars),
      [AVERAGED]: scalars[AVERAGED]!.add(1).min(2),
    }),
    update: (given) => {
      const { param, slots } = optimizer.update(given)
      const kept = where(given.scalars[AVERAGED]!.greater(1), momentum, 0)
      const average = given.slots[AVERAGE]!.mul(kept).add(param.mul(kept.neg().add(1)))
      return { param, slots: { ...slots, [AVERAGE]: average } }
    },
  }
}
