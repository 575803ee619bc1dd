/**
 * A training's state as tensors by name, so that any file of tensors holds it: parameters under their paths, the
 * optimizer's slots and scalars, carried states, and counters. With the same model, batches and options, training
 * goes on from it bit for bit.
 */
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'

export type TrainingState = ReadonlyMap<string, Tensor>

/** Names of what is neither a parameter nor of the optimizer begin with one of these. */
const OTHERS = ['training ', 'best ']

export const counter = (value: number | boolean): Tensor => tensor(Int32Array.of(Number(value)), [])

/** An f64 as two i32, bit for bit. */
export const exactly = (value: number): Tensor => tensor(new Int32Array(Float64Array.of(value).buffer), [2])

/** @throws {ArgumentError} where the state lacks it, or counts below 0 */
export function counterIn(state: TrainingState, name: string): number {
  const count = entry(state, name, 'i32', []).data[0]!
  if (count >= 0) return count
  throw new ArgumentError(`resume: ${name} must be at least 0; received ${count}: the state was altered`)
}

/** The reverse of `exactly`. */
export function exactlyIn(state: TrainingState, name: string): number {
  return new Float64Array(Int32Array.from(entry(state, name, 'i32', [2]).data).buffer)[0]!
}

export function entry(
  state: TrainingState,
  name: string,
  dtype: Tensor['dtype'],
  shape: readonly number[],
): Tensor {
  const found = state.get(name)
  if (found === undefined) {
    throw new ArgumentError(`resume: the state lacks ${name}: was it made with the same model and options?`)
  }
  if (found.dtype !== dtype || String(found.shape) !== String(shape)) {
    throw new ShapeError(
      `resume: ${name} is ${dtype}[${shape.join(', ')}]; received ${found.dtype}[${found.shape.join(', ')}]`,
    )
  }
  return found
}

/** Throws for what nobody asked for: a state of another model or optimizer. */
export function requireNoOthers(state: TrainingState, expected: ReadonlySet<string>): void {
  for (const name of state.keys()) {
    if (expected.has(name) || OTHERS.some((start) => name.startsWith(start))) continue
    throw new ArgumentError(
      `resume: the state has ${name}, which this training does not: was it made with the same model and options?`,
    )
  }
}
