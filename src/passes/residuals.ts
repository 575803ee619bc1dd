/**
 * The adjoint of a scan computes the forward step anew. This pass decides, value by value, what the forward scan
 * stacks for it instead, and what is cheaper to compute again:
 * products, reductions and transcendental functions are stacked, unless a cheap expression over what is stacked
 * already (the states, the per-step inputs, other kept values) yields them.
 */
import { isStackable, outputOf } from '../graph/build-scan.ts'
import { type Graph, isKind, makeGraph, type Node, type ScanNode, topological } from '../graph/node.ts'
import { rebuild, substitute } from '../graph/rebuild.ts'
import { evaluateSize, type Shape, symbolsOf } from '../tensor/size.ts'
import { type Note, openScan, type Pass } from './rewrite.ts'
import { closeScan, freshParam } from './scans.ts'

/** Functions and operations that are worth keeping in memory rather than computing again. */
export const DEAR: ReadonlySet<string> = new Set([
  'exp',
  'log',
  'sqrt',
  'tanh',
  'sigmoid',
  'div',
  'einsum',
  'reduce',
  'gather',
  'argsort',
  'scatterAdd',
  'output',
  'scan',
])

function isDear(node: Node): boolean {
  return DEAR.has(isKind(node, 'elementwise') ? node.op.fn : node.op.kind)
}

/** Elements of a shape where every symbol is 16: enough to compare candidates. */
function typicalSize(shape: Shape): number {
  const names = new Set<string>()
  for (const each of shape) symbolsOf(each, names)
  const bindings = new Map([...names].map((name) => [name, 16]))
  return shape.reduce((product, each) => product * evaluateSize(each, bindings), 1)
}

interface Pair {
  readonly forward: ScanNode
  readonly backward: ScanNode
  /** Body nodes of the backward scan that are forward values, with the forward body's node. */
  readonly values: ReadonlyMap<Node, Node>
}

/** A backward scan and the forward scan whose history it reads. */
function findPair(order: readonly Node[], done: ReadonlySet<Node>): Pair | undefined {
  for (const backward of order) {
    if (!isKind(backward, 'scan') || done.has(backward)) continue
    const scans = new Set(
      openScan(backward).xs.flatMap(({ outer }) =>
        isKind(outer, 'output') ? [outer.inputs[0] as ScanNode] : [],
      ),
    )
    for (const forward of scans) {
      const { steps, reverse, checkpoint } = forward.op
      if (checkpoint || steps !== backward.op.steps || reverse === backward.op.reverse) continue
      const values = forwardValues(forward, backward)
      if (values !== undefined) return { forward, backward, values }
    }
  }
  return undefined
}

function forwardValues(forward: ScanNode, backward: ScanNode): Map<Node, Node> | undefined {
  const [from, to] = [openScan(forward), openScan(backward)]
  const image = new Map<Node, Node>()
  for (const { param } of from.carries) {
    const history = forward.op.body.outputs.indexOf(param, forward.op.carries)
    const read = history < 0 ? undefined : to.xs.find(({ outer }) => outer === outputOf(forward, history))
    if (read !== undefined) image.set(param, read.param)
  }
  if (image.size === 0) return undefined
  for (const { param, outer } of from.xs) {
    const read = to.xs.find((each) => each.outer === outer)
    if (read !== undefined) image.set(param, read.param)
  }
  for (const { param, outer } of from.consts) {
    const read = to.consts.find((each) => each.outer === outer)
    if (read !== undefined) image.set(param, read.param)
  }
  const present = new Set(topological(backward.op.body.outputs))
  const values = new Map<Node, Node>()
  for (const node of topological(forward.op.body.outputs)) {
    if (node.op.kind === 'param') continue
    const inputs = node.inputs.map((input) => image.get(input))
    if (inputs.some((input) => input === undefined)) continue
    const made = rebuild(node, inputs as Node[])
    image.set(node, made)
    if (present.has(made) && node.op.kind !== 'scan') values.set(made, node)
  }
  return values
}

/** Forward values that the rest of the backward body reads, and what of them to keep. */
function choose({ backward, values }: Pair): Set<Node> {
  const canKeep = (node: Node) => isStackable(node, backward.op.packing)
  const { outputs } = backward.op.body
  const needed = new Set<Node>(outputs.filter((output) => values.has(output)))
  for (const node of topological(outputs)) {
    if (values.has(node)) continue
    for (const input of node.inputs) if (values.has(input)) needed.add(input)
  }
  const kept = new Set<Node>()
  // Floats a row that have to be stacked so that the node can be had.
  const cost = (node: Node): number => {
    if (!values.has(node) || kept.has(node) || node.inputs.length === 0) return 0
    if (!canKeep(node)) return node.inputs.reduce((sum, input) => sum + cost(input), 0)
    const own = typicalSize(node.shape)
    if (isDear(node)) return own
    return Math.min(
      own,
      node.inputs.reduce((sum, input) => sum + cost(input), 0),
    )
  }
  const keep = (node: Node): void => {
    if (!values.has(node) || kept.has(node) || node.inputs.length === 0) return
    const fromInputs = node.inputs.reduce((sum, input) => sum + cost(input), 0)
    if (canKeep(node) && (isDear(node) || typicalSize(node.shape) <= fromInputs)) kept.add(node)
    else for (const input of node.inputs) keep(input)
  }
  for (const node of topological(outputs)) if (needed.has(node) && isDear(node)) keep(node)
  for (const node of topological(outputs)) if (needed.has(node)) keep(node)
  return kept
}

function keepResiduals(graph: Graph, note: Note): Graph {
  let current = graph
  const done = new Set<Node>()
  for (;;) {
    const pair = findPair(topological(current.outputs), done)
    if (pair === undefined) return current
    done.add(pair.backward)
    const kept = choose(pair)
    if (kept.size === 0) continue
    current = apply(current, pair, kept, done)
    note('kept', ...kept)
  }
}

function apply(
  graph: Graph,
  { forward, backward, values }: Pair,
  kept: ReadonlySet<Node>,
  done: Set<Node>,
): Graph {
  const open = openScan(forward)
  const wanted = [...kept].map((node) => values.get(node)!)
  const extra = wanted.filter((node) => !open.yields.includes(node))
  const outputs = closeScan({ ...open, yields: [...open.yields, ...extra] }, forward)
  const stackOf = (node: Node) => outputs[open.carries.length + [...open.yields, ...extra].indexOf(node)]!

  const replaced = new Map<Node, Node>(
    forward.op.body.outputs.map((_, i) => [outputOf(forward, i), outputs[i]!]),
  )
  const [again] = substitute([backward], replaced) as [ScanNode]
  const reader = openScan(again)
  const inBody = new Map<Node, Node>()
  for (const [i, node] of [...kept].entries()) {
    const param = freshParam(reader, node)
    reader.xs.push({ param, outer: stackOf(wanted[i]!) })
    inBody.set(node, param)
  }
  const body = substitute([...reader.carries.map(({ next }) => next), ...reader.yields], inBody)
  const carries = reader.carries.map((carry, i) => ({ ...carry, next: body[i]! }))
  const results = closeScan({ ...reader, carries, yields: body.slice(carries.length) }, again)
  done.add(results[0]!.inputs[0]!)
  for (const i of backward.op.body.outputs.keys()) replaced.set(outputOf(backward, i), results[i]!)
  return makeGraph(graph.params, substitute(graph.outputs, replaced), graph.names, graph.guards)
}

export const residuals: Pass = { name: 'residuals', whole: keepResiduals }
