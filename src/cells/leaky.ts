import { type Activation, activationOf } from './activations.ts'
import { defineCell } from './define.ts'
import {
  activation,
  BASICS,
  biases,
  type CellBasics,
  type Fields,
  type Filled,
  fill,
  numberOf,
  weight,
} from './options.ts'

export interface LeakyOptions extends CellBasics {
  /** α, above 0 and at most 1: about 1 / α steps are remembered. */
  readonly leakRate: number
  /** φ. Default: tanh. */
  readonly activation?: Activation
}

const LEAKY = {
  ...BASICS,
  leakRate: numberOf('above 0 and at most 1'),
  activation: activation('tanh'),
} satisfies Fields<LeakyOptions>

/**
 * Leaky units, leaky integrators (Mozer 1992; Jaeger et al. 2007): an Elman cell that goes only part of the way.
 *
 *     h(t) = (1 − α) h(t−1) + α φ(x U + h(t−1) W + b)
 *
 * x [B, I], h [B, H]; U [I, H], W [H, H], b [H]. The output is h(t).
 * @throws {ArgumentError} for units below 1, a leak rate outside 0 … 1, an option or an activation that is not there
 */
export function leakyCell(options: LeakyOptions) {
  return define(fill('leaky', LEAKY, options))
}

const define = defineCell<Filled<typeof LEAKY>>()({
  name: 'leaky',
  state: ({ units }) => ({ h: units }),
  params: ({ inputs, ...options }) => ({
    U: weight('kernel', options, [inputs, options.units]),
    W: weight('recurrent', options, [options.units, options.units]),
    ...biases(options.useBias, { b: weight('bias', options, [options.units]) }),
  }),
}).step(({ x, state: { h }, params, options }) => {
  const { leakRate, useBias } = options
  const sum = x.matmul(params.U).add(h.matmul(params.W))
  const way = activationOf('leaky', options.activation)(useBias ? sum.add(params.b) : sum)
  const next = h.mul(1 - leakRate).add(way.mul(leakRate))
  return { output: next, state: { h: next } }
})
