/** Where everything stands: sizes of boxes, columns and rows, and from them the points of every arrow. */
import { Grid } from './grid.ts'
import { fitted, widthOf } from './lettering.ts'
import { LOOP, loopReach, type Placement, type Rectangle, type Route, routesOf } from './routes.ts'
import type { Arrow, Box, Sheet } from './sheet.ts'

export interface DrawnBox extends Rectangle {
  readonly box: Box
  /** Cut where they are too long. */
  readonly lines: readonly string[]
  /** The first line stands out: in larger letters, for which there is room. */
  readonly isBold: boolean
}

export interface DrawnArrow {
  readonly arrow: Arrow
  readonly lines: readonly (readonly (readonly [x: number, y: number])[])[]
  readonly label: { readonly x: number; readonly y: number; readonly anchor: 'start' | 'middle' | 'end' }
}

export interface Layout {
  readonly width: number
  readonly height: number
  readonly boxes: readonly DrawnBox[]
  readonly arrows: readonly DrawnArrow[]
}

/** Sizes of letters: the first line of a box, other lines, labels of arrows and states outside of boxes. */
export const LETTERS = { first: 14, other: 11, label: 11 } as const
export const MARGIN = 16
/** Between lines that run side by side, and from them to boxes. */
const [LANE, CLEAR, HEAD] = [9, 11, 12]
const [LEAST_WIDTH, MOST_WIDTH, PADDING] = [58, 170, 9]
/** Between states at the side of a box; there stands what comes back along them too. */
const [SLOT, FOLDED_SLOT, BACK_SLOT, PILL] = [20, 40, 44, 17]

export function layoutOf(sheet: Sheet): Layout {
  const grid = new Grid(sheet)
  const { routes, gutters, channels } = routesOf(sheet, grid)
  const labels = spacesOf(routes)
  const isPill = ({ slot }: Box) => slot !== undefined
  const spread = new Map<Box, number>()
  for (const { arrow, port } of routes) {
    const needed = port === undefined ? 0 : (2 * Math.abs(port) + 1) * portOf(labels.ports.get(arrow.to))
    spread.set(arrow.to, Math.max(spread.get(arrow.to) ?? 0, needed))
  }
  const textOf = ({ lines }: Box) =>
    Math.max(...lines.map((line, i) => widthOf(line, i === 0 ? LETTERS.first : LETTERS.other)))
  const wide = sheet.boxes.filter((box) => !isPill(box))
  const width = Math.min(
    MOST_WIDTH,
    Math.max(LEAST_WIDTH, ...wide.map((box) => Math.max(textOf(box) + 2 * PADDING, spread.get(box) ?? 0))),
  )
  const hasBacks = sheet.arrows.some(({ back }) => back !== undefined)
  const slotHeight = sheet.folded ? FOLDED_SLOT : hasBacks ? BACK_SLOT : SLOT
  const heightOf = ({ lines, slots }: Box) => Math.max(lines.length * 16 + 10, slots * slotHeight + 6)
  const pillWidth = (box: Box) => Math.min(MOST_WIDTH, widthOf(box.lines[0]!, LETTERS.label) + 12)

  const columnWidths: number[] = new Array(grid.columns).fill(0)
  const rowHeights: number[] = new Array(grid.rows).fill(0)
  for (const box of sheet.boxes) {
    const column = grid.columnOf(box)
    columnWidths[column] = Math.max(columnWidths[column]!, isPill(box) ? pillWidth(box) : width)
    if (!isPill(box)) rowHeights[box.row] = Math.max(rowHeights[box.row]!, heightOf(box))
  }
  // What labels need to the right of their columns, and loops.
  const reserved: number[] = new Array(grid.columns + 1).fill(0)
  for (const { arrow, port, beside } of routes) {
    const ends = arrow.kind === 'loop' ? [arrow.to, ...arrow.from] : [arrow.to]
    const gutter = beside ?? 1 + Math.max(...ends.map((box) => grid.columnOf(box)))
    const text = widthOf(arrow.label, LETTERS.label)
    const loop = arrow.kind === 'loop' ? loopReach(arrow) + LOOP.box / 2 + 10 + text : 0
    const below =
      port !== undefined && port >= 0 && text > 0
        ? text + 10 + port * portOf(labels.ports.get(arrow.to)) - width / 2
        : 0
    const level = beside === undefined ? 0 : text + 13
    reserved[gutter] = Math.max(reserved[gutter]!, loop, below, level)
  }

  const gutterWidths = new Map<string, number>()
  const gutterWidth = (column: number) => {
    const lines = gutters.count(column)
    const label = labels.gutters.get(column) ?? 0
    const needed = (lines > 0 ? CLEAR + lines * LANE : 0) + (label > 0 ? label + 8 : 0) + HEAD
    const isOuter = column === 0 || column === grid.columns
    if (isOuter && lines + label + reserved[column]! === 0) return 0
    return reserved[column]! + Math.max(needed, isOuter ? 0 : 22)
  }
  for (let column = 0; column <= grid.columns; column++) {
    const name = grid.nameOf(column)
    gutterWidths.set(name, Math.max(gutterWidths.get(name) ?? 0, gutterWidth(column)))
  }
  const lefts: number[] = []
  const gutterLefts: number[] = []
  let x = MARGIN
  for (let column = 0; column <= grid.columns; column++) {
    gutterLefts.push(x)
    x += gutterWidths.get(grid.nameOf(column))!
    lefts.push(x)
    x += columnWidths[column] ?? 0
  }
  const total = x + MARGIN

  const tops: number[] = []
  const channelBottoms = new Map<number, number>()
  const isLabelled = routes.some(({ arrow, port }) => port !== undefined && arrow.label !== '')
  const slanted = new Set(routes.flatMap(({ arrow }) => (arrow.direct ? [arrow.to.row - 1] : [])))
  const channelHeight = (row: number) => {
    const lines = channels.count(row)
    if (row === grid.rows - 1) return lines === 0 ? 0 : CLEAR + lines * LANE
    return Math.max(slanted.has(row) ? 52 : 30, CLEAR + lines * LANE + (isLabelled ? 24 : HEAD))
  }
  let y = MARGIN
  for (let row = grid.rows - 1; row >= 0; row--) {
    y += channelHeight(row)
    channelBottoms.set(row, y)
    tops[row] = y
    y += rowHeights[row]!
  }

  const middle = (column: number) => lefts[column]! + columnWidths[column]! / 2
  const slot = (box: Box, place: number) => {
    const center = tops[box.row]! + rowHeights[box.row]! / 2
    const own = box.slot ?? place
    return box.slots < 2 ? center : center + (own - (box.slots - 1) / 2) * slotHeight
  }
  const rectangle = (box: Box): Rectangle => {
    const [w, h] = isPill(box) ? [pillWidth(box), PILL] : [width, heightOf(box)]
    const at = isPill(box) ? slot(box, 0) : tops[box.row]! + rowHeights[box.row]! / 2
    return { x: middle(grid.columnOf(box)) - w / 2, y: at - h / 2, width: w, height: h }
  }
  const placement: Placement = {
    of: rectangle,
    column: middle,
    gutter: (gutter, lane) => gutterLefts[gutter]! + reserved[gutter]! + CLEAR + lane * LANE,
    labels: (gutter) => {
      const lines = gutters.count(gutter)
      const start = gutterLefts[gutter]! + reserved[gutter]! + (lines > 0 ? CLEAR + (lines - 1) * LANE : 0)
      return (start + lefts[gutter]!) / 2
    },
    channel: (row, lane) => channelBottoms.get(row)! - CLEAR - lane * LANE,
    slot,
    port: (box, port) => port * portOf(labels.ports.get(box)),
  }
  return {
    width: total,
    height: y + MARGIN,
    boxes: sheet.boxes.map((box) => {
      const own = rectangle(box)
      const isBold = !isPill(box) && widthOf(box.lines[0]!, LETTERS.first) <= own.width - PADDING
      const size = (i: number) => (isBold && i === 0 ? LETTERS.first : LETTERS.other)
      return { ...own, box, isBold, lines: box.lines.map((line, i) => fitted(line, size(i), own.width - 8)) }
    }),
    arrows: routes.map(({ arrow, lines, label }) => ({
      arrow,
      lines: lines.map((points) => points.map(([px, py]) => [px(placement), py(placement)] as const)),
      label: { x: label.x(placement), y: label.y(placement), anchor: label.anchor },
    })),
  }
}

const portOf = (label = 0) => Math.max(15, label + 9)

/** The widest labels in each gutter, and beside the arrows that enter a box from below. */
function spacesOf(routes: readonly Route[]) {
  const [gutters, ports] = [new Map<number, number>(), new Map<Box, number>()]
  for (const { arrow, gutter, port } of routes) {
    const width = Math.max(
      ...[arrow.label, arrow.back?.text ?? ''].map((text) => widthOf(text, LETTERS.label)),
    )
    if (gutter !== undefined) gutters.set(gutter, Math.max(gutters.get(gutter) ?? 0, width))
    if (port !== undefined) ports.set(arrow.to, Math.max(ports.get(arrow.to) ?? 0, width))
  }
  return { gutters, ports }
}
