/** Nodes made again, over other inputs or for other sizes. Everything goes through the constructors. */
import { type Shape, type Size, substituteSize } from '../tensor/size.ts'
import * as build from './build.ts'
import { outputOf, scanOutputs, scanSpec } from './build-scan.ts'
import { type Graph, makeGraph, type Node, type ParamNode, type ScanNode } from './node.ts'

/** How nodes are made that a pass alone makes, and their adjoint; build-rows.ts, which whoever makes the first has loaded. */
export const brought: {
  rows?: {
    construct(node: Node, inputs: readonly Node[], change: (size: Size) => Size): Node
    setRows(node: Node, dy: Node): readonly (Node | undefined)[]
  }
} = {}

/** The same operation on other inputs; shapes are inferred anew. */
export function rebuild(node: Node, inputs: readonly Node[]): Node {
  return inputs.every((input, i) => input === node.inputs[i]) ? node : construct(node, inputs)
}

const same = (size: Size) => size

/** Goes through the operation's constructor, whatever the inputs; `change` says what becomes of the sizes it names. */
export function construct(node: Node, inputs: readonly Node[], change: (size: Size) => Size = same): Node {
  const op = node.op
  const [first, second] = inputs as [Node, Node]
  const shape: Shape = change === same ? node.shape : node.shape.map(change)
  switch (op.kind) {
    case 'param':
      return build.param(op.index, shape, node.dtype)
    case 'constant':
      return build.constant(op.value, shape, node.dtype)
    case 'size':
      return build.sizeNode(change(op.size), shape, node.dtype)
    case 'iota':
      return build.iota(shape, op.axis, node.dtype)
    case 'elementwise':
      return build.elementwise(op.fn, ...inputs)
    case 'broadcast':
      return build.broadcast(first, shape, op.axes)
    case 'reshape':
      return build.reshape(first, shape)
    case 'transpose':
      return build.transpose(first, op.permutation)
    case 'slice':
      return build.strided(first, op.axis, change(op.start), shape[op.axis]!, op.step)
    case 'pad':
      return build.pad(first, op.axis, change(op.low), change(op.high), op.step)
    case 'flip':
      return build.flip(first, op.axis)
    case 'concat':
      return build.concat(inputs, op.axis)
    case 'reduce':
      return build.reduce(op.fn, first, op.axes)
    case 'einsum':
      return build.einsum(first, op.a, second, op.b, op.out)
    case 'gather':
      return build.gather(first, second)
    case 'argsort':
      return build.argsort(first)
    case 'scatterAdd':
      return build.scatterAdd(first, second, change(op.rows))
    case 'firsts':
    case 'setRows':
      return brought.rows!.construct(node, inputs, change)
    case 'scan': {
      const spec = scanSpec(node as ScanNode, inputs)
      if (change === same) return scanOutputs(spec)[0]!.inputs[0]!
      const { packed } = spec
      return scanOutputs({
        ...spec,
        body: changed(op.body, change),
        steps: change(op.steps),
        packed: packed && {
          ...packed,
          packing: {
            rows: change(packed.packing.rows),
            alive: packed.packing.alive,
            total: change(packed.packing.total),
          },
        },
      })[0]!.inputs[0]!
    }
    case 'output':
      return outputOf(first, op.index)
  }
}

/** Rebuilds nodes over replacements: what `replacements` names stands for itself, everything above is made anew. */
export function substitute(outputs: readonly Node[], replacements: Map<Node, Node>): Node[] {
  return made(outputs, replacements, rebuild)
}

/** The graph with some symbols of its sizes replaced: written for B rows, it is one for `alive` rows. */
export function resized(graph: Graph, replacements: ReadonlyMap<string, Size>): Graph {
  return changed(graph, (size) => substituteSize(size, replacements))
}

function changed(graph: Graph, change: (size: Size) => Size): Graph {
  const params = graph.params.map((param) => construct(param, [], change) as ParamNode)
  const replacements = new Map<Node, Node>(graph.params.map((param, i) => [param, params[i]!]))
  const outputs = made(graph.outputs, replacements, (node, inputs) => construct(node, inputs, change))
  const guards = graph.guards.map((guard) => ({
    ...guard,
    left: change(guard.left),
    right: change(guard.right),
  }))
  return makeGraph(params, outputs, graph.names, guards)
}

function made(
  outputs: readonly Node[],
  replacements: Map<Node, Node>,
  make: (node: Node, inputs: readonly Node[]) => Node,
): Node[] {
  const stack = [...outputs].reverse()
  while (stack.length > 0) {
    const node = stack[stack.length - 1]!
    if (replacements.has(node)) {
      stack.pop()
      continue
    }
    const missing = node.inputs.filter((input) => !replacements.has(input))
    if (missing.length > 0) {
      stack.push(...missing.reverse())
      continue
    }
    const inputs = node.inputs.map((input) => replacements.get(input)!)
    replacements.set(node, make(node, inputs))
    stack.pop()
  }
  return outputs.map((output) => replacements.get(output)!)
}
