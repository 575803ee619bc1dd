/**
 * From a graph (after its passes) to a program: each fused item becomes kernels, each scan a loop. Views become
 * strides; what a concatenation or a state reads is written into its place at once.
 */
import { type Graph, isKind, type Node, topological, usersOf } from '../graph/node.ts'
import type { OpOf } from '../graph/ops.ts'
import { fuse, type Item, type MoveKind, type RowKind, VIEW_KINDS } from '../passes/fuse.ts'
import { addSize, mulSize, productOf, type Shape, size, ZERO } from '../tensor/size.ts'
import { donate } from './donate.ts'
import { lowerProduct } from './lower-product.ts'
import { lowerScan } from './lower-scan.ts'
import { Lowering, type Moves, Scope } from './lowering.ts'
import { overlay } from './overlay.ts'
import { denseView, type Expr, PANEL, type Program, type Slot, shifted, type View } from './program.ts'
import { strided } from './views.ts'

export interface LowerOptions {
  /** Outputs that take the place of parameters: output number → parameter number. */
  readonly donate?: ReadonlyMap<number, number>
  /** Columns in a panel of a packed matrix: as many as the backend's tile has. */
  readonly panel?: number | undefined
  /** What runs wide rows one after the other, where there are some: see row-loops.ts. */
  readonly rows?: ((program: Program) => Program) | undefined
  /** What moves rows by their indices, where something does: see moves.ts. */
  readonly moves?: Moves | undefined
}

/** Lowers a scope's outputs, each into its place where one is given. */
function lowerScope(
  lowering: Lowering,
  outputs: readonly Node[],
  places: readonly (View | undefined)[],
  scope: Scope,
): void {
  const copies = assignPlaces(lowering, outputs, places, scope)
  for (const item of fuse(outputs)) lowerItem(lowering, item, scope)
  for (const { node, place } of copies)
    lowering.copy(scope, node.shape, lowering.accessOf(node, scope), place, node.dtype)
}

/** Gives nodes the places where they end up; returns what has to be copied there instead. */
function assignPlaces(
  lowering: Lowering,
  outputs: readonly Node[],
  places: readonly (View | undefined)[],
  scope: Scope,
) {
  const copies: { node: Node; place: View }[] = []
  const claim = (node: Node, place: View): boolean => {
    const { kind } = node.op
    if (kind === 'param' || kind === 'output' || VIEW_KINDS.has(kind) || scope.places.has(node)) return false
    scope.places.set(node, place)
    return true
  }
  for (const [i, node] of outputs.entries()) {
    const place = places[i]
    if (place !== undefined && !claim(node, place)) copies.push({ node, place })
  }
  const order = topological(outputs)
  const users = usersOf(order)
  for (const node of order.reverse()) {
    const place = scope.places.get(node)
    // A table whose rows are set is made where it will be, if nothing else reads it.
    if (
      isKind(node, 'setRows') &&
      place &&
      users.get(node.inputs[0]!)!.length === 1 &&
      !outputs.includes(node.inputs[0]!)
    )
      claim(node.inputs[0]!, place)
    if (!isKind(node, 'concat')) continue
    const whole = place ?? lowering.temporary(scope, 'concat', node.shape, node.dtype)
    scope.places.set(node, whole)
    for (const { input, place } of concatPlaces(node, whole)) claim(input, place)
  }
  return copies
}

function lowerItem(lowering: Lowering, item: Item, scope: Scope): void {
  switch (item.kind) {
    case 'map':
      lowerMap(lowering, item.shape, item.nodes, item.stores, scope)
      break
    case 'product':
      lowerProduct(lowering, item, scope)
      break
    case 'reduce':
      lowerReduce(lowering, item, scope)
      break
    case 'scan':
      lowerScan(lowering, item.node, scope, lowerScope)
      break
    case 'move':
      lowerMove(lowering, item.node, scope)
  }
}

function lowerReduce(lowering: Lowering, item: Extract<Item, { kind: 'reduce' }>, scope: Scope): void {
  const { node } = item
  const input = node.inputs[0]!
  const expr = lowering.expression(input, scope, item.inlined, new Map())
  const into = lowering.target(node, scope)
  scope.emit({ kind: 'reduce', fn: node.op.fn, shape: input.shape, axes: node.op.axes, expr, into })
}

function lowerMap(
  lowering: Lowering,
  shape: Shape,
  nodes: readonly Node[],
  stored: readonly Node[],
  scope: Scope,
): void {
  const inside = new Set(nodes)
  const known = new Map<Node, Expr>()
  // Expressions first: what this kernel stores is in registers while it runs, not yet in memory.
  const exprs = stored.map((node) => lowering.expression(node, scope, inside, known))
  const stores = stored.map((node, i) => ({
    view: lowering.target(node, scope),
    expr: exprs[i]!,
    dtype: node.dtype,
  }))
  if (stores.length > 0) scope.emit({ kind: 'map', shape, stores })
}

function lowerMove(lowering: Lowering, node: Node<OpOf<MoveKind>>, scope: Scope): void {
  const { op } = node
  const into = lowering.target(node, scope)
  if (op.kind === 'concat') {
    for (const { input, place } of concatPlaces(node as Node<OpOf<'concat'>>, into)) {
      if (scope.places.get(input) !== place && !sameView(scope.access.get(input), place)) {
        lowering.copy(scope, input.shape, lowering.accessOf(input, scope), place, input.dtype)
      }
    }
  } else if (op.kind === 'pad') {
    const input = node.inputs[0]!
    const zero: Expr = { kind: 'constant', value: 0, dtype: node.dtype }
    scope.emit({ kind: 'map', shape: node.shape, stores: [{ view: into, expr: zero, dtype: node.dtype }] })
    const inner = strided(into, op.axis, op.low, size(op.step))
    lowering.copy(scope, input.shape, lowering.accessOf(input, scope), inner, input.dtype)
  } else lowering.moves!.lower(lowering, node as Node<OpOf<RowKind>>, into, scope)
}

function concatPlaces(node: Node<OpOf<'concat'>>, whole: View): { input: Node; place: View }[] {
  let start = ZERO
  return node.inputs.map((input) => {
    const place = shifted(whole, mulSize(start, whole.strides[node.op.axis]!))
    start = addSize(start, input.shape[node.op.axis]!)
    return { input, place }
  })
}

function sameView(a: View | undefined, b: View): boolean {
  return (
    a !== undefined && a.buffer === b.buffer && a.offset === b.offset && a.terms.length === b.terms.length
  )
}

/** Lowers a graph to a program. */
export function lower(graph: Graph, options: LowerOptions = {}): Program {
  const lowering = new Lowering(options.panel ?? PANEL, options.moves)
  const top = new Scope()
  const slot = (node: Node, name: string): Slot => {
    const buffer = lowering.buffer(top, name, productOf(node.shape), node.dtype, true)
    return { name, shape: node.shape, dtype: node.dtype, view: denseView(buffer, node.shape) }
  }
  const inputs = graph.params.map((param, i) => slot(param, graph.names[i] ?? `p${i}`))
  for (const [i, param] of graph.params.entries()) top.access.set(param, inputs[i]!.view)
  const outputs = graph.outputs.map((node, i) => slot(node, `output ${i}`))
  lowerScope(
    lowering,
    graph.outputs,
    outputs.map(({ view }) => view),
    top,
  )
  const program = {
    inputs,
    outputs,
    steps: top.steps,
    buffers: lowering.buffers,
    aliases: new Map(),
    guards: graph.guards,
  }
  const donated = donate(options.rows?.(program) ?? program, options.donate ?? new Map())
  return overlay(options.moves?.settle(donated) ?? donated)
}
