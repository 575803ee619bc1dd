/** Which calls run natively, and on workers: a rule on sizes. No clock chooses arithmetic. */
import { type Graph, isKind, topological } from '../graph/node.ts'
import { type Bindings, evaluateSize, productOf, type Size } from '../tensor/size.ts'

/** About 2 ms as WebAssembly: worth a compiler, and too long for a thread that serves or draws. */
const WORTH = 5e7
/** About 5 ms as native code on one thread with wide vectors, and not above 20 with narrow ones. */
const LONG = 10 * WORTH

export interface Rule {
  /** Whether native code is worth its compiler. */
  readonly native: boolean
  /** Whether a call is too long for the caller's thread. */
  readonly long: boolean
}

/** For so many calls, of which each may be on one thread alone. */
export function ruleFor(graph: Graph, sizes: Bindings, calls: number, alone: boolean): Rule {
  const each = multiplications(graph, sizes)
  return { native: calls * each >= WORTH, long: each >= (alone ? LONG : WORTH) }
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
