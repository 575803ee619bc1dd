/** How a layer masks: what it says is not there is joined with what was not there before. */
import type { Value } from '../graph/value.ts'
import type { Signal } from './layer.ts'
import { allOf, cut, masked, padded } from './signals.ts'

/**
 * A sequence of which only that is there for which `thereOf` gives true, the rest 0: steps, [T, B], so that packed rows
 * are padded; or with further axes what stands inside of steps.
 */
export function onlyWhere(signal: Signal, thereOf: (value: Value) => Value): Signal {
  const there = thereOf(signal.value)
  if (there.rank > (signal.packing === undefined ? 2 : 1)) {
    const inner = allOf([signal.inner, there])!
    return { ...signal, inner, value: cut(signal.value, inner) }
  }
  const whole = padded(signal)
  return masked({ ...whole, mask: allOf([whole.mask, thereOf(whole.value)]) })
}
