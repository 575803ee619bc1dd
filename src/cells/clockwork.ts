import { concat, constant, equal, floor, where } from '../graph/value.ts'
import type { Parameter } from '../init/initializers.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { type Activation, activationOf } from './activations.ts'
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
  weight,
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
 * Module k of 0 … g − 1 reads itself and the slower ones, and runs where its period divides n, the number of the step:
 *
 *     hₖ(t) = φ(x Uₖ + [hₖ(t−1) … h₍g₋₁₎(t−1)] Wₖ + bₖ)      where n mod periodₖ = 0, else hₖ(t−1)
 *
 * x [B, I], h [B, H], of which hₖ is the part k of g equal ones; U [I, H], Wₖ [(g − k) H / g, H / g], b [H]; weights begin
 * normal of deviation 0.1. n [B, 1] is a state that always begins with 0, so that all modules run at the first step; it
 * counts only steps that are there, up to the least common multiple of the periods. The output is h(t).
 * @throws {ArgumentError} for units that are no multiple of g, periods that do not rise, an option or an activation that
 *   is not there
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
  params: ({ inputs, periods, ...options }) => {
    const { units } = options
    const size = units / periods.length
    const named: Record<string, Parameter> = {
      U: weight('kernel', options, [inputs, units]),
      ...biases(options.useBias, { b: weight('bias', options, [units]) }),
    }
    for (const k of periods.keys()) {
      named[`W${k}`] = weight('recurrent', options, [units - k * size, size])
    }
    return named
  },
}).step(({ x, state: { h, n }, params, options }) => {
  const { units, useBias, periods } = options
  const size = units / periods.length
  const recalled = periods.map((_, k) => h.slice(1, k * size).matmul(params[`W${k}`]!))
  const sum = x.matmul(params['U']!).add(concat(recalled, 1))
  const candidate = activationOf('clockwork', options.activation)(useBias ? sum.add(params['b']!) : sum)
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
