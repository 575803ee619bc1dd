import { type Activation, activationOf } from './activations.ts'
import { defineCell } from './define.ts'
import {
  activation,
  BASICS,
  biases,
  type CellBasics,
  count,
  type Fields,
  type Filled,
  fill,
  weight,
} from './options.ts'

export interface JordanOptions extends CellBasics {
  /** O, the size of the output, which is all that goes from step to step. */
  readonly outputs: number
  /** φ. Default: tanh. */
  readonly activation?: Activation
}

export const JORDAN = {
  ...BASICS,
  outputs: count,
  activation: activation('tanh'),
} satisfies Fields<JordanOptions>

/**
 * A recurrence through the output alone (Jordan 1986; Goodfellow et al. 2016, section 10.2.1):
 *
 *     h(t) = φ(x U + o(t−1) W + b)
 *     o(t) = h(t) V + c
 *
 * x [B, I], o [B, O]; U [I, H], W [O, H], b [H], V [H, O], c [O]. The output is o(t), and so is the only state: what a
 * narrow o does not hold is forgotten. In training, o(t−1) may be replaced by the target (teacher forcing).
 * @throws {ArgumentError} for units or outputs below 1, an option or an activation that is not there
 */
export function jordanCell(options: JordanOptions) {
  return define(fill('jordan', JORDAN, options))
}

const define = defineCell<Filled<typeof JORDAN>>()({
  name: 'jordan',
  state: ({ outputs }) => ({ o: outputs }),
  feedback: 'o',
  params: ({ inputs, outputs, ...options }) => ({
    U: weight('kernel', options, [inputs, options.units]),
    W: weight('recurrent', options, [outputs, options.units]),
    V: weight('kernel', options, [options.units, outputs]),
    ...biases(options.useBias, {
      b: weight('bias', options, [options.units]),
      c: weight('bias', options, [outputs]),
    }),
  }),
}).step(({ x, state: { o }, params, options }) => {
  const [b, c] = options.useBias ? [params.b, params.c] : [0, 0]
  const h = activationOf('jordan', options.activation)(x.matmul(params.U).add(o.matmul(params.W)).add(b))
  const output = h.matmul(params.V).add(c)
  return { output, state: { o: output } }
})
