/**
 * Graphs as plain data: parameters, nodes with the places of their inputs (parameters first, then nodes, each after
 * what it reads), outputs. Bodies of scans stand in the same list of graphs, before whoever folds them, so nothing
 * is nested and nothing can be cyclic.
 * Holds: what is read was built by the constructors of graph/build.ts, so its types are right by construction.
 */
import { param } from '../graph/build.ts'
import { collectGuards, requireEqual } from '../graph/guards.ts'
import { type Graph, type Guard, makeGraph, type Node, topological } from '../graph/node.ts'
import { entryOf, fault, type Json, list, object, type Read, text, within } from './fields.ts'
import { dtype, readOp, writeOp } from './op-data.ts'
import { requireShape, shapeReader, sizeReader, writeSize } from './size-data.ts'

/** Nodes of one graph, those of its bodies counted for every scan that folds them. */
const MAX_NODES = 100_000
const MAX_GRAPHS = 1000
/** Scans within scans. */
const MAX_NESTING = 8

/** Collects graphs for a file. The same graph gets the same place. */
export class GraphWriter {
  readonly graphs: Json[] = []
  readonly #places = new Map<Graph, number>()
  readonly #texts = new Map<string, number>()

  place(graph: Graph): number {
    const placed = this.#places.get(graph)
    if (placed !== undefined) return placed
    const data = this.#dataOf(graph)
    const key = JSON.stringify(data)
    const place = this.#texts.get(key) ?? this.graphs.push(data) - 1
    this.#texts.set(key, place)
    this.#places.set(graph, place)
    return place
  }

  /** A graph that is called on its own, with what binding its sizes must check. Its bodies' guards are among these. */
  root(graph: Graph): Json {
    const guards = graph.guards.map(({ left, right, message }) => ({
      left: writeSize(left),
      right: writeSize(right),
      message,
    }))
    return { graph: this.place(graph), guards }
  }

  #dataOf({ params, outputs, names }: Graph): Json {
    const numbers = new Map<Node, number>(params.map((each, i) => [each, i]))
    const nodes: Json[] = []
    for (const node of topological(outputs)) {
      if (numbers.has(node)) continue
      numbers.set(node, numbers.size)
      const inputs = node.inputs.map((input) => numbers.get(input)!)
      nodes.push({ ...writeOp(node, (body) => this.place(body)), inputs })
    }
    return {
      params: params.map(({ shape, dtype }, i) => ({
        name: names[i] ?? '',
        shape: shape.map(writeSize),
        dtype,
      })),
      nodes,
      outputs: outputs.map((output) => numbers.get(output)!),
    }
  }
}

/** A graph of the file and what it unfolds to. */
export interface ReadGraph {
  readonly graph: Graph
  readonly nodes: number
  readonly nesting: number
}

/** Reads a list of graphs whose sizes name these symbols only. */
export function graphsReader(symbols: readonly string[]): Read<readonly ReadGraph[]> {
  return (value, where) => {
    const known: ReadGraph[] = []
    list((each, at) => known.push(readGraph(symbols, known)(each, at)), MAX_GRAPHS)(value, where)
    return known
  }
}

function readGraph(symbols: readonly string[], known: readonly ReadGraph[]): Read<ReadGraph> {
  const size = sizeReader(symbols)
  const shape = shapeReader(size)
  return object((fields) => {
    const specs = fields.get(
      'params',
      list(
        object((each) => ({
          name: each.get('name', text),
          shape: each.get('shape', shape),
          type: each.get('dtype', dtype),
        })),
      ),
    )
    const params = specs.map((spec, i) => param(i, spec.shape, spec.type))
    const all: Node[] = [...params]
    const operand = entryOf(all, 'node before this one with number')
    let [unfolded, nesting] = [0, 0]
    const body: Read<Graph> = (value, where) => {
      const found = entryOf(known, 'graph before this one with number')(value, where)
      unfolded += found.nodes
      nesting = Math.max(nesting, 1 + found.nesting)
      if (nesting > MAX_NESTING) throw fault(where, `scans stand more than ${MAX_NESTING} deep in each other`)
      return found.graph
    }
    const readNode = object((each) => {
      const node = within(each.where, () =>
        readOp(each, each.get('inputs', list(operand)), { size, shape, body }),
      )
      requireShape(node.shape, each.where)
      all.push(node)
      if (++unfolded > MAX_NODES) throw fault(each.where, `unfolds to more than ${MAX_NODES} nodes`)
    })
    const { guards } = collectGuards(() => fields.get('nodes', list(readNode, MAX_NODES)))
    const outputs = fields.get('outputs', list(operand))
    if (outputs.some(({ op }) => op.kind === 'scan'))
      throw fault(fields.where, 'a scan is read through its outputs')
    const names = specs.map(({ name }) => name)
    return { graph: makeGraph(params, outputs, names, guards), nodes: unfolded, nesting }
  })
}

/** Reads what `GraphWriter.root` writes. */
export function rootReader(symbols: readonly string[], known: readonly ReadGraph[]): Read<Graph> {
  const size = sizeReader(symbols)
  const guard: Read<Guard> = object((fields) => {
    const read = {
      left: fields.get('left', size),
      right: fields.get('right', size),
      message: fields.get('message', text),
    }
    within(fields.where, () => requireEqual(read.left, read.right, () => read.message))
    return read
  })
  return object((fields) => {
    const { graph } = fields.get('graph', entryOf(known, 'graph with number'))
    const guards = fields.get('guards', list(guard))
    const checked = new Set(guards.map(keyOf))
    const unchecked = graph.guards.find((each) => !checked.has(keyOf(each)))
    if (unchecked !== undefined) throw fault(fields.where, unchecked.message)
    return makeGraph(graph.params, graph.outputs, graph.names, guards)
  })
}

function keyOf({ left, right }: Guard): string {
  return `${left.key}=${right.key}`
}
