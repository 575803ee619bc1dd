import {
  type Field,
  type Fields,
  type Filled,
  fill,
  numberOf,
  optional,
  seed,
  text,
} from '../cells/options.ts'
import { randomUniform } from '../graph/functions.ts'
import { where } from '../graph/value.ts'
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
  rate: numberOf('of at least 0 and below 1'),
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
    return dropped(signal, rate, seed, scope, noise)
  }
}

/** What shares one draw: all rows, all steps, all along axes of features. */
interface Shared {
  readonly rows?: boolean
  readonly time?: boolean
  readonly axes?: readonly number[]
}

/** y = x ⊙ m / (1 − rate), where it is trained; the seed, if there is one, stands for that of the training. */
export function dropped(
  signal: Signal,
  rate: number,
  seed: number | undefined,
  scope: LayerScope,
  shared: Shared = {},
): Signal {
  if (rate === 0 || !scope.training) return signal
  const { value, sequence, packing } = signal
  const { rows, time = 0, rowAxis = 0, ...key } = scope.random('mask')
  const one = new Set(shared.axes)
  // Packed rows and steps have one axis, along which each has its number; else what is shared has a length of 1.
  if (packing === undefined && shared.rows) one.add(rowAxis)
  if (packing === undefined && sequence && shared.time) one.add(0)
  const shape = value.shape.map((size, axis) => (one.has(axis) ? 1 : size))
  const drawn = randomUniform(shape, {
    ...key,
    ...(seed !== undefined && { seed: seedWord(seed) }),
    rowAxis,
    rows: shared.rows ? packing && rows?.mul(0) : rows,
    time: shared.time || (!sequence && shared.rows) ? 0 : time,
  })
  // As f32, so that a comparison in f64 draws the same.
  const kept = drawn.less(Math.fround(1 - rate))
  return { ...signal, value: where(kept, value.mul(1 / (1 - rate)), 0) }
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
