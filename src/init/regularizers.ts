/** Regularizers of Keras 3: what the numbers of a parameter add to a training's loss. */
import { iota, type Value, where } from '../graph/value.ts'
import { requireChoice, requireKnown, requireNumber } from '../tensor/checks.ts'
import { ShapeError } from '../tensor/errors.ts'
import { constantOf, printShape } from '../tensor/size.ts'
import { ownRule, type Regularizer, rule } from './rules.ts'

export interface L1Options {
  /** λ₁. Default: 0.01. */
  readonly l1?: number
}

/**
 * λ₁ Σ |w|, which draws weights to 0; its gradient at 0 is 0. As in Keras 3, penalties are part of the loss that `fit` and
 * `evaluate` report. They are not divided by rows or steps.
 * @throws {ArgumentError} for a λ below 0
 */
export function l1(options: L1Options = {}): Regularizer {
  requireKnown('l1', options, ['l1'])
  return sumOf('l1', { l1: options.l1 ?? 0.01 })
}

export interface L2Options {
  /** λ₂. Default: 0.01. */
  readonly l2?: number
}

/**
 * λ₂ Σ w²; see {@link l1} for where it counts.
 * @throws {ArgumentError} for a λ below 0
 */
export function l2(options: L2Options = {}): Regularizer {
  requireKnown('l2', options, ['l2'])
  return sumOf('l2', { l2: options.l2 ?? 0.01 })
}

/**
 * λ₁ Σ |w| + λ₂ Σ w² with the defaults λ₁ = λ₂ = 0, Keras's; see {@link l1} for where it counts.
 * @throws {ArgumentError} for a λ below 0
 */
export function l1L2(options: L1Options & L2Options = {}): Regularizer {
  requireKnown('l1L2', options, ['l1', 'l2'])
  return sumOf('l1L2', { l1: options.l1 ?? 0, l2: options.l2 ?? 0 })
}

function sumOf(name: string, options: L1Options & L2Options): Regularizer {
  for (const [key, value] of Object.entries(options)) requireNumber(name, key, value, 'of at least 0')
  const { l1 = 0, l2 = 0 } = options
  const of = (weight: Value) => {
    const squares = weight.square().sum().mul(l2)
    // Selected, not multiplied: where a factor is 0, what it would multiply need not be finite.
    if (l1 === 0) return squares
    const sizes = weight.abs().sum().mul(l1)
    return l2 === 0 ? sizes : sizes.add(squares)
  }
  return rule('regularizer', name, of, options)
}

export interface OrthogonalRegularizerOptions {
  /** λ. Default: 0.01. */
  readonly factor?: number
  /** Which vectors of the matrix are held at right angles. Default: 'rows'. */
  readonly mode?: 'rows' | 'columns'
}

/** A vector that is shorter counts as one of length 1e-7, as in Keras. */
const SHORTEST_SQUARED = 1e-14

/**
 * λ times the mean of |cos ∠(v, w)| over all pairs of rows (or columns) v ≠ w of a matrix, Keras's; see {@link l1} for
 * where it counts.
 * @throws {ArgumentError} for a factor below 0, another mode, and, where it is used, a weight that is no matrix of at least
 *   two such vectors
 */
export function orthogonalRegularizer(options: OrthogonalRegularizerOptions = {}): Regularizer {
  requireKnown('orthogonalRegularizer', options, ['factor', 'mode'])
  const { factor = 0.01, mode = 'rows' } = options
  requireNumber('orthogonalRegularizer', 'factor', factor, 'of at least 0')
  requireChoice('orthogonalRegularizer', 'mode', mode, ['rows', 'columns'])
  const of = (weight: Value) => {
    const vectors = weight.rank === 2 && mode === 'columns' ? weight.transpose() : weight
    const count = constantOf(vectors.shape[0]!) ?? 0
    if (vectors.rank !== 2 || count < 2) {
      throw new ShapeError(
        `orthogonalRegularizer: expected a matrix of at least two ${mode}; received ${printShape(weight.shape)}`,
      )
    }
    // Below the root, where a vector of zeros has a gradient.
    const lengths = vectors.square().sum(1, { keepDims: true }).max(SHORTEST_SQUARED).sqrt()
    const normal = vectors.div(lengths)
    const cosines = normal.matmul(normal.transpose()).abs()
    const same = iota([count])
      .expandDims(1)
      .equal(iota([count]))
    return where(same, 0, cosines)
      .sum()
      .mul(factor / (count * (count - 1)))
  }
  return rule('regularizer', 'orthogonalRegularizer', of, { factor, mode })
}

/**
 * A regularizer of one's own: a function of the weight that gives one number. It is saved with the model, as a graph.
 *
 *     const l4 = regularizer('l4', (weight) => weight.square().square().sum().mul(0.01))
 *
 * @throws {ArgumentError} for what is no name, or no function
 */
export function regularizer(name: string, penalty: (weight: Value) => Value): Regularizer {
  return ownRule('regularizer', name, penalty)
}
