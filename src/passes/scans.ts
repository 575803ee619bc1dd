/**
 * Putting scans together again after a pass changed their parts, and lifting a body's nodes out of the loop: the
 * same computation for all steps at once, with time as a new axis 0.
 */
import * as build from '../graph/build.ts'
import { makeGraph, type Node, type ScanNode } from '../graph/node.ts'
import type { Size } from '../tensor/size.ts'
import type { OpenScan } from './rewrite.ts'

/** Numbers the parameters anew and makes the scan; returns its outputs: finals, then yields. */
export function closeScan(open: OpenScan, scan: ScanNode): Node[] {
  const olds = [...open.carries, ...open.xs, ...open.consts]
  const fresh = olds.map(({ param }, i) => build.param(i, param.shape, param.dtype))
  const renumber = new Map<Node, Node>(olds.map(({ param }, i) => [param, fresh[i]!]))
  const outputs = build.substitute([...open.carries.map(({ next }) => next), ...open.yields], renumber)
  const names = olds.map(({ param }) => {
    const at = scan.op.body.params.indexOf(param as ScanNode['op']['body']['params'][number])
    return scan.op.body.names[at] ?? 'const'
  })
  return build.scanOutputs({
    body: makeGraph(fresh, outputs, names),
    carries: open.carries.map(({ init }) => init),
    xs: open.xs.map(({ outer }) => outer),
    consts: open.consts.map(({ outer }) => outer),
    steps: scan.op.steps,
    reverse: scan.op.reverse,
  })
}

/** A parameter for a scan that is open; closeScan gives it its number. */
export function freshParam(taken: OpenScan, like: Node): Node {
  const indices = [...taken.carries, ...taken.xs, ...taken.consts].map(({ param }) =>
    param.op.kind === 'param' ? param.op.index : -1,
  )
  return build.param(Math.max(-1, ...indices) + 1, like.shape, like.dtype)
}

/** Nodes outside the loop that stand for body nodes: stacked over time, or the same at every step. */
export interface Lifted {
  readonly node: Node
  readonly stacked: boolean
}

/**
 * Lifts body nodes over `steps`; `known` says what parameters (and values already yielded) stand for.
 * undefined where some operation cannot be lifted.
 */
export function lift(node: Node, steps: Size, known: Map<Node, Lifted>): Lifted | undefined {
  const found = known.get(node)
  if (found !== undefined) return found
  const inputs: Lifted[] = []
  for (const input of node.inputs) {
    const lifted = lift(input, steps, known)
    if (lifted === undefined) return undefined
    inputs.push(lifted)
  }
  const lifted = inputs.some((input) => input.stacked)
    ? liftOp(node, inputs, steps)
    : node.op.kind === 'param' || node.op.kind === 'scan' || node.op.kind === 'output'
      ? undefined
      : {
          node: build.rebuild(
            node,
            inputs.map((input) => input.node),
          ),
          stacked: false,
        }
  if (lifted !== undefined) known.set(node, lifted)
  return lifted
}

/** The node with time as axis 0: what is the same at every step repeats. */
export function stack({ node, stacked }: Lifted, steps: Size): Node {
  if (stacked) return node
  if (node.op.kind === 'constant') return build.constant(node.op.value, [steps, ...node.shape], node.dtype)
  return build.broadcast(
    node,
    [steps, ...node.shape],
    node.shape.map((_, axis) => axis + 1),
  )
}

function liftOp(node: Node, inputs: readonly Lifted[], steps: Size): Lifted | undefined {
  const { op } = node
  const shift = (axes: readonly number[]) => axes.map((axis) => axis + 1)
  const all = () => inputs.map((input) => stack(input, steps))
  const of = (made: Node): Lifted => ({ node: made, stacked: true })
  const [first, second] = inputs as [Lifted, Lifted]
  const shape = [steps, ...node.shape]
  switch (op.kind) {
    case 'elementwise':
      return of(build.elementwise(op.fn, ...all()))
    case 'broadcast':
      return of(build.broadcast(first.node, shape, [0, ...shift(op.axes)]))
    case 'reshape':
      return of(build.reshape(first.node, shape))
    case 'transpose':
      return of(build.transpose(first.node, [0, ...shift(op.permutation)]))
    case 'slice':
      return of(build.strided(first.node, op.axis + 1, op.start, node.shape[op.axis]!, op.step))
    case 'pad':
      return of(build.pad(first.node, op.axis + 1, op.low, op.high, op.step))
    case 'flip':
      return of(build.flip(first.node, op.axis + 1))
    case 'concat':
      return of(build.concat(all(), op.axis + 1))
    case 'reduce':
      return of(build.reduce(op.fn, first.node, shift(op.axes)))
    case 'einsum': {
      const time = freeLabel(op.a + op.b + op.out)
      const [a, b] = [first.stacked ? time + op.a : op.a, second.stacked ? time + op.b : op.b]
      return of(build.einsum(first.node, a, second.node, b, time + op.out))
    }
    case 'gather':
      return first.stacked ? undefined : of(build.gather(first.node, second.node))
    case 'argsort':
      return of(build.argsort(first.node))
    case 'param':
    case 'constant':
    case 'size':
    case 'iota':
    case 'scatterAdd':
    case 'scan':
    case 'output':
      return undefined
  }
}

function freeLabel(taken: string): string {
  for (const letter of 'tTuUvVwWxXyYzZabcdefghijklmnopqrs') if (!taken.includes(letter)) return letter
  throw new Error(`no letter is left beside ${taken}`)
}
