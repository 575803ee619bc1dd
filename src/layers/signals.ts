/** How signals lie: batch-first outside a model, time-major or packed inside. */
import { and, iota, less, type Value, where } from '../graph/value.ts'
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
  return mask === undefined ? signal : { ...signal, value: cut(value, mask) }
}

/** 0 where the condition, which has the value's first axes, does not hold. */
export function cut(value: Value, there: Value): Value {
  return where(there.reshape(value.shape.map((size, axis) => (axis < there.rank ? size : 1))), value, 0)
}

/** Packed rows time-major, 0 where they have ended, with the mask that says so; other signals as they are. */
export function padded(signal: Signal): Signal {
  const { value, packing, inner } = signal
  if (packing === undefined) return signal
  const whole = (packed: Value) => swapped(packing.unpack(packed))
  const { shape } = whole(value)
  const mask = less(iota([shape[0]!, 1]), packing.lengths)
  return { ...signal, value: whole(value), packing: undefined, mask, inner: inner && whole(inner) }
}

/** What all of these leave: bool, of one shape. */
export function allOf(masks: readonly (Value | undefined)[]): Value | undefined {
  const [first, ...rest] = new Set(masks.filter((mask) => mask !== undefined))
  return rest.reduce<Value | undefined>((all, mask) => and(all!, mask), first)
}

/** Which steps are there, [T, B], or without time which rows, [B]; undefined where all are. */
export function presenceOf({ value, sequence, mask, rows }: Signal): Value | undefined {
  return allOf([mask, sequence ? rows?.expandDims(0).broadcastTo(value.shape.slice(0, 2)) : rows])
}
