import { concat, constant, equal, floor, floorDiv, iota, lessEqual, where } from '../graph/value.ts'
import { parameter } from '../init/initializers.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { ACTIVATIONS, type Activation } from './activations.ts'
import { defineCell } from './define.ts'
import {
  activation,
  BASICS,
  biases,
  type CellBasics,
  type Field,
  type Fields,
  type Filled,
  fill,
  initializer,
} from './options.ts'

export interface ClockworkOptions extends CellBasics {
  /** How often each module runs, every step or more rarely, from the fastest to the slowest. Default: [1, 2, 4, 8]. */
  readonly periods?: readonly number[]
  /** φ. Default: tanh. */
  readonly activation?: Activation
}

/** Up to here f32 counts. */
const MOST = 2 ** 24

const periods: Field<readonly number[]> = {
  fallback: [1, 2, 4, 8],
  check(what, name, value) {
    const rising = (period: number, i: number) => Number.isInteger(period) && period > (value[i - 1] ?? 0)
    if (Array.isArray(value) && value.length > 0 && value.every(rising) && cycle(value) <= MOST) return
    const received = Array.isArray(value) ? `[${value.map(String).join(', ')}]` : String(value)
    throw new ArgumentError(
      `${what}: ${name} must be a list of rising integers of at least 1 with a common multiple of at most ${MOST}; ` +
        `received ${received}`,
    )
  },
}

const weights = initializer({ kind: 'normal', deviation: 0.1 })
const CLOCKWORK = {
  ...BASICS,
  kernelInitializer: weights,
  recurrentInitializer: weights,
  periods,
  activation: activation('tanh'),
} satisfies Fields<ClockworkOptions>

/**
 * The clockwork network (Koutník et al. 2014): units in as many modules as there are periods, each with its own clock.
 * Module k reads the slower modules and itself, and runs where its period divides n, the number of the step:
 *
 *     hₖ(t) = φ(x Uₖ + Σ (j ≥ k) hⱼ(t−1) Wⱼₖ + bₖ)      where n mod periodₖ = 0, else hₖ(t−1)
 *
 * x [B, I], h [B, H]; U [I, H], W [H, H], b [H]; weights begin normal of deviation 0.1. What of W would lead from faster
 * to slower modules is not used. n [B, 1] is a state that begins with 0, so that all modules run at the first step; it
 * counts to the least common multiple of the periods, and only steps that are there. The output is h(t).
 * @throws {ArgumentError} for units that are not as many in each module, periods that do not rise, an option or an
 *   activation that is not there
 */
export function clockworkCell(options: ClockworkOptions) {
  const filled = fill('clockwork', CLOCKWORK, options)
  if (filled.units % filled.periods.length !== 0) {
    throw new ArgumentError(
      `clockwork: units must be a multiple of ${filled.periods.length}, the number of periods; received ${filled.units}`,
    )
  }
  return define(filled)
}

const define = defineCell<Filled<typeof CLOCKWORK>>()({
  name: 'clockwork',
  state: ({ units }) => ({ h: units, n: 1 }),
  untrained: ['n'],
  params: ({ inputs, units, useBias, kernelInitializer, recurrentInitializer, biasInitializer }) => ({
    U: parameter([inputs, units], kernelInitializer),
    W: parameter([units, units], recurrentInitializer),
    ...biases(useBias, { b: parameter([units], biasInitializer) }),
  }),
}).step(({ x, state: { h, n }, params, options }) => {
  const { units, useBias, periods } = options
  const size = units / periods.length
  const [from, to] = [0, 1].map((axis) => floorDiv(iota([units, units], axis), size))
  const W = where(lessEqual(to!, from!), params.W, 0)
  const sum = x.matmul(params.U).add(h.matmul(W))
  const candidate = ACTIVATIONS[options.activation](useBias ? sum.add(params.b) : sum)
  const period = concat(
    periods.map((each) => constant(each, [size])),
    0,
  )
  // Exact: a quotient of whole numbers is whole only where it is.
  const due = equal(floor(n.div(period)).mul(period), n)
  const output = where(due, candidate, h)
  const next = n.add(1)
  return { output, state: { h: output, n: where(equal(next, cycle(periods)), 0, next) } }
})

/** The least common multiple. */
function cycle(periods: readonly number[]): number {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b))
  return periods.reduce((product, period) => (product / divisor(product, period)) * period, 1)
}
