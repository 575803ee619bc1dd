import { joined, ones, parameter } from '../init/initializers.ts'
import { activationsOf } from './activations.ts'
import { defineCell } from './define.ts'
import {
  biases,
  DROPPING,
  type Dropping,
  dropping,
  type Fields,
  type Filled,
  fill,
  flag,
  GATED,
  type GatedBasics,
  weight,
} from './options.ts'

export interface LstmOptions extends GatedBasics, Dropping {
  /** The forget gate's bias begins at 1 (Jozefowicz et al. 2015). Default: true. */
  readonly unitForgetBias?: boolean
}

export const LSTM = { ...GATED, ...DROPPING, unitForgetBias: flag(true) } satisfies Fields<LstmOptions>

/** b [4H] of gates in the order i, f, c, o: the forget gate's begin at 1 where that is asked for. */
export function gateBiases(
  options: Pick<
    Filled<typeof LSTM>,
    'units' | 'unitForgetBias' | `bias${'Initializer' | 'Regularizer' | 'Constraint'}`
  >,
) {
  const { units, unitForgetBias, biasInitializer } = options
  const bias = (size: number) => parameter([size], biasInitializer)
  const init = unitForgetBias ? joined(bias(units), ones(units), bias(2 * units)).init : biasInitializer
  return weight('bias', options, [4 * units], init)
}

/**
 * Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000):
 *
 *     [i f g o] = x U + h(t−1) W + b
 *     c(t) = σ(f) ⊙ c(t−1) + σ(i) ⊙ φ(g)
 *     h(t) = σ(o) ⊙ φ(c(t))
 *
 * x [B, I], h and c [B, H]; U [I, 4H], W [H, 4H], b [4H], in Keras's order i, f, c, o. The output is h(t). In
 * training, x and h(t−1) in these products are dropped by `dropout` and `recurrentDropout`.
 * @throws {ArgumentError} for units below 1, an option or an activation that is not there
 */
export function lstmCell(options: LstmOptions) {
  return define(fill('lstm', LSTM, options))
}

const define = defineCell<Filled<typeof LSTM>>()({
  name: 'lstm',
  state: ({ units }) => ({ h: units, c: units }),
  params: ({ inputs, ...options }) => {
    const { units } = options
    return {
      U: weight('kernel', options, [inputs, 4 * units]),
      W: weight('recurrent', options, [units, 4 * units]),
      ...biases(options.useBias, { b: gateBiases(options) }),
    }
  },
  noise: dropping,
}).step(({ x, state: { h, c }, params, noise, options }) => {
  const { units, useBias } = options
  const [squash, gate] = activationsOf('lstm', options)
  const gates = noise
    .x(x)
    .matmul(params.U)
    .add(noise.h(h).matmul(params.W))
    .add(useBias ? params.b : 0)
  const part = (place: number) => gates.slice(1, place * units, (place + 1) * units)
  const next = gate(part(1))
    .mul(c)
    .add(gate(part(0)).mul(squash(part(2))))
  const output = gate(part(3)).mul(squash(next))
  return { output, state: { h: output, c: next } }
})
