/** Calls a closed graph inside a trace: its parameters become the given values. */
import { ShapeError } from '../tensor/errors.ts'
import { printShape } from '../tensor/size.ts'
import { requireEqual } from './guards.ts'
import type { Graph, Node } from './node.ts'
import { substitute } from './rebuild.ts'
import { derive, type Value } from './value.ts'

/** The graph's outputs for these arguments. Sizes keep their names: B here is B there. */
export function callGraph(graph: Graph, args: readonly Value[]): Value[] {
  if (args.length !== graph.params.length) {
    throw new ShapeError(`a graph of ${graph.params.length} parameters was called with ${args.length}`)
  }
  for (const [i, param] of graph.params.entries()) {
    const [expected, received] = [param.shape, args[i]!.shape]
    const message = () =>
      `parameter ${graph.names[i]} is ${param.dtype}${printShape(expected)}; received ${args[i]!.dtype}${printShape(received)}`
    if (expected.length !== received.length || args[i]!.dtype !== param.dtype) throw new ShapeError(message())
    for (const [axis, size] of expected.entries()) requireEqual(size, received[axis]!, message)
  }
  for (const { left, right, message } of graph.guards) requireEqual(left, right, () => message)
  let outputs: readonly Node[] | undefined
  return graph.outputs.map((_, index) =>
    derive(args, (nodes) => {
      outputs ??= substitute(graph.outputs, new Map(graph.params.map((param, i) => [param, nodes[i]!])))
      return outputs[index]!
    }),
  )
}
