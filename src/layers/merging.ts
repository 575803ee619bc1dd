/** Signals that are to become one. */
import { gather, type Value } from '../graph/value.ts'
import { ShapeError } from '../tensor/errors.ts'
import { printShape } from '../tensor/size.ts'
import type { Signal } from './layer.ts'
import { allOf, padded } from './signals.ts'

/**
 * Signals lying alike: sequences packed as the first one, or all padded, with what all of their masks leave. What has no
 * time stands at every step of those that have.
 *
 * @throws {ShapeError} for sequences of unlike numbers of steps
 */
export function aligned(what: string, signals: readonly Signal[]): Signal[] {
  const sequences = signals.filter(({ sequence }) => sequence)
  const [first] = sequences
  if (first === undefined) return [...signals]
  const total = first.packing?.sizes.total
  const whole = sequences.some(({ packing }) => packing?.sizes.total !== total)
  const laid = signals.map((signal) => (whole ? padded(signal) : signal))
  const model = whole ? padded(first) : first
  const steps = model.value.shape[0]!
  const odd = laid.find(({ value, sequence }) => sequence && value.shape[0] !== steps)
  if (odd !== undefined) {
    throw new ShapeError(
      `${what}: expected sequences of one number of steps; received ${printShapes([model, odd])}`,
    )
  }
  const mask = allOf(laid.map((signal) => (signal.sequence ? signal.mask : undefined)))
  const inner = allOf(laid.map((signal) => signal.inner))
  return laid.map(({ value, sequence }) => {
    return { ...model, value: sequence ? value : atEveryStep(value, model), mask, inner }
  })
}

/** [B, …] at each step of a sequence. */
function atEveryStep(value: Value, { value: like, packing }: Signal): Value {
  if (packing !== undefined) return gather(value, packing.rows)
  return value.expandDims(0).broadcastTo([like.shape[0]!, ...value.shape])
}

export function printShapes(signals: readonly Signal[]): string {
  return signals.map(({ value }) => printShape(value.shape)).join(' and ')
}
