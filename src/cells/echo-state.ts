import { parameter } from '../init/initializers.ts'
import { brought } from '../init/numbers.ts'
import { fillReservoir } from '../init/reservoir.ts'
import { type Activation, activationOf } from './activations.ts'
import { defineCell } from './define.ts'
import { activation, count, type Fields, type Filled, fill, numberOf } from './options.ts'

export interface EchoStateOptions {
  /** H, the size of the reservoir. */
  readonly units: number
  /** The largest |eigenvalue| of W: below 1, or little above it, for echoes that fade. Default: 0.9. */
  readonly spectralRadius?: number
  /** α, above 0 and at most 1: about 1 / α steps are remembered. Default: 1. */
  readonly leakRate?: number
  /** The chance of each weight of W to be there. Default: 1. */
  readonly connectivity?: number
  /** U is uniform in ± this. Default: 1. */
  readonly inputScaling?: number
  /** b is uniform in ± this. Default: 1. */
  readonly biasScaling?: number
  /** φ. Default: tanh. */
  readonly activation?: Activation
}

export const ECHO_STATE = {
  units: count,
  spectralRadius: numberOf('above 0', 0.9),
  leakRate: numberOf('above 0 and at most 1', 1),
  connectivity: numberOf('above 0 and at most 1', 1),
  inputScaling: numberOf('above 0', 1),
  biasScaling: numberOf('of at least 0', 1),
  activation: activation('tanh'),
} satisfies Fields<EchoStateOptions>

/**
 * The reservoir of an echo state network (Jaeger 2001; with leaky units Jaeger et al. 2007; Lukoševičius 2012):
 *
 *     h(t) = (1 − α) h(t−1) + α φ(x U + h(t−1) W + b)
 *
 * x [B, I], h [B, H]; U [I, H], W [H, H], b [H]. The output is h(t). All weights are fixed: they are drawn, saved with the
 * model, and changed by no gradient. `echoState` puts a readout on it, `fitReadout` solves that.
 * @throws {ArgumentError} for units below 1, a number outside its range, an option or an activation that is not there
 */
export function echoStateCell(options: EchoStateOptions) {
  brought.reservoir = fillReservoir
  return define(fill('echoState', ECHO_STATE, options))
}

const scaled = (scale: number) => ({ kind: 'uniform', low: -scale, high: scale }) as const

const define = defineCell<Filled<typeof ECHO_STATE>>()({
  name: 'echoState',
  state: ({ units }) => ({ h: units }),
  params: ({ inputs, units, inputScaling, biasScaling, spectralRadius, connectivity }) => ({
    U: parameter([inputs, units], scaled(inputScaling)),
    W: parameter([units, units], { kind: 'reservoir', spectralRadius, connectivity }),
    b: parameter([units], scaled(biasScaling)),
  }),
  fixed: ['U', 'W', 'b'],
}).step(({ x, state: { h }, params, options: { leakRate, activation } }) => {
  const way = activationOf('echoState', activation)(x.matmul(params.U).add(h.matmul(params.W)).add(params.b))
  const next = h.mul(1 - leakRate).add(way.mul(leakRate))
  return { output: next, state: { h: next } }
})
