import { sub } from '../graph/value.ts'
import { filled, type Initializer, joined, parameter } from '../init/initializers.ts'
import { exp } from '../tensor/math.ts'
import { constantOf } from '../tensor/size.ts'
import { defineCell } from './define.ts'
import { parts } from './functions.ts'
import {
  biases,
  type Fields,
  type Filled,
  fill,
  INPUT_BASICS,
  type InputBasics,
  initializer,
  numberOf,
  weight,
} from './options.ts'

export interface SruOptions extends InputBasics {
  /** How the weights of the input begin. Default: lecunUniform. */
  readonly kernelInitializer?: Initializer
  /** How the weights of the state begin. Default: uniform of variance 1/2. */
  readonly recurrentInitializer?: Initializer
  /** What r's bias begins with: below 0 the output begins as the input. Default: 0. */
  readonly highwayBias?: number
}

const LIMIT = Math.sqrt(1.5)
const SRU = {
  ...INPUT_BASICS,
  kernelInitializer: initializer({ kind: 'lecunUniform' }),
  recurrentInitializer: initializer({ kind: 'uniform', low: -LIMIT, high: LIMIT }),
  highwayBias: numberOf('that is finite', 0),
} satisfies Fields<SruOptions>

/**
 * The simple recurrent unit (Lei et al. 2018): linear in its state but for gates that read their own unit alone.
 *
 *     [u f r] = x U
 *     f = σ(f + vf ⊙ c(t−1) + bf)
 *     c(t) = f ⊙ c(t−1) + (1 − f) ⊙ u
 *     r = σ(r + vr ⊙ c(t−1) + br)
 *     h(t) = r ⊙ c(t) + (1 − r) ⊙ α x        α = √(1 + 2 e^highwayBias)
 *
 * x [B, I], c [B, H]; U [I, 3H], v [2H] and b [2H] in the order f, r. Where I is not H, U is [I, 4H] and x U has what
 * stands for x in h behind the others. The output is h(t).
 * @throws {ArgumentError} for units below 1, or an option that is not there
 */
export function sruCell(options: SruOptions) {
  return define(fill('sru', SRU, options))
}

const define = defineCell<Filled<typeof SRU>>()({
  name: 'sru',
  state: ({ units }) => ({ c: units }),
  params: ({ inputs, ...options }) => {
    const { units, highwayBias } = options
    const begin = joined(parameter([units], options.biasInitializer), filled(highwayBias, units)).init
    return {
      U: weight('kernel', options, [inputs, (inputs === units ? 3 : 4) * units]),
      v: weight('recurrent', options, [2 * units]),
      ...biases(options.useBias, { b: weight('bias', options, [2 * units], begin) }),
    }
  },
}).step(({ x, state: { c }, params, options }) => {
  const { units, useBias, highwayBias } = options
  const sum = x.matmul(params.U)
  const [u, forget, reset] = parts(sum.slice(1, 0, 3 * units), 3)
  const [vf, vr] = parts(params.v, 2)
  const [bf, br] = useBias ? parts(params.b, 2) : [0, 0]
  const f = forget.add(vf.mul(c)).add(bf).sigmoid()
  const r = reset.add(vr.mul(c)).add(br).sigmoid()
  const next = f.mul(c).add(sub(1, f).mul(u))
  const shown = constantOf(x.shape[1]!) === units ? x : sum.slice(1, 3 * units)
  const scale = Math.sqrt(1 + 2 * exp(highwayBias))
  const output = r.mul(next).add(sub(1, r).mul(shown.mul(scale)))
  return { output, state: { c: next } }
})
