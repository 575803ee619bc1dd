import { sub } from '../graph/value.ts'
import { logSigmoid } from './activation-functions.ts'
import { defineCell } from './define.ts'
import { parts } from './functions.ts'
import { biases, type Filled, fill, INPUT_BASICS, type InputBasics, weight } from './options.ts'

/**
 * The minLSTM (Feng et al. 2024), whose gates read the input alone and share out 1 between them:
 *
 *     f = σ(x Uf + bf)      i = σ(x Ui + bi)
 *     ĥ = x Uh + bh
 *     h(t) = f / (f + i) ⊙ h(t−1) + i / (f + i) ⊙ ĥ
 *
 * x [B, I], h [B, H]; U [I, 3H], b [3H] in the order f, i, h. The shares are computed from log f − log i, so that they
 * are numbers where both gates are closed. The output is h(t).
 * @throws {ArgumentError} for units below 1, or an option that is not there
 */
export function minLstmCell(options: InputBasics) {
  return define(fill('minLstm', INPUT_BASICS, options))
}

const define = defineCell<Filled<typeof INPUT_BASICS>>()({
  name: 'minLstm',
  state: ({ units }) => ({ h: units }),
  params: ({ inputs, ...options }) => ({
    U: weight('kernel', options, [inputs, 3 * options.units]),
    ...biases(options.useBias, { b: weight('bias', options, [3 * options.units]) }),
  }),
}).step(({ x, state: { h }, params, options }) => {
  const sum = x.matmul(params.U)
  const [f, i, candidate] = parts(options.useBias ? sum.add(params.b) : sum, 3)
  const keep = logSigmoid(f).sub(logSigmoid(i)).sigmoid()
  const next = keep.mul(h).add(sub(1, keep).mul(candidate))
  return { output: next, state: { h: next } }
})
