import { type Initializer, joined, parameter } from '../init/initializers.ts'
import { activationsOf } from './activations.ts'
import { defineCell } from './define.ts'
import { parts } from './functions.ts'
import { gateBiases } from './lstm.ts'
import {
  biases,
  type Fields,
  type Filled,
  fill,
  flag,
  GATED,
  type GatedBasics,
  KERNEL,
  weight,
} from './options.ts'

export interface PeepholeLstmOptions extends GatedBasics {
  /** How the weights of the peepholes begin. Default: glorotUniform. */
  readonly peepholeInitializer?: Initializer
  /** The forget gate's bias begins at 1. Default: true. */
  readonly unitForgetBias?: boolean
}

const PEEPHOLE_LSTM = {
  ...GATED,
  peepholeInitializer: KERNEL,
  unitForgetBias: flag(true),
} satisfies Fields<PeepholeLstmOptions>

/**
 * The LSTM whose gates see the cell state (Gers and Schmidhuber 2000), as in Graves 2013:
 *
 *     [i f g o] = x U + h(t−1) W + b
 *     c(t) = σ(f + pf ⊙ c(t−1)) ⊙ c(t−1) + σ(i + pi ⊙ c(t−1)) ⊙ φ(g)
 *     h(t) = σ(o + po ⊙ c(t)) ⊙ φ(c(t))
 *
 * x [B, I], h and c [B, H]; U [I, 4H], W [H, 4H], b [4H], in Keras's order i, f, c, o; P [3H] in the order i, f, o. The
 * output is h(t).
 * @throws {ArgumentError} for units below 1, an option or an activation that is not there
 */
export function peepholeLstmCell(options: PeepholeLstmOptions) {
  return define(fill('peepholeLstm', PEEPHOLE_LSTM, options))
}

const define = defineCell<Filled<typeof PEEPHOLE_LSTM>>()({
  name: 'peepholeLstm',
  state: ({ units }) => ({ h: units, c: units }),
  params: ({ inputs, ...options }) => {
    const { units } = options
    const peephole = parameter([units], options.peepholeInitializer)
    return {
      U: weight('kernel', options, [inputs, 4 * units]),
      W: weight('recurrent', options, [units, 4 * units]),
      P: joined(peephole, peephole, peephole),
      ...biases(options.useBias, { b: gateBiases(options) }),
    }
  },
}).step(({ x, state: { h, c }, params, options }) => {
  const [squash, gate] = activationsOf('peepholeLstm', options)
  const sum = x.matmul(params.U).add(h.matmul(params.W))
  const [i, f, g, o] = parts(options.useBias ? sum.add(params.b) : sum, 4)
  const [pi, pf, po] = parts(params.P, 3)
  const kept = gate(f.add(pf.mul(c))).mul(c)
  const next = kept.add(gate(i.add(pi.mul(c))).mul(squash(g)))
  const output = gate(o.add(po.mul(next))).mul(squash(next))
  return { output, state: { h: output, c: next } }
})
