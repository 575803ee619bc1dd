/** Lowers operations that move rows by their indices. They work on whole dense rows. Loaded only where there are some. */
import type { Node } from '../graph/node.ts'
import { productOf } from '../tensor/size.ts'
import { samePlaces } from './donate.ts'
import type { Lowering, Moves, Scope } from './lowering.ts'
import { type Buffer, isDense, type Program, type Step, type View } from './program.ts'

export const lowerRows: Moves['lower'] = (lowering, node, into, scope) => {
  const dense = isDense(into, node.shape)
  const target = dense ? into : lowering.temporary(scope, 'rows', node.shape, node.dtype)
  emitRows(lowering, node, target, scope)
  if (!dense) lowering.copy(scope, node.shape, target, into, node.dtype)
}

function emitRows(lowering: Lowering, node: Parameters<Moves['lower']>[1], into: View, scope: Scope): void {
  const [first, second, third] = node.inputs as [Node, Node, Node]
  const dense = (input: Node) => lowering.denseAccess(input, scope)
  switch (node.op.kind) {
    case 'gather':
      scope.emit({
        kind: 'gather',
        n: productOf(second.shape),
        v: first.shape[0]!,
        d: productOf(first.shape.slice(1)),
        table: dense(first),
        indices: dense(second),
        into,
      })
      break
    case 'argsort':
      scope.emit({
        kind: 'argsort',
        rows: productOf(node.shape.slice(0, -1)),
        n: node.shape[node.shape.length - 1]!,
        from: dense(first),
        work: lowering.temporary(scope, 'order', node.shape.slice(-1), 'i32'),
        into,
      })
      break
    case 'scatterAdd':
      scope.emit({
        kind: 'scatterAdd',
        n: productOf(first.shape),
        v: node.op.rows,
        d: productOf(node.shape.slice(1)),
        indices: dense(first),
        from: dense(second),
        into,
      })
      break
    case 'firsts':
      scope.emit({
        kind: 'firsts',
        n: productOf(first.shape),
        v: node.op.rows,
        from: dense(first),
        work: lowering.temporary(scope, 'order', [node.op.rows], 'i32'),
        into,
      })
      break
    case 'setRows': {
      const [indices, from] = [dense(second), dense(third)]
      if (scope.places.get(first) !== into)
        lowering.copy(scope, node.shape, lowering.accessOf(first, scope), into, node.dtype)
      const [n, v, d] = [productOf(second.shape), node.shape[0]!, productOf(node.shape.slice(1))]
      scope.emit({ kind: 'setRows', n, v, d, indices, from, into })
    }
  }
}

/** Without the copies of tables to where they are already: what stands for a parameter stands in its place. */
export function settle(program: Program): Program {
  return { ...program, steps: program.steps.filter((step) => !keepsAll(step, program.aliases)) }
}

function keepsAll(step: Step, aliases: ReadonlyMap<Buffer, Buffer>): boolean {
  return (
    step.kind === 'call' &&
    step.kernel.kind === 'map' &&
    step.kernel.stores.every(
      ({ view, expr }) =>
        expr.kind === 'load' && expr.view.buffer === aliases.get(view.buffer) && samePlaces(expr.view, view),
    )
  )
}
