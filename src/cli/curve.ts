/** A curve over the course of a run, drawn with block characters. */

const BINS = 1000
const blocks = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']

export class Curve {
  readonly #sums = new Float64Array(BINS)
  readonly #counts = new Float64Array(BINS)

  /** @param progress 0 … 1, where along the run the value stands */
  add(progress: number, value: number): void {
    const bin = Math.min(BINS - 1, Math.floor(progress * BINS))
    this.#sums[bin]! += value
    this.#counts[bin]! += 1
  }

  /** Rows from the top down; the top one begins with the highest mean, the bottom one with the lowest. */
  draw(columns: number, rows: number): string[] {
    const space = columns - LABEL
    const means = this.#means(space)
    if (means.length === 0) return []
    const [low, high] = [Math.min(...means), Math.max(...means)]
    const step = (high - low) / (8 * rows - 1) || 1
    // The lowest value still shows: an eighth of a row.
    const levels = means.map((mean) => 1 + Math.round((mean - low) / step))
    return Array.from({ length: rows }, (_, i) => {
      const label = i === 0 ? high.toFixed(2) : i === rows - 1 ? low.toFixed(2) : ''
      const floor = 8 * (rows - 1 - i)
      const bars = levels.map((level) => blocks[Math.max(0, Math.min(8, level - floor))])
      return `${label.padStart(LABEL - 2)} │${bars.join('')}`
    })
  }

  /** One mean a column, as far as the run has come; columns between two values repeat the one before. */
  #means(columns: number): number[] {
    const sums = new Float64Array(columns)
    const counts = new Float64Array(columns)
    for (let bin = 0; bin < BINS; bin++) {
      const column = Math.floor((bin * columns) / BINS)
      sums[column]! += this.#sums[bin]!
      counts[column]! += this.#counts[bin]!
    }
    const first = counts.findIndex((count) => count > 0)
    if (first < 0) return []
    const last = counts.findLastIndex((count) => count > 0)
    let mean = sums[first]! / counts[first]!
    const means: number[] = []
    for (let column = 0; column <= last; column++) {
      if (counts[column]! > 0) mean = sums[column]! / counts[column]!
      means.push(mean)
    }
    return means
  }
}

/** Columns that the numbers and the axis take. */
export const LABEL = 8
