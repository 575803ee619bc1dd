import { type Filled, fill, text } from '../cells/options.ts'
import type { RandomKey } from '../graph/functions.ts'
import { and, iota, type Value } from '../graph/value.ts'
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { printShape, productOf, type Size } from '../tensor/size.ts'
import type { Layer, LayerScope, Signal } from './layer.ts'
import { allOf, masked, padded, presenceOf, swapped } from './signals.ts'
import { requireLayer } from './wrapping.ts'

export interface TimeDistributedOptions {
  readonly name?: string | undefined
}

/** Steps below this number have random numbers of their own where steps are sequences themselves. */
const ROWS = 2 ** 16

/**
 * Keras's TimeDistributed: a layer at every step, as if each step of each row were a row of its own. Where what remains of
 * x [T, B, S, …] are sequences, the layer sees them as such, S being their time, so that a network over sentences may hold
 * one over words:
 *
 *     sequential([
 *       embedding({ inputDim: 1000, outputDim: 32, maskZero: true }), // [null, 'words']
 *       timeDistributed(lstm({ units: 64 })), // each sentence becomes a vector
 *       lstm({ units: 64 }),
 *     ])
 *
 * What is masked inside of steps is masked for the layer; a step of which nothing is there is masked behind it. The layer's
 * states end with each step.
 */
export class TimeDistributed implements Layer {
  readonly kind = 'timeDistributed'
  readonly name: string | undefined
  readonly layer: Layer
  readonly options: Filled<{ readonly name: typeof text }>

  constructor(layer: Layer, options: TimeDistributedOptions) {
    this.options = fill('timeDistributed', { name: text }, options)
    requireLayer('timeDistributed', layer)
    for (const option of ['returnState', 'stateful'] as const) {
      if (layer[option] !== true) continue
      throw new ArgumentError(
        `timeDistributed: the states of ${layer.kind} end with each step; leave its ${option} out`,
      )
    }
    this.name = options.name
    this.layer = layer
  }

  apply(signal: Signal, scope: LayerScope): Signal {
    const { value, packing } = signal
    if (!signal.sequence || scope.others.length > 0) {
      throw new ShapeError(
        `timeDistributed: expected one sequence [T, B, …]; received ${printShape(value.shape)}` +
          `${signal.sequence ? ` and ${scope.others.length} more` : ' without time'}`,
      )
    }
    const steps = value.shape.slice(0, packing === undefined ? 2 : 1)
    const rows = productOf(steps)
    const asRows = (all: Value) => all.reshape([rows, ...all.shape.slice(steps.length)])
    const there = presenceOf(signal)
    const inside = rowsSignal(asRows(value), signal.inner && asRows(signal.inner), there && asRows(there))
    const output = this.layer.apply(inside, rowsScope(scope, inside, steps))
    const asSteps = (all: Value) => all.reshape([...steps, ...all.shape.slice(1)])
    const outward = ({ value: own, sequence, mask, inner, others }: Signal): Signal => {
      const turned = (all: Value) => asSteps(sequence ? swapped(all) : all)
      const seen = sequence ? innermost(mask, inner) : undefined
      return {
        ...{ value: turned(own), sequence: true, packing, mask: signal.mask, rows: signal.rows },
        inner: seen && turned(seen),
        others:
          others && Object.fromEntries(Object.entries(others).map(([name, each]) => [name, outward(each)])),
      }
    }
    const made = outward(output)
    if (output.sequence || signal.inner === undefined) return made
    const some = padded({ ...made, inner: asSteps(anyOf(asRows(signal.inner), 1)) })
    return masked({ ...some, mask: allOf([some.mask, some.inner]), inner: undefined })
  }
}

/** What is there of the innermost steps that a mask speaks of. */
function innermost(mask: Value | undefined, inner: Value | undefined): Value | undefined {
  if (mask === undefined || inner === undefined) return inner ?? mask
  return and(inner, mask.reshape([...mask.shape, ...inner.shape.slice(mask.rank).map(() => 1)]))
}

/** Which have something there along their axes from `first` on. */
function anyOf(there: Value, first: number): Value {
  const axes = there.shape.map((_, axis) => axis).slice(first)
  return axes.length === 0 ? there : there.toF32().sum(axes).greater(0)
}

/** Rows [R, …]: sequences [S, R, …] where something is left to be their time. `rows` [R] says which are there. */
function rowsSignal(value: Value, inner: Value | undefined, rows: Value | undefined): Signal {
  if (value.rank < (value.dtype === 'i32' ? 2 : 3)) return { value, sequence: false, rows }
  const there = inner && swapped(inner)
  return {
    ...{ value: swapped(value), sequence: true, mask: there && anyOf(there, 2), rows },
    inner: there && there.rank > 2 ? there : undefined,
  }
}

/** What the layer may ask for: its states are no states of the model. */
function rowsScope(scope: LayerScope, { value, sequence }: Signal, steps: readonly Size[]): LayerScope {
  return {
    ...scope,
    ...{ fold: undefined, hold: undefined, forced: undefined, others: [] },
    random: (name) => {
      const key = scope.random(name)
      const { rows, time } = rowsKey(key, steps)
      if (!sequence) return { ...key, rows, time, rowAxis: 0 }
      return { ...key, rows: rows.add(time.mul(ROWS)), time: iota([value.shape[0]!]), rowAxis: 1 }
    },
    initial: (_, begin) => begin,
    final: () => {},
  }
}

/** The number of each row [R] and of its step. */
function rowsKey(
  { rows, time }: RandomKey,
  steps: readonly Size[],
): { readonly rows: Value; readonly time: Value } {
  const [T, B] = steps
  if (B === undefined) return { rows: rows!, time: time as Value }
  const all = (numbers: Value, axis: number) =>
    numbers
      .expandDims(axis)
      .broadcastTo([T!, B])
      .reshape([productOf(steps)])
  return { rows: all(rows ?? iota([B]), 0), time: all(time as Value, 1) }
}

/**
 * A layer at every step; see {@link TimeDistributed}.
 * @throws {ArgumentError} for what is no layer, and one that returns its states
 */
export function timeDistributed(layer: Layer, options: TimeDistributedOptions = {}): TimeDistributed {
  return new TimeDistributed(layer, options)
}
