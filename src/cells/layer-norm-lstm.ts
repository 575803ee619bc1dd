import { ones, zeros } from '../init/initializers.ts'
import { activationsOf } from './activations.ts'
import { defineCell } from './define.ts'
import { normalized, parts } from './functions.ts'
import { gateBiases } from './lstm.ts'
import {
  biases,
  type Fields,
  type Filled,
  fill,
  flag,
  GATED,
  type GatedBasics,
  numberOf,
  weight,
} from './options.ts'

export interface LayerNormLstmOptions extends GatedBasics {
  /** ε. Default: 1e-5. */
  readonly epsilon?: number
  /** The forget gate's bias begins at 1. Default: true. */
  readonly unitForgetBias?: boolean
}

const LAYER_NORM_LSTM = {
  ...GATED,
  epsilon: numberOf('above 0', 1e-5),
  unitForgetBias: flag(true),
} satisfies Fields<LayerNormLstmOptions>

/**
 * The LSTM with layer normalization (Ba et al. 2016, supplement):
 *
 *     [i f g o] = N(x U) ⊙ gU + N(h(t−1) W) ⊙ gW + b          N(a) = (a − μ) / √(σ² + ε)
 *     c(t) = σ(f) ⊙ c(t−1) + σ(i) ⊙ φ(g)
 *     h(t) = σ(o) ⊙ φ(N(c(t)) ⊙ gc + bc)
 *
 * x [B, I], h and c [B, H]; U [I, 4H], W [H, 4H], gU, gW and b [4H], in Keras's order i, f, c, o; gc and bc [H]. The
 * gains g begin at 1. μ and σ² are those of a row: over all four gates, and over the cell state. The paper's biases of the
 * two sums are the one b here. The output is h(t).
 * @throws {ArgumentError} for units below 1, an option or an activation that is not there
 */
export function layerNormLstmCell(options: LayerNormLstmOptions) {
  return define(fill('layerNormLstm', LAYER_NORM_LSTM, options))
}

const define = defineCell<Filled<typeof LAYER_NORM_LSTM>>()({
  name: 'layerNormLstm',
  state: ({ units }) => ({ h: units, c: units }),
  params: ({ inputs, ...options }) => {
    const { units } = options
    return {
      U: weight('kernel', options, [inputs, 4 * units]),
      W: weight('recurrent', options, [units, 4 * units]),
      gU: ones(4 * units),
      gW: ones(4 * units),
      gc: ones(units),
      ...biases(options.useBias, { b: gateBiases(options), bc: zeros(units) }),
    }
  },
}).step(({ x, state: { h, c }, params, options }) => {
  const { useBias, epsilon } = options
  const [squash, gate] = activationsOf('layerNormLstm', options)
  const input = normalized(x.matmul(params.U), epsilon).mul(params.gU)
  const sum = input.add(normalized(h.matmul(params.W), epsilon).mul(params.gW))
  const [i, f, g, o] = parts(useBias ? sum.add(params.b) : sum, 4)
  const next = gate(f)
    .mul(c)
    .add(gate(i).mul(squash(g)))
  const shown = normalized(next, epsilon).mul(params.gc)
  const output = gate(o).mul(squash(useBias ? shown.add(params.bc) : shown))
  return { output, state: { h: output, c: next } }
})
