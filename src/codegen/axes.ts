/** The axes that a kernel walks over: collapsed as far as all views and indices allow, whatever emits the walk. */
import { ONE, type Shape, type Size, ZERO } from '../tensor/size.ts'
import { type Expr, loadsOf, type View } from './program.ts'
import { collapse } from './views.ts'

export interface Axes {
  readonly reads: readonly View[]
  /** Axes of the shape whose index is asked for. */
  readonly indices: readonly number[]
  /** The place of the first written view among the strides: after those of the views that are read, and the indices. */
  readonly into: number
  /** The collapsed axes of each group. */
  readonly shapes: readonly Size[][]
  /** Along the groups' collapsed axes, one group after the other. */
  readonly strides: readonly (readonly Size[])[]
}

/** Collapses groups of axes, each group on its own. */
export function axesOf(
  shape: Shape,
  groups: readonly (readonly number[])[],
  exprs: readonly Expr[],
  written: readonly Pick<View, 'strides'>[],
): Axes {
  const seen = new Set<Expr>()
  const reads = [...new Set(exprs.flatMap((expr) => loadsOf(expr, seen)))]
  const indices = [...new Set(exprs.flatMap((expr) => indicesOf(expr)))]
  const rows = [
    ...reads.map((view) => view.strides),
    ...indices.map((axis) => shape.map((_, each) => (each === axis ? ONE : ZERO))),
    ...written.map((view) => view.strides),
  ]
  const collapsed = groups.map((axes) =>
    collapse(
      axes.map((axis) => shape[axis]!),
      rows.map((strides) => axes.map((axis) => strides[axis]!)),
    ),
  )
  return {
    reads,
    indices,
    into: reads.length + indices.length,
    shapes: collapsed.map((group) => group.shape),
    strides: rows.map((_, i) => collapsed.flatMap((group) => group.strides[i]!)),
  }
}

function indicesOf(expr: Expr, seen: Set<Expr> = new Set()): number[] {
  if (seen.has(expr)) return []
  seen.add(expr)
  if (expr.kind === 'index') return [expr.axis]
  return expr.kind === 'apply' ? expr.args.flatMap((arg) => indicesOf(arg, seen)) : []
}

/** The largest subexpressions that are the same at every element of the inner axis, constants apart. */
export function invariants(roots: readonly Expr[], varies: (leaf: Expr) => boolean): Expr[] {
  const known = new Map<Expr, boolean>()
  const moves = (expr: Expr): boolean => {
    let result = known.get(expr)
    if (result === undefined) {
      result = expr.kind === 'apply' ? expr.args.map(moves).some(Boolean) : varies(expr)
      known.set(expr, result)
    }
    return result
  }
  const found = new Set<Expr>()
  const seen = new Set<Expr>()
  const visit = (expr: Expr): void => {
    if (seen.has(expr)) return
    seen.add(expr)
    if (!moves(expr) && expr.kind !== 'constant') found.add(expr)
    else if (expr.kind === 'apply') expr.args.forEach(visit)
  }
  roots.forEach(visit)
  return [...found]
}
