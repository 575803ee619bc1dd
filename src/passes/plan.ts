/** Lifetimes to offsets: regions that live at the same time do not overlap, others share the arena. */

export interface Region {
  /** In bytes. */
  readonly bytes: number
  /** The first and the last step at which it is touched. */
  readonly first: number
  readonly last: number
}

export interface Placement {
  readonly offsets: readonly number[]
  /** The arena's size in bytes. */
  readonly bytes: number
}

const ALIGNMENT = 64

export function alignUp(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT
}

/** Places the largest first, each at the lowest offset that is free during its life. */
export function placeRegions(regions: readonly Region[], base = 0): Placement {
  const order = regions.map((_, i) => i).sort((a, b) => regions[b]!.bytes - regions[a]!.bytes || a - b)
  const offsets: number[] = regions.map(() => base)
  const placed: number[] = []
  let end = base
  for (const i of order) {
    const region = regions[i]!
    const bytes = alignUp(region.bytes)
    if (bytes === 0) continue
    const neighbours = placed
      .filter((j) => regions[j]!.first <= region.last && region.first <= regions[j]!.last)
      .sort((a, b) => offsets[a]! - offsets[b]!)
    let at = base
    for (const j of neighbours) {
      if (at + bytes <= offsets[j]!) break
      at = Math.max(at, offsets[j]! + alignUp(regions[j]!.bytes))
    }
    offsets[i] = at
    placed.push(i)
    end = Math.max(end, at + bytes)
  }
  return { offsets, bytes: end }
}
