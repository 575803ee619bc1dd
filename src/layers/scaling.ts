/** What layers that normalize say of the gain g and the shift b of each feature. */
import { type Fields, type Filled, flag, parameterOf, weight } from '../cells/options.ts'
import type { Value } from '../graph/value.ts'
import type { Initializer } from '../init/initializers.ts'
import type { Constraint, Regularizer } from '../init/rules.ts'
import type { LayerScope } from './layer.ts'

export interface ScalingOptions {
  /** Whether there is b. Default: true. */
  readonly center?: boolean
  /** Whether there is g. Default: true. */
  readonly scale?: boolean
  /** How b begins. Default: zeros. */
  readonly betaInitializer?: Initializer
  /** How g begins. Default: ones. */
  readonly gammaInitializer?: Initializer
  /** What b adds to the loss. Default: nothing. */
  readonly betaRegularizer?: Regularizer | undefined
  /** What g adds to the loss. Default: nothing. */
  readonly gammaRegularizer?: Regularizer | undefined
  /** What b is held to. Default: nothing. */
  readonly betaConstraint?: Constraint | undefined
  /** What g is held to. Default: nothing. */
  readonly gammaConstraint?: Constraint | undefined
}

export const SCALING = {
  center: flag(true),
  scale: flag(true),
  ...parameterOf('beta', { kind: 'constant', value: 0 }),
  ...parameterOf('gamma', { kind: 'constant', value: 1 }),
} satisfies Fields<ScalingOptions>

/** x ⊙ g + b, g and b [features]. */
export function scaled(
  x: Value,
  features: number,
  options: Filled<typeof SCALING>,
  scope: LayerScope,
): Value {
  const gained = options.scale ? x.mul(scope.param('g', weight('gamma', options, [features]))) : x
  return options.center ? gained.add(scope.param('b', weight('beta', options, [features]))) : gained
}
