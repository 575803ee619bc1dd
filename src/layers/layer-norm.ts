import { normalized } from '../cells/functions.ts'
import { type Fields, type Filled, fill, numberOf, text } from '../cells/options.ts'
import { featuresOf, type Layer, type LayerScope, type Signal } from './layer.ts'
import { SCALING, type ScalingOptions, scaled } from './scaling.ts'

export interface LayerNormOptions extends ScalingOptions {
  /** ε. Default: 1e-3. */
  readonly epsilon?: number
  readonly name?: string | undefined
}

const FIELDS = {
  epsilon: numberOf('above 0', 1e-3),
  ...SCALING,
  name: text,
} satisfies Fields<LayerNormOptions>

/**
 * Layer normalization (Ba et al. 2016), Keras's LayerNormalization over the last axis, at every step by itself:
 *
 *     y = (x − μ) / √(σ² + ε) ⊙ g + b
 *
 * x […, I]; μ and σ² are the mean and the variance Σ (x − μ)² / I of its features; g and b [I].
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
    const features = featuresOf('layerNorm', signal)
    const normal = normalized(signal.value, this.options.epsilon)
    return { ...signal, value: scaled(normal, features, this.options, scope) }
  }
}

/** A layer that normalizes features; the equation stands at {@link LayerNorm}. */
export function layerNorm(options: LayerNormOptions = {}): LayerNorm {
  return new LayerNorm(options)
}
