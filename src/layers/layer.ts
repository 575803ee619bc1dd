/** What a layer is: a function of symbolic tensors that asks its surroundings for parameters and states. */
import type { Cell, TracedCell } from '../cells/define.ts'
import type { RandomKey } from '../graph/functions.ts'
import type { ScanResult, Values } from '../graph/scan.ts'
import type { Value } from '../graph/value.ts'
import type { Parameter } from '../init/initializers.ts'
import { ShapeError } from '../tensor/errors.ts'
import { constantOf, printShape, type Size } from '../tensor/size.ts'
import type { RowPacking } from './packing.ts'

/**
 * What travels from layer to layer: [T, B, …] where it is a sequence, [N, …] with N = Σ lengths where the rows of one have
 * lengths of their own, else [B, …]. Rows of [B, …] stand in the order of the batch.
 */
export interface Signal {
  readonly value: Value
  readonly sequence: boolean
  /** How a sequence's rows are packed. */
  readonly packing?: RowPacking | undefined
  /** bool [T, B]: which steps are there; absent where all are, or rows are packed. */
  readonly mask?: Value | undefined
  /** bool [T, B, S, …] or [N, S, …]: what of each step is there, where steps are sequences themselves. */
  readonly inner?: Value | undefined
  /** bool [B]: which rows are there, where steps of sequences stand as rows; absent where all are. */
  readonly rows?: Value | undefined
  /** What else a layer yields, by name. */
  readonly others?: Readonly<Record<string, Signal>> | undefined
}

/** A layer's step: the states after it, and what it yields. */
export type Step = (args: { readonly carry: Values; readonly x: Values }) => { carry: Values; y: Values }

/** A scan over a signal's steps; `stepFor` makes the step for the size that a step's rows have. */
export type Fold = (
  options: { readonly carry: Values; readonly xs: Values; readonly reverse: boolean },
  signal: Signal,
  scope: LayerScope,
  stepFor: (rows: Size) => Step,
) => ScanResult<Values, Values>

/** What a layer reads in the place of its own output of the step before. */
export type Forcing = (begin: Value, signal: Signal, random: () => RandomKey) => Delayed | Sampled

/** Something else at every step, so that no step waits for the one before. */
export interface Delayed {
  /** What stands there at each step. */
  readonly before: Value
  /** [B, …]: what goes on after a row's last step. */
  readonly final: Value
}

/** What a recurrent layer draws in training. */
export interface Noise {
  /** What steps read besides their input. */
  readonly xs: Values
  /** The cell's masks at a step that reads `x`. */
  masks(x: Values): readonly Value[]
  /** What a state that has a rate is after a step that makes `made` of it. */
  after(name: string, old: Value, made: Value, x: Values): Value
}

/** Of a cell, and rates above 0 of zoneout by state; `seed`: instead of that of the training. */
export type NoiseOf = (
  cell: TracedCell,
  options: { readonly rates: ReadonlyMap<string, number>; readonly seed: number | undefined },
  signal: Signal,
  scope: LayerScope,
) => Noise

/** Something else after some steps: where `chosen` is 1, the target of a step goes on instead of its output. */
export interface Sampled {
  readonly targets: Value
  /** 1 or 0, broadcasting to the targets. */
  readonly chosen: Value
}

/** What a layer may ask for while it is traced. */
export interface LayerScope {
  readonly training: boolean
  /** What stands before the names of its parameters and states in the model: 'lstm/'. */
  readonly prefix: string
  /** How steps are folded instead of by a plain scan, where someone looks at each of them. */
  readonly fold?: Fold | undefined
  /** What of [T, B, …] stands where the mask [T, B] has no step, where that goes on from a call before. */
  readonly hold?: ((value: Value, mask: Value) => Value) | undefined
  /** What the layer reads besides its first input. */
  readonly others: readonly Signal[]
  /** Lays several signals alike; there where a layer may read several. */
  readonly aligned?: ((what: string, signals: readonly Signal[]) => Signal[]) | undefined
  /** Where teacher forcing puts targets in the place of the outputs that the layer reads of the step before. */
  readonly forced?: Forcing | undefined
  /** The parameter of that name: the same one each time. */
  param(name: string, parameter: Parameter): Value
  /** A variable of that name, [shape of `parameter`]: numbers that are kept with the weights, but not trained. */
  variable(name: string, parameter: Parameter): Value
  /** Says, in training, what a variable holds after the step; it keeps what it held where loss or gradient is not finite. */
  next(name: string, value: Value): void
  /**
   * The parameter `layer/name` of a layer before this one: one variable with two uses.
   * @throws {ArgumentError} where there is none
   */
  shared(path: string): Value
  /**
   * What random numbers of that name are a function of, in the layout of the layer's input; in training alone. A layer
   * that asks makes the training step one that draws.
   */
  random(name: string): RandomKey
  /** What recurrent layers draw (noise.ts), in training alone. */
  readonly noise?: NoiseOf | undefined
  /** The state a recurrence begins with, [B, …]: `begin`, unless one is carried over or given. */
  initial(name: string, begin: Value): Value
  /** Says what a state is after the last step. */
  final(name: string, value: Value): void
}

export interface Layer {
  /** The kind, as in `summary` and in files: 'dense'. */
  readonly kind: string
  /** A name of the user's own; otherwise the kind, numbered. */
  readonly name?: string | undefined
  /** Its final states belong to the model's results. */
  readonly returnState?: boolean
  /** V, where it looks tokens up, 0 … V − 1. */
  readonly vocabulary?: number
  /** Its states go on from batch to batch, row by row, until they are reset. */
  readonly stateful?: boolean
  /** The cells that it folds through time. */
  readonly cells?: readonly Cell[]
  /** It reads from the end, so that no state of it can go on from one window to the next. */
  readonly readsBackwards?: boolean
  /**
   * It does not go from step to step, and no state carries what it reads into the next window; `others`: of what it reads
   * besides its first input.
   */
  readonly readsAround?: boolean | 'others'
  apply(signal: Signal, scope: LayerScope): Signal
}

/** The size of the last axis: the features a layer reads. */
export function featuresOf(kind: string, { value, sequence, packing }: Signal): number {
  const expected = sequence && packing === undefined ? 3 : 2
  const features = value.rank < 2 ? undefined : constantOf(value.shape[value.rank - 1]!)
  if (features === undefined || value.dtype !== 'f32' || value.rank < expected) {
    throw new ShapeError(
      `${kind}: expected f32 numbers with a last axis of features; received ${value.dtype}${printShape(value.shape)}` +
        `${value.dtype === 'i32' ? ' (tokens need an embedding first)' : ''}`,
    )
  }
  return features
}
