import { sub, type Value } from '../graph/value.ts'
import { ones } from '../init/initializers.ts'
import { activationsOf } from './activations.ts'
import { defineCell } from './define.ts'
import { normalized, parts } from './functions.ts'
import {
  biases,
  type Fields,
  type Filled,
  fill,
  GATED,
  type GatedBasics,
  numberOf,
  weight,
} from './options.ts'

export interface LayerNormGruOptions extends GatedBasics {
  /** ε. Default: 1e-5. */
  readonly epsilon?: number
}

const LAYER_NORM_GRU = {
  ...GATED,
  epsilon: numberOf('above 0', 1e-5),
} satisfies Fields<LayerNormGruOptions>

/**
 * The GRU with layer normalization (Ba et al. 2016, supplement), in the form of {@link gruCell} with resetAfter:
 *
 *     [z r] = σ(N(x U) ⊙ gU + b + N(h(t−1) W) ⊙ gW + b′)      N(a) = (a − μ) / √(σ² + ε)
 *     ĥ = φ(N(x Uh) ⊙ gUh + bh + r ⊙ (N(h(t−1) Wh) ⊙ gWh + b′h))
 *     h(t) = z ⊙ h(t−1) + (1 − z) ⊙ ĥ
 *
 * x [B, I], h [B, H]; U [I, 3H], W [H, 3H], the gains gU and gW [3H], which begin at 1, and b [2, 3H], the input's and
 * the state's, all in Keras's order z, r, h. μ and σ² are those of a row: over both gates, and over the candidate. The
 * paper's z is 1 − z here. The output is h(t).
 * @throws {ArgumentError} for units below 1, an option or an activation that is not there
 */
export function layerNormGruCell(options: LayerNormGruOptions) {
  return define(fill('layerNormGru', LAYER_NORM_GRU, options))
}

const define = defineCell<Filled<typeof LAYER_NORM_GRU>>()({
  name: 'layerNormGru',
  state: ({ units }) => ({ h: units }),
  params: ({ inputs, ...options }) => ({
    U: weight('kernel', options, [inputs, 3 * options.units]),
    W: weight('recurrent', options, [options.units, 3 * options.units]),
    gU: ones(3 * options.units),
    gW: ones(3 * options.units),
    ...biases(options.useBias, { b: weight('bias', options, [2, 3 * options.units]) }),
  }),
}).step(({ x, state: { h }, params, options }) => {
  const { units, useBias, epsilon } = options
  const [squash, gate] = activationsOf('layerNormGru', options)
  /** The normalized sums, of the gates or of the candidate. */
  const sums = (product: Value, gain: Value, row: number, from: number, to: number) => {
    const scaled = normalized(product.slice(1, from, to), epsilon).mul(gain.slice(0, from, to))
    return useBias ? scaled.add(params.b.slice(0, row, row + 1).slice(1, from, to)) : scaled
  }
  const [input, own] = [x.matmul(params.U), h.matmul(params.W)]
  const part = (from: number, to: number) =>
    [sums(input, params.gU, 0, from, to), sums(own, params.gW, 1, from, to)] as const
  const [inputGates, ownGates] = part(0, 2 * units)
  const [inputCandidate, ownCandidate] = part(2 * units, 3 * units)
  const [toKeep, toReset] = parts(inputGates.add(ownGates), 2)
  const z = gate(toKeep)
  const recalled = gate(toReset).mul(ownCandidate)
  const candidate = squash(inputCandidate.add(recalled))
  const next = z.mul(h).add(sub(1, z).mul(candidate))
  return { output: next, state: { h: next } }
})
