import { type Activation, activationOf } from './activations.ts'
import { defineCell } from './define.ts'
import {
  activation,
  BASICS,
  biases,
  type CellBasics,
  DROPPING,
  type Dropping,
  dropping,
  type Fields,
  type Filled,
  fill,
  weight,
} from './options.ts'

export interface ElmanOptions extends CellBasics, Dropping {
  /** φ. Default: tanh. */
  readonly activation?: Activation
}

export const ELMAN = { ...BASICS, ...DROPPING, activation: activation('tanh') } satisfies Fields<ElmanOptions>

/**
 * The vanilla recurrent cell (Elman 1990), SimpleRNN in Keras: h(t) = φ(x U + h(t−1) W + b).
 *
 * x [B, I], h [B, H]; U [I, H], W [H, H], b [H]; the output is h(t). In training, x and h(t−1) are dropped by `dropout` and
 * `recurrentDropout`.
 * @throws {ArgumentError} for units below 1, an option or an activation that is not there
 */
export function elmanCell(options: ElmanOptions) {
  return define(fill('elman', ELMAN, options))
}

const define = defineCell<Filled<typeof ELMAN>>()({
  name: 'elman',
  state: ({ units }) => ({ h: units }),
  params: ({ inputs, ...options }) => ({
    U: weight('kernel', options, [inputs, options.units]),
    W: weight('recurrent', options, [options.units, options.units]),
    ...biases(options.useBias, { b: weight('bias', options, [options.units]) }),
  }),
  noise: dropping,
}).step(({ x, state: { h }, params, noise, options }) => {
  const sum = noise.x(x).matmul(params.U).add(noise.h(h).matmul(params.W))
  const next = activationOf('elman', options.activation)(sum.add(options.useBias ? params.b : 0))
  return { output: next, state: { h: next } }
})
