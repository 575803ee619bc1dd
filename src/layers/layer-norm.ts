import { type Field, type Fields, type Filled, fill, flag, text } from '../cells/options.ts'
import { ones, zeros } from '../init/initializers.ts'
import { requireNumber } from '../tensor/checks.ts'
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

const epsilon: Field<number> = {
  fallback: 1e-3,
  check: (what, name, value) => requireNumber(what, name, value, 'above 0'),
}

const FIELDS = {
  epsilon,
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
    const centered = signal.value.sub(signal.value.mean(-1, { keepDims: true }))
    const variance = centered.square().mean(-1, { keepDims: true })
    const normal = centered.div(variance.add(epsilon).sqrt())
    const scaled = scale ? normal.mul(scope.param('g', ones(features))) : normal
    return { ...signal, value: center ? scaled.add(scope.param('b', zeros(features))) : scaled }
  }
}

/** A layer that normalizes features; the equation stands at {@link LayerNorm}. */
export function layerNorm(options: LayerNormOptions = {}): LayerNorm {
  return new LayerNorm(options)
}
