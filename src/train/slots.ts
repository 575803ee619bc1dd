/** What a step holds beside parameters from call to call: the optimizer's numbers, and sums of gradients. */
import type { Optimizer } from './optimizers.ts'

interface Accumulating {
  readonly optimizer: Optimizer
  readonly accumulate?: number | undefined
}

export const SUM = 'accumulated'
export const [TOKENS, BATCHES] = ['accumulated tokens', 'accumulated batches']

/** The input that holds an optimizer's slot of a parameter. */
export const slotInput = (slot: string, path: string) => `${slot} of ${path}`

/** What a step holds for each parameter, and once: the optimizer's, and the sums. */
export function heldBy({ optimizer, accumulate = 1 }: Accumulating): Pick<Optimizer, 'slots' | 'scalars'> {
  const { slots, scalars } = optimizer
  if (accumulate === 1) return { slots, scalars }
  return { slots: [...slots, SUM], scalars: { ...scalars, [TOKENS]: 0, [BATCHES]: 0 } }
}
