import { concat } from '../graph/value.ts'
import { normal, parameter } from '../init/initializers.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { defineCell } from './define.ts'
import { parts } from './functions.ts'
import { count, type Fields, type Filled, fill, numberOf, optional } from './options.ts'

export interface LruOptions {
  /** N, the number of complex numbers in the state. */
  readonly units: number
  /** O, the size of the output. Default: units. */
  readonly outputs?: number | undefined
  /** The least |λ| at the beginning. Default: 0. */
  readonly minRadius?: number
  /** The largest |λ| at the beginning. Default: 1. */
  readonly maxRadius?: number
  /** The largest angle of λ at the beginning. Default: 2π. */
  readonly maxPhase?: number
}

const LRU = {
  units: count,
  outputs: optional(count),
  minRadius: numberOf('of at least 0 and below 1', 0),
  maxRadius: numberOf('above 0 and at most 1', 1),
  maxPhase: numberOf('above 0', 2 * Math.PI),
} satisfies Fields<LruOptions>

/**
 * The linear recurrent unit (Orvieto et al. 2023): a diagonal of complex numbers λ, of which |λ| < 1 whatever is learnt.
 *
 *     λ = exp(−e^ν + i e^θ)
 *     s(t) = λ ⊙ s(t−1) + e^γ ⊙ (x U)
 *     y(t) = Re(s(t) V) + x D
 *
 * x [B, I]; s complex, the states re and im [B, N]; lambda [3, N] with the rows ν, θ, γ; U [I, 2N] and V [2N, O], real
 * parts before imaginary ones; D [I, O]. λ begins uniform on a ring, γ so that s keeps the variance of x; U, V and D begin
 * normal of variance 1 / 2I, 1 / N and 1 / I. The output is y(t).
 * @throws {ArgumentError} for units or outputs below 1, radii or a phase out of their ranges, an option that is not there
 */
export function lruCell(options: LruOptions) {
  const filled = fill('lru', LRU, options)
  const { minRadius, maxRadius } = filled
  if (minRadius >= maxRadius) {
    throw new ArgumentError(`lru: minRadius must be below maxRadius; received ${minRadius} and ${maxRadius}`)
  }
  return define(filled)
}

const define = defineCell<Filled<typeof LRU>>()({
  name: 'lru',
  state: ({ units }) => ({ re: units, im: units }),
  params: ({ inputs, units, outputs = units, minRadius, maxRadius, maxPhase }) => ({
    lambda: parameter([3, units], { kind: 'ring', minRadius, maxRadius, maxPhase }),
    U: normal(1 / Math.sqrt(2 * inputs), inputs, 2 * units),
    V: normal(1 / Math.sqrt(units), 2 * units, outputs),
    D: normal(1 / Math.sqrt(inputs), inputs, outputs),
  }),
}).step(({ x, state: { re, im }, params }) => {
  const row = (place: number) => params.lambda.slice(0, place, place + 1).exp()
  const [decay, angle] = [row(0).neg().exp(), row(1)]
  const [real, imaginary] = [decay.mul(angle.cos()), decay.mul(angle.sin())]
  const [ur, ui] = parts(x.matmul(params.U), 2)
  const nextRe = real.mul(re).sub(imaginary.mul(im)).add(row(2).mul(ur))
  const nextIm = imaginary.mul(re).add(real.mul(im)).add(row(2).mul(ui))
  const output = concat([nextRe, nextIm.neg()], 1).matmul(params.V).add(x.matmul(params.D))
  return { output, state: { re: nextRe, im: nextIm } }
})
