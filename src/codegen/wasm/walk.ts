/** How a kernel walks: its axes collapsed as far as all views and indices allow, and a cursor for each of them. */
import { type Shape, type Size, ZERO } from '../../tensor/size.ts'
import { axesOf } from '../axes.ts'
import type { Expr, View } from '../program.ts'
import type { Cursor, KernelCode, Operand } from './kernel.ts'
import { type Inner, loadLanes, type Site } from './lanes.ts'

export interface Walk {
  /** The views that are read, then the indices, then the views that are written. */
  readonly cursors: readonly Cursor[]
  readonly reads: readonly View[]
  readonly indices: readonly number[]
  /** The place of the first written view's cursor. */
  readonly into: number
}

/**
 * Collapses groups of axes, each group on its own. The cursors' strides run over the groups' collapsed axes, one group
 * after the other.
 */
export function walkOver(
  k: KernelCode,
  shape: Shape,
  groups: readonly (readonly number[])[],
  exprs: readonly Expr[],
  written: readonly Pick<View, 'strides'>[],
  pointers: readonly Operand[],
): Walk & { readonly shapes: readonly Size[][] } {
  const { reads, indices, into, shapes, strides } = axesOf(shape, groups, exprs, written)
  const cursors = strides.map((own, i): Cursor => {
    if (i >= reads.length && i < into) return { start: 0, strides: own, unit: 1 }
    const start = i < into ? k.pointer(reads[i]!) : pointers[i - into]!
    return { start, strides: own, unit: 4 }
  })
  return { cursors, reads, indices, into, shapes }
}

/** The stride of a leaf along an axis of the walk. */
export function strideOf(walk: Walk, leaf: Expr, axis: number): Size {
  const at =
    leaf.kind === 'load'
      ? walk.reads.indexOf(leaf.view)
      : leaf.kind === 'index'
        ? walk.reads.length + walk.indices.indexOf(leaf.axis)
        : -1
  return walk.cursors[at]?.strides[axis] ?? ZERO
}

/** Loads and indices where the cursors stand at `places`, four along one axis. */
export function siteOf(
  k: KernelCode,
  walk: Walk,
  places: readonly Operand[],
  axis: number,
  inner: Inner,
): Site {
  const { f } = k
  return {
    load: (view) => {
      const at = walk.reads.indexOf(view)
      loadLanes(k, places[at]!, walk.cursors[at]!.strides[axis] ?? ZERO, inner)
    },
    index: (which) => {
      const at = walk.reads.length + walk.indices.indexOf(which)
      k.push(places[at]!)
      f.i32x4.splat()
      if ((walk.cursors[at]!.strides[axis] ?? ZERO) === ZERO) return
      f.get(inner.at)
      f.i32.const(2)
      f.i32.shrU()
      f.i32x4.splat()
      f.i32x4.add()
      f.i32x4.const(0, 1, 2, 3)
      f.i32x4.add()
    },
  }
}
