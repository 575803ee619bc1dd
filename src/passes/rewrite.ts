/**
 * The one driver of all passes: walks a graph from its inputs, rebuilds each node over what its inputs became, and
 * applies the pass's rules until none does. Bodies of scans are rewritten before the scan that holds them.
 */
import { outputOf, type Packed, scanOutputs, scanSpec } from '../graph/build-scan.ts'
import {
  type Graph,
  isKind,
  makeGraph,
  type Node,
  type ScanNode,
  scanParts,
  topological,
} from '../graph/node.ts'
import { rebuild } from '../graph/rebuild.ts'

/** Replaces one node; undefined where the rule does not apply. */
export type Rule = (node: Node) => Node | undefined

/**
 * Replaces a whole scan: for each of its outputs in `used` a node of the same type; undefined where the rule does not
 * apply. `note` explains what was done.
 */
export type ScanRule = (
  scan: ScanNode,
  used: ReadonlySet<number>,
  note: Note,
) => readonly (Node | undefined)[] | undefined

/**
 * What may be done to nodes, for `explain` to put into words: one left the loop as another; steps stand apart, without a
 * loop; one is made after it; some are kept for the way back; a sum over time is made after it; of a gradient the rows are
 * kept that were read.
 */
export type Done = 'left' | 'apart' | 'after' | 'kept' | 'summed' | 'touched'

/** Takes in what was done. */
export type Note = (done: Done, ...nodes: readonly Node[]) => void

export interface Pass {
  readonly name: string
  readonly rules?: Readonly<Record<string, Rule>>
  readonly scanRules?: Readonly<Record<string, ScanRule>>
  /** A pass over the graph as a whole, after the rules. */
  readonly whole?: (graph: Graph, note: Note) => Graph
}

const LIMIT = 50

/** Runs a pass until it changes nothing. */
export function runPass(pass: Pass, graph: Graph, note: Note = () => {}): Graph {
  let current = graph
  for (let round = 0; round < LIMIT; round++) {
    const next = once(pass, current, note)
    if (next.key === current.key) return next
    current = next
  }
  throw new Error(`pass ${pass.name} does not come to rest`)
}

function once(pass: Pass, graph: Graph, note: Note): Graph {
  const order = topological(graph.outputs)
  const used = usedOutputs(order, graph.outputs)
  const become = new Map<Node, Node>()
  const scans = new Map<Node, readonly (Node | undefined)[]>()
  for (const node of order) {
    if (isKind(node, 'output')) {
      become.set(node, scans.get(node.inputs[0]!)![node.op.index]!)
      continue
    }
    const inputs = node.inputs.map((input) => become.get(input)!)
    if (isKind(node, 'scan')) scans.set(node, rewriteScan(pass, node, inputs, used.get(node)!, note))
    else become.set(node, applyRules(pass, rebuild(node, inputs)))
  }
  const outputs = graph.outputs.map((output) => become.get(output)!)
  const rewritten = makeGraph(graph.params, outputs, graph.names, graph.guards)
  return pass.whole === undefined ? rewritten : pass.whole(rewritten, note)
}

/** What became of nodes under a pass's rules, which see nothing but the node: each is asked about once. */
const settled = new WeakMap<Pass, WeakMap<Node, Node>>()

function applyRules(pass: Pass, node: Node): Node {
  const known = settled.get(pass) ?? new WeakMap<Node, Node>()
  settled.set(pass, known)
  const before = known.get(node)
  if (before !== undefined) return before
  const after = settle(pass.rules, node)
  known.set(node, after)
  return after
}

function settle(rules: Pass['rules'], node: Node): Node {
  let current = node
  for (let round = 0; round < LIMIT; round++) {
    const before = current
    for (const rule of Object.values(rules ?? {})) current = rule(current) ?? current
    if (current === before) break
  }
  return current
}

function rewriteScan(
  pass: Pass,
  scan: ScanNode,
  inputs: readonly Node[],
  used: ReadonlySet<number>,
  note: Note,
): readonly (Node | undefined)[] {
  const body = once(pass, scan.op.body, note)
  const same = body.key === scan.op.body.key && inputs.every((input, i) => input === scan.inputs[i])
  const outputs = same ? outputsOf(scan) : scanOutputs({ ...scanSpec(scan, inputs), body })
  const rebuilt = outputs[0]!.inputs[0] as ScanNode
  for (const rule of Object.values(pass.scanRules ?? {})) {
    const replaced = rule(rebuilt, used, note)
    if (replaced !== undefined) return replaced
  }
  return outputs
}

/** Which outputs of each scan are read. */
function usedOutputs(order: readonly Node[], outputs: readonly Node[]): Map<Node, Set<number>> {
  const used = new Map<Node, Set<number>>()
  for (const node of order) if (isKind(node, 'scan')) used.set(node, new Set())
  for (const node of [...order, ...outputs]) {
    if (isKind(node, 'output')) used.get(node.inputs[0]!)!.add(node.op.index)
  }
  return used
}

/** A scan taken apart, to be changed and put together again: arrays run in parallel with `scan.op`'s parts. */
export interface OpenScan {
  readonly packed: Packed | undefined
  readonly carries: { param: Node; init: Node; next: Node }[]
  readonly xs: { param: Node; outer: Node }[]
  readonly consts: { param: Node; outer: Node }[]
  readonly yields: Node[]
}

export function openScan(scan: ScanNode): OpenScan {
  const { op } = scan
  const params = scanParts(op, op.body.params)
  const outer = scanSpec(scan, scan.inputs)
  return {
    packed: outer.packed,
    carries: params.carries.map((each, i) => ({
      param: each,
      init: outer.carries[i]!,
      next: op.body.outputs[i]!,
    })),
    xs: params.xs.map((each, i) => ({ param: each, outer: outer.xs[i]! })),
    consts: params.consts.map((each, i) => ({ param: each, outer: outer.consts[i]! })),
    yields: op.body.outputs.slice(op.carries),
  }
}

/** All outputs of a scan node, read. */
export function outputsOf(scan: ScanNode): Node[] {
  return scan.op.body.outputs.map((_, index) => outputOf(scan, index))
}
