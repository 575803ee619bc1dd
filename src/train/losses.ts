/**
 * Losses over sequences and single outputs: L = Σ mask · ℓ / Σ mask, so that what lies beyond a row's length counts
 * neither above nor below the line.
 */
import { iota, logSoftmax, sizeValue, type Value, where } from '../graph/value.ts'
import type { Signal } from '../layers/layer.ts'
import { masked } from '../layers/sequential.ts'
import type { Dtype } from '../tensor/dtype.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { productOf, type Shape } from '../tensor/size.ts'

export type LossName = 'softmaxCrossEntropy' | 'meanSquaredError'

export interface Loss {
  readonly name: LossName
  /** What targets look like for an output of this shape (time-major, if a sequence). */
  readonly target: (output: Shape) => { readonly shape: Shape; readonly dtype: Dtype }
  /** ℓ of every step and row: [T, B] or [B]. */
  readonly terms: (output: Value, target: Value) => Value
  /** Targets are classes 0 … V−1 of the output's last axis. */
  readonly classes: boolean
}

const LOSSES: Readonly<Record<LossName, Loss>> = {
  /** ℓ = −log softmax(z)_y for logits z […, V] and classes y, in nats. */
  softmaxCrossEntropy: {
    name: 'softmaxCrossEntropy',
    classes: true,
    target: (output) => ({ shape: output.slice(0, -1), dtype: 'i32' }),
    terms: (logits, target) => {
      const classes = iota(logits.shape, logits.rank - 1)
      const chosen = classes.equal(target.expandDims(-1))
      return where(chosen, logSoftmax(logits), 0).sum(-1).neg()
    },
  },
  /** ℓ = mean over features of (z − y)². */
  meanSquaredError: {
    name: 'meanSquaredError',
    classes: false,
    target: (output) => ({ shape: output, dtype: 'f32' }),
    terms: (output, target) => output.sub(target).square().mean(-1),
  },
}

export function lossOf(loss: LossName): Loss {
  const found: Loss | undefined = LOSSES[loss]
  if (found === undefined) {
    throw new ArgumentError(
      `loss must be one of ${Object.keys(LOSSES).join(', ')}; received ${JSON.stringify(loss)}`,
    )
  }
  return found
}

/** The mean of a loss over all steps that are there, a scalar. */
export function meanLoss(loss: Loss, output: Signal, target: Value, lengths: Value | undefined): Value {
  const clean = (value: Value) => masked({ value, sequence: output.sequence }, lengths).value
  const terms = loss.terms(clean(output.value), clean(target))
  if (lengths === undefined || !output.sequence) return terms.sum().div(sizeValue(productOf(terms.shape)))
  return clean(terms).sum().div(lengths.toF32().sum())
}
