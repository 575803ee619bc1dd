import { sub } from '../graph/value.ts'
import { defineCell } from './define.ts'
import { parts } from './functions.ts'
import { biases, type Filled, fill, INPUT_BASICS, type InputBasics, weight } from './options.ts'

/**
 * The minGRU (Feng et al. 2024): a GRU whose gate and candidate read the input alone, so that it is linear in its state.
 *
 *     z = σ(x Uz + bz)
 *     ĥ = x Uh + bh
 *     h(t) = (1 − z) ⊙ h(t−1) + z ⊙ ĥ
 *
 * x [B, I], h [B, H]; U [I, 2H], b [2H] in the order z, h. The output is h(t).
 * @throws {ArgumentError} for units below 1, or an option that is not there
 */
export function minGruCell(options: InputBasics) {
  return define(fill('minGru', INPUT_BASICS, options))
}

const define = defineCell<Filled<typeof INPUT_BASICS>>()({
  name: 'minGru',
  state: ({ units }) => ({ h: units }),
  params: ({ inputs, ...options }) => ({
    U: weight('kernel', options, [inputs, 2 * options.units]),
    ...biases(options.useBias, { b: weight('bias', options, [2 * options.units]) }),
  }),
}).step(({ x, state: { h }, params, options }) => {
  const sum = x.matmul(params.U)
  const [toGate, candidate] = parts(options.useBias ? sum.add(params.b) : sum, 2)
  const z = toGate.sigmoid()
  const next = sub(1, z).mul(h).add(z.mul(candidate))
  return { output: next, state: { h: next } }
})
