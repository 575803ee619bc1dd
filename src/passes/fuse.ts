/**
 * Groups a scope's nodes (a graph's, or one scan body's) into kernels, in order:
 * element-wise nodes of one shape share a map kernel; a product takes in the element-wise chain that alone reads it
 * (its epilogue); a reduction takes in the element-wise work that alone feeds it. Views belong to no kernel.
 */
import { isKind, type Node, type ScanNode, topological, usersOf } from '../graph/node.ts'
import type { OpOf } from '../graph/ops.ts'
import { constantOf, type Shape, sameShape } from '../tensor/size.ts'

export type RowKind = 'gather' | 'scatterAdd' | 'argsort' | 'firsts' | 'setRows'
export type MoveKind = RowKind | 'concat' | 'pad'

export type Item =
  | { readonly kind: 'map'; readonly shape: Shape; readonly nodes: Node[]; readonly stores: Node[] }
  | { readonly kind: 'product'; readonly node: Node<OpOf<'einsum'>>; readonly epilogue: Node[]; result: Node }
  | { readonly kind: 'reduce'; readonly node: Node<OpOf<'reduce'>>; readonly inlined: ReadonlySet<Node> }
  | { readonly kind: 'scan'; readonly node: ScanNode }
  | { readonly kind: 'move'; readonly node: Node<OpOf<MoveKind>> }

/** Element-wise nodes in one kernel, at most: more would spill registers. */
const GROUP_LIMIT = 48

/** Element-wise nodes after a product in one kernel, at most: their code stands once for each vector of a tile. */
const EPILOGUE_LIMIT = 12

export const VIEW_KINDS: ReadonlySet<string> = new Set(['broadcast', 'reshape', 'transpose', 'slice', 'flip'])
/** Computed wherever they are read. */
export const LEAF_KINDS: ReadonlySet<string> = new Set(['constant', 'size', 'iota'])

/** Sums over a contracted length that is known when compiled: the other operand's panels are packed beforehand. */
export function contractionIsStatic(node: Node<OpOf<'einsum'>>): boolean {
  const { a, out } = node.op
  return [...a].every(
    (label, axis) => out.includes(label) || constantOf(node.inputs[0]!.shape[axis]!) !== undefined,
  )
}

export function fuse(outputs: readonly Node[]): Item[] {
  // Rows that are to stand in tables first: they read what is there, and updates in place come after.
  const rows = outputs.flatMap((node) => (isKind(node, 'setRows') ? node.inputs.slice(1) : []))
  const order = topological([...rows, ...outputs])
  const users = usersOf(order)
  const isOutput = new Set(outputs)
  const inlinedIn = inlineIntoReductions(order, users, isOutput)
  const lot = lotsOf(order)
  const items: Item[] = []
  /** The place of the kernel that makes a node's values; −1 for parameters and leaves. */
  const madeAt = new Map<Node, number>()
  const latest = (nodes: readonly Node[]) => Math.max(-1, ...nodes.map((node) => madeAt.get(node)!))

  for (const node of order) {
    const { kind } = node.op
    const after = latest(node.inputs)
    if (kind === 'param' || LEAF_KINDS.has(kind)) {
      madeAt.set(node, -1)
      const stored = isOutput.has(node) || users.get(node)!.some((user) => user.op.kind !== 'elementwise')
      if (LEAF_KINDS.has(kind) && stored) {
        madeAt.set(node, items.length)
        items.push({ kind: 'map', shape: node.shape, nodes: [node], stores: [node] })
      }
    } else if (VIEW_KINDS.has(kind) || kind === 'output') {
      madeAt.set(node, after)
    } else if (inlinedIn.has(node)) {
      madeAt.set(node, after)
    } else if (isKind(node, 'elementwise')) {
      madeAt.set(node, placeElementwise(node, after, items, madeAt, users, isOutput, lot))
    } else {
      madeAt.set(node, items.length)
      if (isKind(node, 'einsum')) items.push({ kind: 'product', node, epilogue: [], result: node })
      else if (isKind(node, 'scan')) items.push({ kind: 'scan', node })
      else if (isKind(node, 'reduce')) {
        const inlined = new Set([...inlinedIn].filter(([, reduce]) => reduce === node).map(([each]) => each))
        items.push({ kind: 'reduce', node, inlined })
      } else items.push({ kind: 'move', node: node as Node<OpOf<MoveKind>> })
    }
  }
  for (const [index, item] of items.entries()) {
    if (item.kind !== 'map') continue
    for (const node of item.nodes) {
      if (item.stores.includes(node)) continue
      const outside = users
        .get(node)!
        .some((user) => user.op.kind !== 'elementwise' || madeAt.get(user) !== index || inlinedIn.has(user))
      if (outside || isOutput.has(node)) item.stores.push(node)
    }
  }
  return items
}

function placeElementwise(
  node: Node,
  after: number,
  items: Item[],
  madeAt: ReadonlyMap<Node, number>,
  users: ReadonlyMap<Node, readonly Node[]>,
  isOutput: ReadonlySet<Node>,
  lot: (node: Node) => Node,
): number {
  const last = items[after]
  // The one reader of a product joins it, where its other operands were there before.
  if (
    last?.kind === 'product' &&
    node.dtype === 'f32' &&
    last.epilogue.length < EPILOGUE_LIMIT &&
    contractionIsStatic(last.node) &&
    sameShape(last.result.shape, node.shape)
  ) {
    const alone = users.get(last.result)!.every((user) => user === node) && !isOutput.has(last.result)
    const others = node.inputs.filter((input) => input !== last.result)
    if (alone && node.inputs.includes(last.result) && others.every((input) => madeAt.get(input)! < after)) {
      last.epilogue.push(node)
      last.result = node
      return after
    }
  }
  for (let index = Math.max(after, 0); index < items.length; index++) {
    const item = items[index]!
    if (
      item.kind !== 'map' ||
      item.nodes.length >= GROUP_LIMIT ||
      !sameShape(item.shape, node.shape) ||
      // Weights, as their shape tells: each one's update is a sweep of its own.
      (node.shape[0] && constantOf(node.shape[0]) && lot(node) !== lot(item.nodes[0]!))
    )
      continue
    // What a view of this kernel's result shows is there only after the kernel.
    if (
      index === after &&
      node.inputs.some((input) => VIEW_KINDS.has(input.op.kind) && madeAt.get(input) === index)
    )
      continue
    item.nodes.push(node)
    return index
  }
  items.push({ kind: 'map', shape: node.shape, nodes: [node], stores: [] })
  return items.length - 1
}

/** The same node for all element-wise nodes that hang together by others of their kind. */
function lotsOf(order: readonly Node[]): (node: Node) => Node {
  const next = new Map<Node, Node>()
  const lot = (node: Node): Node => {
    let last = node
    while (next.has(last)) last = next.get(last)!
    return last
  }
  for (const node of order) {
    if (!isKind(node, 'elementwise')) continue
    for (const input of node.inputs.map(lot)) if (isKind(input, 'elementwise')) next.set(input, node)
  }
  return lot
}

/** Element-wise nodes that only one reduction reads, directly or through such nodes. */
function inlineIntoReductions(
  order: readonly Node[],
  users: ReadonlyMap<Node, readonly Node[]>,
  isOutput: ReadonlySet<Node>,
): Map<Node, Node> {
  const inlined = new Map<Node, Node>()
  const visit = (node: Node, reduce: Node): void => {
    if (!isKind(node, 'elementwise') || isOutput.has(node) || inlined.has(node)) return
    if (!users.get(node)!.every((user) => user === reduce || inlined.get(user) === reduce)) return
    inlined.set(node, reduce)
    for (const input of node.inputs) visit(input, reduce)
  }
  for (const node of [...order].reverse()) if (isKind(node, 'reduce')) visit(node.inputs[0]!, node)
  return inlined
}
