import { choice, count, type Fields, type Filled, fill, optional, text } from '../cells/options.ts'
import { constant, maximum, type Value, where } from '../graph/value.ts'
import type { Layer, Signal } from './layer.ts'
import { type Windows, windowsOf } from './sliding.ts'

export interface PoolingOptions {
  /** Steps that become one. Default: 2. */
  readonly poolSize?: number
  /** Steps between windows. Default: poolSize. */
  readonly strides?: number | undefined
  /** `same`: ⌈T / strides⌉ windows, of which those at the ends are smaller. Default: valid. */
  readonly padding?: 'valid' | 'same'
  readonly name?: string | undefined
}

const FIELDS = {
  poolSize: { ...count, fallback: 2 },
  strides: optional(count),
  padding: choice('valid', ['valid', 'same']),
  name: text,
} satisfies Fields<PoolingOptions>

/** What becomes of the steps of a window; `there`, [T, B or 1, 1], is 1 for those that are, and undefined where all are. */
const POOLS = {
  maxPooling1d: (steps: readonly Value[], there: readonly Value[] | undefined) =>
    steps
      .map((step, i) => (there === undefined ? step : where(there[i]!.greater(0), step, -Infinity)))
      .reduce(maximum),
  averagePooling1d: (steps: readonly Value[], there: readonly Value[] | undefined) => {
    const sum = (values: readonly Value[]) => values.reduce((all, each) => all.add(each))
    return sum(steps).div(there === undefined ? steps.length : sum(there).max(1))
  },
} as const

export type PoolingKind = keyof typeof POOLS

/**
 * The largest or the mean of each window of steps, Keras's MaxPooling1D and AveragePooling1D: x [T, B, F] → [T′, B, F]. Zeros
 * around, and what is masked or beyond a row's length, are not looked at. A window is there where all of its steps are; with
 * `same` and strides of 1, where its own step is. A row shorter than a window, beside longer ones, has none: it is masked.
 */
export class Pooling implements Layer {
  readonly kind: PoolingKind
  readonly name: string | undefined
  readonly options: Filled<typeof FIELDS>
  readonly readsAround = true

  constructor(kind: PoolingKind, options: PoolingOptions) {
    this.kind = kind
    this.options = fill(kind, FIELDS, options)
    this.name = options.name
  }

  apply(signal: Signal): Signal {
    const { poolSize: size, padding } = this.options
    const strides = this.options.strides ?? size
    const windows = windowsOf(this.kind, signal, { size, strides, padding, dilation: 1 })
    const each = (value: Value) => Array.from({ length: size }, (_, place) => windows.at(place, value))
    const there = padding === 'valid' ? undefined : each(presence(windows, signal))
    return windows.output(POOLS[this.kind](each(windows.value), there))
  }
}

/** 1 for each step that is there, 0 around: [T + zeros, B or 1, 1]. */
function presence({ mask, around }: Windows, { value }: Signal): Value {
  return around((mask?.toF32() ?? constant(1, [value.shape[0]!, 1])).expandDims(-1))
}

/** The largest of each window of steps; see {@link Pooling}. */
export function maxPooling1d(options: PoolingOptions = {}): Pooling {
  return new Pooling('maxPooling1d', options)
}

/** The mean of each window of steps; see {@link Pooling}. */
export function averagePooling1d(options: PoolingOptions = {}): Pooling {
  return new Pooling('averagePooling1d', options)
}
