import { type Fields, type Filled, fill, initializer, KERNEL, text } from '../cells/options.ts'
import { type Initializer, parameter } from '../init/initializers.ts'
import { featuresOf, type Layer, type LayerScope, type Signal } from './layer.ts'
import { kept, requireLayer, within } from './wrapping.ts'

export interface HighwayOptions {
  /** How W begins. Default: glorotUniform. */
  readonly kernelInitializer?: Initializer
  /** How b begins. Default: −1, so that at first more of x is carried on. */
  readonly biasInitializer?: Initializer
  readonly name?: string | undefined
}

const FIELDS = {
  kernelInitializer: KERNEL,
  biasInitializer: initializer({ kind: 'constant', value: -1 }),
  name: text,
} satisfies Fields<HighwayOptions>

/**
 * A highway (Srivastava et al. 2015) around a layer f that keeps the shape:
 *
 *     t = σ(x W + b)
 *     y = t ⊙ f(x) + (1 − t) ⊙ x
 *
 * x […, I], W [I, I], b [I]: `transform W` and `transform b`; what f asks for is named `layer …`.
 */
export class Highway implements Layer {
  readonly kind = 'highway'
  readonly name: string | undefined
  readonly layer: Layer
  readonly options: Filled<typeof FIELDS>
  readonly returnState: boolean
  readonly stateful: boolean
  readonly readsBackwards: boolean
  readonly readsAround: boolean

  constructor(layer: Layer, options: HighwayOptions) {
    this.options = fill('highway', FIELDS, options)
    requireLayer('highway', layer)
    this.name = options.name
    this.layer = layer
    this.returnState = layer.returnState ?? false
    this.stateful = layer.stateful ?? false
    this.readsBackwards = layer.readsBackwards ?? false
    this.readsAround = layer.readsAround === true
  }

  apply(signal: Signal, scope: LayerScope): Signal {
    const { kernelInitializer, biasInitializer } = this.options
    const features = featuresOf('highway', signal)
    const [x, y] = kept('highway', this.layer, signal, within(scope, 'layer'))
    const W = scope.param('transform W', parameter([features, features], kernelInitializer))
    const b = scope.param('transform b', parameter([features], biasInitializer))
    const t = x.value.matmul(W).add(b).sigmoid()
    return { ...y, value: t.mul(y.value.sub(x.value)).add(x.value) }
  }
}

/**
 * A layer around which a gate carries its input; the equation stands at {@link Highway}.
 * @throws {ArgumentError} for what is no layer
 * @throws {ShapeError} where it meets its input, unless the layer keeps the shape
 */
export function highway(layer: Layer, options: HighwayOptions = {}): Highway {
  return new Highway(layer, options)
}
