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
import { stepsOf } from '../graph/scan-steps.ts'
import { packingInput } from '../layers/packing.ts'
import type { TensorData } from '../tensor/dtype.ts'
import { RecurraError } from '../tensor/errors.ts'
import { type Bindings, evaluateSize, type Shape } from '../tensor/size.ts'
import { elementCount } from '../tensor/tensor.ts'
import type { NamedGraph } from './session.ts'

const LARGEST_F32 = (2 - 2 ** -23) * 2 ** 127
/** Most multiplications that a replay may cost: about half a minute. */
const MOST_PRODUCTS = 1e9

/** A node and an element of it that is not finite. */
type Spot = readonly [node: Node, element: number]

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
  /** The sizes where it stands. */
  readonly bindings: Bindings
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
  return describe(place, graph.params, values, inputs)
}

/** The error that ends a training whose step was not finite; `where` says where that began. */
export function notFinite(
  step: number,
  { loss, gradientNorm }: { readonly loss: number; readonly gradientNorm: number },
  where: string,
): RecurraError {
  return new RecurraError(
    'not-finite',
    `training stopped at step ${step}: the loss is ${loss}, the gradient's norm ${gradientNorm}. ` +
      `${where} The model keeps what it had before that step. ` +
      'Look for NaN in the data, lower the learning rate, or set clipGlobalNorm.',
  )
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
  const reached = new Map<Node, number>()
  const reach = ([node, element]: Spot) => reached.has(node) || reached.set(node, element)
  for (const node of starts) reach([node, firstBad(level.values.get(node)!)])
  for (const spot of reached) {
    const [node] = spot
    const found = isKind(node, 'output') ? throughTime(level, node) : spoiltOperands(level, spot)
    if (!Array.isArray(found)) {
      if (order.indexOf(node) < at) [first, at] = [found as Place, order.indexOf(node)]
    } else for (const each of found as Spot[]) reach(each)
  }
  return first
}

/**
 * The elements of operands that spoilt one of a node, or the node itself if none did. Others of the same operand may be
 * masked, so the way keeps to the element where it can.
 */
function spoiltOperands(level: Level, [node, element]: Spot): readonly Spot[] | Place {
  const numbersOf = (input: Node) => level.values.get(input)!
  const spots = (inputs: readonly Node[], place: (input: Node) => number) => {
    const all = inputs.map((input): Spot => [input, place(input)])
    const read = all.filter(([input, at]) => at >= 0 && isBad(numbersOf(input).data[at]!))
    return read.length > 0 ? read : placeOf(level, [node, element])
  }
  if (isKind(node, 'transpose')) {
    const sizes = numbersOf(node).shape
    return spots(node.inputs, () => elementBefore(element, node.op.permutation, sizes))
  }
  if (isKind(node, 'reshape')) return spots(node.inputs, () => element)
  if (isKind(node, 'gather')) {
    const [table, indices] = node.inputs as [Node, Node]
    const width = elementCount(numbersOf(table).shape.slice(1))
    const row = numbersOf(indices).data[Math.floor(element / width)]!
    return spots([table], () => row * width + (element % width))
  }
  if (!isKind(node, 'elementwise')) return spots(node.inputs, (input) => firstBad(numbersOf(input)))
  if (node.op.fn !== 'select') return spots(node.inputs, () => element)
  const [condition, yes, no] = node.inputs
  return spots([numbersOf(condition!).data[element] !== 0 ? yes! : no!], () => element)
}

/** Where an element of a transpose, whose sizes these are, stood before. */
function elementBefore(element: number, permutation: readonly number[], sizes: readonly number[]): number {
  let [rest, before] = [element, 0]
  for (let axis = sizes.length - 1; axis >= 0; axis--) {
    const behind = sizes.filter((_, other) => permutation[other]! > permutation[axis]!)
    before += (rest % sizes[axis]!) * elementCount(behind)
    rest = Math.floor(rest / sizes[axis]!)
  }
  return before
}

function placeOf({ values, bindings }: Level, [node, element]: Spot): Place {
  return { node, element, value: values.get(node)!.data[element]!, times: [], bindings }
}

/** From an output of a scan back through its steps: to a place inside, or to the operand that brought it in. */
function throughTime(level: Level, output: Node<OpOf<'output'>>): readonly Spot[] | Place {
  const scan = output.inputs[0] as ScanNode
  const { op } = scan
  const { body } = op
  const numbersOf = (node: Node) => level.values.get(node)!
  const counts = scan.inputs[body.params.length]
  const steps = stepsOf(scan, counts && numbersOf(counts), level.bindings)
  const [params, outer] = [scanParts<Node>(op, body.params), scanParts(op, scan.inputs)]
  // The states before each step, which every scan made by the face or by gradient yields.
  const histories = params.carries.map((carry) => body.outputs.indexOf(carry, op.carries))
  if (histories.includes(-1)) return placeOf(level, [output, firstBad(numbersOf(output))])
  let [index, at] = [output.op.index, steps.length - 1]
  if (index >= op.carries) {
    const yielded = body.outputs[index]!
    at = steps.findIndex((step) => firstBad(step.part(numbersOf(output), yielded)) >= 0)
  }
  for (; at >= 0; at--) {
    const step = steps[at]!
    const args = [
      ...histories.map((history, i) => step.part(numbersOf(outputOf(scan, history)), params.carries[i]!)),
      ...outer.xs.map((x, i) => step.part(numbersOf(x), params.xs[i]!)),
      ...outer.consts.map((each, i) => step.held(numbersOf(each), params.consts[i]!)),
    ]
    const inside = evaluateAll(body.params, body.outputs, args, step.bindings)
    // What is not alive at this step holds what it had.
    if (!isBadAt(inside, body.outputs[index]!)) continue
    const place = origin(inside, [body.outputs[index]!])!
    const param = (body.params as readonly Node[]).indexOf(place.node)
    const time = `t = ${step.t}${op.reverse ? ' on the way back' : ''}`
    if (param < 0) return { ...place, times: [time, ...place.times] }
    if (param >= op.carries) {
      const x = params.xs.indexOf(place.node)
      const before = x < 0 ? 0 : step.before(numbersOf(outer.xs[x]!), place.node)
      return [[scan.inputs[param]!, before + place.element]]
    }
    index = param
  }
  const begin = scan.inputs[index]!
  return [[begin, firstBad(numbersOf(begin))]]
}

function describe(
  place: Place,
  params: readonly Node[],
  values: ReadonlyMap<string, TensorData>,
  names: readonly string[],
): string {
  const { node, element, value, times, bindings } = place
  const needed = new Set(topological([node]).map((each) => names[params.indexOf(each)]))
  // Rows stand in order of their lengths between two gathers: by `order`, and back by `places`.
  const isSorted = needed.has(packingInput('order', '')) && !needed.has(packingInput('places', ''))
  const packed = (field: 'order' | 'rows' | 'steps', part: string) => values.get(packingInput(field, part))!
  const at = placeIn(node.shape, element, bindings, packed, isSorted)
  const where = [...times, ...at].join(', ')
  const input = params.indexOf(node)
  const what = input >= 0 ? `input ${names[input]}` : `${describeOp(node.op).trim()} ${typeOf(node)}`
  const kind = Number.isFinite(value) ? `${value.toPrecision(4)} (beyond f32)` : String(value)
  return `Replayed in f64, it begins with ${kind} in ${what}${where === '' ? '' : ` at ${where}`}.`
}

/** Row and time of an element, where its axes tell; `packed` are the numbers that say how rows are packed. */
function placeIn(
  shape: Shape,
  element: number,
  bindings: Bindings,
  packed: (field: 'order' | 'rows' | 'steps', part: string) => TensorData,
  isSorted: boolean,
): string[] {
  const place: string[] = []
  let rest = element
  const sizes = shape.map(({ key }) => /^(B|T|N|alive)(.*)$/.exec(key) ?? [key, key, ''])
  for (const [axis, [, name, part]] of [...sizes.entries()].reverse()) {
    const size = evaluateSize(shape[axis]!, bindings)
    const at = rest % size
    rest = Math.floor(rest / size)
    if (name === 'B') place.unshift(`row ${isSorted ? packed('order', '')[at] : at}`)
    else if (name === 'T') place.unshift(`t = ${at}`)
    else if (name === 'N')
      place.unshift(`row ${packed('rows', part!)[at]}, t = ${packed('steps', part!)[at]}`)
    else if (name === 'alive') place.unshift(`row ${packed('order', part!)[at]}`)
  }
  return place
}

const sizesOf = (shape: Shape, bindings: Bindings) => shape.map((size) => evaluateSize(size, bindings))

/** Multiplications in all matrix products, those of scans once a step. */
function productsOf(outputs: readonly Node[], bindings: Bindings): number {
  let count = 0
  for (const node of topological(outputs)) {
    if (isKind(node, 'scan')) {
      const { steps, body, packing } = node.op
      const inside = new Map(bindings)
      if (packing !== undefined) inside.set(packing.alive.key, evaluateSize(packing.rows, bindings))
      count += evaluateSize(steps, bindings) * productsOf(body.outputs, inside)
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
