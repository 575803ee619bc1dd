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
 * another order. Where f(p, 0) is p, as lazyAdam has it, nothing walks over the table. Of a table read in several places
 * the sums are read together: `at` is all their indices. Loaded only for graphs with tables.
 */
import * as build from '../graph/build.ts'
import { firsts, setRows } from '../graph/build-rows.ts'
import { type Graph, isKind, makeGraph, type Node, topological } from '../graph/node.ts'
import type { OpOf } from '../graph/ops.ts'
import { substitute } from '../graph/rebuild.ts'
import { addSize, constantOf, productOf, type Size, ZERO } from '../tensor/size.ts'
import type { Pass, Rule } from './rewrite.ts'
import { addends } from './simplify.ts'

/**
 * Rows of a table from which on it is worth it: more than batches of usual sizes read. Where a batch reads more rows than the
 * table has, the whole gradient would be the faster way.
 */
export const MANY = 4096

type Scatter = Node<OpOf<'scatterAdd'>>

/** x < x, which is what `0 < rows that are not read` becomes. */
const lessThanItself: Rule = (node) =>
  isKind(node, 'elementwise') && node.op.fn === 'less' && node.inputs[0] === node.inputs[1]
    ? build.constant(0, node.shape, 'bool')
    : undefined

export const touchedRows: Pass = {
  name: 'touched rows',
  rules: { lessThanItself },
  // One gradient after the other: what is left of the graph may name the norm of all.
  whole: (graph, note) => {
    for (const group of groupsOf(topological(graph.outputs))) {
      const rewritten = group.isWhole ? undefined : withoutSums(graph, group)
      if (rewritten === undefined) continue
      note('touched', group.sums[0]!)
      return rewritten
    }
    return graph
  },
}

/** Sums over rows of a table that are read together, and what depends on them. */
interface Group {
  readonly sums: Scatter[]
  /** Nodes of which row r depends on row r of the sums, and these themselves. */
  readonly byRow: Set<Node>
  /** Sums of squares over all elements; what depends on them does not count here. */
  readonly squares: Node<OpOf<'reduce'>>[]
  /** Whether something else reads them. */
  isWhole: boolean
}

function groupsOf(order: readonly Node[]): Group[] {
  const groups = new Map<Node, Group>()
  for (const node of order) {
    const read = new Set(node.inputs.flatMap((input) => groups.get(input) ?? []))
    if (read.size === 0) {
      if (isKind(node, 'scatterAdd') && (constantOf(node.op.rows) ?? 0) >= MANY)
        groups.set(node, { sums: [node], byRow: new Set([node]), squares: [], isWhole: false })
      continue
    }
    const group = [...read].reduce((one, other) => joined(one, other, groups))
    if (isSquares(node, group)) group.squares.push(node)
    else if (keepsRows(node)) groups.set(node, group).get(node)!.byRow.add(node)
    else group.isWhole = true
  }
  return [...new Set(groups.values())]
}

function joined(one: Group, other: Group, groups: Map<Node, Group>): Group {
  one.sums.push(...other.sums)
  one.squares.push(...other.squares)
  one.isWhole ||= other.isWhole
  for (const node of other.byRow) groups.set(node, one).get(node)!.byRow.add(node)
  return one
}

function isSquares(node: Node, { sums }: Group): node is Node<OpOf<'reduce'>> {
  if (!isKind(node, 'reduce') || node.op.fn !== 'sum' || node.shape.length > 0) return false
  const { op, inputs } = node.inputs[0]!
  const [a, b] = inputs
  if (op.kind !== 'elementwise' || op.fn !== 'mul' || a !== b) return false
  return addends(a!, (term) => sums.includes(term as Scatter)) !== undefined
}

function keepsRows(node: Node): boolean {
  if (isKind(node, 'broadcast')) return node.op.axes[0] === 0
  const isReshape = isKind(node, 'reshape') && node.shape[0] === node.inputs[0]!.shape[0]
  return isReshape || isKind(node, 'elementwise')
}

/** The graph with the rows of these sums alone; undefined where something needs more than that. */
function withoutSums(graph: Graph, { sums, byRow, squares }: Group): Graph | undefined {
  const updated = graph.outputs.map((output) => byRow.has(output))
  if (graph.outputs.some((output, i) => updated[i] && !isKind(output, 'elementwise'))) return undefined
  const rows = new Rows(sums)
  const become = new Map<Node, Node>()
  for (const square of squares) {
    const own = rows.of(square.inputs[0]!)
    if (own === undefined) return undefined
    become.set(square, build.reduce('sum', own, square.op.axes))
  }
  const outputs = substitute(graph.outputs, become)
  const rest = substitute(outputs, new Map(sums.map((sum) => [sum, build.zerosLike(sum)])))
  const made: Node[] = []
  for (const [i, output] of outputs.entries()) {
    const own = updated[i] ? rows.of(output) : undefined
    if (updated[i] && own === undefined) return undefined
    made.push(own === undefined ? output : setRows(rest[i]!, rows.at, own))
  }
  return makeGraph(graph.params, made, graph.names, graph.guards)
}

/** What nodes over all V rows are over the N that were read. */
class Rows {
  /** The indices of all sums [N], one behind the other. */
  readonly at: Node
  /** Where each of those of one sum stands first among all, by these indices. */
  readonly #firsts: ReadonlyMap<Node, Node>
  readonly #known = new Map<Node, Node | undefined>()

  constructor(sums: readonly Scatter[]) {
    const indices = [...new Set(sums.map(({ inputs }) => inputs[0]!))]
    this.at = build.concat(indices.map(flat), 0)
    const first = firsts(this.at, sums[0]!.op.rows)
    let end: Size = ZERO
    this.#firsts = new Map(
      indices.map((each) => {
        const start = end
        end = addSize(start, productOf(each.shape))
        return [each, build.reshape(build.slice(first, 0, start, end), each.shape)]
      }),
    )
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
    const count = this.at.shape[0]!
    const shape = [count, ...node.shape.slice(1)]
    switch (op.kind) {
      case 'scatterAdd': {
        const first = this.#firsts.get(inputs[0]!)
        return first && build.scatterAdd(first, inputs[1]!, count)
      }
      case 'param': {
        // As the model reads them: these reads are there already.
        const reads = [...this.#firsts.keys()].map((at) => {
          const read = build.gather(node, at)
          return build.reshape(read, [productOf(at.shape), ...node.shape.slice(1)])
        })
        return build.concat(reads, 0)
      }
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

const flat = (indices: Node) => build.reshape(indices, [productOf(indices.shape)])
