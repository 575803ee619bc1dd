/**
 * The program: what a graph becomes before it is emitted. Kernels over buffers, loops over time, symbolic sizes.
 * A backend reads this form and nothing else.
 */

import type { Guard } from '../graph/node.ts'
import type { ElementwiseName, Packing, ReduceName } from '../graph/ops.ts'
import type { Dtype } from '../tensor/dtype.ts'
import { addSize, mulSize, ONE, type Shape, type Size, ZERO } from '../tensor/size.ts'

/** A region of the arena. All elements are 4 bytes. */
export interface Buffer {
  readonly id: number
  readonly name: string
  readonly elements: Size
  readonly dtype: Dtype
  /** Keeps its contents between runs: parameters, and what the host reads. */
  readonly persistent: boolean
}

/** A loop over time. `time` counts up or down, `i` the iterations. */
export interface Loop {
  readonly id: number
  readonly steps: Size
  readonly reverse: boolean
  /** Its steps are rows of which none needs anything of another: see row-loops.ts. */
  readonly apart?: true
  /** Packed rows: the symbol that each step sets to its count, and where the counts of all steps stand. */
  readonly rows?: (Packing & { readonly counts: View }) | undefined
}

/** How an address moves with a loop: by its time, between two slots, or by the rows of the steps before. */
export interface LoopTerm {
  readonly loop: Loop
  readonly by: 'time' | 'parity' | 'nextParity' | 'rows'
  readonly stride: Size
}

/** Where the elements of a tensor stand: offset + Σ strides · index + Σ loop terms. */
export interface View {
  readonly buffer: Buffer
  readonly offset: Size
  readonly strides: readonly Size[]
  readonly terms: readonly LoopTerm[]
}

/** What one element of a map, reduction or epilogue computes. */
export type Expr =
  | { readonly kind: 'load'; readonly view: View; readonly dtype: Dtype }
  | { readonly kind: 'constant'; readonly value: number; readonly dtype: Dtype }
  | { readonly kind: 'size'; readonly size: Size; readonly dtype: Dtype }
  | { readonly kind: 'index'; readonly axis: number }
  /** The element of the product that an epilogue goes on from. */
  | { readonly kind: 'product' }
  | {
      readonly kind: 'apply'
      readonly fn: ElementwiseName
      readonly args: readonly Expr[]
      readonly dtype: Dtype
    }

/**
 * Another product in the sum of a packed one: a [M, K] · b [K, N], b in panels, where `here` is 1; where it is 0, the
 * numbers [M, N] in `made`.
 */
export interface Plus {
  readonly here: Size
  readonly k: Size
  readonly a: View
  readonly b: View
  readonly made: View
}

export interface Store {
  readonly view: View
  readonly expr: Expr
  readonly dtype: Dtype
}

export type Kernel =
  /** For every index of `shape`: stores. */
  | { readonly kind: 'map'; readonly shape: Shape; readonly stores: readonly Store[] }
  /** For every index of the kept axes: the sum or maximum of `expr` over the axes in `axes`. */
  | {
      readonly kind: 'reduce'
      readonly fn: ReduceName
      readonly shape: Shape
      readonly axes: readonly number[]
      readonly expr: Expr
      readonly into: View
    }
  /** Panels of b [K, N]: ⌈N / P⌉ blocks of [K][P], the last filled up with zeros. */
  | { readonly kind: 'pack'; readonly k: Size; readonly n: Size; readonly from: View; readonly into: View }
  /** c [M, N] = epilogue(a [M, K] · b [K, N]); b in panels, or packed block by block on the way. */
  | {
      readonly kind: 'matmul'
      readonly m: Size
      readonly n: Size
      readonly k: Size
      readonly a: View
      readonly b: View
      readonly packed: boolean
      readonly into: View
      readonly epilogue: Expr
      readonly plus?: Plus
      /** Where it is 1, nothing is done: others have it in their sums. */
      readonly unless?: Size
    }
  /**
   * A product of a single row, its sizes numbers: c [N] = epilogue(a [K] · b [K, N]), strides as of a matmul; b in blocks of
   * `block` columns, each [K, block], the last as wide as what is left.
   */
  | {
      readonly kind: 'row'
      readonly plus?: undefined
      readonly block: number
      readonly n: Size
      readonly k: Size
      readonly a: View
      readonly b: View
      readonly into: View
      readonly epilogue: Expr
    }
  /** Rows of `table` [V, D] at `indices` [N] into [N, D]. */
  | {
      readonly kind: 'gather'
      readonly n: Size
      readonly v: Size
      readonly d: Size
      readonly table: View
      readonly indices: View
      readonly into: View
    }
  /** For every row of `from` [rows, N] the indices that put it in order; `work` [N] is used on the way. */
  | {
      readonly kind: 'argsort'
      readonly rows: Size
      readonly n: Size
      readonly from: View
      readonly work: View
      readonly into: View
    }
  /** Where each of the indices `from` [N] into V rows stands first; `work` [V] is used on the way. */
  | {
      readonly kind: 'firsts'
      readonly n: Size
      readonly v: Size
      readonly from: View
      readonly work: View
      readonly into: View
    }
  /** Rows [N, D] summed into a table [V, D] at `indices` [N]. */
  | {
      readonly kind: 'scatterAdd'
      readonly n: Size
      readonly v: Size
      readonly d: Size
      readonly indices: View
      readonly from: View
      readonly into: View
    }
  /** Rows [N, D] put over those of a table [V, D] at `indices` [N], of several for one row the first; others stay. */
  | {
      readonly kind: 'setRows'
      readonly n: Size
      readonly v: Size
      readonly d: Size
      readonly indices: View
      readonly from: View
      readonly into: View
    }

export type Step =
  | { readonly kind: 'call'; readonly kernel: Kernel }
  | {
      readonly kind: 'loop'
      readonly loop: Loop
      readonly body: readonly Step[]
      readonly until?: Ending | undefined
    }

/** Truth values: once all are true, the rest of the loop changes nothing but the slots that states alternate between. */
export interface Ending {
  readonly view: View
  readonly elements: Size
}

/** A part of a size for each thread; its symbols are bound to other numbers for each. */
export interface Share {
  readonly total: Size
  /** Parts begin with a multiple of it. */
  readonly unit: number
  readonly begin: Size
  readonly count: Size
  /** Rows that end at different steps: parts hold equal sums of steps. */
  readonly packed?: NonNullable<Loop['rows']>
}

/** Steps between two waits: some are one thread's, of the others each thread computes its share. */
export interface Phase {
  readonly alone: readonly Step[]
  readonly shared: readonly Step[]
}

/** The steps of a program for several threads: see threads/split.ts. */
export interface Threads {
  readonly phases: readonly Phase[]
  /** How many of the first phases depend on constant inputs alone: done where one of those has changed. */
  readonly prepared: number
  readonly shares: readonly Share[]
  /** 1 for the thread of the steps that are one thread's, 0 for others. */
  readonly isAlone: Size
}

/** Columns in a panel of a packed matrix, where a backend asks for no other number. */
export const PANEL = 8
/** Steps of a contracted length known only when it runs that are summed before they are added to the sum. */
export const CHUNK = 256
/** Elements of a row from which on calls for each row cost nothing beside their work. */
export const WIDE = 1024

export interface Slot {
  readonly name: string
  readonly shape: Shape
  readonly dtype: Dtype
  readonly view: View
}

export interface Program {
  readonly inputs: readonly Slot[]
  readonly outputs: readonly Slot[]
  readonly steps: readonly Step[]
  readonly threads?: Threads
  /** How many of the first steps depend on constant inputs alone: done once, before all runs. Default: 0. */
  readonly prepared?: number
  /** In the order in which the arena places what persists. */
  readonly buffers: readonly Buffer[]
  /** Buffers that stand in the place of others. */
  readonly aliases: ReadonlyMap<Buffer, Buffer>
  readonly guards: readonly Guard[]
}

/** Row-major strides. */
export function denseStrides(shape: Shape): Size[] {
  const strides: Size[] = []
  let stride = ONE
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride
    stride = mulSize(stride, shape[axis]!)
  }
  return strides
}

export function denseView(buffer: Buffer, shape: Shape): View {
  return { buffer, offset: ZERO, strides: denseStrides(shape), terms: [] }
}

export function isDense(view: View, shape: Shape): boolean {
  const dense = denseStrides(shape)
  return view.strides.every((stride, axis) => stride === dense[axis] || shape[axis] === ONE)
}

export function shifted(view: View, by: Size): View {
  return { ...view, offset: addSize(view.offset, by) }
}

/** What a kernel computes of each element. */
export function exprsOf(kernel: Kernel): Expr[] {
  if (kernel.kind === 'map') return kernel.stores.map(({ expr }) => expr)
  if (kernel.kind === 'reduce') return [kernel.expr]
  return 'epilogue' in kernel ? [kernel.epilogue] : []
}

/** The views that a kernel reads. */
export function reads(kernel: Kernel): View[] {
  switch (kernel.kind) {
    case 'map':
    case 'reduce':
      return exprsOf(kernel).flatMap((expr) => loadsOf(expr))
    case 'pack':
    case 'argsort':
    case 'firsts':
      return [kernel.from]
    case 'matmul':
    case 'row': {
      const { a, b, plus, epilogue } = kernel
      return [a, b, ...(plus ? [plus.a, plus.b, plus.made] : []), ...loadsOf(epilogue)]
    }
    case 'gather':
      return [kernel.table, kernel.indices]
    case 'scatterAdd':
    case 'setRows':
      return [kernel.indices, kernel.from]
  }
}

/** The views that a kernel writes. */
export function writes(kernel: Kernel): View[] {
  if (kernel.kind === 'map') return kernel.stores.map(({ view }) => view)
  return 'work' in kernel ? [kernel.into, kernel.work] : [kernel.into]
}

/** The views that a kernel reads or writes. */
export function viewsOf(kernel: Kernel): View[] {
  return [...new Set([...reads(kernel), ...writes(kernel)])]
}

export function kernelsOf(steps: readonly Step[]): Kernel[] {
  return steps.flatMap((step) => (step.kind === 'loop' ? kernelsOf(step.body) : [step.kernel]))
}

/** The views that a step reads; a loop's are those of all that it does. */
export function readBy(step: Step): View[] {
  if (step.kind === 'call') return reads(step.kernel)
  const { loop, until, body } = step
  return [loop.rows?.counts ?? [], until?.view ?? [], body.flatMap(readBy)].flat()
}

export function writtenBy(step: Step): View[] {
  return kernelsOf([step]).flatMap(writes)
}

/** The views that a step names, and those of the steps within it. */
export function viewsIn(step: Step): View[] {
  if (step.kind === 'call') return viewsOf(step.kernel)
  const { loop, body, until } = step
  const own = [loop.rows?.counts, until?.view].filter((view) => view !== undefined)
  return [...own, ...body.flatMap(viewsIn)]
}

export function loadsOf(expr: Expr, seen: Set<Expr> = new Set(), into: View[] = []): View[] {
  if (seen.has(expr)) return into
  seen.add(expr)
  if (expr.kind === 'load') into.push(expr.view)
  else if (expr.kind === 'apply') for (const arg of expr.args) loadsOf(arg, seen, into)
  return into
}
