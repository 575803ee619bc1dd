/**
 * Lifting a body's nodes out of the loop: the same computation for all steps at once. Time becomes a new axis 0; where
 * rows are packed, the rows alive at a step become those of all steps instead.
 */
import * as build from '../graph/build.ts'
import { isByRow } from '../graph/build-scan.ts'
import type { Node, ScanNode } from '../graph/node.ts'
import type { Packing } from '../graph/ops.ts'
import { rebuild } from '../graph/rebuild.ts'
import type { Shape, Size } from '../tensor/size.ts'
import type { OpenScan } from './rewrite.ts'

/** How rows are lifted where they are packed; lift-rows.ts, which is loaded with the first graph that packs some. */
export const brought: {
  rows?: {
    /** Whether a node has rows that are alive, or says how many there are. */
    namesAlive(node: Pick<Node, 'op' | 'shape'>, packing: Packing): boolean
    lift(node: Node, inputs: readonly Lifted[], packing: Packing): Lifted | undefined
  }
} = {}

/** Nodes outside the loop that stand for body nodes: stacked over time, or the same at every step. */
export interface Lifted {
  readonly node: Node
  readonly stacked: boolean
}

/** What stands outside for a body's parameters. What is held by row, or read step by step beside packed rows, has no such. */
export function outsideOf({ xs, consts, packed }: OpenScan): Map<Node, Lifted> {
  const byRow = (param: Node) => isByRow(param, packed?.packing)
  return new Map<Node, Lifted>([
    ...xs
      .filter(({ param }) => packed === undefined || byRow(param))
      .map(({ param, outer }) => [param, { node: outer, stacked: true }] as const),
    ...consts
      .filter(({ param }) => !byRow(param))
      .map(({ param, outer }) => [param, { node: outer, stacked: false }] as const),
  ])
}

/**
 * Lifts body nodes; `known` says what parameters (and values already yielded) stand for.
 * undefined where some operation cannot be lifted.
 */
export function lift(node: Node, scan: ScanNode, known: Map<Node, Lifted>): Lifted | undefined {
  const found = known.get(node)
  if (found !== undefined) return found
  const inputs: Lifted[] = []
  for (const input of node.inputs) {
    const lifted = lift(input, scan, known)
    if (lifted === undefined) return undefined
    inputs.push(lifted)
  }
  const { steps, packing } = scan.op
  const lifted =
    packing !== undefined && brought.rows!.namesAlive(node, packing)
      ? brought.rows!.lift(node, inputs, packing)
      : inputs.some((input) => input.stacked)
        ? packing === undefined
          ? liftOp(node, inputs, steps)
          : undefined
        : ['param', 'scan', 'output'].includes(node.op.kind)
          ? undefined
          : { node: rebuildOver(node, inputs), stacked: false }
  if (lifted !== undefined) known.set(node, lifted)
  return lifted
}

function rebuildOver(node: Node, inputs: readonly Lifted[]): Node {
  return rebuild(
    node,
    inputs.map((input) => input.node),
  )
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
  const over = (input: Lifted) => stack(input, steps)
  const of = (made: Node): Lifted => ({ node: made, stacked: true })
  const [first, second] = inputs as [Lifted, Lifted]
  const shape: Shape = [steps, ...node.shape]
  switch (op.kind) {
    case 'elementwise':
      return of(build.elementwise(op.fn, ...inputs.map(over)))
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
      return of(build.concat(inputs.map(over), op.axis + 1))
    case 'reduce':
      return of(build.reduce(op.fn, first.node, shift(op.axes)))
    case 'einsum': {
      const time = freeLabel(op.a + op.b + op.out)
      const [a, b] = [first.stacked ? time + op.a : op.a, second.stacked ? time + op.b : op.b]
      return of(build.einsum(first.node, a, second.node, b, time + op.out))
    }
    case 'gather':
    case 'argsort':
      return op.kind === 'gather' && first.stacked ? undefined : of(rebuildOver(node, inputs))
    case 'param':
    case 'constant':
    case 'size':
    case 'iota':
    case 'scatterAdd':
    case 'firsts':
    case 'setRows':
    case 'scan':
    case 'output':
      return undefined
  }
}

function freeLabel(taken: string): string {
  for (const letter of 'tTuUvVwWxXyYzZabcdefghijklmnopqrs') if (!taken.includes(letter)) return letter
  throw new Error(`no letter is left beside ${taken}`)
}
