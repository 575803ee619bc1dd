import { activationsOf } from './activations.ts'
import { defineCell } from './define.ts'
import { parts } from './functions.ts'
import { biases, type Filled, fill, GATED, type GatedBasics, weight } from './options.ts'

/**
 * The minimal gated unit (Zhou et al. 2016), a GRU whose one gate both resets and updates:
 *
 *     f = σ(x Uf + h(t−1) Wf + bf)
 *     ĥ = φ(x Uh + (f ⊙ h(t−1)) Wh + bh)
 *     h(t) = (1 − f) ⊙ h(t−1) + f ⊙ ĥ
 *
 * x [B, I], h [B, H]; U [I, 2H], W [H, 2H], b [2H] in the order f, h. The output is h(t).
 * @throws {ArgumentError} for units below 1, an option or an activation that is not there
 */
export function minimalGatedCell(options: GatedBasics) {
  return define(fill('minimalGated', GATED, options))
}

const define = defineCell<Filled<typeof GATED>>()({
  name: 'minimalGated',
  state: ({ units }) => ({ h: units }),
  params: ({ inputs, ...options }) => ({
    U: weight('kernel', options, [inputs, 2 * options.units]),
    W: weight('recurrent', options, [options.units, 2 * options.units]),
    ...biases(options.useBias, { b: weight('bias', options, [2 * options.units]) }),
  }),
}).step(({ x, state: { h }, params, options }) => {
  const [squash, gate] = activationsOf('minimalGated', options)
  const sum = x.matmul(params.U)
  const [toGate, toCandidate] = parts(options.useBias ? sum.add(params.b) : sum, 2)
  const [Wf, Wh] = parts(params.W, 2)
  const f = gate(toGate.add(h.matmul(Wf)))
  const candidate = squash(toCandidate.add(f.mul(h).matmul(Wh)))
  const next = h.add(f.mul(candidate.sub(h)))
  return { output: next, state: { h: next } }
})
