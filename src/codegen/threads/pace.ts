/**
 * How many threads take part: some calls are measured with one, two, four …, then the fastest stays. It is the one place
 * where a clock decides anything: the numbers do not depend on it.
 */

/** Calls that are not measured: engines compile hot code on the way. */
const WARM = 3
/** Calls that are measured for each number of threads. */
const MEASURED = 3

export class Pace {
  readonly #candidates: number[]
  readonly #best = new Map<number, number>()
  #calls = 0
  #chosen: number | undefined

  constructor(least: number, most: number) {
    this.#candidates = [most]
    for (let threads = least; threads < most; threads *= 2) this.#candidates.push(threads)
    if (this.#candidates.length === 1) this.#chosen = most
  }

  /** For the next call. */
  next(): number {
    if (this.#chosen !== undefined) return this.#chosen
    const measured = Math.max(0, this.#calls++ - WARM)
    return this.#candidates[measured % this.#candidates.length]!
  }

  async measure(threads: number, run: () => Promise<void>): Promise<void> {
    const begun = performance.now()
    await run()
    const ms = performance.now() - begun
    if (this.#chosen !== undefined || this.#calls <= WARM) return
    this.#best.set(threads, Math.min(ms, this.#best.get(threads) ?? Number.POSITIVE_INFINITY))
    if (this.#calls < WARM + MEASURED * this.#candidates.length) return
    this.#chosen = [...this.#best].sort(([, a], [, b]) => a - b)[0]![0]
  }
}
