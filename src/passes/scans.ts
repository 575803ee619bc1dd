/** Putting scans together again after a pass changed their parts. */
import * as build from '../graph/build.ts'
import { scanOutputs } from '../graph/build-scan.ts'
import { type Graph, isKind, makeGraph, type Node, type ScanNode, topological } from '../graph/node.ts'
import { substitute } from '../graph/rebuild.ts'
import type { RowKind } from './fuse.ts'
import type { OpenScan } from './rewrite.ts'

/** Numbers the parameters anew and makes the scan; returns its outputs: finals, then yields. */
export function closeScan(open: OpenScan, scan: ScanNode): Node[] {
  const olds = [...open.carries, ...open.xs, ...open.consts]
  const fresh = olds.map(({ param }, i) => build.param(i, param.shape, param.dtype))
  const renumber = new Map<Node, Node>(olds.map(({ param }, i) => [param, fresh[i]!]))
  const outputs = substitute([...open.carries.map(({ next }) => next), ...open.yields], renumber)
  const names = olds.map(({ param }) => {
    const at = scan.op.body.params.indexOf(param as ScanNode['op']['body']['params'][number])
    return scan.op.body.names[at] ?? 'const'
  })
  return scanOutputs({
    body: makeGraph(fresh, outputs, names),
    carries: open.carries.map(({ init }) => init),
    xs: open.xs.map(({ outer }) => outer),
    consts: open.consts.map(({ outer }) => outer),
    steps: scan.op.steps,
    reverse: scan.op.reverse,
    packed: open.packed,
    checkpoint: scan.op.checkpoint,
  })
}

/** A parameter for a scan that is open; closeScan gives it its number. */
export function freshParam(taken: OpenScan, like: Node): Node {
  const indices = [...taken.carries, ...taken.xs, ...taken.consts].map(({ param }) =>
    param.op.kind === 'param' ? param.op.index : -1,
  )
  return build.param(Math.max(-1, ...indices) + 1, like.shape, like.dtype)
}

/** Whether rows are packed in some loop of the graph. */
export function packsRows(graph: Graph): boolean {
  return holds(graph, (node) => isKind(node, 'scan') && node.op.packing !== undefined)
}

const ROWS: ReadonlySet<string> = new Set<RowKind>(['gather', 'argsort', 'scatterAdd', 'firsts', 'setRows'])

/** Whether rows are moved by their indices somewhere in the graph. */
export function movesRows(graph: Graph): boolean {
  return holds(graph, ({ op }) => ROWS.has(op.kind))
}

/** Whether some node of the graph, or of a loop's body, is such. */
function holds(graph: Graph, isSuch: (node: Node) => boolean): boolean {
  return topological(graph.outputs).some(
    (node) => isSuch(node) || (isKind(node, 'scan') && holds(node.op.body, isSuch)),
  )
}
