/** A graph as readable text, for snapshots, `explain` and error messages. Names are local: %0, %1 … by order. */
import { printShape } from '../tensor/size.ts'
import { type Graph, type Node, scanParts, topological } from './node.ts'
import type { Op } from './ops.ts'

export function printGraph(graph: Graph, indent = ''): string {
  const names = new Map<Node, string>()
  const lines: string[] = []
  for (const [i, each] of graph.params.entries()) {
    const known = graph.names[i]
    names.set(each, known === undefined || known === 'const' ? `p${i}` : `${known}.${i}`)
  }
  const params = graph.params.map((each) => `${names.get(each)}: ${typeOf(each)}`)
  lines.push(`${indent}(${params.join(', ')}) {`)
  for (const node of topological(graph.outputs)) {
    if (names.has(node)) continue
    names.set(node, `%${names.size - graph.params.length}`)
    const operands = node.inputs.map((input) => names.get(input)).join(', ')
    const { op } = node
    if (op.kind === 'scan') {
      const { carries, xs, consts } = scanParts(
        op,
        node.inputs.map((input) => names.get(input)!),
      )
      const way = `${op.checkpoint ? 'checkpointed ' : ''}${op.reverse ? 'backwards' : 'forwards'}`
      const rows = op.packing && `, ${op.packing.alive.key} of ${op.packing.rows.key} rows`
      const counts = op.packing && ` counted by ${names.get(node.inputs[op.body.params.length]!)}`
      lines.push(
        `${indent}  ${names.get(node)} = scan ${way}, ${op.steps.key} steps${rows ?? ''}${counts ?? ''}, carry (${carries.join(', ')}), ` +
          `xs (${xs.join(', ')}), consts (${consts.join(', ')})`,
        printGraph(op.body, `${indent}    `),
      )
    } else lines.push(`${indent}  ${names.get(node)}: ${typeOf(node)} = ${describeOp(op)}(${operands})`)
  }
  lines.push(`${indent}  return ${graph.outputs.map((output) => names.get(output)).join(', ')}`, `${indent}}`)
  return lines.join('\n')
}

export function typeOf(node: Node): string {
  return `${node.dtype}${printShape(node.shape)}`
}

/** An operation with its attributes, without operands. */
export function describeOp(op: Op): string {
  switch (op.kind) {
    case 'elementwise':
      return op.fn
    case 'constant':
      return `constant ${op.value}`
    case 'size':
      return `size ${op.size.key}`
    case 'einsum':
      return `einsum ${op.a},${op.b}→${op.out} `
    case 'reduce':
      return `${op.fn} over ${op.axes.join(',')} `
    case 'broadcast':
      return `broadcast to axes ${op.axes.join(',')} `
    case 'transpose':
      return `transpose ${op.permutation.join(',')} `
    case 'slice':
      return `slice axis ${op.axis} from ${op.start.key}${op.step === 1 ? '' : ` by ${op.step}`} `
    case 'pad':
      return `pad axis ${op.axis} by ${op.low.key}, ${op.high.key}${op.step === 1 ? '' : `, apart by ${op.step}`} `
    case 'concat':
    case 'flip':
    case 'iota':
      return `${op.kind} axis ${op.axis} `
    case 'output':
      return `output ${op.index} of `
    default:
      return op.kind
  }
}
