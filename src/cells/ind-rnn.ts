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
  initializer,
  weight,
} from './options.ts'

export interface IndRnnOptions extends CellBasics {
  /** φ. Default: relu. */
  readonly activation?: Activation
}

const IND_RNN = {
  ...BASICS,
  recurrentInitializer: initializer({ kind: 'uniform', low: 0, high: 1 }),
  activation: activation('relu'),
} satisfies Fields<IndRnnOptions>

/**
 * The independently recurrent network (Li et al. 2018), whose units read nothing but themselves of the step before:
 *
 *     h(t) = φ(x U + w ⊙ h(t−1) + b)
 *
 * x [B, I], h [B, H]; U [I, H], w [H], b [H]; w begins uniform in 0 … 1: gradients over T steps stay bounded where
 * |w|ᵀ does. The output is h(t).
 * @throws {ArgumentError} for units below 1, an option or an activation that is not there
 */
export function indRnnCell(options: IndRnnOptions) {
  return define(fill('indRnn', IND_RNN, options))
}

const define = defineCell<Filled<typeof IND_RNN>>()({
  name: 'indRnn',
  state: ({ units }) => ({ h: units }),
  params: ({ inputs, ...options }) => ({
    U: weight('kernel', options, [inputs, options.units]),
    w: weight('recurrent', options, [options.units]),
    ...biases(options.useBias, { b: weight('bias', options, [options.units]) }),
  }),
}).step(({ x, state: { h }, params, options }) => {
  const sum = x.matmul(params.U).add(h.mul(params.w))
  const next = activationOf('indRnn', options.activation)(options.useBias ? sum.add(params.b) : sum)
  return { output: next, state: { h: next } }
})
