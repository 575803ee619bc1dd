/** Which backend `auto` takes: a rule on sizes and on what the machine has. No clock chooses arithmetic. */
import { type Graph, isKind, topological } from '../graph/node.ts'
import { type Bindings, evaluateSize, productOf, type Size } from '../tensor/size.ts'

/** Multiplications of a call from which on native code is worth its compiler: about 2 ms as WebAssembly. */
const WORTH = 5e7

/** Native code for so many calls of at least 50 million multiplications in matrix products, else WebAssembly. */
export function chooseBackend(graph: Graph, sizes: Bindings, calls = 1): 'native' | 'wasm' {
  return calls * multiplications(graph, sizes) >= WORTH ? 'native' : 'wasm'
}

/** In all matrix products of a call; those over packed rows as if all rows were as long as the longest. */
export function multiplications(graph: Graph, sizes: Bindings): number {
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
