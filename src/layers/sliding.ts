/** Layers that read several steps at once: what their windows see, and where what they make of it stands. */
import * as build from '../graph/build.ts'
import { marginsOf } from '../graph/functions.ts'
import { requireEqual } from '../graph/guards.ts'
import { and, derive, type Value } from '../graph/value.ts'
import { ShapeError } from '../tensor/errors.ts'
import { maxSize, printShape, subSize } from '../tensor/size.ts'
import { featuresOf, type Signal } from './layer.ts'
import { masked, padded, swapped } from './signals.ts'

/** A window of `size` steps, `dilation` apart, that begins `strides` steps after the one before it. */
export interface Sliding {
  readonly size: number
  readonly strides: number
  readonly dilation: number
  /** Zeros around: none; so many that there are ⌈T / strides⌉ windows; before the first step alone. */
  readonly padding: 'valid' | 'same' | 'causal'
}

export interface Windows {
  /** [T + zeros, B, I]: 0 where nothing is there. */
  readonly value: Value
  /** Zeros around [T, B, …], as around the value. */
  around(value: Value): Value
  /** What stands at one place of each window, of what has zeros around it. */
  at(place: number, value: Value): Value
  /** Which steps are there, of those without zeros around; undefined where all are. */
  readonly mask: Value | undefined
  /** The layer's output, of one number of features a window. */
  output(value: Value): Signal
}

/**
 * A sequence [T, B, I] under windows. Where each step has its own, rows are packed and masked as before; else a window is
 * there where all of its steps are, or with `causal` where its last is.
 *
 * A row with no whole window has no steps in what comes out: it is masked everywhere, whatever stands beside it, so that a
 * recurrent layer keeps its initial state, pooling over time gives 0 and losses pass over it. A batch that has room for no
 * window at all, padding included, is refused.
 *
 * @throws {ShapeError} for what is no such sequence, for fewer steps than a window of padding `valid` sees, and with `same`
 * for windows whose place in a row would depend on how far the others reach
 */
export function windowsOf(kind: string, signal: Signal, sliding: Sliding): Windows {
  const { size, strides, dilation, padding } = sliding
  const isPool = kind !== 'conv1d'
  featuresOf(kind, signal)
  if (!signal.sequence || signal.value.rank !== (signal.packing === undefined ? 3 : 2)) {
    throw new ShapeError(
      `${kind}: expected a sequence [T, B, features]; received ${printShape(signal.value.shape)}` +
        `${signal.sequence ? '' : ' without time'}`,
    )
  }
  const { value, mask } = masked(padded(signal))
  const steps = value.shape[0]!
  if (padding === 'same' && strides > 1 && mask !== undefined) {
    throw new ShapeError(
      `${kind}: with padding same and strides of ${strides} a row's windows would lie by the longest row's length, not ` +
        `its own: use valid${isPool ? '' : ' or causal'} for rows of unlike lengths and masks`,
    )
  }
  const reach = (size - 1) * dilation
  if (padding === 'valid') {
    requireEqual(
      steps,
      maxSize(steps, reach + 1),
      () =>
        `${kind}: with padding valid and ${isPool ? 'poolSize' : 'kernelSize'} ${size} a window has ${reach + 1} steps; ` +
        `received ${steps.key}`,
    )
  }
  const [low, high] = marginsOf(padding, steps, reach, strides)
  const around = (each: Value) => derive([each], ([node]) => build.pad(node!, 0, low, high))
  const at = (place: number, each: Value) => {
    const start = place * dilation
    return each.slice(0, start, subSize(each.shape[0]!, reach - start), strides)
  }
  const output = (made: Value): Signal => {
    if (strides === 1 && (padding !== 'valid' || reach === 0)) {
      const { packing } = signal
      return packing === undefined
        ? masked({ ...signal, value: made })
        : { ...signal, value: packing.pack(swapped(made)) }
    }
    return masked({ value: made, sequence: true, mask: mask && whole(mask) })
  }
  const whole = (there: Value) => {
    if (padding !== 'valid') return there.slice(0, 0, steps, strides)
    return Array.from({ length: size }, (_, place) => at(place, there)).reduce(and)
  }
  return { value: around(value), around, at, mask, output }
}
