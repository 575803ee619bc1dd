import { relu, type Value } from '../graph/value.ts'
import { glorotUniform, orthogonal, zeros } from '../init/initializers.ts'
import { requireChoice, requireUnits } from '../tensor/checks.ts'
import { defineCell } from './define.ts'

export interface ElmanOptions {
  /** H, the size of the hidden state. */
  readonly units: number
  /** Default: tanh. */
  readonly activation?: 'tanh' | 'sigmoid' | 'relu' | 'linear'
}

const ACTIVATIONS = {
  tanh: (x: Value) => x.tanh(),
  sigmoid: (x: Value) => x.sigmoid(),
  relu: (x: Value) => relu(x),
  linear: (x: Value) => x,
} as const

/**
 * The vanilla recurrent cell (Elman 1990), SimpleRNN in Keras: h(t) = φ(x U + h(t−1) W + b).
 *
 * x [B, I], h [B, H]; U [I, H], W [H, H], b [H]; the output is h(t).
 * @throws {ArgumentError} for units below 1 or an activation that is not there
 */
export function elmanCell(options: ElmanOptions) {
  requireUnits('elman', options.units)
  requireChoice('elman', 'activation', options.activation ?? 'tanh', Object.keys(ACTIVATIONS))
  return define(options)
}

const define = defineCell<ElmanOptions>()({
  name: 'elman',
  state: ({ units }) => ({ h: units }),
  params: ({ inputs, units }) => ({
    U: glorotUniform(inputs, units),
    W: orthogonal(units, units),
    b: zeros(units),
  }),
}).step(({ x, state: { h }, params: { U, W, b }, options }) => {
  const next = ACTIVATIONS[options.activation ?? 'tanh'](x.matmul(U).add(h.matmul(W)).add(b))
  return { output: next, state: { h: next } }
})
