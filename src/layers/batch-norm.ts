import { type Fields, type Filled, fill, initializer, numberOf, text } from '../cells/options.ts'
import { sizeValue, type Value, where } from '../graph/value.ts'
import { type Initializer, parameter } from '../init/initializers.ts'
import { productOf } from '../tensor/size.ts'
import { featuresOf, type Layer, type LayerScope, type Signal } from './layer.ts'
import { SCALING, type ScalingOptions, scaled } from './scaling.ts'
import { presenceOf } from './signals.ts'

export interface BatchNormOptions extends ScalingOptions {
  /** How much of the moving statistics stays in each training step. Default: 0.99. */
  readonly momentum?: number
  /** ε. Default: 1e-3. */
  readonly epsilon?: number
  /** Default: zeros. */
  readonly movingMeanInitializer?: Initializer
  /** Default: ones. */
  readonly movingVarianceInitializer?: Initializer
  readonly name?: string | undefined
}

const constant = (value: number) => initializer({ kind: 'constant', value })

const FIELDS = {
  momentum: numberOf('from 0 to 1', 0.99),
  epsilon: numberOf('above 0', 1e-3),
  ...SCALING,
  movingMeanInitializer: constant(0),
  movingVarianceInitializer: constant(1),
  name: text,
} satisfies Fields<BatchNormOptions>

/**
 * Batch normalization (Ioffe and Szegedy 2015), Keras's BatchNormalization over the last axis:
 *
 *     y = (x − μ) / √(σ² + ε) ⊙ g + b
 *
 * x […, I]; g and b [I]. In training μ and σ² = Σ (x − μ)² / n are those of the batch, over all its rows and steps but
 * those that are masked or beyond a row's length; and the moving statistics m ← momentum m + (1 − momentum) μ, v alike
 * with σ², go on. Otherwise μ = m and σ² = v.
 */
export class BatchNorm implements Layer {
  readonly kind = 'batchNorm'
  readonly name: string | undefined
  readonly options: Filled<typeof FIELDS>

  constructor(options: BatchNormOptions) {
    this.options = fill('batchNorm', FIELDS, options)
    this.name = options.name
  }

  apply(signal: Signal, scope: LayerScope): Signal {
    const { momentum, epsilon, movingMeanInitializer, movingVarianceInitializer } = this.options
    const features = featuresOf('batchNorm', signal)
    const shape = [features]
    const moving = {
      mean: scope.variable('movingMean', parameter(shape, movingMeanInitializer)),
      variance: scope.variable('movingVariance', parameter(shape, movingVarianceInitializer)),
    }
    const { mean, variance } = scope.training ? statistics(signal.value, presenceOf(signal)) : moving
    if (scope.training) {
      const moved = (old: Value, now: Value) => old.mul(momentum).add(now.mul(1 - momentum))
      scope.next('movingMean', moved(moving.mean, mean))
      scope.next('movingVariance', moved(moving.variance, variance))
    }
    const normal = signal.value.sub(mean).div(variance.add(epsilon).sqrt())
    return { ...signal, value: scaled(normal, features, this.options, scope) }
  }
}

/** Mean and variance [I] of x […, I] over what is there. */
function statistics(x: Value, mask: Value | undefined): { readonly mean: Value; readonly variance: Value } {
  const axes = x.shape.slice(0, -1).map((_, axis) => axis)
  const own = mask?.reshape(x.shape.map((size, axis) => (axis < mask.rank ? size : 1)))
  const rest = sizeValue(productOf(x.shape.slice(mask?.rank ?? 0, -1)))
  const count = mask === undefined ? rest : mask.toF32().sum().mul(rest)
  const mean = (value: Value) => (own === undefined ? value : where(own, value, 0)).sum(axes).div(count)
  const center = mean(x)
  return { mean: center, variance: mean(x.sub(center).square()) }
}

/** A layer that normalizes features over the batch; the equation stands at {@link BatchNorm}. */
export function batchNorm(options: BatchNormOptions = {}): BatchNorm {
  return new BatchNorm(options)
}
