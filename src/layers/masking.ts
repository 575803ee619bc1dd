import { type Fields, type Filled, fill, numberOf, text } from '../cells/options.ts'
import { not } from '../graph/value.ts'
import { ShapeError } from '../tensor/errors.ts'
import { printShape } from '../tensor/size.ts'
import { featuresOf, type Layer, type Signal } from './layer.ts'
import { onlyWhere } from './masks.ts'

export interface MaskingOptions {
  /** What all features of a masked step equal. Default: 0. */
  readonly maskValue?: number
  readonly name?: string | undefined
}

const FIELDS = { maskValue: numberOf('that is finite', 0), name: text } satisfies Fields<MaskingOptions>

/**
 * Masks steps, Keras's Masking: a step of x [T, B, I] is there where some feature differs from `maskValue`. What is masked
 * becomes 0, and neither layers after this one nor losses, metrics or gradients see it. Where steps are sequences
 * themselves, [T, B, S, I], it is the steps inside that are masked.
 */
export class Masking implements Layer {
  readonly kind = 'masking'
  readonly name: string | undefined
  readonly options: Filled<typeof FIELDS>

  constructor(options: MaskingOptions) {
    this.options = fill('masking', FIELDS, options)
    this.name = options.name
  }

  apply(signal: Signal): Signal {
    featuresOf('masking', signal)
    if (!signal.sequence) {
      throw new ShapeError(
        `masking: expected a sequence [T, B, features]; received ${printShape(signal.value.shape)} without time`,
      )
    }
    const { maskValue } = this.options
    return onlyWhere(signal, (x) => not(x.equal(maskValue)).toF32().sum(-1).greater(0))
  }
}

/** A layer that masks steps by their value; see {@link Masking}. */
export function masking(options: MaskingOptions = {}): Masking {
  return new Masking(options)
}
