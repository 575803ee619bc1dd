/** Gradients of several batches summed up to one update: how a step's graph goes on. Loaded only where there are several. */
import { lessEqual, type Value, where } from '../graph/value.ts'
import { BATCHES, SUM, slotInput, TOKENS } from './slots.ts'

export interface Accumulated {
  /** Of the mean over all that was summed. */
  readonly gradients: readonly Value[]
  /** Whether this batch is the last before an update. */
  readonly due: Value
  /** What the sums are after the step. */
  readonly updates: readonly (readonly [name: string, value: Value])[]
}

/** g ← Σ count · g / Σ count over `most` batches, of which this one's mean is over `count` steps and rows. */
export function accumulated(
  get: (name: string) => Value,
  gradients: ReadonlyMap<string, Value>,
  count: Value,
  most: number,
): Accumulated {
  const tokens = get(TOKENS).add(count)
  const batches = get(BATCHES).add(1)
  const due = lessEqual(most, batches)
  const sums = [...gradients].map(([path, gradient]) => {
    const name = slotInput(SUM, path)
    return [name, get(name).add(gradient.mul(count))] as const
  })
  const all = [...sums, [TOKENS, tokens] as const, [BATCHES, batches] as const]
  return {
    gradients: sums.map(([, sum]) => sum.div(tokens)),
    due,
    updates: all.map(([name, value]) => [name, where(due, 0, value)]),
  }
}
