/** The grid of a sheet: which boxes stand in which column and row, and which cells are empty. */
import type { Box, Sheet } from './sheet.ts'

export class Grid {
  /** How many columns and rows there are. */
  readonly columns: number
  readonly rows: number
  readonly #first = new Map<Box['axis'], { readonly start: number; readonly steps: number }>()
  readonly #cells = new Set<string>()
  readonly #betweenSteps: (string | undefined)[] = []

  constructor(sheet: Sheet) {
    let next = 0
    for (const [i, axis] of sheet.axes.entries()) {
      const ends = new Set(sheet.boxes.filter((box) => box.axis === axis).map(({ at }) => at))
      const steps = next + (ends.has('begin') ? 1 : 0)
      this.#first.set(axis, { start: next, steps })
      next = steps + axis.steps * axis.tracks + (ends.has('end') ? 1 : 0)
      for (let inner = 1; inner < axis.steps * axis.tracks; inner++) {
        this.#betweenSteps[steps + inner] = `${i} ${inner % axis.tracks}`
      }
    }
    this.columns = next
    this.rows = 1 + Math.max(...sheet.boxes.map(({ row }) => row))
    for (const box of sheet.boxes) this.#cells.add(`${box.row} ${this.columnOf(box)}`)
  }

  columnOf({ axis, at }: Box): number {
    const { start, steps } = this.#first.get(axis)!
    if (at === 'begin') return start
    if (at === 'end') return steps + axis.steps * axis.tracks
    // Fewer steps than columns stand spread over those.
    return steps + Math.floor(((at.step + 0.5) * axis.steps) / at.of) * axis.tracks + at.track
  }

  /** Gutters of one time that are as wide as each other, so that its steps are equally far apart, have the same name. */
  nameOf(gutter: number): string {
    return this.#betweenSteps[gutter] ?? `${gutter}`
  }

  /** No box stands in that column in the rows between. */
  isFreeColumn(column: number, below: number, above: number): boolean {
    for (let row = below + 1; row < above; row++) if (this.#cells.has(`${row} ${column}`)) return false
    return true
  }

  /** No box stands in that row in the columns between. */
  isFreeRow(row: number, from: number, to: number): boolean {
    for (let column = Math.min(from, to) + 1; column < Math.max(from, to); column++) {
      if (this.#cells.has(`${row} ${column}`)) return false
    }
    return true
  }
}

/** Across: gutters, which are to the left of columns, and the middles of columns. */
export const gutterAt = (gutter: number): number => 2 * gutter
export const middleOf = (column: number): number => 2 * column + 1

/** Upwards: rows, and the channels above them. */
export const rowAt = (row: number): number => 2 * row + 1
export const channelAt = (row: number): number => 2 * row + 2
