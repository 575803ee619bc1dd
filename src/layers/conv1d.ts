import { ACTIVATIONS, type Activation } from '../cells/activations.ts'
import {
  activation,
  BIAS,
  choice,
  count,
  type Fields,
  type Filled,
  fill,
  flag,
  KERNEL,
  text,
} from '../cells/options.ts'
import { convolution } from '../graph/functions.ts'
import { type Initializer, parameter } from '../init/initializers.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { featuresOf, type Layer, type LayerScope, type Signal } from './layer.ts'
import { windowsOf } from './sliding.ts'

export interface Conv1dOptions {
  /** O, the number of outputs. */
  readonly filters: number
  /** k, how many steps each output sees. */
  readonly kernelSize: number
  /** Steps between outputs. Default: 1. */
  readonly strides?: number
  /**
   * `valid`: as many outputs as the kernel has places; `same`: ⌈T / strides⌉, zeros around; `causal`: as many, zeros before,
   * so that none sees what comes later. Default: valid.
   */
  readonly padding?: 'valid' | 'same' | 'causal'
  /** Steps between what the kernel sees; more than 1 only with strides of 1. Default: 1. */
  readonly dilationRate?: number
  /** Default: linear. */
  readonly activation?: Activation
  /** Default: true. */
  readonly useBias?: boolean
  /** How K begins. Default: glorotUniform. */
  readonly kernelInitializer?: Initializer
  /** How b begins. Default: zeros. */
  readonly biasInitializer?: Initializer
  readonly name?: string | undefined
}

const orOne = { ...count, fallback: 1 }

const FIELDS = {
  filters: count,
  kernelSize: count,
  strides: orOne,
  padding: choice('valid', ['valid', 'same', 'causal']),
  dilationRate: orOne,
  activation: activation('linear'),
  useBias: flag(true),
  kernelInitializer: KERNEL,
  biasInitializer: BIAS,
  name: text,
} satisfies Fields<Conv1dOptions>

/**
 * Convolution over time, Keras's Conv1D:
 *
 *     y(p) = φ(Σ_j x(p · strides + j · dilationRate − zeros before) K_j + b)
 *
 * x [T, B, I], K [k, I, O], b [O]. Steps that are masked or beyond a row's length are zeros. Where each step has an output,
 * that of a step that is there is there; else an output is there where all that it sees is, with `causal` where its last
 * step is.
 */
export class Conv1d implements Layer {
  readonly kind = 'conv1d'
  readonly name: string | undefined
  readonly options: Filled<typeof FIELDS>
  readonly readsAround = true

  constructor(options: Conv1dOptions) {
    this.options = fill('conv1d', FIELDS, options)
    this.name = options.name
    const { strides, dilationRate } = this.options
    if (strides > 1 && dilationRate > 1) {
      throw new ArgumentError(
        `conv1d: expected strides or a dilationRate above 1; received both, ${strides} and ${dilationRate}`,
      )
    }
  }

  apply(signal: Signal, scope: LayerScope): Signal {
    const { filters, kernelSize: size, strides, padding, dilationRate: dilation, useBias } = this.options
    const { kernelInitializer, biasInitializer } = this.options
    const { value, output } = windowsOf('conv1d', signal, { size, strides, padding, dilation })
    const K = scope.param('K', parameter([size, featuresOf('conv1d', signal), filters], kernelInitializer))
    const b = useBias ? scope.param('b', parameter([filters], biasInitializer)) : 0
    const sum = convolution(value, K, { axes: [0], strides, dilations: dilation })
    return output(ACTIVATIONS[this.options.activation](sum.add(b)))
  }
}

/** A layer of filters that move over time; the equation stands at {@link Conv1d}. */
export function conv1d(options: Conv1dOptions): Conv1d {
  return new Conv1d(options)
}
