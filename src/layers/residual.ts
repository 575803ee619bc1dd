import { type Filled, fill, text } from '../cells/options.ts'
import type { Layer, LayerScope, Signal } from './layer.ts'
import { kept, requireLayer } from './wrapping.ts'

export interface ResidualOptions {
  readonly name?: string | undefined
}

/** y = x + f(x) around a layer f that keeps the shape (He et al. 2016), so that recurrent layers can be stacked deep. */
export class Residual implements Layer {
  readonly kind = 'residual'
  readonly name: string | undefined
  readonly layer: Layer
  readonly options: Filled<{ readonly name: typeof text }>
  readonly returnState: boolean
  readonly stateful: boolean
  readonly readsBackwards: boolean
  readonly readsAround: boolean

  constructor(layer: Layer, options: ResidualOptions) {
    this.options = fill('residual', { name: text }, options)
    requireLayer('residual', layer)
    this.name = options.name
    this.layer = layer
    this.returnState = layer.returnState ?? false
    this.stateful = layer.stateful ?? false
    this.readsBackwards = layer.readsBackwards ?? false
    this.readsAround = layer.readsAround === true
  }

  apply(signal: Signal, scope: LayerScope): Signal {
    const [x, y] = kept('residual', this.layer, signal, scope)
    return { ...y, value: x.value.add(y.value) }
  }
}

/**
 * A layer whose input is added to its output:
 *
 *     residual(lstm({ units: 64, returnSequences: true }))
 *
 * @throws {ArgumentError} for what is no layer
 * @throws {ShapeError} where it meets its input, unless the layer keeps the shape
 */
export function residual(layer: Layer, options: ResidualOptions = {}): Residual {
  return new Residual(layer, options)
}
