import { type Filled, fill, text } from '../cells/options.ts'
import { ShapeError } from '../tensor/errors.ts'
import { constantOf, printShape, productOf } from '../tensor/size.ts'
import type { Layer, Signal } from './layer.ts'
import { masked, swapped } from './signals.ts'

export interface FlattenOptions {
  readonly name?: string | undefined
}

/**
 * Keras's Flatten: x [B, …] → [B, features], the last axis running fastest. All sizes must be known, so that of a sequence
 * `timeDistributed(flatten())` flattens each step. What is masked is 0.
 */
export class Flatten implements Layer {
  readonly kind = 'flatten'
  readonly name: string | undefined
  readonly options: Filled<{ readonly name: typeof text }>

  constructor(options: FlattenOptions) {
    this.options = fill('flatten', { name: text }, options)
    this.name = options.name
  }

  apply(signal: Signal): Signal {
    const { value, sequence, rows } = masked(signal)
    const whole = sequence && signal.packing === undefined ? swapped(value) : value
    const [batch, ...sizes] = whole.shape
    if ((sequence && signal.packing !== undefined) || sizes.some((size) => constantOf(size) === undefined)) {
      throw new ShapeError(
        `flatten: expected [B, …] of known sizes; received ${printShape(value.shape)}` +
          `${sequence ? ', a sequence: timeDistributed(flatten()) flattens each step' : ''}`,
      )
    }
    return { value: whole.reshape([batch!, productOf(sizes)]), sequence: false, rows }
  }
}

/** A layer that makes one row of features of all axes; see {@link Flatten}. */
export function flatten(options: FlattenOptions = {}): Flatten {
  return new Flatten(options)
}
