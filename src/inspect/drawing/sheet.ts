/** The sheet that a model is drawn on: boxes in rows, and in columns of time; arrows, which say what reads what. */
import { Axis } from './axis.ts'
import type { Back } from './gradients.ts'

export type BoxKind = 'input' | 'hidden' | 'output' | 'state' | 'loss'
export type Side = 'left' | 'right'

/** Where a box stands in its row: step `step` of `of`, which may be fewer than the axis has; or before or after all. */
export interface Place {
  readonly axis: Axis
  readonly at: { readonly step: number; readonly of: number; readonly track: number } | 'begin' | 'end'
}

export interface Box extends Place {
  readonly kind: BoxKind
  /** No two boxes have the same. */
  readonly id: string
  readonly lines: readonly string[]
  /** What a pointer on it is told. */
  readonly title: string
  readonly row: number
  /** How many states stand one above the other at its sides. */
  readonly slots: number
  /** Of what belongs to a state of another box: the place there. */
  readonly slot?: number | undefined
}

export interface Arrow {
  /** Several are read together. */
  readonly from: readonly Box[]
  readonly to: Box
  /** `read`: upwards; `state`: to another step; `loop`: the same where time is folded. */
  readonly kind: 'read' | 'state' | 'loop'
  readonly exit: Side | 'top'
  readonly entry: Side | 'bottom'
  /** The state's place at the sides of either box. */
  readonly slots: readonly [from: number, to: number]
  readonly label: string
  /** What may run along one line with it. */
  readonly net: string
  /** As straight lines from box to box. */
  readonly direct: boolean
  /** From the last step to the first. */
  readonly reverse: boolean
  /** The gradient that comes back along it. */
  readonly back?: Back | undefined
}

/** Boxes of one kind: one for each step, or one. */
export interface Line {
  readonly axis: Axis
  readonly row: number
  readonly track: number
  readonly timed: boolean
  readonly boxes: readonly Box[]
}

/** What can be read: the boxes of lines step by step, or without time one of each. */
export interface Flow {
  readonly timed: boolean
  readonly lines: readonly Strand[]
  /** Of a state after the last step: its place at the side of its box. */
  readonly slot?: number | undefined
}

/** What flows along one line. */
export interface Strand {
  readonly line: Line
  /** What stands there without time. */
  readonly sole: Box
  /** Which step that is: 't = τ'. */
  readonly last?: string | undefined
}

export interface LineSpec {
  readonly kind: BoxKind
  readonly id: string
  /** `when`: '(2)', '(t)' or nothing. */
  readonly lines: (when: string) => readonly string[]
  readonly title: string
  /** Its row is its own. */
  readonly alone?: boolean
  readonly slots?: number
}

/** How far a line reaches; undefined: without time. */
export type Extent = { readonly axis: Axis; readonly steps: number } | undefined

export class Sheet {
  readonly boxes: Box[] = []
  readonly arrows: Arrow[] = []
  /** Time is folded: all steps are one column. */
  readonly folded: boolean
  readonly #axes = new Map<string, Axis>()

  constructor(folded: boolean) {
    this.folded = folded
  }

  /** From left to right, such that states are handed over to the right as far as that is possible. */
  get axes(): Axis[] {
    const left = [...this.#axes.values()]
    const order: Axis[] = []
    while (left.length > 0) {
      const free = left.findIndex((axis) => !left.some((other) => other !== axis && axis.after.has(other)))
      order.push(...left.splice(Math.max(0, free), 1))
    }
    return order
  }

  axis(name: string): Axis {
    const known = this.#axes.get(name) ?? new Axis()
    this.#axes.set(name, known)
    return known
  }

  when(step: number): string {
    return this.folded ? '(t)' : `(${step + 1})`
  }

  /** Boxes above all that they read. */
  line(spec: LineSpec, extent: Extent, reads: readonly Flow[]): Line {
    const below = reads.flatMap(({ lines }) => lines)
    const sole = below.map((each) => each.sole).reduce<Box | undefined>(this.#later, undefined)
    const axis = extent?.axis ?? sole?.axis ?? this.axis('')
    for (const { line } of below) axis.after.add(line.axis)
    const first = below.find(({ line }) => line.axis === axis)?.line
    const under = Math.max(-1, ...below.map(({ line }) => line.row))
    const { row, track } = axis.place(under + 1, spec.alone === true, first?.track ?? 0)
    const last = typeof sole?.at === 'object' && sole.axis === axis ? sole.at : { step: 0, of: 1 }
    const places = extent
      ? Array.from({ length: extent.steps }, (_, step) => ({ step, of: extent.steps }))
      : [last]
    axis.steps = Math.max(axis.steps, places.length)
    const boxes = places.map(({ step, of }) => {
      const when = extent === undefined ? '' : this.when(step)
      const { kind, title, slots = 0 } = spec
      const at = { step, of, track }
      return this.add({
        ...{ kind, title, slots, axis, at, row },
        id: `${spec.id}${when}`,
        lines: spec.lines(when),
      })
    })
    return { axis, row, track, timed: extent !== undefined, boxes }
  }

  /** What stands last of what is read, of which the last that has steps. */
  #later = (a: Box | undefined, b: Box): Box => {
    if (a === undefined || a.axis === this.#axes.get('')) return b
    if (a.axis !== b.axis) return b.axis === this.#axes.get('') ? a : b
    return typeof a.at === 'object' && typeof b.at === 'object' && a.at.step / a.at.of > b.at.step / b.at.of
      ? a
      : b
  }

  add(box: Box): Box {
    this.boxes.push(box)
    return box
  }

  /** Something that is read from below. What is read twice has one arrow, with what is to be said of either. */
  read(from: readonly Box[], to: Box, label: string, more: Partial<Arrow> = {}): void {
    if (from.length === 0) return
    const own = { exit: 'top', entry: 'bottom', slots: [0, 0], net: from[0]!.id } as const
    const arrow = { kind: 'read', ...own, direct: false, reverse: false, from, to, label, ...more } as const
    const known = this.arrows.findIndex(
      (each) => each.to === to && each.kind === 'read' && each.net === arrow.net,
    )
    if (known < 0) {
      this.arrows.push(arrow)
      return
    }
    const labels = new Set([this.arrows[known]!.label, label].filter(Boolean))
    this.arrows[known] = { ...arrow, label: [...labels].join('; ') }
  }
}

export function flowOf(line: Line): Flow {
  return { timed: line.timed, lines: [{ line, sole: line.boxes.at(-1)! }] }
}
