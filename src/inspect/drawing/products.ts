/** Which weights stand between what a graph reads and what it makes: what each value that it reads is multiplied by. */
import type { Node } from '../../graph/node.ts'

/** What a node is made of. */
interface Mixture {
  /** Of what is read. */
  readonly read: ReadonlySet<Node>
  /** Of weights, as long as nothing that is read has joined them. */
  readonly weights: ReadonlySet<string>
}

export interface Products {
  /** By what is read: the weights that it alone is multiplied by. */
  readonly of: ReadonlyMap<Node, ReadonlySet<string>>
  /** Those that only mixtures of several are multiplied by. */
  readonly inner: ReadonlySet<string>
  /** What of it the outputs depend on. */
  readonly read: ReadonlySet<Node>
}

const NONE: ReadonlySet<never> = new Set()

/**
 * From the outputs back to `read`, at which it ends. A product is one of matrices, of numbers, or a row of a table; those of a
 * scan within are those of its step, whatever they multiply there.
 */
export function productsOf(
  outputs: readonly Node[],
  read: ReadonlySet<Node>,
  weights: ReadonlyMap<Node, string>,
): Products {
  const known = new Map<Node, Mixture>()
  const of = new Map<Node, Set<string>>([...read].map((node) => [node, new Set()]))
  const mixed = new Set<string>()
  const multiply = (by: ReadonlySet<string>, by2: ReadonlySet<Node>) => {
    const [sole] = by2
    for (const name of by) (by2.size === 1 ? of.get(sole!)! : mixed).add(name)
  }
  const visit = (node: Node): Mixture => {
    const seen = known.get(node)
    if (seen !== undefined) return seen
    const mixture = mixtureOf(node)
    known.set(node, mixture)
    return mixture
  }
  const mixtureOf = (node: Node): Mixture => {
    if (read.has(node)) return { read: new Set([node]), weights: NONE }
    const weight = weights.get(node)
    if (weight !== undefined) return { read: NONE, weights: new Set([weight]) }
    const parts = node.inputs.map(visit)
    const all = union(parts.map((part) => part.read))
    if (all.size === 0) return { read: NONE, weights: union(parts.map((part) => part.weights)) }
    for (const i of factorsOf(node, (input) => parts[input]!.weights.size > 0))
      multiply(parts[i]!.weights, all)
    return { read: all, weights: NONE }
  }
  const found = outputs.map(visit)
  const alone = union([...of.values()])
  const inner = new Set([...mixed].filter((name) => !alone.has(name)))
  return { of, inner, read: union(found.map((part) => part.read)) }
}

/** Which inputs of a node, of those that are weights, multiply others. */
function factorsOf({ op, inputs }: Node, isWeight: (input: number) => boolean): number[] {
  const own = [...inputs.keys()].filter(isWeight)
  if (op.kind === 'scan') {
    const { params, outputs } = op.body
    const weights = new Map(own.map((input) => [params[input]!, `${input}`]))
    const { of, inner } = productsOf(outputs, new Set(params.filter((each) => !weights.has(each))), weights)
    const multiplied = union([...of.values(), inner])
    return own.filter((input) => multiplied.has(`${input}`))
  }
  const isProduct =
    op.kind === 'einsum' || op.kind === 'gather' || (op.kind === 'elementwise' && op.fn === 'mul')
  return isProduct ? own : []
}

function union<T>(sets: readonly ReadonlySet<T>[]): ReadonlySet<T> {
  return new Set(sets.flatMap((set) => [...set]))
}
