/**
 * Rows of unlike lengths without padding: in order of their lengths, the longest first, and step after step one behind
 * the other: the rows alive at step 0, then those alive at step 1, …
 */
export interface PackedRows {
  /** i32 [B]: which row stands at each place. */
  readonly order: Int32Array
  /** i32 [B]: at which place each row stands. */
  readonly places: Int32Array
  /** i32 [T]: how many rows are alive at each step. */
  readonly counts: Int32Array
  /** All of them together: Σ lengths. */
  readonly total: number
}

/** Rows of equal length keep their order. Lengths lie in 0 … steps. */
export function packRows(lengths: Int32Array, steps: number): PackedRows {
  const order = Int32Array.from(lengths.keys()).sort((a, b) => lengths[b]! - lengths[a]! || a - b)
  const places = new Int32Array(order.length)
  for (const [place, row] of order.entries()) places[row] = place
  const counts = new Int32Array(steps)
  let [alive, total] = [order.length, 0]
  for (let t = 0; t < steps; t++) {
    while (alive > 0 && lengths[order[alive - 1]!]! <= t) alive--
    counts[t] = alive
    total += alive
  }
  return { order, places, counts, total }
}

/** Calls for every packed row, in order, with the row it is of and its step. */
export function eachPacked(
  { order, counts }: PackedRows,
  visit: (at: number, row: number, t: number) => void,
): void {
  let at = 0
  for (const [t, alive] of counts.entries()) {
    for (let place = 0; place < alive; place++) visit(at++, order[place]!, t)
  }
}
