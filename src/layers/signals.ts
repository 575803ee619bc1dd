/** How signals lie: batch-first outside a model, time-major or packed inside. */
import { type Value, where } from '../graph/value.ts'
import type { Signal } from './layer.ts'

/** From batch-first to time-major or packed. */
export function inside({ value, ...rest }: Signal): Signal {
  if (!rest.sequence) return { value, ...rest }
  return { ...rest, value: rest.packing === undefined ? swapped(value) : rest.packing.pack(value) }
}

/** From time-major or packed to batch-first. */
export function outside({ value, sequence, packing }: Signal): Value {
  if (!sequence) return value
  return packing === undefined ? swapped(value) : packing.unpack(value)
}

/** Between batch-first and time-major, either way. */
export function swapped(value: Value): Value {
  const rest = value.shape.map((_, axis) => axis).slice(2)
  return value.transpose([1, 0, ...rest])
}

/** What is masked becomes 0, so that nothing there, NaN included, reaches any product. */
export function masked(signal: Signal): Signal {
  const { value, mask } = signal
  if (mask === undefined) return signal
  const rows = mask.reshape([value.shape[0]!, value.shape[1]!, ...value.shape.slice(2).map(() => 1)])
  return { ...signal, value: where(rows, value, 0) }
}
