/**
 * The way of every arrow: from box to box along straight lines where nothing is between, else through channels between rows
 * and gutters between columns, in which no box stands. Places are functions of a placement, which is made when it is known
 * how many lines run in each channel and gutter.
 */
import { channelAt, type Grid, gutterAt, middleOf, rowAt } from './grid.ts'
import { Lanes } from './lanes.ts'
import { portsOf } from './ports.ts'
import type { Arrow, Box, Sheet } from './sheet.ts'

/** A box in the picture. */
export interface Rectangle {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export interface Placement {
  of(box: Box): Rectangle
  /** The middle of a column. */
  column(column: number): number
  /** A line in the gutter to the left of a column. */
  gutter(gutter: number, lane: number): number
  /** Where labels stand in a gutter: the middle of the space for them. */
  labels(gutter: number): number
  /** A line in the channel above a row. */
  channel(row: number, lane: number): number
  /** The height of a state at the side of a box. */
  slot(box: Box, slot: number): number
  /** How far apart arrows enter a box from below. */
  port(box: Box, port: number): number
}

type At = (placement: Placement) => number
export type Point = readonly [x: At, y: At]

export interface Route {
  readonly arrow: Arrow
  /** Several that end in one point where several boxes are read. */
  readonly lines: readonly (readonly Point[])[]
  readonly label: { readonly x: At; readonly y: At; readonly anchor: 'start' | 'middle' | 'end' }
  /** Where its label stands: in a gutter, at the box to the left of a gutter, or at the box that it enters from below. */
  readonly gutter?: number | undefined
  readonly beside?: number | undefined
  readonly port?: number | undefined
}

export interface Routes {
  readonly routes: readonly Route[]
  /** Lines in a gutter, in a channel above a row. */
  readonly gutters: Lanes
  readonly channels: Lanes
}

export function routesOf(sheet: Sheet, grid: Grid): Routes {
  const [gutters, channels, middles] = [new Lanes(), new Lanes(), new Lanes()]
  const ports = portsOf(sheet, grid, middles)

  /** From the top of a box to the bottom of one above it. */
  const upwards = (from: Box, arrow: Arrow): Point[] => {
    const { to, net, direct } = arrow
    const port = ports.get(to)!.get(net)!
    const [a, b] = [grid.columnOf(from), grid.columnOf(to)]
    const begin: Point[] = [[(at) => at.column(a), (at) => at.of(from).y]]
    const enter: At = (at) => at.column(b) + at.port(to, port)
    const end: Point = [enter, (at) => at.of(to).y + at.of(to).height]
    const low = from.row
    const high = to.row - 1
    const isMiddle = (column: number) =>
      grid.isFreeColumn(column, from.row, to.row) &&
      middles.claimFirst(column, channelAt(low), channelAt(high), from.id)
    if (direct && low === high) return [...begin, end]
    if (a === b && port === 0 && isMiddle(a)) return [...begin, end]
    const along = (row: number, x1: number, x2: number): At => {
      const lane = channels.claim(row, x1, x2, net)
      return (at) => at.channel(row, lane)
    }
    if (low === high) {
      const y = along(low, middleOf(a), middleOf(b))
      return [...begin, [begin[0]![0], y], [enter, y], end]
    }
    if (port === 0 && isMiddle(b)) {
      const y = along(low, middleOf(a), middleOf(b))
      return [...begin, [begin[0]![0], y], [enter, y], end]
    }
    if (a !== b && isMiddle(a)) {
      const y = along(high, middleOf(a), middleOf(b))
      return [...begin, [begin[0]![0], y], [enter, y], end]
    }
    const gutter = a > b ? b + 1 : b
    const lane = gutters.claim(gutter, channelAt(low), channelAt(high), net)
    const x: At = (at) => at.gutter(gutter, lane)
    const [y1, y2] = [along(low, middleOf(a), gutterAt(gutter)), along(high, gutterAt(gutter), middleOf(b))]
    return [...begin, [begin[0]![0], y1], [x, y1], [x, y2], [enter, y2], end]
  }

  /** To the side of a box: from the side of another one, or from its top. */
  const sideways = (arrow: Arrow): Route => {
    const { from: sources, to, net, exit, entry, slots } = arrow
    const from = sources[0]!
    const [a, b] = [grid.columnOf(from), grid.columnOf(to)]
    const leave: At = (at) => at.slot(from, slots[0])
    const enter: At = (at) => at.slot(to, slots[1])
    const target = entry === 'left' ? b : b + 1
    const end: Point = [(at) => at.of(to).x + (entry === 'left' ? 0 : at.of(to).width), enter]
    // Of an arrow to the left the label stands where it leaves its box.
    const [labelled, side, height] =
      exit === 'top' || entry === 'left' ? [to, entry, enter] : [from, exit, leave]
    const route = (points: readonly Point[]): Route => {
      const y: At = (at) => height(at) - (arrow.back ? 7 : 4)
      const column = grid.columnOf(labelled)
      if (side === 'right') {
        const x: At = (at) => at.of(labelled).x + at.of(labelled).width + 11
        return { arrow, lines: [points], beside: column + 1, label: { x, y, anchor: 'start' } }
      }
      return {
        arrow,
        lines: [points],
        gutter: column,
        label: { x: (at) => at.labels(column), y, anchor: 'middle' },
      }
    }
    const within = (gutter: number, low: number, high: number): At => {
      const lane = gutters.claim(gutter, low, high, net)
      return (at) => at.gutter(gutter, lane)
    }
    if (exit === 'top') {
      const lane = channels.claim(from.row, middleOf(a), gutterAt(target), net)
      const [x0, y1]: [At, At] = [(at) => at.column(a), (at) => at.channel(from.row, lane)]
      const x = within(target, channelAt(from.row), rowAt(to.row))
      return route([[x0, (at) => at.of(from).y], [x0, y1], [x, y1], [x, enter], end])
    }
    const begin: Point = [(at) => at.of(from).x + (exit === 'left' ? 0 : at.of(from).width), leave]
    const source = exit === 'left' ? a : a + 1
    const isLevel = (from.slot ?? slots[0]) === (to.slot ?? slots[1]) && from.slots === to.slots
    const isFree = from.row === to.row && grid.isFreeRow(from.row, a, b)
    if (isFree && isLevel) return route([begin, end])
    if (isFree || source === target) {
      const x = within(target, rowAt(from.row), rowAt(to.row))
      return route([begin, [x, leave], [x, enter], end])
    }
    const row = to.row < from.row ? from.row - 1 : from.row
    const lane = channels.claim(row, gutterAt(source), gutterAt(target), net)
    const y: At = (at) => at.channel(row, lane)
    const x1 = within(source, rowAt(from.row), channelAt(row))
    const x2 = within(target, channelAt(row), rowAt(to.row))
    return route([begin, [x1, leave], [x1, y], [x2, y], [x2, enter], end])
  }

  const routes = sheet.arrows.map((arrow): Route => {
    if (arrow.kind === 'loop') return loop(arrow)
    if (arrow.entry !== 'bottom') return sideways(arrow)
    const port = ports.get(arrow.to)!.get(arrow.net)!
    const side = port < 0 ? -4 : 4
    return {
      arrow,
      lines: arrow.from.map((from) => upwards(from, arrow)),
      port,
      label: {
        x: (at) => at.column(grid.columnOf(arrow.to)) + at.port(arrow.to, port) + side,
        y: (at) => at.of(arrow.to).y + at.of(arrow.to).height + 17,
        anchor: port < 0 ? 'end' : 'start',
      },
    }
  })
  return { routes, gutters, channels }
}

/** Back into the same step, by way of z⁻¹, to the right of it. */
function loop(arrow: Arrow): Route {
  const { to, slots } = arrow
  const from = arrow.from[0]!
  const own = from === to
  const out: At = (at) => (own ? at.slot(from, slots[0]) - LOOP.half : at.slot(from, slots[0]))
  const back: At = (at) => (own ? at.slot(to, slots[1]) + LOOP.half : at.slot(to, slots[1]))
  const right =
    (box: Box): At =>
    (at) =>
      at.of(box).x + at.of(box).width
  const x: At = (at) => Math.max(right(from)(at), right(to)(at)) + loopReach(arrow)
  return {
    arrow,
    lines: [
      [
        [right(from), out],
        [x, out],
        [x, back],
        [right(to), back],
      ],
    ],
    label: { x: (at) => x(at) + LOOP.box / 2 + 5, y: (at) => (out(at) + back(at)) / 2 + 4, anchor: 'start' },
  }
}

/** The loop of a state: half its height, the size of its z⁻¹, how far out it goes. */
export const LOOP = { half: 12, box: 28, boxHeight: 15, reach: 32 } as const

/** One that comes back from the output goes around those of other states, and of what stands between. */
export function loopReach({ from, to }: Arrow): number {
  const isNext = to.slots < 2 && from[0]!.row === to.row + 1
  return from[0] === to || isNext ? LOOP.reach : LOOP.reach + 80
}
