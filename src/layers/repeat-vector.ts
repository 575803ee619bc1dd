import { count, type Fields, type Filled, fill, text } from '../cells/options.ts'
import { ShapeError } from '../tensor/errors.ts'
import { printShape } from '../tensor/size.ts'
import { featuresOf, type Layer, type Signal } from './layer.ts'

export interface RepeatVectorOptions {
  /** How many steps. */
  readonly n: number
  readonly name?: string | undefined
}

const FIELDS = { n: count, name: text } satisfies Fields<RepeatVectorOptions>

/** Keras's RepeatVector: x [B, F] at each of n steps, y [n, B, F]. */
export class RepeatVector implements Layer {
  readonly kind = 'repeatVector'
  readonly name: string | undefined
  readonly options: Filled<typeof FIELDS>
  readonly readsAround = true

  constructor(options: RepeatVectorOptions) {
    this.options = fill('repeatVector', FIELDS, options)
    this.name = options.name
  }

  apply({ value, sequence, packing }: Signal): Signal {
    featuresOf('repeatVector', { value, sequence, packing })
    if (sequence || value.rank !== 2) {
      throw new ShapeError(
        `repeatVector: expected [B, features] without time; received ${printShape(value.shape)}`,
      )
    }
    return { value: value.expandDims(0).broadcastTo([this.options.n, ...value.shape]), sequence: true }
  }
}

/** A layer that makes a sequence of one vector; see {@link RepeatVector}. */
export function repeatVector(options: RepeatVectorOptions): RepeatVector {
  return new RepeatVector(options)
}
