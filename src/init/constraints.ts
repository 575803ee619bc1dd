/** Constraints of Keras 3: what a parameter is held to after each update, in the same step of a training. */
import { div, type Operand, type Value, where } from '../graph/value.ts'
import { requireKnown, requireNumber } from '../tensor/checks.ts'
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { printShape } from '../tensor/size.ts'
import { type Constraint, ownRule, rule } from './rules.ts'

export interface NormOptions {
  /** The axes along which a norm is taken: of a kernel [I, O] 0 stands for what one unit reads. Default: 0. */
  readonly axis?: number | readonly number[]
}

/** Keras's ε, beside norms that are divided by. */
const EPSILON = 1e-7

export interface MaxNormOptions extends NormOptions {
  /** m, above 0. Default: 2. */
  readonly maxValue?: number
}

/**
 * w min(‖w‖, m) / (‖w‖ + ε), ε = 1e-7: vectors that are longer than m are shortened to it (Srivastava et al. 2014).
 *
 * A constraint acts after each update, not on the numbers that a parameter begins with; where loss or gradient is not
 * finite, there is no update. It also holds for the averages of `movingAverage`.
 * @throws {ArgumentError} for a maxValue not above 0, an axis that is no integer, and {@link ShapeError} for one that the
 *   weight does not have
 */
export function maxNorm(options: MaxNormOptions = {}): Constraint {
  requireKnown('maxNorm', options, ['maxValue', 'axis'])
  const { maxValue = 2, axis = 0 } = options
  requireNumber('maxNorm', 'maxValue', maxValue, 'above 0')
  return scaled('maxNorm', { maxValue, axis }, (norms) => norms.min(maxValue))
}

/** max(w, 0); see {@link maxNorm} for when. */
export function nonNeg(): Constraint {
  return rule('constraint', 'nonNeg', (weight) => where(weight.greater(0), weight, 0))
}

/**
 * w / (‖w‖ + ε), ε = 1e-7: vectors of length 1; see {@link maxNorm} for when.
 * @throws {ArgumentError} for an axis that is no integer, and {@link ShapeError} for one that the weight does not have
 */
export function unitNorm(options: NormOptions = {}): Constraint {
  requireKnown('unitNorm', options, ['axis'])
  return scaled('unitNorm', { axis: options.axis ?? 0 }, () => 1)
}

export interface MinMaxNormOptions extends NormOptions {
  /** a, at least 0. Default: 0. */
  readonly minValue?: number
  /** m, above 0 and at least a. Default: 1. */
  readonly maxValue?: number
  /** r, from 0 to 1: how far a vector goes to such a length in each update. Default: 1. */
  readonly rate?: number
}

/**
 * w n / (‖w‖ + ε) with n = r min(max(‖w‖, a), m) + (1 − r) ‖w‖, ε = 1e-7: vectors of lengths between a and m; see
 * {@link maxNorm} for when.
 * @throws {ArgumentError} for bounds and a rate out of their ranges, an axis that is no integer, and {@link ShapeError} for
 *   one that the weight does not have
 */
export function minMaxNorm(options: MinMaxNormOptions = {}): Constraint {
  requireKnown('minMaxNorm', options, ['minValue', 'maxValue', 'rate', 'axis'])
  const { minValue = 0, maxValue = 1, rate = 1, axis = 0 } = options
  requireNumber('minMaxNorm', 'minValue', minValue, 'of at least 0')
  requireNumber('minMaxNorm', 'maxValue', maxValue, 'above 0')
  requireNumber('minMaxNorm', 'rate', rate, 'from 0 to 1')
  if (minValue > maxValue) {
    throw new ArgumentError(
      `minMaxNorm: minValue must be at most maxValue; received ${minValue} and ${maxValue}`,
    )
  }
  return scaled('minMaxNorm', { minValue, maxValue, rate, axis }, (norms) =>
    norms
      .max(minValue)
      .min(maxValue)
      .mul(rate)
      .add(norms.mul(1 - rate)),
  )
}

/** w · desired(‖w‖) / (‖w‖ + ε) */
function scaled(
  name: string,
  options: Required<MinMaxNormOptions> | Required<MaxNormOptions> | Required<NormOptions>,
  desired: (norms: Value) => Operand,
): Constraint {
  const axes: readonly number[] = Array.isArray(options.axis) ? options.axis : [options.axis]
  if (axes.length === 0 || !axes.every(Number.isInteger)) {
    throw new ArgumentError(
      `${name}: axis must be an integer or a list of them; received ${JSON.stringify(options.axis) ?? String(options.axis)}`,
    )
  }
  const of = (weight: Value) => {
    const odd = axes.find((axis) => axis < -weight.rank || axis >= weight.rank)
    if (odd !== undefined) {
      throw new ShapeError(
        `${name}: axis must be one of the weight's, ${printShape(weight.shape)}; received ${odd}`,
      )
    }
    const norms = weight.square().sum(axes, { keepDims: true }).sqrt()
    return weight.mul(div(desired(norms), norms.add(EPSILON)))
  }
  return rule('constraint', name, of, options)
}

/**
 * A constraint of one's own: a function of the weight that gives what stands in its place, of the same shape. It is saved
 * with the model, as a graph.
 *
 *     const bounded = constraint('bounded', (weight) => weight.max(-1).min(1))
 *
 * @throws {ArgumentError} for what is no name, or no function
 */
export function constraint(name: string, project: (weight: Value) => Value): Constraint {
  return ownRule('constraint', name, project)
}
