/** Learning rates as functions of the step: the same numbers for the same step, on every machine. */
import { requireKnown, requireNumber, said } from '../tensor/checks.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { cos, pow } from '../tensor/math.ts'

/** The learning rate η at a step, counted from 0. */
export type Schedule = (step: number) => number

/** η(step) = rate */
export function constantRate(rate: number): Schedule {
  requireNumber('constantRate', 'rate', rate, 'above 0')
  return () => rate
}

/** η(step) = start · (1 − (1 − end) · step / steps), then held: linear decay to a share `end` of the start. */
export function linearDecay(start: number, steps: number, end = 0): Schedule {
  requireNumber('linearDecay', 'start', start, 'above 0')
  requireNumber('linearDecay', 'steps', steps, 'above 0')
  requireNumber('linearDecay', 'end', end, 'from 0 to 1')
  return (step) => start * (1 - (1 - end) * Math.min(1, step / steps))
}

export interface CosineOptions {
  /** The share of the start that is left at the end, Keras's alpha. Default: 0. */
  readonly end?: number
  /** Steps that rise to the start before the decay's `steps` begin, as `warmup` has it. Default: 0. */
  readonly warmup?: number
}

/**
 * η(step) = start · (end + (1 − end) · (1 + cos(π · step / steps)) / 2), then held (Loshchilov and Hutter 2017,
 * without restarts; Keras's CosineDecay).
 */
export function cosineDecay(start: number, steps: number, options: CosineOptions = {}): Schedule {
  requireKnown('cosineDecay', options, ['end', 'warmup'])
  const { end = 0, warmup: rise = 0 } = options
  requireNumber('cosineDecay', 'start', start, 'above 0')
  requireNumber('cosineDecay', 'steps', steps, 'above 0')
  requireNumber('cosineDecay', 'end', end, 'from 0 to 1')
  const decay: Schedule = (step) =>
    start * (end + (1 - end) * 0.5 * (1 + cos(Math.PI * Math.min(1, step / steps))))
  return warmup(rise, decay)
}

/** η(step) = start · factor^⌊step / steps⌋ (PyTorch's StepLR). Default factor: 0.1. */
export function stepDecay(start: number, steps: number, factor = 0.1): Schedule {
  requireNumber('stepDecay', 'start', start, 'above 0')
  requireNumber('stepDecay', 'steps', steps, 'above 0')
  requireNumber('stepDecay', 'factor', factor, 'above 0')
  return (step) => start * pow(factor, Math.floor(step / steps))
}

/** η(step) = start · factor^(step / steps) (Keras's ExponentialDecay). */
export function exponentialDecay(start: number, steps: number, factor: number): Schedule {
  requireNumber('exponentialDecay', 'start', start, 'above 0')
  requireNumber('exponentialDecay', 'steps', steps, 'above 0')
  requireNumber('exponentialDecay', 'factor', factor, 'above 0')
  return (step) => start * pow(factor, step / steps)
}

/**
 * A linear rise before another schedule, which then begins at its own step 0:
 * η(step) = schedule(0) · (step + 1) / (steps + 1) while step < steps, after that schedule(step − steps).
 */
export function warmup(steps: number, schedule: number | Schedule): Schedule {
  if (!Number.isInteger(steps) || steps < 0) {
    throw new ArgumentError(`warmup: steps must be an integer of at least 0; received ${said(steps)}`)
  }
  const after = typeof schedule === 'function' ? schedule : constantRate(schedule)
  return (step) => (step < steps ? (after(0) * (step + 1)) / (steps + 1) : after(step - steps))
}
