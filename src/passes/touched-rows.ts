/**
 * Gradients of tables kept for the rows alone that were read. What reading a table [V, D] at indices `at` [N] gives is
 *
 *     g = scatterAdd(at, u, V)             V rows, zeros but for those at `at`
 *
 * Where all that reads g are functions of it element by element that end as outputs, y = f(p, g) with p of parameters, and
 * sums of its squares, g is never made:
 *
 *     first = firsts(at, V)                where each index stands first
 *     U = scatterAdd(first, u, N)          N rows: the same sums, in the same order, at first places; 0 at others
 *     y = setRows(f(p, 0), at, f(gather(p, at), U))
 *     Σ g² = Σ U²
 *
 * Of y the bits are the same, signs of zeros aside: the same operations on the same numbers. The squares are added in
 * another order. Where f(p, 0) is p, as lazyAdam has it, nothing walks over the table. Loaded only for graphs with tables.
 */
import * as build from '../graph/build.ts'
import { firsts, setRows } from '../graph/build-rows.ts'
import { type Graph, isKind, makeGraph, type Node, topological } from '../graph/node.ts'
import type { OpOf } from '../graph/ops.ts'
import { substitute } from '../graph/rebuild.ts'
import { constantOf, productOf, type Size } from '../tensor/size.ts'
import type { Pass, Rule } from './rewrite.ts'

/** Rows of a table from which on it is worth it: a batch reads hundreds, and each costs a model much more than this. */
export const MANY = 1024

type Scatter = Node<OpOf<'scatterAdd'>>

/** x < x, which is what `0 < rows that are not read` becomes. */
const lessThanItself: Rule = (node) =>
  isKind(node, 'elementwise') && node.op.fn === 'less' && node.inputs[0] === node.inputs[1]
    ? build.constant(0, node.shape, 'bool')
    : undefined

export const touchedRows: Pass = {
  name: 'touched rows',
  rules: { lessThanItself },
  // One table after the other: what is left of the graph may name the gradient's norm.
  whole: (graph, note) => {
    const order = topological(graph.outputs)
    for (const sums of sumsByIndices(order)) {
      const rewritten = withoutSums(graph, order, sums)
      if (rewritten === undefined) continue
      note('touched', sums[0]!)
      return rewritten
    }
    return graph
  },
}

/** Sums over rows of large tables, those at the same indices together. */
function sumsByIndices(order: readonly Node[]): Scatter[][] {
  const groups = new Map<string, Scatter[]>()
  for (const node of order) {
    if (!isKind(node, 'scatterAdd') || (constantOf(node.op.rows) ?? 0) < MANY) continue
    const key = `${node.inputs[0]!.id} ${node.op.rows.key}`
    groups.set(key, [...(groups.get(key) ?? []), node])
  }
  return [...groups.values()]
}

/** The graph with the rows of these sums alone; undefined where something needs more than that. */
function withoutSums(graph: Graph, order: readonly Node[], sums: readonly Scatter[]): Graph | undefined {
  const readers = readersOf(order, sums)
  const updated = readers && graph.outputs.map((output) => readers.byRow.has(output))
  if (!updated || graph.outputs.some((output, i) => updated[i] && !isKind(output, 'elementwise')))
    return undefined
  const rows = new Rows(sums[0]!)
  const squares = new Map<Node, Node>()
  for (const square of readers.squares) {
    const own = rows.of(square.inputs[0]!)
    if (own === undefined) return undefined
    squares.set(square, build.reduce('sum', own, square.op.axes))
  }
  const outputs = substitute(graph.outputs, squares)
  const rest = substitute(outputs, new Map(sums.map((sum) => [sum, build.zerosLike(sum)])))
  const made: Node[] = []
  for (const [i, output] of outputs.entries()) {
    const own = updated[i] ? rows.of(output) : undefined
    if (updated[i] && own === undefined) return undefined
    made.push(own === undefined ? output : setRows(rest[i]!, rows.at, own))
  }
  return makeGraph(graph.params, made, graph.names, graph.guards)
}

interface Readers {
  /** Nodes of which row r depends on row r of the sums, and these themselves. */
  readonly byRow: ReadonlySet<Node>
  /** Sums of squares over all elements. */
  readonly squares: readonly Node<OpOf<'reduce'>>[]
}

/** All that depends on sums, but for what depends on their squares' sums; undefined where something else reads them. */
function readersOf(order: readonly Node[], sums: readonly Scatter[]): Readers | undefined {
  const byRow = new Set<Node>(sums)
  const squares: Node<OpOf<'reduce'>>[] = []
  for (const node of order) {
    if (!node.inputs.some((input) => byRow.has(input))) continue
    if (isSquares(node, byRow)) squares.push(node)
    else if (keepsRows(node)) byRow.add(node)
    else return undefined
  }
  return { byRow, squares }
}

function isSquares(node: Node, sums: ReadonlySet<Node>): node is Node<OpOf<'reduce'>> {
  if (!isKind(node, 'reduce') || node.op.fn !== 'sum' || node.shape.length > 0) return false
  const { op, inputs } = node.inputs[0]!
  const [a, b] = inputs
  return op.kind === 'elementwise' && op.fn === 'mul' && a === b && isKind(a!, 'scatterAdd') && sums.has(a)
}

function keepsRows(node: Node): boolean {
  const input = node.inputs[0]!
  if (isKind(node, 'broadcast')) return node.op.axes[0] === 0
  return isKind(node, 'elementwise') || (isKind(node, 'reshape') && node.shape[0] === input.shape[0])
}

/** What nodes over all V rows are over the N that were read. */
class Rows {
  /** The indices [N]. */
  readonly at: Node
  readonly #indices: Node
  readonly #count: Size
  readonly #first: Node
  readonly #rows: Size
  readonly #known = new Map<Node, Node | undefined>()

  constructor({ inputs, op }: Scatter) {
    this.#indices = inputs[0]!
    this.#count = productOf(this.#indices.shape)
    this.at = build.reshape(this.#indices, [this.#count])
    this.#first = build.reshape(firsts(this.at, op.rows), this.#indices.shape)
    this.#rows = op.rows
  }

  /** Undefined for what is made otherwise than row by row, of parameters. */
  of(node: Node): Node | undefined {
    if (this.#known.has(node)) return this.#known.get(node)
    const made = this.#make(node)
    this.#known.set(node, made)
    return made
  }

  #make(node: Node): Node | undefined {
    const { op, inputs } = node
    const shape = [this.#count, ...node.shape.slice(1)]
    switch (op.kind) {
      case 'scatterAdd':
        return inputs[0] === this.#indices && op.rows === this.#rows
          ? build.scatterAdd(this.#first, inputs[1]!, this.#count)
          : undefined
      case 'param':
        return build.reshape(build.gather(node, this.#indices), shape)
      case 'constant':
        return build.constant(op.value, shape, node.dtype)
      case 'size':
        return build.sizeNode(op.size, shape, node.dtype)
      case 'broadcast': {
        const input = op.axes[0] === 0 ? this.of(inputs[0]!) : inputs[0]!
        return input && build.broadcast(input, shape, op.axes)
      }
      case 'reshape': {
        const input = keepsRows(node) ? this.of(inputs[0]!) : undefined
        return input && build.reshape(input, shape)
      }
      case 'elementwise': {
        const own = inputs.map((input) => this.of(input))
        return own.every((each) => each !== undefined) ? build.elementwise(op.fn, ...own) : undefined
      }
      default:
        return undefined
    }
  }
}
