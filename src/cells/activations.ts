/** The functions that cells and layers may put around their sums, by their names in Keras 3. */
import { relu, sigmoid, softmax, tanh, type Value } from '../graph/value.ts'

export const ACTIVATIONS = {
  /** x */
  linear: (x: Value) => x,
  /** (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ) */
  tanh: (x: Value) => tanh(x),
  /** 1 / (1 + e⁻ˣ) */
  sigmoid: (x: Value) => sigmoid(x),
  /** max(x, 0) */
  relu: (x: Value) => relu(x),
  /** x / 6 + 1/2 within 0 … 1, as in Keras 3; Keras 1 and 2 had x / 5 + 1/2. */
  hardSigmoid: (x: Value) => x.div(6).add(0.5).max(0).min(1),
  /** eˣ / Σ eˣ over the last axis */
  softmax: (x: Value) => softmax(x),
} as const satisfies Readonly<Record<string, (x: Value) => Value>>

export type Activation = keyof typeof ACTIVATIONS
