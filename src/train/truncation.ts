/**
 * Truncated back-propagation through time, TBPTT(k1, k2) (Williams and Peng 1990): every k1 steps an update whose
 * gradients go back k2 steps. Batches bring the k1 new steps.
 */
import { requireKnown, said } from '../tensor/checks.ts'
import { ArgumentError } from '../tensor/errors.ts'
import type { Bindings } from '../tensor/size.ts'
import type { Tensor } from '../tensor/tensor.ts'

export interface Truncation {
  /** Steps between updates: those of each batch, at most. */
  readonly k1: number
  /** Steps that gradients go back, as far as the document reaches: at least k1. */
  readonly k2: number
}

export function checkTruncation(truncate: Truncation): void {
  requireKnown('truncate', truncate, ['k1', 'k2'])
  for (const name of ['k1', 'k2'] as const) {
    const steps = truncate[name]
    if (!Number.isInteger(steps) || steps < 1) {
      throw new ArgumentError(`truncate.${name} must be an integer of at least 1; received ${said(steps)}`)
    }
  }
  if (truncate.k2 < truncate.k1) {
    throw new ArgumentError(
      `truncate.k2 must be at least k1 (gradients go back k2 ≥ k1 steps); received k1 ${truncate.k1}, k2 ${truncate.k2}`,
    )
  }
}

/** Whether windows share steps, so that past inputs are needed. */
export function overlaps(truncate: Truncation | undefined): truncate is Truncation {
  return truncate !== undefined && truncate.k2 > truncate.k1
}

export interface Part {
  readonly part: string
  readonly lengths: Int32Array
  readonly steps: number
}

/** What one update reads of its batch and those before it. */
export interface Window {
  /** Inputs and targets. */
  readonly tensors: readonly (readonly [name: string, tensor: Tensor])[]
  readonly sizes: Bindings
  /** How many steps rows have, in each time, or each part of it that is run by itself. */
  readonly parts: () => Promise<readonly Part[]>
  /** How many of them the batch brought, where it is not read as it is. */
  readonly lengths?: Int32Array
  /** Which steps are there of each time. */
  readonly masks: () => Promise<readonly (readonly [name: string, mask: Int32Array])[]>
  /** Whether it begins where the document does, instead of at a carried state. */
  readonly fresh: boolean
  /** Whether the state that it ends with is not that of the document's beginning. */
  readonly moved: boolean
}

/** The last steps of a window, which the next one begins with: [B, P, …]. */
export interface Past {
  readonly x: Tensor
  /** Their targets, where these are fed back. */
  readonly y: Tensor | undefined
  /** Which of them are there, bool [B, P]. */
  readonly mask: Tensor
}
