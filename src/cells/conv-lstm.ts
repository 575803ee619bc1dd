import { convolution } from '../graph/functions.ts'
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { activationsOf } from './activations.ts'
import { defineCell } from './define.ts'
import { parts } from './functions.ts'
import { gateBiases, LSTM, type LstmOptions } from './lstm.ts'
import { biases, choice, count, type Field, type Fields, type Filled, fill, weight } from './options.ts'

/** `N`: a size for each axis that the kernel moves over. */
interface ConvLstmOptions<N> extends Omit<LstmOptions, 'units'> {
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
  const { kernelRegularizer, recurrentRegularizer, biasRegularizer } = LSTM
  const { kernelConstraint, recurrentConstraint, biasConstraint, dropout, recurrentDropout } = LSTM
  return {
    ...{ filters: count, kernelSize: size, strides: one, padding: choice('valid', ['valid', 'same']) },
    ...{ dilationRate: one, activation, recurrentActivation, useBias, unitForgetBias },
    ...{ kernelInitializer, recurrentInitializer, biasInitializer },
    ...{ kernelRegularizer, recurrentRegularizer, biasRegularizer },
    ...{ kernelConstraint, recurrentConstraint, biasConstraint, dropout, recurrentDropout },
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
  return define1d(checked('convLstm1d', fill('convLstm1d', CONV_LSTM1D, options)))
}

/**
 * {@link convLstm1dCell} over images, Keras's ConvLSTM2D: x [B, rows, columns, I], h and c [B, rows′, columns′, F];
 * U [k, k′, I, 4F], W [k, k′, F, 4F].
 */
export function convLstm2dCell(options: ConvLstm2dOptions) {
  return define2d(checked('convLstm2d', fill('convLstm2d', CONV_LSTM2D, options)))
}

type Own = Filled<typeof CONV_LSTM2D>

function checked(name: string, options: Own): Own {
  const { strides, dilationRate } = options
  if (![strides, dilationRate].every((sizes) => [sizes].flat().some((size) => size > 1))) return options
  throw new ArgumentError(
    `${name}: expected strides or a dilationRate above 1; received both, ${strides} and ${dilationRate}`,
  )
}

/** A size for each axis that a kernel moves over. */
function each(rank: number, size: Pair): readonly number[] {
  return typeof size === 'number' ? new Array<number>(rank).fill(size) : size
}

/** The sizes of the states, without channels. */
function placesOf(name: string, sizes: readonly number[], options: Own): number[] {
  const { kernelSize, strides, dilationRate, padding } = options
  const own = [kernelSize, strides, dilationRate].map((size) => each(sizes.length, size))
  const [kernel, steps, dilations] = own as [readonly number[], readonly number[], readonly number[]]
  const places = sizes.map((size, i) => {
    const free = padding === 'same' ? size : size - (kernel[i]! - 1) * dilations[i]!
    return Math.ceil(free / steps[i]!)
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
      const { filters } = options
      const kernel = each(rank, options.kernelSize)
      return {
        U: weight('kernel', options, [...kernel, inputs[rank]!, 4 * filters]),
        W: weight('recurrent', options, [...kernel, filters, 4 * filters]),
        ...biases(options.useBias, { b: gateBiases({ ...options, units: filters }) }),
      }
    },
    noise: ({ inputs, ...options }) => ({
      x: { shape: inputs, rate: options.dropout },
      h: {
        shape: [...placesOf(name, inputs.slice(0, rank), options), options.filters],
        rate: options.recurrentDropout,
      },
    }),
  }).step(({ x, state: { h, c }, params, noise, options }) => {
    const { strides, dilationRate, padding, useBias } = options
    const [squash, gate] = activationsOf(name, options)
    const seen = convolution(noise.x(x), params.U, { axes, strides, dilations: dilationRate, padding })
    const kept = convolution(noise.h(h), params.W, { axes, padding: 'same' })
    const [i, f, g, o] = parts(seen.add(kept).add(useBias ? params.b : 0), 4)
    const next = gate(f)
      .mul(c)
      .add(gate(i).mul(squash(g)))
    const output = gate(o).mul(squash(next))
    return { output, state: { h: output, c: next } }
  })
}

const define1d = define('convLstm1d', 1)
const define2d = define('convLstm2d', 2)
