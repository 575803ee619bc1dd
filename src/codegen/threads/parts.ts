/** Where each thread's part of a size begins. Any parts give the same bits: these make threads end at about one time. */

/** The ends of parts of like size, multiples of a unit, as many as threads. */
export function evenEnds(total: number, unit: number, threads: number): number[] {
  return Array.from({ length: threads }, (_, thread) =>
    thread === threads - 1 ? total : Math.floor((total * (thread + 1)) / threads / unit) * unit,
  )
}

/** The ends of parts of the rows that hold like sums of steps; `counts`: how many rows are alive at each step, falling. */
export function ragged(rows: number, counts: Int32Array, threads: number): number[] {
  const steps = counts.reduce((sum, count) => sum + count, 0)
  const ends: number[] = []
  let [sum, alive] = [0, counts.length]
  for (let row = 0; row < rows; row++) {
    while (alive > 0 && counts[alive - 1]! <= row) alive--
    sum += alive
    while (ends.length < threads - 1 && sum * threads >= steps * (ends.length + 1)) ends.push(row + 1)
  }
  while (ends.length < threads) ends.push(rows)
  return ends
}
