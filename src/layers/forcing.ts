/** Teacher forcing of a cell: targets stand where it would read its own outputs. */
import { scan } from '../graph/scan.ts'
import { concat, type Value } from '../graph/value.ts'
import type { Forced, Forcing, Signal } from './layer.ts'
import { inside } from './signals.ts'

/** `begin` [B, …] and then the targets, batch-first, one step late; of steps that are masked, none. */
export const forcedBy =
  (targets: Value): Forcing =>
  (begin, signal) => {
    const { value } = inside({ ...signal, value: targets })
    return delayed(begin, value, signal)
  }

function delayed(begin: Value, targets: Value, { packing, mask }: Signal): Forced {
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
