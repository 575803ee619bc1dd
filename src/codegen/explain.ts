/** What compiling does to a graph, pass by pass, in words and numbers. */
import { type Graph, isKind, type Node, topological } from '../graph/node.ts'
import { describeOp, typeOf } from '../graph/print.ts'
import { LEAF_KINDS, VIEW_KINDS } from '../passes/fuse.ts'
import { brought } from '../passes/lift.ts'
import { ROWS } from '../passes/lift-rows.ts'
import type { Done } from '../passes/rewrite.ts'
import { movesRows } from '../passes/scans.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { evaluateSize, printShape, productOf, type Size, symbolsOf } from '../tensor/size.ts'
import { Planner } from './arena.ts'
import { type LowerOptions, lower } from './lower.ts'
import { MOVES } from './moves.ts'
import { runPasses } from './passes.ts'
import type { Program, Step } from './program.ts'
import { rowLoops } from './row-loops.ts'

export interface ExplainOptions extends LowerOptions {
  /** Values of the sizes, to count bytes with: { B: 32, T: 64 }. */
  readonly sizes?: Readonly<Record<string, number>>
}

const op = (node: Node) => describeOp(node.op).trim()
const WORDS: Readonly<Record<Done, (...nodes: Node[]) => string>> = {
  left: (node, lifted) =>
    `${op(node!)} left the loop as one ${op(lifted!)} → ${typeOf(lifted!)}: it does not depend on the carry`,
  apart: () => 'steps that hand no state on are computed all at once',
  after: (node) => `${op(node!)} is made after the loop from stacked operands: no state reads it`,
  kept: (...nodes) => {
    const names = nodes.map((node) => `${op(node)} [${node.shape.map((each) => each.key).join(', ')}]`)
    return `kept from the forward scan for each step: ${names.join('; ')}`
  },
  touched: (gradient) => `a gradient ${typeOf(gradient!)} is kept for the rows alone that were read`,
  summed: (carry) => `a sum over time ${typeOf(carry!)} became one sum after the loop`,
}

/**
 * Explains what becomes of a graph: after each pass, how many operations stand outside loops and in one time step of
 * each loop, and what the pass did; then the kernels of the program, and its memory for given sizes.
 *
 *     console.log(explain(trace([{ shape: ['T', 'B', 3] }, …], (x, …) => […]), { sizes: { T: 28, B: 64 } }))
 *
 * @throws {ArgumentError} for what is no graph
 */
export function explain(graph: Graph, options: ExplainOptions = {}): string {
  if (!Array.isArray(graph?.outputs)) {
    throw new ArgumentError(
      `explain: expected a graph, such as trace or trainingGraph gives; received ${graph === null ? 'null' : typeof graph}`,
    )
  }
  brought.rows = ROWS
  const first = runPasses(graph)
  const passed = first.at(-1)!.graph
  const records = [...first, ...(movesRows(passed) ? runPasses(passed, undefined, MOVES.passes) : [])]
  const program = lower(records[records.length - 1]!.graph, {
    rows: rowLoops,
    moves: MOVES,
    ...options,
  })
  const stages = [{ pass: 'traced', graph, notes: [] }, ...records]
  return [
    'operations (views and constants cost nothing and do not count)',
    ...stages.flatMap(({ pass, graph: after, notes }) => [
      `  ${pass.padEnd(11)} ${counted(after)}`,
      ...new Set(notes.map(([done, ...nodes]) => `${' '.repeat(14)}${WORDS[done](...nodes)}`)),
    ]),
    'matrix products',
    ...productLines(records[records.length - 1]!.graph, 'outside loops'),
    'kernels',
    ...kernelLines(program.steps, 'outside loops'),
    ...memoryLines(program, options.sizes),
  ].join('\n')
}

function counted(graph: Graph): string {
  const scans = topological(graph.outputs).filter((node) => isKind(node, 'scan'))
  const steps = scans.map(({ op: { body, reverse, steps: count } }) => {
    const inner = topological(body.outputs).some((node) => isKind(node, 'scan')) ? ` {${counted(body)}}` : ''
    const einsums = computing(body).filter((node) => isKind(node, 'einsum')).length
    return `${loopName(reverse, count)}: ${computing(body).length} (${einsums} products)${inner}`
  })
  return [`outside loops: ${computing(graph).length}`, ...steps].join('; ')
}

/** Each product, where it stands and what it sums over: a weight gradient is one over all of time and batch. */
function productLines(graph: Graph, where: string): string[] {
  const lines: string[] = []
  for (const node of topological(graph.outputs)) {
    if (isKind(node, 'scan'))
      lines.push(...productLines(node.op.body, loopName(node.op.reverse, node.op.steps)))
    if (!isKind(node, 'einsum')) continue
    const [a, b] = node.inputs as [Node, Node]
    const summed = a.shape.filter((_, axis) => !node.op.out.includes(node.op.a[axis]!))
    lines.push(
      `  ${where}: ${printShape(a.shape)} · ${printShape(b.shape)} → ${printShape(node.shape)}, sums over ${productOf(summed).key}`,
    )
  }
  return lines
}

function loopName(reverse: boolean, steps: Size): string {
  return `a step ${reverse ? 'back' : 'forward'} over ${steps.key}`
}

function computing(graph: Graph): Node[] {
  const free = (node: Node) =>
    VIEW_KINDS.has(node.op.kind) ||
    LEAF_KINDS.has(node.op.kind) ||
    ['param', 'output', 'scan'].includes(node.op.kind)
  return topological(graph.outputs).filter((node) => !free(node))
}

function kernelLines(steps: readonly Step[], where: string): string[] {
  const counts = new Map<string, number>()
  const loops: string[] = []
  for (const step of steps) {
    if (step.kind === 'call') counts.set(step.kernel.kind, (counts.get(step.kernel.kind) ?? 0) + 1)
    else {
      const { reverse, steps: count, apart } = step.loop
      const name = apart ? `each of ${count.key} rows` : loopName(reverse, count)
      loops.push(...kernelLines(step.body, name))
    }
  }
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  const kinds = [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ')
  return [`  ${where}: ${total}${total === 0 ? '' : ` (${kinds})`}`, ...loops]
}

function memoryLines(program: Program, sizes: ExplainOptions['sizes']): string[] {
  const missing = new Set<string>()
  for (const { elements } of program.buffers) symbolsOf(elements, missing)
  const planner = new Planner(program)
  for (const name of [...Object.keys(sizes ?? {}), ...planner.counted]) missing.delete(name)
  if (missing.size > 0) return [`bytes: give sizes for ${[...missing].join(', ')}`]
  const bindings = planner.withRows(new Map(Object.entries(sizes ?? {})))
  const { persistentEnd: persistent, end: total } = planner.place(bindings, 0)
  const sum = program.buffers
    .filter((buffer) => !buffer.persistent)
    .reduce((bytes, { elements }) => bytes + 4 * evaluateSize(elements, bindings), 0)
  return [
    `bytes for ${Object.entries(sizes ?? {})
      .map(([name, size]) => `${name} ${size}`)
      .join(', ')}`,
    `  ${format(persistent)} inputs and outputs, ${format(total - persistent)} in between (${format(sum)} if nothing shared memory)`,
  ]
}

function format(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  return bytes < 2 ** 20 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 2 ** 20).toFixed(2)} MiB`
}
