/** A time of a picture: columns for the steps of T, of Tsource, of a fixed number of them; or one for what has no time. */
export class Axis {
  /** As many as the longest of its sequences has. */
  steps = 1
  /** How many boxes of one row may stand at one step, side by side. */
  tracks = 1
  /** What stands to the left of it. */
  readonly after = new Set<Axis>()
  readonly #rows = new Map<number, { readonly tracks: Set<number>; alone: boolean }>()

  /**
   * A row from `first` on, and a track in it that is free down to there, `wanted` if it is. What goes from step to step has
   * its row for itself (`alone`), so that its arrows meet no box.
   */
  place(first: number, alone: boolean, wanted: number): { readonly row: number; readonly track: number } {
    for (let row = first; ; row++) {
      const own = this.#row(row)
      if (own.alone || (alone && own.tracks.size > 0)) continue
      let track = wanted
      for (let next = 0; !this.#isFree(track, first, row); next++) track = next
      own.tracks.add(track)
      own.alone = alone
      this.tracks = Math.max(this.tracks, track + 1)
      return { row, track }
    }
  }

  #isFree(track: number, first: number, row: number): boolean {
    for (let below = first; below <= row; below++) if (this.#row(below).tracks.has(track)) return false
    return true
  }

  #row(row: number) {
    const known = this.#rows.get(row) ?? { tracks: new Set<number>(), alone: false }
    this.#rows.set(row, known)
    return known
  }
}
