/**
 * The functions that cells and layers may put around their sums: some by their names in Keras 3, others as functions of
 * values (activation-functions.ts), which files hold as graphs.
 */
import { relu, sigmoid, softmax, tanh, type Value } from '../graph/value.ts'
import { requireMade } from '../init/rules.ts'
import { productOf } from '../tensor/size.ts'

export const ACTIVATIONS = {
  /** x */
  linear: (x: Value) => x,
  /** (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ) */
  tanh,
  /** 1 / (1 + e⁻ˣ) */
  sigmoid,
  /** max(x, 0) */
  relu,
  /** x / 6 + 1/2 within 0 … 1, as in Keras 3; Keras 1 and 2 had x / 5 + 1/2. */
  hardSigmoid: (x: Value) => x.div(6).add(0.5).max(0).min(1),
  /** eˣ / Σ eˣ over the last axis */
  softmax,
} as const satisfies Readonly<Record<string, (x: Value) => Value>>

export type NamedActivation = keyof typeof ACTIVATIONS
/** Of rows of features, f32[N, F]: as many. */
type OfRows = (rows: Value) => Value
/** A name, or a function of rows of features, f32[N, F], that makes as many: `gelu`, or one of your own. */
export type Activation = NamedActivation | OfRows

/** What it makes of values […, F]; it throws a ShapeError for a function that makes something of another shape. */
export function activationOf(what: string, activation: Activation): OfRows {
  if (typeof activation === 'string') return ACTIVATIONS[activation]
  return (x) => {
    const rows = x.reshape([productOf(x.shape.slice(0, -1)), x.shape.at(-1)!])
    return requireMade(`${what}, activation: of`, rows, activation(rows), rows.shape).reshape(x.shape)
  }
}

/** φ and σ of a cell with gates. */
export function activationsOf(
  what: string,
  { activation, recurrentActivation }: Readonly<Record<'activation' | 'recurrentActivation', Activation>>,
): readonly [OfRows, OfRows] {
  return [activationOf(what, activation), activationOf(what, recurrentActivation)]
}
