/** The map kernel: every element of a shape, four along its inner axis at a time. */
import { ONE, ZERO } from '../../tensor/size.ts'
import { invariants } from '../axes.ts'
import type { Expr, Kernel } from '../program.ts'
import type { Local } from './assembler.ts'
import type { KernelCode } from './kernel.ts'
import { Expressions, type Inner, storeLanes } from './lanes.ts'
import { siteOf, strideOf, walkOver } from './walk.ts'

export function emitMap(k: KernelCode, { shape, stores }: Extract<Kernel, { kind: 'map' }>): void {
  const { f } = k
  const exprs = stores.map(({ expr }) => expr)
  const written = stores.map(({ view }) => view)
  const pointers = written.map((view) => k.pointer(view))
  const { shapes, ...walk } = walkOver(k, shape, [shape.map((_, axis) => axis)], exprs, written, pointers)
  const axes = shapes[0]!
  const innerAxis = axes.length - 1
  const inner: Inner = { at: f.local('i32'), end: k.operand(axes[innerAxis] ?? ONE, 4) }
  const expressions = new Expressions(k, exprs)
  const fixed = invariants(exprs, (leaf) => strideOf(walk, leaf, innerAxis) !== ZERO)
  const values = exprs.map(() => f.local('v128'))
  k.nest(axes.slice(0, -1), walk.cursors, (places) => {
    const site = siteOf(k, walk, places, innerAxis, inner)
    const known = new Map<Expr, Local>()
    new Expressions(k, fixed).at(site, fixed, (i) => {
      const local = f.local('v128')
      f.set(local)
      known.set(fixed[i]!, local)
    })
    k.loop(inner.at, inner.end, 16, () => {
      expressions.at({ ...site, known }, exprs, (i) => {
        if (stores[i]!.dtype === 'bool') f.i32x4.neg()
        f.set(values[i]!)
      })
      for (const [i, value] of values.entries()) {
        const at = walk.into + i
        const stride = axes.length === 0 ? ONE : walk.cursors[at]!.strides[innerAxis]!
        storeLanes(k, places[at]!, stride, inner, value)
      }
    })
  })
}
