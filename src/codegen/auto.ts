/** Which calls run natively, and on workers: a rule on sizes. No clock chooses arithmetic. */
import { type Graph, isKind, topological } from '../graph/node.ts'
import { type Bindings, evaluateSize, productOf, type Size } from '../tensor/size.ts'

/** About 2 ms as WebAssembly: worth a compiler, and too long for a thread that serves or draws. */
const WORTH = 5e7

/** Whether so many calls have at least 50 million multiplications in matrix products. */
export function isLarge(graph: Graph, sizes: Bindings, calls = 1): boolean {
  return calls * multiplications(graph, sizes) >= WORTH
}

/** In all matrix products of a call; those over packed rows as if all rows were as long as the longest. */
function multiplications(graph: Graph, sizes: Bindings): number {
  return topological(graph.outputs).reduce((sum, node) => {
    if (isKind(node, 'einsum')) {
      const { a, b } = node.op
      const axes = new Map<string, Size>()
      for (const [labels, input] of [[a, node.inputs[0]!] as const, [b, node.inputs[1]!] as const])
        for (const [axis, label] of [...labels].entries()) axes.set(label, input.shape[axis]!)
      return sum + evaluateSize(productOf([...axes.values()]), sizes)
    }
    if (!isKind(node, 'scan')) return sum
    const { body, steps, packing } = node.op
    const inside =
      packing === undefined
        ? sizes
        : new Map([...sizes, [packing.alive.key, evaluateSize(packing.rows, sizes)]])
    return sum + evaluateSize(steps, sizes) * multiplications(body, inside)
  }, 0)
}
