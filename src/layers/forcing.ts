/** Teacher forcing of a cell: targets stand where it would read its own outputs. */
import { scan } from '../graph/scan.ts'
import { concat, equal, iota, type Value, where } from '../graph/value.ts'

export interface Forced {
  /** [T, B, …]: what the cell reads at each step in the place of its output at the step before. */
  readonly before: Value
  /** [B, …]: what goes on after a row's last step. */
  readonly final: Value
}

/** `begin` [B, …] and then the targets [T, B, …], one step late; of steps that are masked, none. */
export function delayed(
  begin: Value,
  targets: Value,
  { lengths, mask }: { readonly lengths: Value | undefined; readonly mask: Value | undefined },
): Forced {
  if (mask !== undefined) {
    const { carry, ys } = scan({ carry: { last: begin }, xs: { targets }, mask }, ({ carry, x }) => ({
      carry: { last: x.targets },
      y: { before: carry.last },
    }))
    return { before: ys.before, final: carry.last }
  }
  const all = concat([begin.expandDims(0), targets], 0)
  const [ends, steps] = [all.shape[0]!, targets.shape[0]!]
  const before = all.slice(0, 0, steps)
  if (lengths === undefined) return { before, final: all.slice(0, steps, ends).reshape(begin.shape) }
  const last = equal(iota([ends, 1]), lengths)
  const rows = last.reshape([...last.shape, ...begin.shape.slice(1).map(() => 1)])
  return { before, final: where(rows, all, 0).sum(0) }
}
