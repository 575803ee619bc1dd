import { maximum, minimum, stopGradient, where } from '../graph/value.ts'
import { logSigmoid } from './activation-functions.ts'
import { defineCell } from './define.ts'
import { parts } from './functions.ts'
import { gateBiases } from './lstm.ts'
import {
  BASICS,
  biases,
  type CellBasics,
  choice,
  type Fields,
  type Filled,
  fill,
  flag,
  weight,
} from './options.ts'

export interface SlstmOptions extends CellBasics {
  /** The forget gate, σ(f) or e^f. Default: 'sigmoid'. */
  readonly forgetActivation?: 'sigmoid' | 'exponential'
  /** The forget gate's bias begins at 1. Default: true. */
  readonly unitForgetBias?: boolean
}

const SLSTM = {
  ...BASICS,
  forgetActivation: choice('sigmoid', ['sigmoid', 'exponential']),
  unitForgetBias: flag(true),
} satisfies Fields<SlstmOptions>

/**
 * The sLSTM of xLSTM (Beck et al. 2024), with one head: a scalar memory with exponential gates.
 *
 *     [i f z o] = x U + h(t−1) W + b
 *     m(t) = max(log φ(f) + m(t−1), i)                      φ: σ or exp
 *     i′ = exp(i − m(t))      f′ = exp(log φ(f) + m(t−1) − m(t))
 *     c(t) = f′ ⊙ c(t−1) + i′ ⊙ tanh(z)
 *     n(t) = f′ ⊙ n(t−1) + i′
 *     h(t) = σ(o) ⊙ c(t) / n(t)
 *
 * x [B, I], h, c, n and m [B, H]; U [I, 4H], W [H, 4H], b [4H] in the order i, f, z, o. The stabilizer m changes no h: it
 * keeps i′ and f′ at most 1, and n at least 1. At the first step, where n(t−1) is 0, m(t) is i. c, n and m always begin
 * with 0. The output is h(t).
 * @throws {ArgumentError} for units below 1, or an option that is not there
 */
export function slstmCell(options: SlstmOptions) {
  return define(fill('slstm', SLSTM, options))
}

const define = defineCell<Filled<typeof SLSTM>>()({
  name: 'slstm',
  state: ({ units }) => ({ h: units, c: units, n: units, m: units }),
  untrained: ['c', 'n', 'm'],
  params: ({ inputs, ...options }) => {
    const { units } = options
    return {
      U: weight('kernel', options, [inputs, 4 * units]),
      W: weight('recurrent', options, [units, 4 * units]),
      ...biases(options.useBias, { b: gateBiases(options) }),
    }
  },
}).step(({ x, state: { h, c, n, m }, params, options }) => {
  const sum = x.matmul(params.U).add(h.matmul(params.W))
  const [i, f, z, o] = parts(options.useBias ? sum.add(params.b) : sum, 4)
  const kept = m.add(options.forgetActivation === 'sigmoid' ? logSigmoid(f) : f)
  // Whatever m is, h is the same: no gradient goes through it.
  const highest = stopGradient(where(n.equal(0), i, maximum(kept, i)))
  const write = i.sub(highest).exp()
  // Where nothing is kept yet, what multiplies it must be finite. Of two equal ones the second has the gradient.
  const keep = minimum(0, kept.sub(highest)).exp()
  const cell = keep.mul(c).add(write.mul(z.tanh()))
  const weight = keep.mul(n).add(write)
  const output = o.sigmoid().mul(cell.div(weight))
  return { output, state: { h: output, c: cell, n: weight, m: highest } }
})
