import { type Fields, type Filled, fill, flag, text } from '../cells/options.ts'
import { sizeValue, type Value, where } from '../graph/value.ts'
import { ShapeError } from '../tensor/errors.ts'
import { printShape } from '../tensor/size.ts'
import { featuresOf, type Layer, type Signal } from './layer.ts'
import { cut, masked, padded } from './signals.ts'

export interface GlobalPoolingOptions {
  /** The result is a sequence of one step. Default: false. */
  readonly keepDims?: boolean
  readonly name?: string | undefined
}

const FIELDS = { keepDims: flag(false), name: text } satisfies Fields<GlobalPoolingOptions>

/** Of x [T, B, …], of which `mask` [T, B] says what is there. */
const POOLS = {
  globalMaxPooling1d: (x: Value, mask: Value | undefined) => {
    if (mask === undefined) return x.reduceMax(0)
    const rows = mask.reshape([...mask.shape, ...x.shape.slice(2).map(() => 1)])
    return cut(where(rows, x, -Infinity).reduceMax(0), mask.toF32().sum(0).greater(0))
  },
  globalAveragePooling1d: (x: Value, mask: Value | undefined) => {
    if (mask === undefined) return x.sum(0).div(sizeValue(x.shape[0]!))
    const count = mask.toF32().sum(0).max(1)
    return x.sum(0).div(count.reshape([x.shape[1]!, ...x.shape.slice(2).map(() => 1)]))
  },
} as const

export type GlobalPoolingKind = keyof typeof POOLS

/**
 * The largest or the mean of all steps, Keras's GlobalMaxPooling1D and GlobalAveragePooling1D: x [T, B, F] → [B, F]. Only
 * steps that are there count: Keras 3 takes the largest of masked ones too. A row without any gives 0.
 */
export class GlobalPooling implements Layer {
  readonly kind: GlobalPoolingKind
  readonly name: string | undefined
  readonly options: Filled<typeof FIELDS>
  readonly readsAround = true

  constructor(kind: GlobalPoolingKind, options: GlobalPoolingOptions) {
    this.kind = kind
    this.options = fill(kind, FIELDS, options)
    this.name = options.name
  }

  apply(signal: Signal): Signal {
    featuresOf(this.kind, signal)
    if (!signal.sequence) {
      throw new ShapeError(
        `${this.kind}: expected a sequence [T, B, features]; received ${printShape(signal.value.shape)} without time`,
      )
    }
    const { value, mask } = masked(padded(signal))
    const pooled = POOLS[this.kind](value, mask)
    const { keepDims } = this.options
    return { value: keepDims ? pooled.expandDims(0) : pooled, sequence: keepDims }
  }
}

/** The largest of all steps that are there; see {@link GlobalPooling}. */
export function globalMaxPooling1d(options: GlobalPoolingOptions = {}): GlobalPooling {
  return new GlobalPooling('globalMaxPooling1d', options)
}

/** The mean of all steps that are there; see {@link GlobalPooling}. */
export function globalAveragePooling1d(options: GlobalPoolingOptions = {}): GlobalPooling {
  return new GlobalPooling('globalAveragePooling1d', options)
}
