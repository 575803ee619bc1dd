import { sub } from '../graph/value.ts'
import { type Activation, activationOf } from './activations.ts'
import { defineCell } from './define.ts'
import { parts } from './functions.ts'
import {
  activation,
  biases,
  type Fields,
  type Filled,
  fill,
  INPUT_BASICS,
  type InputBasics,
  weight,
} from './options.ts'

export interface QrnnOptions extends InputBasics {
  /** φ. Default: tanh. */
  readonly activation?: Activation
}

const QRNN = { ...INPUT_BASICS, activation: activation('tanh') } satisfies Fields<QrnnOptions>

/**
 * The quasi-recurrent network (Bradbury et al. 2017): a convolution over a window of two steps, and fo-pooling, which is
 * linear in the state.
 *
 *     [z f o] = x(t−1) V + x(t) U + b
 *     c(t) = σ(f) ⊙ c(t−1) + (1 − σ(f)) ⊙ φ(z)
 *     h(t) = σ(o) ⊙ c(t)
 *
 * x [B, I], c [B, H]; U and V [I, 3H], b [3H] in the order z, f, o. x(t−1) is the state `previous` [B, I]. The output is h(t).
 * @throws {ArgumentError} for units below 1, an option or an activation that is not there
 */
export function qrnnCell(options: QrnnOptions) {
  return define(fill('qrnn', QRNN, options))
}

const define = defineCell<Filled<typeof QRNN>>()({
  name: 'qrnn',
  state: ({ inputs, units }) => ({ c: units, previous: inputs }),
  params: ({ inputs, ...options }) => ({
    V: weight('kernel', options, [inputs, 3 * options.units]),
    U: weight('kernel', options, [inputs, 3 * options.units]),
    ...biases(options.useBias, { b: weight('bias', options, [3 * options.units]) }),
  }),
}).step(({ x, state: { c, previous }, params, options }) => {
  const sum = previous.matmul(params.V).add(x.matmul(params.U))
  const [z, f, o] = parts(options.useBias ? sum.add(params.b) : sum, 3)
  const keep = f.sigmoid()
  const next = keep.mul(c).add(sub(1, keep).mul(activationOf('qrnn', options.activation)(z)))
  return { output: o.sigmoid().mul(next), state: { c: next, previous: x } }
})
