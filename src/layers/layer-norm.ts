import { normalized } from '../cells/functions.ts'
import { type Fields, type Filled, fill, flag, numberOf, text } from '../cells/options.ts'
import { ones, zeros } from '../init/initializers.ts'
import { featuresOf, type Layer, type LayerScope, type Signal } from './layer.ts'

export interface LayerNormOptions {
  /** ε. Default: 1e-3. */
  readonly epsilon?: number
  /** Whether there is b. Default: true. */
  readonly center?: boolean
  /** Whether there is g. Default: true. */
  readonly scale?: boolean
  readonly name?: string | undefined
}

const FIELDS = {
  epsilon: numberOf('above 0', 1e-3),
  center: flag(true),
  scale: flag(true),
  name: text,
} satisfies Fields<LayerNormOptions>

/**
 * Layer normalization (Ba et al. 2016), Keras's LayerNormalization over the last axis, at every step by itself:
 *
 *     y = (x − μ) / √(σ² + ε) ⊙ g + b
 *
 * x […, I]; μ and σ² are the mean and the variance Σ (x − μ)² / I of its features; g [I] begins at 1, b [I] at 0.
 */
export class LayerNorm implements Layer {
  readonly kind = 'layerNorm'
  readonly name: string | undefined
  readonly options: Filled<typeof FIELDS>

  constructor(options: LayerNormOptions) {
    this.options = fill('layerNorm', FIELDS, options)
    this.name = options.name
  }

  apply(signal: Signal, scope: LayerScope): Signal {
    const { epsilon, center, scale } = this.options
    const features = featuresOf('layerNorm', signal)
    const normal = normalized(signal.value, epsilon)
    const scaled = scale ? normal.mul(scope.param('g', ones(features))) : normal
    return { ...signal, value: center ? scaled.add(scope.param('b', zeros(features))) : scaled }
  }
}

/** A layer that normalizes features; the equation stands at {@link LayerNorm}. */
export function layerNorm(options: LayerNormOptions = {}): LayerNorm {
  return new LayerNorm(options)
}
