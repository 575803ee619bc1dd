/** What a model is made of: its inputs, its calls of layers, and what tracing it finds out. */
import type { RandomKey } from '../graph/functions.ts'
import type { Value } from '../graph/value.ts'
import type { Parameter } from '../init/initializers.ts'
import type { Dtype } from '../tensor/dtype.ts'
import type { Shape, Size } from '../tensor/size.ts'
import type { Fold, Forcing, Layer, LayerScope, NoiseOf, Signal } from './layer.ts'

/**
 * What goes in, without the batch axis. The first size is `null` where it is time, T, or a name where a model has several
 * times: `{ shape: ['Tsource'], dtype: 'i32' }` are tokens with a time of their own.
 */
export interface InputSpec {
  readonly shape: readonly (number | string | null)[]
  readonly dtype: Dtype
}

/** An input of the model, or what a call before yields: its output, or the part of that name, a further output or state. */
export type Source =
  | { readonly input: string }
  | { readonly call: number; readonly part?: string | undefined }

/** A layer, and what it reads. */
export interface Call {
  /** As its outputs and states are called. */
  readonly name: string
  readonly layer: Layer
  /** As its parameters are called: those of a layer that is called again are the same. */
  readonly weights: string
  readonly from: readonly Source[]
  /** States to begin with: those of these names, or all of the call of that number. */
  readonly states?: Readonly<Record<string, Source>> | number | undefined
}

/** What a model is told while it is traced; paths are `layer/name`. */
export interface ModelScope {
  readonly training: boolean
  /** What the last layer reads in the place of its own outputs. */
  readonly forced?: Forcing | undefined
  /** How recurrent layers fold their steps, if not by a plain scan. */
  readonly fold?: Fold | undefined
  /** How a call of that name holds what it yields where steps are masked, if that goes on from a call before. */
  readonly hold?: ((name: string) => LayerScope['hold']) | undefined
  param(path: string, parameter: Parameter): Value
  variable(path: string, parameter: Parameter): Value
  /** The seed and the number of the update, for what is drawn in training. */
  random(): Pick<RandomKey, 'seed' | 'update'>
  /** What recurrent layers draw, in training of a model that draws. */
  readonly noise?: NoiseOf | undefined
  /** i32 [T]: the number of each step. Default: from 0 on. */
  readonly time?: Value | undefined
  /** The state a recurrence begins with; `given`: by another layer, so that it is no state of the model's own. */
  initial(path: string, begin: Value, given: boolean): Value
}

/** What a call has made. */
export interface Called {
  readonly inputs: readonly Signal[]
  /** As inside: time-major or packed. */
  readonly output: Signal
  /** Final states by name, in the order of the batch. */
  readonly states: ReadonlyMap<string, Value>
  /** What variables hold after the step, by path. */
  readonly variables: ReadonlyMap<string, Value>
}

export interface Forward {
  /** By name; as inside: time-major or packed; without time in the order of the batch. */
  readonly outputs: ReadonlyMap<string, Signal>
  /** Final states by path, in the order of the batch. */
  readonly states: ReadonlyMap<string, Value>
  /** What variables hold after the step, by path. */
  readonly variables: ReadonlyMap<string, Value>
  readonly calls: readonly Called[]
}

/** A shape without the batch axis, which begins with time where it is that of a sequence. */
export interface OpenShape {
  readonly shape: Shape
  readonly sequence: boolean
}

/** What the first tracing finds out. */
export interface Built {
  readonly inputs: ReadonlyMap<string, InputSpec>
  readonly outputs: ReadonlyMap<string, OpenShape>
  readonly params: ReadonlyMap<string, Parameter>
  /** What is kept with the parameters, but not trained. */
  readonly variables: ReadonlyMap<string, Parameter>
  /** Shapes of recurrent states, without the batch axis. */
  readonly states: ReadonlyMap<string, readonly number[]>
  /** Those of states that begin with what another layer gives. */
  readonly given: ReadonlyMap<string, readonly number[]>
  /** Whether some layer draws random numbers in training. */
  readonly draws: boolean
  /** What each call reads and yields. */
  readonly calls: readonly { readonly inputs: readonly OpenShape[]; readonly output: OpenShape }[]
}

/** The names of the input and the output of a model that has one of each. */
export const [SOLE_INPUT, SOLE_OUTPUT] = ['x', 'output']

/** Whether an input is a sequence. */
export function isOpen({ shape }: InputSpec): boolean {
  return shape[0] === null || typeof shape[0] === 'string'
}

/** The shape of an input, with its batch axis. */
export function openShape(shape: InputSpec['shape']): (Size | string | number)[] {
  return ['B', ...shape.map((size) => size ?? 'T')]
}
