/** Constructors and adjoints of what a pass makes of gradients of tables; see passes/touched-rows.ts. Loaded only then. */
import { productOf, type Size } from '../tensor/size.ts'
import { constant, gather, matchShapes, reshape, typeError, zerosLike } from './build.ts'
import { intern, isKind, type Node } from './node.ts'
import { brought } from './rebuild.ts'

export function firsts(indices: Node, rows: Size): Node {
  if (indices.dtype !== 'i32') throw typeError('firsts', 'i32 indices', [indices])
  return intern({ kind: 'firsts', rows }, [indices], indices.shape, 'i32')
}

export function setRows(table: Node, indices: Node, values: Node): Node {
  if (indices.dtype !== 'i32' || values.dtype !== table.dtype)
    throw typeError('setRows', 'a table, i32 indices and values of its type', [table, indices, values])
  matchShapes('setRows', [...indices.shape, ...table.shape.slice(1)], values.shape)
  return intern({ kind: 'setRows' }, [table, indices, values], table.shape, table.dtype)
}

brought.rows = {
  construct: (node, [first, second, third], change) =>
    isKind(node, 'firsts') ? firsts(first!, change(node.op.rows)) : setRows(first!, second!, third!),
  // Rows that were set are read where they stand first; those that were not stand as the table's own.
  setRows: ({ inputs }, dy) => {
    const [table, at, values] = inputs as [Node, Node, Node]
    const lines = [productOf(at.shape), ...table.shape.slice(1)]
    const read = setRows(constant(0, lines), firsts(at, table.shape[0]!), gather(dy, at))
    return [setRows(dy, at, zerosLike(values)), undefined, reshape(read, values.shape)]
  },
}
