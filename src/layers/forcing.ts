/** Teacher forcing of a cell: targets stand where it would read its own outputs, at every step or at some that are drawn. */
import { randomUniform } from '../graph/functions.ts'
import { scan } from '../graph/scan.ts'
import { concat, type Value } from '../graph/value.ts'
import type { Delayed, Forcing, Signal } from './layer.ts'
import { inside } from './signals.ts'

/**
 * `begin` [B, …] and then the targets, batch-first, one step late; of steps that are masked, none. With a probability, an f32
 * scalar, the targets of steps that are drawn.
 */
export const forcedBy =
  (targets: Value, probability?: Value): Forcing =>
  (begin, signal, random) => {
    const { value } = inside({ ...signal, value: targets })
    if (probability === undefined) return delayed(begin, value, signal)
    const lead = signal.packing === undefined ? 2 : 1
    const shape = value.shape.map((size, axis) => (axis < lead ? size : 1))
    return { targets: value, chosen: randomUniform(shape, random()).less(probability).toF32() }
  }

function delayed(begin: Value, targets: Value, { packing, mask }: Signal): Delayed {
  if (packing !== undefined) return packing.delayed(begin, targets)
  if (mask !== undefined) {
    const { carry, ys } = scan({ carry: { last: begin }, xs: { targets }, mask }, ({ carry, x }) => ({
      carry: { last: x.targets },
      y: { before: carry.last },
    }))
    return { before: ys.before, final: carry.last }
  }
  const all = concat([begin.expandDims(0), targets], 0)
  const [ends, steps] = [all.shape[0]!, targets.shape[0]!]
  return { before: all.slice(0, 0, steps), final: all.slice(0, steps, ends).reshape(begin.shape) }
}
