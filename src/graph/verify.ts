/** What makes a graph valid, as rules. Tests run them after every pass. */
import { RecurraError } from '../tensor/errors.ts'
import { type Graph, type Node, type ScanNode, scanParts, topological } from './node.ts'
import { printGraph, typeOf } from './print.ts'
import { construct } from './rebuild.ts'

type Rule = (node: Node, graph: Graph) => string | undefined

const RULES: Readonly<Record<string, Rule>> = {
  'a parameter is one of the graph': (node, graph) =>
    node.op.kind !== 'param' || graph.params[node.op.index] === node
      ? undefined
      : `parameter ${node.op.index} is foreign`,
  'a scan is read through its outputs': (node) =>
    node.op.kind !== 'output' && node.inputs.some((input) => input.op.kind === 'scan')
      ? 'a scan is an operand'
      : undefined,
  'a type is what its constructor infers': (node) => {
    const again = construct(node, node.inputs)
    return again === node ? undefined : `is made as ${again.op.kind} ${typeOf(again)}`
  },
  'states keep their type': (node) => {
    if (node.op.kind !== 'scan') return undefined
    const states = scanParts(node.op, node.op.body.params).carries
    const bad = states.findIndex((state, i) => {
      const next = (node as ScanNode).op.body.outputs[i]!
      return next.dtype !== state.dtype || next.shape.length !== state.shape.length
    })
    return bad < 0 ? undefined : `state ${bad} changes its type`
  },
}

/** @throws {RecurraError} naming the rule, the node and the graph */
export function verify(graph: Graph, after = 'tracing'): void {
  for (const node of topological(graph.outputs)) {
    for (const [name, rule] of Object.entries(RULES)) {
      const problem = rule(node, graph)
      if (problem !== undefined) {
        throw new RecurraError(
          'invalid-graph',
          `after ${after}: ${name}: ${node.op.kind} ${typeOf(node)} ${problem}\n${printGraph(graph)}`,
        )
      }
    }
    if (node.op.kind === 'scan') verify(node.op.body, after)
  }
}
