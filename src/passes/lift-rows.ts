/** Lifting a body's nodes out of a loop over packed rows: the rows alive at a step become those of all steps. */
import { isByRow } from '../graph/build-scan.ts'
import type { Node } from '../graph/node.ts'
import type { Packing } from '../graph/ops.ts'
import { construct } from '../graph/rebuild.ts'
import { type Size, substituteSize, symbolsOf } from '../tensor/size.ts'
import type { brought, Lifted } from './lift.ts'

export const ROWS: typeof brought.rows = { namesAlive, lift: liftRows }

/** Whether the node's shape, or what else its operation says, depends on how many rows are alive. */
function namesAlive({ op, shape }: Pick<Node, 'op' | 'shape'>, { alive }: Packing): boolean {
  const own =
    op.kind === 'size'
      ? [op.size]
      : op.kind === 'slice'
        ? [op.start]
        : op.kind === 'pad'
          ? [op.low, op.high]
          : []
  return [...shape, ...own].some((size) => symbolsOf(size).has(alive.key))
}

/** The operation on the rows of all steps, if it treats each row by itself. */
function liftRows(node: Node, inputs: readonly Lifted[], packing: Packing): Lifted | undefined {
  const rest = { op: node.op, shape: node.shape.slice(1) }
  if (!isByRow(node, packing) || namesAlive(rest, packing) || !keepsRows(node, packing)) return undefined
  if (inputs.some(({ stacked }, i) => stacked !== isByRow(node.inputs[i]!, packing))) return undefined
  const change = (size: Size) => substituteSize(size, new Map([[packing.alive.key, packing.total]]))
  const made = construct(
    node,
    inputs.map((input) => input.node),
    change,
  )
  return { node: made, stacked: true }
}

/** Whether row i of the result is made of row i of each operand that has rows. */
function keepsRows(node: Node, packing: Packing): boolean {
  const { op, inputs } = node
  const byRow = inputs.map((input) => isByRow(input, packing))
  switch (op.kind) {
    case 'constant':
    case 'elementwise':
      return true
    case 'iota':
    case 'concat':
    case 'slice':
    case 'pad':
    case 'flip':
      return op.axis !== 0
    case 'broadcast':
      return byRow[0] === (op.axes[0] === 0)
    case 'reshape':
      return byRow[0]!
    case 'transpose':
      return op.permutation[0] === 0
    case 'reduce':
      return !op.axes.includes(0)
    case 'einsum': {
      const row = op.out[0]!
      return [op.a, op.b].every((labels, i) => byRow[i] === (labels[0] === row) && labels.indexOf(row) <= 0)
    }
    case 'gather':
      return !byRow[0]! && byRow[1]!
    case 'argsort':
      return node.shape.length > 1
    case 'param':
    case 'size':
    case 'scatterAdd':
    case 'firsts':
    case 'setRows':
    case 'scan':
    case 'output':
      return false
  }
}
