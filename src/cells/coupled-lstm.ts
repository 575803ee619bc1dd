import { sub } from '../graph/value.ts'
import { joined, ones, parameter } from '../init/initializers.ts'
import { activationsOf } from './activations.ts'
import { defineCell } from './define.ts'
import { parts } from './functions.ts'
import { biases, type Fields, type Filled, fill, flag, GATED, type GatedBasics, weight } from './options.ts'

export interface CoupledLstmOptions extends GatedBasics {
  /** The forget gate's bias begins at 1. Default: true. */
  readonly unitForgetBias?: boolean
}

const COUPLED_LSTM = { ...GATED, unitForgetBias: flag(true) } satisfies Fields<CoupledLstmOptions>

/**
 * The LSTM with coupled input and forget gate, CIFG (Greff et al. 2017): what is forgotten is replaced.
 *
 *     [f g o] = x U + h(t−1) W + b
 *     c(t) = σ(f) ⊙ c(t−1) + (1 − σ(f)) ⊙ φ(g)
 *     h(t) = σ(o) ⊙ φ(c(t))
 *
 * x [B, I], h and c [B, H]; U [I, 3H], W [H, 3H], b [3H] in the order f, c, o. The output is h(t).
 * @throws {ArgumentError} for units below 1, an option or an activation that is not there
 */
export function coupledLstmCell(options: CoupledLstmOptions) {
  return define(fill('coupledLstm', COUPLED_LSTM, options))
}

const define = defineCell<Filled<typeof COUPLED_LSTM>>()({
  name: 'coupledLstm',
  state: ({ units }) => ({ h: units, c: units }),
  params: ({ inputs, ...options }) => {
    const { units, unitForgetBias, biasInitializer: init } = options
    const begin = unitForgetBias ? joined(ones(units), parameter([2 * units], init)).init : init
    return {
      U: weight('kernel', options, [inputs, 3 * units]),
      W: weight('recurrent', options, [units, 3 * units]),
      ...biases(options.useBias, { b: weight('bias', options, [3 * units], begin) }),
    }
  },
}).step(({ x, state: { h, c }, params, options }) => {
  const [squash, gate] = activationsOf('coupledLstm', options)
  const sum = x.matmul(params.U).add(h.matmul(params.W))
  const [f, g, o] = parts(options.useBias ? sum.add(params.b) : sum, 3)
  const keep = gate(f)
  const next = keep.mul(c).add(sub(1, keep).mul(squash(g)))
  const output = gate(o).mul(squash(next))
  return { output, state: { h: output, c: next } }
})
