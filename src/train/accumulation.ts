/** Gradients of several batches summed up to one update: what a step holds for it, and how its graph goes on. */
import { lessEqual, type Value, where } from '../graph/value.ts'
import type { Optimizer } from './optimizers.ts'

interface Accumulating {
  readonly optimizer: Optimizer
  readonly accumulate?: number | undefined
}

const SUM = 'accumulated'
const [TOKENS, BATCHES] = ['accumulated tokens', 'accumulated batches']

/** The input that holds an optimizer's slot of a parameter. */
export const slotInput = (slot: string, path: string) => `${slot} of ${path}`

/** What a step holds for each parameter, and once: the optimizer's, and the sums. */
export function heldBy({ optimizer, accumulate = 1 }: Accumulating): Pick<Optimizer, 'slots' | 'scalars'> {
  const { slots, scalars } = optimizer
  if (accumulate === 1) return { slots, scalars }
  return { slots: [...slots, SUM], scalars: { ...scalars, [TOKENS]: 0, [BATCHES]: 0 } }
}

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
