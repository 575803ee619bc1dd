import { glorotUniform, joined, ones, orthogonal, zeros } from '../init/initializers.ts'
import { requireUnits } from '../tensor/checks.ts'
import { defineCell } from './define.ts'

export interface LstmOptions {
  /** H, the size of the hidden state and of the cell state. */
  readonly units: number
  /** The forget gate's bias begins at 1 (Jozefowicz et al. 2015). Default: true. */
  readonly unitForgetBias?: boolean
}

/**
 * Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000):
 *
 *     [i f g o] = x U + h(t−1) W + b
 *     c(t) = σ(f) ⊙ c(t−1) + σ(i) ⊙ tanh(g)
 *     h(t) = σ(o) ⊙ tanh(c(t))
 *
 * x [B, I], h and c [B, H]; U [I, 4H], W [H, 4H], b [4H], in Keras's order i, f, c, o. The output is h(t).
 * @throws {ArgumentError} for units below 1
 */
export function lstmCell(options: LstmOptions) {
  requireUnits('lstm', options.units)
  return define(options)
}

const define = defineCell<LstmOptions>()({
  name: 'lstm',
  state: ({ units }) => ({ h: units, c: units }),
  params: ({ inputs, units, unitForgetBias }) => ({
    U: glorotUniform(inputs, 4 * units),
    W: orthogonal(units, 4 * units),
    b: unitForgetBias === false ? zeros(4 * units) : joined(zeros(units), ones(units), zeros(2 * units)),
  }),
}).step(({ x, state: { h, c }, params: { U, W, b }, options: { units } }) => {
  const gates = x.matmul(U).add(h.matmul(W)).add(b)
  const part = (gate: number) => gates.slice(1, gate * units, (gate + 1) * units)
  const next = part(1)
    .sigmoid()
    .mul(c)
    .add(part(0).sigmoid().mul(part(2).tanh()))
  const output = part(3).sigmoid().mul(next.tanh())
  return { output, state: { h: output, c: next } }
})
