/**
 * Nodes are immutable and interned: equal nodes are the same object, so common subexpressions cost nothing and
 * equality is `===`. Only `intern` makes them, and only build.ts calls it.
 */
import type { Dtype } from '../tensor/dtype.ts'
import type { Shape, Size } from '../tensor/size.ts'
import type { Graph, Guard, Node, Op, OpKind, OpOf, ParamNode } from './ops.ts'

export type { Graph, Guard, Node, ParamNode, ScanNode } from './ops.ts'

const nodes = new Map<string, WeakRef<Node>>()
const finalized = new FinalizationRegistry((key: string) => {
  if (nodes.get(key)?.deref() === undefined) nodes.delete(key)
})
let nextId = 0

/** The one node with this operation, inputs and type. */
export function intern(op: Op, inputs: readonly Node[], shape: Shape, dtype: Dtype): Node {
  const ids = inputs.map((input) => input.id)
  const key = `${opKey(op)}(${ids}):${dtype}[${shape.map((size) => size.key)}]`
  const known = nodes.get(key)?.deref()
  if (known !== undefined) return known
  const node: Node = Object.freeze({ id: nextId++, op, inputs, shape, dtype })
  nodes.set(key, new WeakRef(node))
  finalized.register(node, key)
  return node
}

function opKey(op: Op): string {
  switch (op.kind) {
    case 'constant':
      return `constant ${Object.is(op.value, -0) ? '-0' : op.value}`
    case 'size':
      return `size ${op.size.key}`
    case 'slice':
      return `slice ${op.axis} ${op.start.key} ${op.step}`
    case 'pad':
      return `pad ${op.axis} ${op.low.key} ${op.high.key} ${op.step}`
    case 'scatterAdd':
    case 'firsts':
      return `${op.kind} ${op.rows.key}`
    case 'scan': {
      const rows = Object.values<Size>({ ...op.packing }).map(({ key }) => key)
      return `scan ${op.carries} ${op.consts} ${op.steps.key} ${op.reverse} ${op.checkpoint} ${rows.join(' ')} {${op.body.key}}`
    }
    default:
      return Object.values(op).join(' ')
  }
}

/** A closed graph of these outputs. Parameters that no output reads keep their places. */
export function makeGraph(
  params: readonly ParamNode[],
  outputs: readonly Node[],
  names: readonly string[] = [],
  guards: readonly Guard[] = [],
): Graph {
  const key = `${params.map((param) => param.id).join(',')}→${outputs.map((output) => output.id).join(',')}`
  return { params, outputs, names, guards, key }
}

export function isKind<K extends OpKind>(node: Node, kind: K): node is Node<OpOf<K>> {
  return node.op.kind === kind
}

/** All nodes that the outputs need, inputs before users, in an order that depends on structure alone. */
export function topological(outputs: readonly Node[]): Node[] {
  const order: Node[] = []
  const seen = new Set<Node>()
  const stack: { node: Node; next: number }[] = []
  for (const output of outputs) {
    if (seen.has(output)) continue
    seen.add(output)
    stack.push({ node: output, next: 0 })
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!
      const input = top.node.inputs[top.next++]
      if (input === undefined) {
        order.push(top.node)
        stack.pop()
      } else if (!seen.has(input)) {
        seen.add(input)
        stack.push({ node: input, next: 0 })
      }
    }
  }
  return order
}

/** For each node of the order, the nodes that read it (a node that reads it twice stands twice). */
export function usersOf(order: readonly Node[]): Map<Node, Node[]> {
  const users = new Map<Node, Node[]>(order.map((node) => [node, []]))
  for (const node of order) for (const input of node.inputs) users.get(input)!.push(node)
  return users
}

/** The parts of a scan's inputs, by what they are. */
export interface ScanParts<V> {
  readonly carries: readonly V[]
  readonly xs: readonly V[]
  readonly consts: readonly V[]
}

/** Splits a scan's inputs, or its body's parameters, which come in the same order; the inputs may have one more. */
export function scanParts<V>(op: OpOf<'scan'>, all: readonly V[]): ScanParts<V> {
  const end = op.body.params.length
  const constsAt = end - op.consts
  return {
    carries: all.slice(0, op.carries),
    xs: all.slice(op.carries, constsAt),
    consts: all.slice(constsAt, end),
  }
}
