import { convolution } from '../graph/functions.ts'
import { type Initializer, parameter } from '../init/initializers.ts'
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { ACTIVATIONS, type Activation } from './activations.ts'
import { defineCell } from './define.ts'
import { parts } from './functions.ts'
import { gateBiases, LSTM } from './lstm.ts'
import { biases, choice, count, type Field, type Fields, type Filled, fill } from './options.ts'

/** `N`: a size for each axis that the kernel moves over. */
interface ConvLstmOptions<N> {
  /** F, the number of outputs at each place. */
  readonly filters: number
  /** k, how far the kernels reach along each axis. */
  readonly kernelSize: N
  /** Places between those that outputs see of the input. Default: 1. */
  readonly strides?: N
  /** Of the input: `valid`: as many outputs as the kernel has places; `same`: ⌈size / strides⌉, zeros around. Default: valid. */
  readonly padding?: 'valid' | 'same'
  /** Places between what the kernel sees of the input; more than 1 only with strides of 1. Default: 1. */
  readonly dilationRate?: N
  /** φ. Default: tanh. */
  readonly activation?: Activation
  /** σ, of the gates. Default: sigmoid. */
  readonly recurrentActivation?: Activation
  /** Default: true. */
  readonly useBias?: boolean
  /** The forget gate's bias begins at 1. Default: true. */
  readonly unitForgetBias?: boolean
  /** How U begins. Default: glorotUniform. */
  readonly kernelInitializer?: Initializer
  /** How W begins. Default: orthogonal. */
  readonly recurrentInitializer?: Initializer
  /** How b begins. Default: zeros. */
  readonly biasInitializer?: Initializer
}

export type ConvLstm1dOptions = ConvLstmOptions<number>

/** A size for rows and columns, or one for each: [rows, columns]. */
export type Pair = number | readonly [number, number]
export type ConvLstm2dOptions = ConvLstmOptions<Pair>

const pair: Field<Pair> = {
  fallback: undefined,
  check: (what, name, value) => {
    const sizes: readonly number[] = typeof value === 'object' && value !== null ? value : [value, value]
    if (sizes.length === 2 && sizes.every((size) => Number.isInteger(size) && size >= 1)) return
    throw new ArgumentError(
      `${what}: ${name} must be an integer of at least 1, or two, [rows, columns]; received ${JSON.stringify(value)}`,
    )
  },
}

const fieldsOf = <N>(size: Field<N>, one: Field<N>) => {
  const { activation, recurrentActivation, useBias, unitForgetBias } = LSTM
  const { kernelInitializer, recurrentInitializer, biasInitializer } = LSTM
  return {
    ...{ filters: count, kernelSize: size, strides: one, padding: choice('valid', ['valid', 'same']) },
    ...{ dilationRate: one, activation, recurrentActivation, useBias, unitForgetBias },
    ...{ kernelInitializer, recurrentInitializer, biasInitializer },
  }
}

export const CONV_LSTM1D = fieldsOf(count, { ...count, fallback: 1 }) satisfies Fields<ConvLstm1dOptions>
export const CONV_LSTM2D = fieldsOf(pair, { ...pair, fallback: 1 }) satisfies Fields<ConvLstm2dOptions>

/**
 * An LSTM over rows of places instead of units (Shi et al. 2015), Keras's ConvLSTM1D, without peepholes:
 *
 *     [i f g o] = x ∗ U + h(t−1) ∗ W + b
 *     c(t) = σ(f) ⊙ c(t−1) + σ(i) ⊙ φ(g)
 *     h(t) = σ(o) ⊙ φ(c(t))
 *
 * x [B, rows, I], h and c [B, rows′, F]; U [k, I, 4F], W [k, F, 4F], b [4F] in Keras's order i, f, c, o. ∗ moves the kernel
 * over the rows, as {@link convolution} has it: over x with `strides`, `padding` and `dilationRate`, which decide rows′, over
 * h always so that its shape stays. The output is h(t).
 * @throws {ArgumentError} for filters or sizes below 1, strides and dilationRate both above 1, an option that is not there
 * @throws {ShapeError} when traced for rows that the kernel does not fit into
 */
export function convLstm1dCell(options: ConvLstm1dOptions) {
  return cellOf('convLstm1d', 1, fill('convLstm1d', CONV_LSTM1D, options))
}

/**
 * {@link convLstm1dCell} over images, Keras's ConvLSTM2D: x [B, rows, columns, I], h and c [B, rows′, columns′, F];
 * U [k, k′, I, 4F], W [k, k′, F, 4F].
 */
export function convLstm2dCell(options: ConvLstm2dOptions) {
  return cellOf('convLstm2d', 2, fill('convLstm2d', CONV_LSTM2D, options))
}

interface Own extends Omit<Filled<typeof CONV_LSTM1D>, 'kernelSize' | 'strides' | 'dilationRate'> {
  readonly sizes: readonly number[]
  readonly strides: readonly number[]
  readonly dilations: readonly number[]
}

function cellOf(name: string, rank: number, options: Filled<typeof CONV_LSTM2D>) {
  const { kernelSize, strides, dilationRate, ...rest } = options
  const each = (size: Pair): readonly number[] =>
    typeof size === 'number' ? new Array<number>(rank).fill(size) : size
  const own: Own = {
    ...rest,
    ...{ sizes: each(kernelSize), strides: each(strides), dilations: each(dilationRate) },
  }
  const above1 = (sizes: readonly number[]) => sizes.some((size) => size > 1)
  if (above1(own.strides) && above1(own.dilations)) {
    throw new ArgumentError(
      `${name}: expected strides or a dilationRate above 1; received both, ${strides} and ${dilationRate}`,
    )
  }
  return define(name, rank)(own)
}

/** The sizes of the states, without channels. */
function placesOf(name: string, sizes: readonly number[], options: Own): number[] {
  const { sizes: kernel, strides, dilations, padding } = options
  const places = kernel.map((size, i) => {
    const fits = padding === 'same' ? sizes[i]! : sizes[i]! - (size - 1) * dilations[i]!
    return Math.ceil(fits / strides[i]!)
  })
  if (places.every((size) => size >= 1)) return places
  throw new ShapeError(
    `${name}: the kernel, [${kernel.join(', ')}] with dilationRate [${dilations.join(', ')}], does not fit into ` +
      `[${sizes.join(', ')}]; expected a smaller one, or padding: 'same'`,
  )
}

const define = (name: string, rank: number) => {
  const axes = Array.from({ length: rank }, (_, i) => i + 1)
  return defineCell<Own>()({
    name,
    inputs: rank + 1,
    state: ({ inputs, ...options }) => {
      const shape = [...placesOf(name, inputs.slice(0, rank), options), options.filters]
      return { h: shape, c: shape }
    },
    params: ({ inputs, ...options }) => {
      const { sizes, filters, kernelInitializer, recurrentInitializer } = options
      return {
        U: parameter([...sizes, inputs[rank]!, 4 * filters], kernelInitializer),
        W: parameter([...sizes, filters, 4 * filters], recurrentInitializer),
        ...biases(options.useBias, { b: gateBiases({ ...options, units: filters }) }),
      }
    },
  }).step(({ x, state: { h, c }, params, options }) => {
    const { strides, dilations, padding, useBias } = options
    const [squash, gate] = [ACTIVATIONS[options.activation], ACTIVATIONS[options.recurrentActivation]]
    const seen = convolution(x, params.U, { axes, strides, dilations, padding })
    const kept = convolution(h, params.W, { axes, padding: 'same' })
    const [i, f, g, o] = parts(seen.add(kept).add(useBias ? params.b : 0), 4)
    const next = gate(f)
      .mul(c)
      .add(gate(i).mul(squash(g)))
    const output = gate(o).mul(squash(next))
    return { output, state: { h: output, c: next } }
  })
}
