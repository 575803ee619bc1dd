import { relu, sigmoid, softmax, tanh, type Value } from '../graph/value.ts'
import { glorotUniform, zeros } from '../init/initializers.ts'
import { requireChoice, requireUnits } from '../tensor/checks.ts'
import { featuresOf, type Layer, type LayerScope, type Signal } from './layer.ts'

const ACTIVATIONS = {
  linear: (x: Value) => x,
  tanh: (x: Value) => tanh(x),
  sigmoid: (x: Value) => sigmoid(x),
  relu: (x: Value) => relu(x),
  softmax: (x: Value) => softmax(x),
} as const

export interface DenseOptions {
  /** O, the number of outputs. */
  readonly units: number
  /** Default: linear, which losses on logits expect. */
  readonly activation?: keyof typeof ACTIVATIONS
  readonly name?: string
}

/** y = φ(x V + c) at every step: x […, I], V [I, O], c [O]. */
export class Dense implements Layer {
  readonly kind = 'dense'
  readonly name: string | undefined
  readonly options: DenseOptions

  constructor(options: DenseOptions) {
    requireUnits('dense', options.units)
    requireChoice('dense', 'activation', options.activation ?? 'linear', Object.keys(ACTIVATIONS))
    this.name = options.name
    this.options = options
  }

  apply(signal: Signal, scope: LayerScope): Signal {
    const { units, activation = 'linear' } = this.options
    const V = scope.param('V', glorotUniform(featuresOf('dense', signal), units))
    const c = scope.param('c', zeros(units))
    return { ...signal, value: ACTIVATIONS[activation](signal.value.matmul(V).add(c)) }
  }
}

export function dense(options: DenseOptions): Dense {
  return new Dense(options)
}
