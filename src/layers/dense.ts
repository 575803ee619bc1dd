import { type Activation, activationOf } from '../cells/activations.ts'
import {
  activation,
  type Fields,
  type Filled,
  fill,
  INPUT_BASICS,
  KERNEL,
  optional,
  text,
  weight,
} from '../cells/options.ts'
import type { Value } from '../graph/value.ts'
import type { Initializer } from '../init/initializers.ts'
import type { Constraint, Regularizer } from '../init/rules.ts'
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { printShape, sameShape, shapeOf } from '../tensor/size.ts'
import { featuresOf, type Layer, type LayerScope, type Signal } from './layer.ts'

export interface DenseOptions {
  /** O, the number of outputs. */
  readonly units: number
  /** Default: linear, which losses on logits expect. */
  readonly activation?: Activation
  /** Default: true. */
  readonly useBias?: boolean
  /** How V begins. Default: glorotUniform. */
  readonly kernelInitializer?: Initializer
  /** How c begins. Default: zeros. */
  readonly biasInitializer?: Initializer
  /** What V adds to the loss. Default: nothing. */
  readonly kernelRegularizer?: Regularizer | undefined
  /** What c adds to the loss. Default: nothing. */
  readonly biasRegularizer?: Regularizer | undefined
  /** What V is held to. Default: nothing. */
  readonly kernelConstraint?: Constraint | undefined
  /** What c is held to. Default: nothing. */
  readonly biasConstraint?: Constraint | undefined
  /**
   * The name of an embedding before this layer, [O, I], whose table is V turned on its side: one variable with two uses
   * (Press and Wolf 2017).
   */
  readonly tiedTo?: string | undefined
  readonly name?: string | undefined
}

const FIELDS = {
  ...INPUT_BASICS,
  activation: activation('linear'),
  kernelInitializer: optional(KERNEL),
  tiedTo: text,
  name: text,
} satisfies Fields<DenseOptions>

/** y = φ(x V + c) at every step: x […, I], V [I, O], c [O]. */
export class Dense implements Layer {
  readonly kind = 'dense'
  readonly name: string | undefined
  readonly options: Filled<typeof FIELDS>

  constructor(options: DenseOptions) {
    this.options = fill('dense', FIELDS, options)
    this.name = options.name
    if (options.tiedTo === undefined) return
    const own = ['kernelInitializer', 'kernelRegularizer', 'kernelConstraint'] as const
    const said = own.find((name) => options[name] !== undefined)
    if (said === undefined) return
    throw new ArgumentError(
      `dense: expected ${said} or tiedTo; received both, but ${options.tiedTo} says it of its own table`,
    )
  }

  apply(signal: Signal, scope: LayerScope): Signal {
    const { units, useBias } = this.options
    const V = this.#kernel(featuresOf('dense', signal), scope)
    const c = useBias ? scope.param('c', weight('bias', this.options, [units])) : 0
    return { ...signal, value: activationOf('dense', this.options.activation)(signal.value.matmul(V).add(c)) }
  }

  #kernel(features: number, scope: LayerScope): Value {
    const { units, kernelInitializer = KERNEL.fallback, tiedTo } = this.options
    if (tiedTo === undefined) {
      return scope.param('V', weight('kernel', this.options, [features, units], kernelInitializer))
    }
    const table = scope.shared(`${tiedTo}/E`)
    if (!sameShape(table.shape, shapeOf([units, features]))) {
      throw new ShapeError(
        `dense: with ${units} units on ${features} features it can be tied to [${units}, ${features}]; ` +
          `received ${tiedTo}/E ${printShape(table.shape)}`,
      )
    }
    return table.transpose()
  }
}

/** A layer that is the same at every step; the equation stands at {@link Dense}. */
export function dense(options: DenseOptions): Dense {
  return new Dense(options)
}
