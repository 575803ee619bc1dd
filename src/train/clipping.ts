/** Clipping of gradients, between the backward pass and the update. */
import { type Value, where } from '../graph/value.ts'
import { ArgumentError } from '../tensor/errors.ts'

export interface ClippingOptions {
  /** Gradients whose norm over all parameters together is larger are scaled down to it. */
  readonly clipGlobalNorm?: number | undefined
  /** Every element of a gradient is held within ± this. */
  readonly clipValue?: number | undefined
}

export function checkClipping(options: ClippingOptions): void {
  for (const name of ['clipGlobalNorm', 'clipValue'] as const) {
    const bound = options[name]
    if (bound !== undefined && !(typeof bound === 'number' && bound > 0)) {
      throw new ArgumentError(`${name} must be a number above 0; received ${String(bound)}`)
    }
  }
  if (options.clipGlobalNorm !== undefined && options.clipValue !== undefined) {
    throw new ArgumentError(
      `expected clipGlobalNorm or clipValue, not both; received ${options.clipGlobalNorm} and ${options.clipValue}`,
    )
  }
}

/** g · c / ‖g‖ where ‖g‖ > c; or max(−c, min(c, g)) element by element. */
export function clip(
  gradients: readonly Value[],
  norm: Value,
  { clipGlobalNorm, clipValue }: ClippingOptions,
): readonly Value[] {
  if (clipValue !== undefined) return gradients.map((each) => each.min(clipValue).max(-clipValue))
  if (clipGlobalNorm === undefined) return gradients
  const scale = where(norm.greater(clipGlobalNorm), norm.mul(0).add(clipGlobalNorm).div(norm), 1)
  return gradients.map((each) => each.mul(scale))
}
