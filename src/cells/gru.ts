import { sub, type Value } from '../graph/value.ts'
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

export interface GruOptions extends GatedBasics, Dropping {
  /** Whether the reset gate acts after the product with W instead of before it. Default: true. */
  readonly resetAfter?: boolean
}

export const GRU = { ...GATED, ...DROPPING, resetAfter: flag(true) } satisfies Fields<GruOptions>

/**
 * Gated recurrent unit (Cho et al. 2014), as in Keras: the update gate z keeps, the reset gate r forgets.
 *
 *     z = σ(x Uz + h(t−1) Wz + bz)      r = σ(x Ur + h(t−1) Wr + br)
 *     ĥ = φ(x Uh + bh + (r ⊙ h(t−1)) Wh)              with resetAfter: false
 *     ĥ = φ(x Uh + bh + r ⊙ (h(t−1) Wh + b′h))        with resetAfter: true, as PyTorch and cuDNN compute it
 *     h(t) = z ⊙ h(t−1) + (1 − z) ⊙ ĥ
 *
 * x [B, I], h [B, H]; U [I, 3H], W [H, 3H] in Keras's order z, r, h. b is [3H], or with resetAfter [2, 3H]: the
 * input's and the state's, which add up in z and r. The output is h(t). In
 * training, x and h(t−1) in these products are dropped by `dropout` and `recurrentDropout`.
 * @throws {ArgumentError} for units below 1, an option or an activation that is not there
 */
export function gruCell(options: GruOptions) {
  return define(fill('gru', GRU, options))
}

const define = defineCell<Filled<typeof GRU>>()({
  name: 'gru',
  state: ({ units }) => ({ h: units }),
  params: ({ inputs, ...options }) => {
    const { units } = options
    const b = weight('bias', options, options.resetAfter ? [2, 3 * units] : [3 * units])
    return {
      U: weight('kernel', options, [inputs, 3 * units]),
      W: weight('recurrent', options, [units, 3 * units]),
      ...biases(options.useBias, { b }),
    }
  },
  noise: dropping,
}).step(({ x, state: { h }, params, noise, options }) => {
  const { units, useBias, resetAfter } = options
  const [squash, gate] = activationsOf('gru', options)
  const part = (all: Value, place: number) => all.slice(1, place * units, (place + 1) * units)
  const bias = (row: number) => (resetAfter ? params.b.slice(0, row, row + 1) : params.b)
  const recalling = noise.h(h)
  const input = noise
    .x(x)
    .matmul(params.U)
    .add(useBias ? bias(0) : 0)
  const own = resetAfter
    ? recalling.matmul(params.W).add(useBias ? bias(1) : 0)
    : recalling.matmul(params.W.slice(1, 0, 2 * units))
  const gateOf = (place: number) => gate(part(input, place).add(part(own, place)))
  const [z, r] = [gateOf(0), gateOf(1)]
  const recalled = resetAfter ? r.mul(part(own, 2)) : r.mul(recalling).matmul(part(params.W, 2))
  const candidate = squash(part(input, 2).add(recalled))
  const next = z.mul(h).add(sub(1, z).mul(candidate))
  return { output: next, state: { h: next } }
})
