/** From a scan to a loop: where its states, its inputs and what it yields lie in memory. */
import { isByRow, outputOf, stackedShape } from '../graph/build-scan.ts'
import { isKind, type Node, type ScanNode, type ScanParts, scanParts } from '../graph/node.ts'
import type { OpOf } from '../graph/ops.ts'
import { endingState } from '../passes/ending.ts'
import { LEAF_KINDS } from '../passes/fuse.ts'
import { addSize, modSize, mulSize, ONE, productOf, type Size, size, ZERO } from '../tensor/size.ts'
import { type Lowering, Scope } from './lowering.ts'
import {
  denseStrides,
  denseView,
  type Ending,
  type Expr,
  type Loop,
  type LoopTerm,
  type View,
} from './program.ts'
import { strided } from './views.ts'

/** Lowers a scope's outputs, each into its place where one is given. */
type LowerScope = (
  lowering: Lowering,
  outputs: readonly Node[],
  places: readonly (View | undefined)[],
  scope: Scope,
) => void

/** A scan on its way to a loop. */
interface Lowered {
  readonly lowering: Lowering
  readonly node: ScanNode
  readonly scope: Scope
  readonly body: Scope
  readonly loop: Loop
  readonly params: ScanParts<Node>
  readonly inputs: ScanParts<Node>
  readonly nexts: readonly Node[]
  readonly yields: readonly Node[]
}

/** Where a state's next value goes: into a place, or, once the step is done, over the state itself. */
interface StatePlace {
  readonly place?: View
  readonly over?: View
}

export function lowerScan(lowering: Lowering, node: ScanNode, scope: Scope, lowerScope: LowerScope): void {
  const { op } = node
  const inputs = scanParts(op, node.inputs)
  const counts = node.inputs[op.body.params.length]
  const rows =
    op.packing === undefined ? undefined : { ...op.packing, counts: lowering.denseAccess(counts!, scope) }
  const loop = lowering.newLoop(op.steps, op.reverse, { rows })
  const body = new Scope(scope, loop)
  const params = scanParts<Node>(op, op.body.params)
  const nexts = op.body.outputs.slice(0, op.carries)
  const yields = op.body.outputs.slice(op.carries)
  const scan: Lowered = { lowering, node, scope, body, loop, params, inputs, nexts, yields }
  // Which yields lie in the slots of a state.
  const aliases = new Map<number, View>()
  const states = params.carries.map((param, j) =>
    isByRow(param, op.packing) ? stateByRow(scan, j) : stateInSlots(scan, j, aliases),
  )
  for (const [j, param] of params.xs.entries()) {
    body.access.set(param, atStep(lowering.accessOf(inputs.xs[j]!, scope), param, scan))
  }
  for (const [j, param] of params.consts.entries())
    body.access.set(param, lowering.accessOf(inputs.consts[j]!, scope))
  const beside = placesBeside(scan, aliases)
  const places = yields.map((each, i) => {
    const output = outputOf(node, op.carries + i)
    const alias = aliases.get(i)
    const stacked = alias ?? beside.get(i) ?? lowering.temporary(scope, 'stacked', output.shape, output.dtype)
    scope.access.set(output, stacked)
    return alias === undefined ? atStep(stacked, each, scan) : undefined
  })
  lowerScope(lowering, op.body.outputs, [...states.map(({ place }) => place), ...places], body)
  overwriteStates(scan, states)
  scope.steps.push({ kind: 'loop', loop, body: body.steps, until: endingOf(scan, states) })
}

/** A loop that may end early leaves zeros where its steps would have. */
function endingOf(
  { lowering, node, scope, yields }: Lowered,
  states: readonly StatePlace[],
): Ending | undefined {
  const ending = endingState(node)
  if (ending === undefined) return undefined
  for (const [i, each] of yields.entries()) {
    const output = outputOf(node, node.op.carries + i)
    const zero: Expr = { kind: 'constant', value: 0, dtype: each.dtype }
    const view = lowering.accessOf(output, scope)
    scope.emit({ kind: 'map', shape: output.shape, stores: [{ view, expr: zero, dtype: each.dtype }] })
  }
  const elements = productOf(node.op.body.outputs[ending]!.shape)
  return { view: states[ending]!.place!, elements }
}

/**
 * Yields that are element-wise functions of slices which together fill an axis, as the gates of a cell are, lie side by
 * side as the slices do. So they can stand in the place of what they were made of: see overlay.ts.
 */
function placesBeside(
  { lowering, node, scope, yields }: Lowered,
  aliases: ReadonlyMap<number, View>,
): Map<number, View> {
  const groups = new Map<Node, Map<Node<OpOf<'slice'>>, number>>()
  for (const [i, each] of yields.entries()) {
    const slice = aliases.has(i) || each.dtype !== 'f32' ? undefined : sliceUnder(each)
    if (slice === undefined) continue
    const whole = slice.inputs[0]!
    const group = groups.get(whole) ?? new Map<Node<OpOf<'slice'>>, number>()
    if (!group.has(slice)) groups.set(whole, group.set(slice, i))
  }
  const places = new Map<number, View>()
  for (const [whole, group] of groups) {
    const slices = [...group.keys()]
    const axis = slices[0]!.op.axis
    if (group.size < 2 || slices.some(({ op }) => op.axis !== axis) || !fill(slices, whole, axis)) continue
    const shape = stackedShape(whole, node.op)
    const stacked = lowering.temporary(scope, 'stacked', shape, 'f32')
    const outer = axis + shape.length - whole.shape.length
    for (const [{ op }, i] of group) places.set(i, strided(stacked, outer, op.start, ONE))
  }
  return places
}

/** The slice that an element-wise node is a function of, element by element; undefined where it reads more. */
function sliceUnder(node: Node): Node<OpOf<'slice'>> | undefined {
  if (isKind(node, 'slice')) return node.op.step === 1 ? node : undefined
  const [input, ...others] = node.inputs
  return isKind(node, 'elementwise') && others.length === 0 ? sliceUnder(input!) : undefined
}

/** Whether slices stand one behind the other and leave nothing out. */
function fill(slices: readonly Node<OpOf<'slice'>>[], whole: Node, axis: number): boolean {
  let end = ZERO
  for (const _ of slices) {
    const next = slices.find(({ op }) => op.start === end)
    if (next !== undefined) end = addSize(end, next.shape[axis]!)
  }
  const widths = slices.reduce((sum, { shape }) => addSize(sum, shape[axis]!), ZERO)
  return end === whole.shape[axis] && widths === end
}

/** What of a stacked buffer a step reads or writes. */
function atStep(stacked: View, inner: Node, { node, loop }: Lowered): View {
  const [stride, ...strides] = stacked.strides as [Size, ...Size[]]
  if (isByRow(inner, node.op.packing)) {
    return { ...stacked, terms: [...stacked.terms, { loop, by: 'rows', stride }] }
  }
  return { ...stacked, strides, terms: [...stacked.terms, { loop, by: 'time', stride }] }
}

/**
 * A state that is read after the loop at every step is kept in a buffer of T + 1 slots, written where it will be read;
 * any other alternates between two.
 */
function stateInSlots(scan: Lowered, j: number, aliases: Map<number, View>): StatePlace {
  const { lowering, node, scope, body, loop, params, inputs, nexts, yields } = scan
  const { op } = node
  const param = params.carries[j]!
  const stride = productOf(param.shape)
  const isBefore = (each: Node) => each === param
  const isAfter = (each: Node) => each === nexts[j] && nexts.indexOf(each) === j
  const kept = yields.some((each) => isBefore(each) || isAfter(each))
  const slots = kept ? addSize(op.steps, ONE) : size(2)
  const buffer = lowering.buffer(scope, 'state', mulSize(slots, stride), param.dtype)
  const at = (offset: Size, by?: LoopTerm['by']): View => ({
    buffer,
    offset,
    strides: denseStrides(param.shape),
    terms: by === undefined ? [] : [{ loop, by, stride }],
  })
  const end = mulSize(op.steps, stride)
  const [low, high] = op.reverse ? [stride, ZERO] : [ZERO, stride]
  body.access.set(param, kept ? at(low, 'time') : at(ZERO, 'parity'))
  const last = at(kept ? (op.reverse ? ZERO : end) : mulSize(modSize(op.steps, 2), stride))
  copyNode(lowering, inputs.carries[j]!, at(kept && op.reverse ? end : ZERO), scope)
  scope.access.set(outputOf(node, j), last)
  for (const [i, each] of yields.entries()) {
    const offset = isBefore(each) ? low : isAfter(each) ? high : undefined
    if (offset !== undefined && !aliases.has(i)) aliases.set(i, stackedView(at(offset), stride))
  }
  return { place: kept ? at(high, 'time') : at(ZERO, 'nextParity') }
}

/** A state of packed rows has one place, of which each step writes over what belongs to the rows alive. */
function stateByRow({ lowering, node, scope, body, params, inputs }: Lowered, j: number): StatePlace {
  const output = outputOf(node, j)
  const param = params.carries[j]!
  // The body's own: what is made of it cannot leave the loop.
  const buffer = lowering.buffer(body, 'state', productOf(output.shape), output.dtype)
  const whole = denseView(buffer, output.shape)
  copyNode(lowering, inputs.carries[j]!, whole, scope)
  scope.access.set(output, whole)
  body.access.set(param, whole)
  return { over: whole }
}

/** At the end of a step; a next state that lies in another state's place is rescued first. */
function overwriteStates({ lowering, body, nexts }: Lowered, states: readonly StatePlace[]): void {
  const owned = new Set(states.flatMap(({ over }) => (over === undefined ? [] : [over.buffer])))
  const sources = states.map(({ over }, j) => {
    if (over === undefined) return undefined
    const { shape, dtype } = nexts[j]!
    const view = lowering.accessOf(nexts[j]!, body)
    if (!owned.has(view.buffer)) return view
    const rescued = lowering.temporary(body, 'next', shape, dtype)
    lowering.copy(body, shape, view, rescued, dtype)
    return rescued
  })
  for (const [j, { over }] of states.entries()) {
    const { shape, dtype } = nexts[j]!
    if (over !== undefined) lowering.copy(body, shape, sources[j]!, over, dtype)
  }
}

/** Copies a node's values; a leaf is computed on the spot. */
function copyNode(lowering: Lowering, node: Node, into: View, scope: Scope): void {
  const expr = LEAF_KINDS.has(node.op.kind)
    ? lowering.expression(node, scope, new Set(), new Map())
    : ({ kind: 'load', view: lowering.accessOf(node, scope), dtype: node.dtype } as const)
  scope.emit({ kind: 'map', shape: node.shape, stores: [{ view: into, expr, dtype: node.dtype }] })
}

function stackedView(view: View, stride: Size): View {
  return { ...view, strides: [stride, ...view.strides] }
}
