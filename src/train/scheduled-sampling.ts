/** How often a model that learns to go on from its own output still reads the target: the decay of scheduled sampling. */
import { requireChoice, requireKnown, requireNumber } from '../tensor/checks.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { exp, pow } from '../tensor/math.ts'

export type SamplingDecay =
  | {
      readonly decay: 'linear'
      /** Default: 1. */
      readonly k?: number
      /** The slope. */
      readonly c: number
      /** The least probability, ε. Default: 0. */
      readonly epsilon?: number
    }
  | { readonly decay: 'exponential'; readonly k: number }
  | { readonly decay: 'inverseSigmoid'; readonly k: number }

export type ScheduledSamplingOptions = SamplingDecay & {
  /** Of a decoder of tokens, the input that reads targets. Default: the model's only one, or `target`. */
  readonly feedback?: string
  /** Of a decoder of tokens: its own one is drawn from softmax(logits / temperature); 0 takes the likeliest. Default: 0. */
  readonly temperature?: number
}

/** What `teacherForcing` of `fit` takes besides true and false. */
export interface ScheduledSampling {
  /** ε of update i, counted from 0: the probability that the target is read. */
  readonly probability: (update: number) => number
  readonly feedback?: string | undefined
  readonly temperature?: number | undefined
}

export type TeacherForcing = boolean | ScheduledSampling

/**
 * Scheduled sampling (Bengio et al. 2015): in training, each row at each step reads the target of the step before with a
 * probability that falls from update to update, i = 0, 1, …, else what the model itself has put out there:
 *
 *     linear           ε(i) = max(ε, k − c · i), 1 at most
 *     exponential      ε(i) = k^i, 0 < k < 1
 *     inverseSigmoid   ε(i) = k / (k + exp(i / k)), k ≥ 1
 *
 * For `teacherForcing` of `fit`, and what that forces; and for decoders of tokens, models that read the tokens before the
 * one to write as an input, such as `decode` runs.
 *
 *     fit(net, batches, { loss, teacherForcing: scheduledSampling({ decay: 'inverseSigmoid', k: 200 }) })
 *
 * @throws {ArgumentError} for a decay that is not there, or numbers outside their range
 */
export function scheduledSampling(options: ScheduledSamplingOptions): ScheduledSampling {
  const what = 'scheduledSampling'
  const isLinear = options?.decay === 'linear'
  const linear = isLinear ? ['c', 'epsilon'] : []
  requireKnown(what, options, ['decay', 'k', ...linear, 'feedback', 'temperature'])
  requireChoice(what, 'decay', options.decay, ['linear', 'exponential', 'inverseSigmoid'])
  const { feedback, temperature = 0 } = options
  requireNumber(what, 'temperature', temperature, 'of at least 0')
  if (feedback !== undefined && typeof feedback !== 'string') {
    throw new ArgumentError(`${what}: feedback must name an input of the model; received ${String(feedback)}`)
  }
  return { probability: decayOf(what, options), feedback, temperature }
}

function decayOf(what: string, options: SamplingDecay): ScheduledSampling['probability'] {
  if (options.decay === 'linear') {
    const { k = 1, c, epsilon = 0 } = options
    requireNumber(what, 'k', k, 'above 0')
    requireNumber(what, 'c', c, 'of at least 0')
    requireNumber(what, 'epsilon', epsilon, 'of at least 0 and below 1')
    return (update) => Math.min(1, Math.max(epsilon, k - c * update))
  }
  const { decay, k } = options
  if (decay === 'exponential') {
    requireNumber(what, 'k', k, 'above 0 and below 1')
    return (update) => pow(k, update)
  }
  requireNumber(what, 'k', k, 'of at least 1')
  return (update) => k / (k + exp(update / k))
}
