import { type Field, type Fields, type Filled, fill, optional, seed, text } from '../cells/options.ts'
import { type RandomKey, randomUniform } from '../graph/functions.ts'
import { type Value, where } from '../graph/value.ts'
import { said } from '../tensor/checks.ts'
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { seedWord } from '../tensor/random.ts'
import { constantOf } from '../tensor/size.ts'
import { featuresOf, type Layer, type LayerScope, type Signal } from './layer.ts'

export interface DropoutOptions {
  /** The share of numbers that are dropped: at least 0, below 1. */
  readonly rate: number
  /**
   * The mask's shape, batch-first as the input's: where it says 1, all along that axis share one draw. `[null, 1, 64]` on
   * [B, T, 64] is one mask for all of time. null is the input's own size. Default: the input's shape.
   */
  readonly noiseShape?: readonly (number | null)[] | undefined
  /** Of this layer alone. Default: the seed of `fit`. */
  readonly seed?: number | undefined
  readonly name?: string | undefined
}

const rate: Field<number> = {
  fallback: undefined,
  check: (what, name, value) => {
    if (Number.isFinite(value) && value >= 0 && value < 1) return
    throw new ArgumentError(`${what}: ${name} must be at least 0 and below 1; received ${said(value)}`)
  },
}

const noiseShape: Field<readonly (number | null)[]> = {
  fallback: undefined,
  check: (what, name, value) => {
    const fits = (size: number | null) => size === null || (Number.isInteger(size) && size >= 1)
    if (Array.isArray(value) && value.every(fits)) return
    throw new ArgumentError(
      `${what}: ${name} must be a list such as [null, 1, 64], of null (the input's size) and sizes of at least 1; ` +
        `received ${said(value)}`,
    )
  },
}

const FIELDS = {
  rate,
  noiseShape: optional(noiseShape),
  seed,
  name: text,
} satisfies Fields<DropoutOptions>

/**
 * Dropout (Srivastava et al. 2014), Keras's. In training each number is kept with probability 1 − rate, and scaled, so
 * that its mean stays:
 *
 *     y = x ⊙ m / (1 − rate), m ∈ {0, 1}
 *
 * Otherwise y = x. x of any shape that ends in features. What is drawn is a function of the seed, the layer's name, the
 * number of updates before this one, the row, the step and the feature: a training that is resumed draws what it would
 * have drawn.
 */
export class Dropout implements Layer {
  readonly kind = 'dropout'
  readonly name: string | undefined
  readonly options: Filled<typeof FIELDS>

  constructor(options: DropoutOptions) {
    this.options = fill('dropout', FIELDS, options)
    this.name = options.name
  }

  apply(signal: Signal, scope: LayerScope): Signal {
    const { rate, noiseShape, seed } = this.options
    featuresOf('dropout', signal)
    const noise = noiseShape === undefined ? undefined : sharedOf(signal, noiseShape)
    if (rate === 0 || !scope.training) return signal
    const key = scope.random('mask')
    const kept = drawKept(signal, rate, seed === undefined ? key : { ...key, seed: seedWord(seed) }, noise)
    return { ...signal, value: where(kept, signal.value.mul(1 / (1 - rate)), 0) }
  }
}

/** What shares one draw: all rows, all steps, all along axes of features. */
interface Shared {
  readonly rows: boolean
  readonly time: boolean
  readonly axes: readonly number[]
}

const NOTHING: Shared = { rows: false, time: false, axes: [] }

/** bool, broadcasting to the signal's value: true with probability 1 − rate. */
function drawKept(
  { value, sequence, packing }: Signal,
  rate: number,
  { rows, time = 0, rowAxis = 0, ...key }: RandomKey,
  shared: Shared = NOTHING,
): Value {
  const one = new Set(shared.axes)
  // Packed rows and steps have one axis, along which each has its number; else what is shared has a length of 1.
  if (packing === undefined && shared.rows) one.add(rowAxis)
  if (packing === undefined && sequence && shared.time) one.add(0)
  const shape = value.shape.map((size, axis) => (one.has(axis) ? 1 : size))
  const numbers = shared.rows ? packing && rows?.mul(0) : rows
  const timeless = shared.time || (!sequence && shared.rows)
  const place = { rowAxis, rows: numbers, time: timeless ? 0 : time }
  // As f32, so that a comparison in f64 draws the same.
  return randomUniform(shape, { ...key, ...place }).less(Math.fround(1 - rate))
}

/** What a batch-first noise shape says 1 of. */
function sharedOf({ value, sequence, packing }: Signal, noiseShape: readonly (number | null)[]): Shared {
  const features = value.shape.slice(sequence && packing === undefined ? 2 : 1)
  const lead = sequence ? 2 : 1
  const known = [...Array.from({ length: lead }, () => undefined), ...features.map(constantOf)]
  const fits = (size: number | null, axis: number) => size === null || size === 1 || size === known[axis]
  if (noiseShape.length !== known.length || !noiseShape.every(fits)) {
    const input = ['B', ...(sequence ? ['T'] : []), ...features.map(({ key }) => key)].join(', ')
    throw new ShapeError(
      `dropout: noiseShape for [${input}] must say 1, null or its size for each axis; ` +
        `received ${JSON.stringify(noiseShape)}`,
    )
  }
  const first = value.rank - features.length
  const axes = features.flatMap((_, i) => (noiseShape[lead + i] === 1 ? [first + i] : []))
  return { rows: noiseShape[0] === 1, time: sequence && noiseShape[1] === 1, axes }
}

/** A layer that drops numbers at random while it is trained; the equation stands at {@link Dropout}. */
export function dropout(options: DropoutOptions): Dropout {
  return new Dropout(options)
}
