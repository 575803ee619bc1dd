import { type Activation, activationOf } from '../cells/activations.ts'
import {
  activation,
  choice,
  count,
  type Fields,
  type Filled,
  fill,
  INPUT_BASICS,
  text,
  weight,
} from '../cells/options.ts'
import { convolution } from '../graph/functions.ts'
import type { Initializer } from '../init/initializers.ts'
import type { Constraint, Regularizer } from '../init/rules.ts'
import { requireGroups } from '../tensor/checks.ts'
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
  /** G: features and filters are cut into as many parts, and each part of the filters sees its part of the features. Default: 1. */
  readonly groups?: number
  /** Default: linear. */
  readonly activation?: Activation
  /** Default: true. */
  readonly useBias?: boolean
  /** How K begins. Default: glorotUniform. */
  readonly kernelInitializer?: Initializer
  /** How b begins. Default: zeros. */
  readonly biasInitializer?: Initializer
  /** What K adds to the loss. Default: nothing. */
  readonly kernelRegularizer?: Regularizer | undefined
  /** What b adds to the loss. Default: nothing. */
  readonly biasRegularizer?: Regularizer | undefined
  /** What K is held to. Default: nothing. */
  readonly kernelConstraint?: Constraint | undefined
  /** What b is held to. Default: nothing. */
  readonly biasConstraint?: Constraint | undefined
  readonly name?: string | undefined
}

const orOne = { ...count, fallback: 1 }

const { units: filters, ...basics } = INPUT_BASICS

const FIELDS = {
  filters,
  kernelSize: count,
  strides: orOne,
  padding: choice('valid', ['valid', 'same', 'causal']),
  dilationRate: orOne,
  groups: orOne,
  activation: activation('linear'),
  ...basics,
  name: text,
} satisfies Fields<Conv1dOptions>

/**
 * Convolution over time, Keras's Conv1D:
 *
 *     y(p) = φ(Σ_j x(p · strides + j · dilationRate − zeros before) K_j + b)
 *
 * x [T, B, I], K [k, I, O], b [O]. With `groups` K is [k, I / G, O]: outputs g · O / G … see the features g · I / G … alone, as
 * many, as if each group were a convolution of its own. Steps that are masked or beyond a row's length are zeros. Where each step has an output,
 * that of a step that is there is there; else an output is there where all that it sees is, with `causal` where its last
 * step is. With `valid` a row shorter than the kernel, beside longer ones, has no output: it is masked.
 */
export class Conv1d implements Layer {
  readonly kind = 'conv1d'
  readonly name: string | undefined
  readonly options: Filled<typeof FIELDS>
  readonly readsAround = true

  constructor(options: Conv1dOptions) {
    this.options = fill('conv1d', FIELDS, options)
    this.name = options.name
    const { strides, dilationRate, filters, groups } = this.options
    if (strides > 1 && dilationRate > 1) {
      throw new ArgumentError(
        `conv1d: expected strides or a dilationRate above 1; received both, ${strides} and ${dilationRate}`,
      )
    }
    requireGroups('conv1d', groups, 'filters', filters)
  }

  apply(signal: Signal, scope: LayerScope): Signal {
    const { filters, kernelSize: size, strides, padding, dilationRate: dilation, groups } = this.options
    const { value, output } = windowsOf('conv1d', signal, { size, strides, padding, dilation })
    const features = featuresOf('conv1d', signal)
    requireGroups('conv1d', groups, 'features', features)
    const K = scope.param('K', weight('kernel', this.options, [size, features / groups, filters]))
    const b = this.options.useBias ? scope.param('b', weight('bias', this.options, [filters])) : 0
    const sum = convolution(value, K, { axes: [0], strides, dilations: dilation, groups })
    return output(activationOf('conv1d', this.options.activation)(sum.add(b)))
  }
}

/** A layer of filters that move over time; the equation stands at {@link Conv1d}. */
export function conv1d(options: Conv1dOptions): Conv1d {
  return new Conv1d(options)
}
