/** Space between rows and columns of boxes, in which lines of different nets run side by side. */

interface Interval {
  readonly low: number
  readonly high: number
  readonly net: string
}

/** One such space for each index. */
export class Lanes {
  readonly #spaces = new Map<number, Interval[][]>()

  /** The lane of that space, from 0 on, in which a net may run from `low` to `high`; lines of one net share one. */
  claim(space: number, from: number, to: number, net: string): number {
    const own: Interval = { low: Math.min(from, to), high: Math.max(from, to), net }
    const lanes = this.#spaces.get(space) ?? []
    this.#spaces.set(space, lanes)
    const isFree = (lane: readonly Interval[]) => lane.every((each) => each.net === net || apart(each, own))
    const known = lanes.findIndex((lane) => isFree(lane) && lane.some((each) => each.net === net))
    const found = known >= 0 ? known : lanes.findIndex(isFree)
    if (found < 0) lanes.push([own])
    else lanes[found]!.push(own)
    return found < 0 ? lanes.length - 1 : found
  }

  /** Whether a net can have the first lane to itself there; it has it then. */
  claimFirst(space: number, from: number, to: number, net: string): boolean {
    const lanes = this.#spaces.get(space) ?? [[]]
    this.#spaces.set(space, lanes)
    const own = { low: Math.min(from, to), high: Math.max(from, to), net }
    const isFree = lanes[0]!.every((each) => each.net === net || apart(each, own))
    if (isFree) lanes[0]!.push(own)
    return isFree
  }

  count(space: number): number {
    return this.#spaces.get(space)?.length ?? 0
  }
}

function apart(a: Interval, b: Interval): boolean {
  return a.high < b.low || b.high < a.low
}
