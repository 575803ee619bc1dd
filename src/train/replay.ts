/**
 * Finds where a step's numbers left f32: the oracle runs the step again in f64 and keeps every node's value; from the
 * loss (or the gradient's norm) the way leads back over operands that are not finite either, through scans and their
 * time, to the first operation whose own operands were still finite. What masks cut off is never on that way.
 */
import { outputOf } from '../graph/build-scan.ts'
import { type F64Array, interpret } from '../graph/interpret.ts'
import { isKind, makeGraph, type Node, type ScanNode, scanParts, topological } from '../graph/node.ts'
import type { OpOf } from '../graph/ops.ts'
import { describeOp, typeOf } from '../graph/print.ts'
import type { TensorData } from '../tensor/dtype.ts'
import { type Bindings, evaluateSize, type Shape, symbol } from '../tensor/size.ts'
import type { NamedGraph } from './session.ts'

const LARGEST_F32 = (2 - 2 ** -23) * 2 ** 127
/** Most multiplications that a replay may cost: about half a minute. */
const MOST_PRODUCTS = 1e9

/** A graph under evaluation. */
interface Level {
  readonly bindings: Bindings
  readonly values: ReadonlyMap<Node, F64Array>
}

/** An operation and one of its elements; the times of the scans around it, outermost first. */
interface Place {
  readonly node: Node
  readonly element: number
  readonly value: number
  readonly times: readonly string[]
}

/**
 * A sentence that says where: operation, time, row, number. `values` are the inputs before the step, `broken` the output
 * that was not finite.
 */
export function replay(
  { graph, inputs, outputs }: NamedGraph,
  values: ReadonlyMap<string, TensorData>,
  bindings: Bindings,
  broken: string,
): string {
  const output = graph.outputs[outputs.indexOf(broken)]!
  const products = productsOf([output], bindings)
  if (products > MOST_PRODUCTS) {
    return `The step is too large (${products} products) to be replayed in f64; one of fewer rows would say where.`
  }
  const args = graph.params.map((param, i) => ({
    data: Float64Array.from(values.get(inputs[i]!)!),
    shape: sizesOf(param.shape, bindings),
  }))
  const level = evaluateAll(graph.params, [output], args, bindings)
  // What f64 still holds, and makes small again later, may be too large for f32.
  const overflow = [...level.values.keys()].find((node) => overflows(level, node))
  const starts = [isBadAt(level, output) ? output : undefined, overflow]
  const place = origin(
    level,
    starts.filter((node) => node !== undefined),
  )
  if (place === undefined) {
    return 'Replayed in f64, the step stays within the range of f32: what it lacks is precision.'
  }
  return describe(place, graph.params, inputs, bindings)
}

/** Values of all nodes that the outputs need. Scans have none themselves, their outputs do. */
function evaluateAll(
  params: Parameters<typeof makeGraph>[0],
  outputs: readonly Node[],
  args: readonly F64Array[],
  bindings: Bindings,
): Level {
  const nodes = topological(outputs).flatMap((node) =>
    isKind(node, 'scan') ? outputsOf(node) : node.op.kind === 'output' ? [] : [node],
  )
  const all = interpret(makeGraph(params, nodes), args, bindings)
  return { bindings, values: new Map(nodes.map((node, i) => [node, all[i]!])) }
}

const outputsOf = (scan: ScanNode) => scan.op.body.outputs.map((_, i) => outputOf(scan, i))

const isBad = (value: number) => !(Math.abs(value) <= LARGEST_F32)
const firstBad = ({ data }: F64Array) => data.findIndex(isBad)
const isBadAt = ({ values }: Level, node: Node) => firstBad(values.get(node)!) >= 0
const overflows = ({ values }: Level, node: Node) =>
  values.get(node)!.data.some((value) => isBad(value) && Number.isFinite(value))

/** The first place, in the order of evaluation, from which numbers that are not finite come to these nodes. */
function origin(level: Level, starts: readonly Node[]): Place | undefined {
  const order = [...level.values.keys()]
  let [first, at]: [Place | undefined, number] = [undefined, order.length]
  const reached = new Set(starts)
  for (const node of reached) {
    const found = isKind(node, 'output') ? throughTime(level, node) : spoiltOperands(level, node)
    if (!Array.isArray(found)) {
      if (order.indexOf(node) < at) [first, at] = [found as Place, order.indexOf(node)]
    } else for (const each of found) reached.add(each)
  }
  return first
}

/** The operands that spoilt a node, or the node itself if none did. */
function spoiltOperands(level: Level, node: Node): readonly Node[] | Place {
  const place = placeOf(level, node)
  const numberOf = (input: Node) => level.values.get(input)!.data[place.element]!
  let read = node.inputs
  if (!isKind(node, 'elementwise')) read = read.filter((input) => isBadAt(level, input))
  else {
    if (node.op.fn === 'select') read = [numberOf(read[0]!) !== 0 ? read[1]! : read[2]!]
    read = read.filter((input) => isBad(numberOf(input)))
  }
  return read.length > 0 ? read : place
}

function placeOf({ values }: Level, node: Node): Place {
  const value = values.get(node)!
  const element = firstBad(value)
  return { node, element, value: value.data[element]!, times: [] }
}

/** From an output of a scan back through its steps: to a place inside, or to the operand that brought it in. */
function throughTime(level: Level, output: Node<OpOf<'output'>>): readonly Node[] | Place {
  const scan = output.inputs[0] as ScanNode
  const { op } = scan
  const { body } = op
  const steps = evaluateSize(op.steps, level.bindings)
  const [params, outer] = [scanParts(op, body.params), scanParts(op, scan.inputs)]
  const timeOf = (step: number) => (op.reverse ? steps - 1 - step : step)
  const at = (x: Node, step: number) => {
    const { data, shape } = level.values.get(x)!
    const [t, length] = [timeOf(step), data.length / steps]
    return { data: data.subarray(t * length, (t + 1) * length), shape: shape.slice(1) }
  }
  // The states before each step, which every scan made by the face or by gradient yields.
  const histories = params.carries.map((carry) => body.outputs.indexOf(carry, op.carries))
  if (histories.includes(-1)) return placeOf(level, output)
  let [index, step] = [output.op.index, steps - 1]
  if (index >= op.carries) for (step = 0; firstBad(at(output, step)) < 0; ) step++
  for (;;) {
    const args = [
      ...histories.map((history) => at(outputOf(scan, history), step)),
      ...outer.xs.map((x) => at(x, step)),
      ...outer.consts.map((each) => level.values.get(each)!),
    ]
    const inside = evaluateAll(body.params, body.outputs, args, level.bindings)
    const place = origin(inside, [body.outputs[index]!])!
    const param = (body.params as readonly Node[]).indexOf(place.node)
    const time = `t = ${timeOf(step)}${op.reverse ? ' on the way back' : ''}`
    if (param < 0) return { ...place, times: [time, ...place.times] }
    if (param >= op.carries || step === 0) return [scan.inputs[param]!]
    index = param
    step--
  }
}

function describe(
  place: Place,
  params: readonly Node[],
  names: readonly string[],
  bindings: Bindings,
): string {
  const { node, element, value, times } = place
  const at = indexOf(node.shape, element, bindings)
  const where = [...times, ...at].join(', ')
  const input = params.indexOf(node)
  const what = input >= 0 ? `input ${names[input]}` : `${describeOp(node.op).trim()} ${typeOf(node)}`
  const kind = Number.isFinite(value) ? `${value.toPrecision(4)} (beyond f32)` : String(value)
  return `Replayed in f64, it begins with ${kind} in ${what}${where === '' ? '' : ` at ${where}`}.`
}

/** Row and time of an element, where its axes tell. */
function indexOf(shape: Shape, element: number, bindings: Bindings): string[] {
  const index: string[] = []
  let rest = element
  for (const [axis, size] of [...sizesOf(shape, bindings).entries()].reverse()) {
    const at = rest % size
    rest = Math.floor(rest / size)
    if (shape[axis] === symbol('B')) index.unshift(`row ${at}`)
    else if (shape[axis] === symbol('T')) index.unshift(`t = ${at}`)
  }
  return index
}

const sizesOf = (shape: Shape, bindings: Bindings) => shape.map((size) => evaluateSize(size, bindings))

/** Multiplications in all matrix products, those of scans once a step. */
function productsOf(outputs: readonly Node[], bindings: Bindings): number {
  let count = 0
  for (const node of topological(outputs)) {
    if (isKind(node, 'scan')) {
      count += evaluateSize(node.op.steps, bindings) * productsOf(node.op.body.outputs, bindings)
    } else if (isKind(node, 'einsum')) {
      const sizes = new Map<string, number>()
      for (const [i, labels] of [node.op.a, node.op.b].entries()) {
        for (const [axis, label] of [...labels].entries()) {
          sizes.set(label, evaluateSize(node.inputs[i]!.shape[axis]!, bindings))
        }
      }
      count += [...sizes.values()].reduce((product, size) => product * size, 1)
    }
  }
  return count
}
