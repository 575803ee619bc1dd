/** Layers that make one signal of several: `call(add(), [a, b])`. */
import { type Field, type Filled, fill, text } from '../cells/options.ts'
import { concat, maximum as largest, type Value } from '../graph/value.ts'
import { said } from '../tensor/checks.ts'
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { printShape, sameShape } from '../tensor/size.ts'
import type { Layer, LayerScope, Signal } from './layer.ts'
import { aligned, printShapes } from './merging.ts'

export interface MergeOptions {
  readonly name?: string | undefined
}

export interface ConcatenateOptions extends MergeOptions {
  /** Of features, batch-first as the inputs' or counted from the end. Default: −1. */
  readonly axis?: number
}

/** Number by number. */
const MERGES = {
  add: (values: readonly Value[]) => folded(values, (a, b) => a.add(b)),
  subtract: (values: readonly Value[]) => folded(values, (a, b) => a.sub(b)),
  multiply: (values: readonly Value[]) => folded(values, (a, b) => a.mul(b)),
  average: (values: readonly Value[]) => folded(values, (a, b) => a.add(b)).div(values.length),
  maximum: (values: readonly Value[]) => folded(values, largest),
} as const

export type MergeKind = keyof typeof MERGES

function folded(values: readonly Value[], merge: (a: Value, b: Value) => Value): Value {
  return values.reduce(merge)
}

/**
 * Inputs of one shape merged number by number: a + b + …, a − b, a ⊙ b ⊙ …, their mean, or the largest. Sequences have the
 * same steps; a step that is masked in one of them is masked. An input without time stands at every step of those that
 * have it.
 */
export class Merge implements Layer {
  readonly kind: MergeKind
  readonly name: string | undefined
  readonly options: Filled<{ readonly name: typeof text }>

  constructor(kind: MergeKind, options: MergeOptions) {
    this.kind = kind
    this.options = fill(kind, { name: text }, options)
    this.name = options.name
  }

  apply(signal: Signal, scope: LayerScope): Signal {
    const [first, ...rest] = inputsOf(this.kind, signal, scope)
    const odd = rest.find(({ value }) => !sameShape(value.shape, first.value.shape))
    if (odd !== undefined) {
      throw new ShapeError(
        `${this.kind}: expected inputs of one shape; received ${printShapes([first, odd])}`,
      )
    }
    if (this.kind === 'subtract' && rest.length > 1) {
      throw new ArgumentError(`subtract: expected two inputs; received ${rest.length + 1}`)
    }
    return { ...first, value: MERGES[this.kind]([first, ...rest].map(({ value }) => value)) }
  }
}

const axis: Field<number> = {
  fallback: -1,
  check: (what, name, value) => {
    if (Number.isInteger(value)) return
    throw new ArgumentError(`${what}: ${name} must be an integer; received ${said(value)}`)
  },
}

const CONCATENATE = { axis, name: text } as const

/** Inputs one after the other along an axis of features. Steps and masks are as in {@link Merge}. */
export class Concatenate implements Layer {
  readonly kind = 'concatenate'
  readonly name: string | undefined
  readonly options: Filled<typeof CONCATENATE>

  constructor(options: ConcatenateOptions) {
    this.options = fill('concatenate', CONCATENATE, options)
    this.name = options.name
  }

  apply(signal: Signal, scope: LayerScope): Signal {
    const { axis } = this.options
    const all = inputsOf('concatenate', signal, scope)
    const [first, ...rest] = all
    const { rank } = first.value
    const own = first.packing === undefined ? 0 : 1
    const at = axis < 0 ? rank + axis : axis - own
    if (at < (first.sequence ? 2 : 1) - own || at >= rank) {
      throw new ShapeError(
        `concatenate: axis must be one of features; received ${axis} for ${printShape(first.value.shape)}`,
      )
    }
    const others = ({ value }: Signal) => value.shape.filter((_, place) => place !== at)
    const odd = rest.find((each) => !sameShape(others(each), others(first)))
    if (odd !== undefined) {
      throw new ShapeError(
        `concatenate: expected inputs that differ in axis ${axis} alone; received ${printShapes([first, odd])}`,
      )
    }
    const values = all.map(({ value }) => value)
    return { ...first, value: concat(values, at) }
  }
}

function inputsOf(kind: string, signal: Signal, { others }: LayerScope): [Signal, ...Signal[]] {
  if (others.length === 0) {
    throw new ArgumentError(
      `${kind}: expected several inputs, as call(${kind}(), [a, b]) gives; received one`,
    )
  }
  return aligned(kind, [signal, ...others]) as [Signal, ...Signal[]]
}

/** a + b + … of one shape, Keras's Add. */
export function add(options: MergeOptions = {}): Merge {
  return new Merge('add', options)
}

/** a − b of one shape, Keras's Subtract. */
export function subtract(options: MergeOptions = {}): Merge {
  return new Merge('subtract', options)
}

/** a ⊙ b ⊙ … of one shape, Keras's Multiply. */
export function multiply(options: MergeOptions = {}): Merge {
  return new Merge('multiply', options)
}

/** (a + b + …) / n of one shape, Keras's Average. */
export function average(options: MergeOptions = {}): Merge {
  return new Merge('average', options)
}

/** The largest of a, b, … of one shape, number by number, Keras's Maximum. */
export function maximum(options: MergeOptions = {}): Merge {
  return new Merge('maximum', options)
}

/** Inputs one after the other along their features, Keras's Concatenate. */
export function concatenate(options: ConcatenateOptions = {}): Concatenate {
  return new Concatenate(options)
}
