/**
 * Reverse-mode differentiation, graph to graph: from a graph to the nodes of its gradients. The adjoint of a scan is
 * a scan that runs the other way; its body holds the forward step too, and passes/residuals.ts decides what of it is
 * kept from the forward scan instead of recomputed.
 */
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { printShape } from '../tensor/size.ts'
import { constant, elementwise, param, zerosLike } from './build.ts'
import { heldShape, outputOf, scanOutputs, scanSpec } from './build-scan.ts'
import { operandGradients } from './gradient-rules.ts'
import { isKind, makeGraph, type Node, type ScanNode, scanParts, topological } from './node.ts'
import { substitute } from './rebuild.ts'
import { derive, type Value } from './value.ts'

/**
 * ∂loss/∂w for each w, any values of the forward graph. Differentiable again.
 * @throws {ShapeError} when the loss is not a number
 * @throws {ArgumentError} inside a step, when the loss depends on an outer w through other outer values
 */
export function gradient(loss: Value, wrt: readonly Value[]): Value[] {
  if (loss.rank !== 0)
    throw new ShapeError(`gradient: expected a scalar loss; received shape ${printShape(loss.shape)}`)
  if (loss.dtype !== 'f32') throw new ArgumentError(`gradient: expected an f32 loss; received ${loss.dtype}`)
  let gradients: (Node | undefined)[] | undefined
  return wrt.map((each, i) =>
    derive([loss, ...wrt], ([output, ...sources]) => {
      loss.trace?.requireNoOtherPath(each)
      gradients ??= adjoint([output!], [constant(1)], sources)
      return gradients[i] ?? zerosLike(sources[i]!)
    }),
  )
}

/**
 * Σ cotangent · ∂output/∂source for each source; undefined where no path leads.
 */
function adjoint(
  outputs: readonly Node[],
  cotangents: readonly (Node | undefined)[],
  sources: readonly Node[],
): (Node | undefined)[] {
  const order = topological(outputs)
  const active = dependents(order, new Set(sources))
  const gradients = new Map<Node, Node>()
  const give = (node: Node, dy: Node | undefined) => {
    if (dy === undefined || node.dtype !== 'f32' || !active.has(node)) return
    const known = gradients.get(node)
    gradients.set(node, known === undefined ? dy : elementwise('add', known, dy))
  }
  for (const [i, output] of outputs.entries()) give(output, cotangents[i])
  for (const node of order.reverse()) {
    if (isKind(node, 'scan')) {
      if (!active.has(node)) continue
      const grads = scanAdjoint(node, (index) => gradients.get(outputOf(node, index)))
      for (const [i, input] of node.inputs.entries()) give(input, grads[i])
    } else if (node.op.kind !== 'output') {
      const dy = gradients.get(node)
      if (dy === undefined) continue
      const grads = operandGradients(node, dy)
      for (const [i, input] of node.inputs.entries()) give(input, grads[i])
    }
  }
  return sources.map((source) => gradients.get(source))
}

function dependents(order: readonly Node[], sources: ReadonlySet<Node>): Set<Node> {
  const found = new Set<Node>(sources)
  for (const node of order) if (node.inputs.some((input) => found.has(input))) found.add(node)
  return found
}

/**
 * With a body (c, x, k) → (c′, y), the adjoint scan runs the other way with carries (dc, dk), inputs (c, x, dy) and
 * constants k: dc, dx and a share of dk come from the body's own adjoint at that step.
 */
function scanAdjoint(scan: ScanNode, cotangent: (output: number) => Node | undefined): (Node | undefined)[] {
  const { op } = scan
  const inputs = scanSpec(scan, scan.inputs)
  const params = scanParts(op, op.body.params)
  const yields = op.body.outputs.slice(op.carries)
  const dys = yields.map((_, i) => cotangent(op.carries + i))
  const finals = params.carries.map((_, i) => cotangent(i))
  if ([...dys, ...finals].every((dy) => dy === undefined)) return scan.inputs.map(() => undefined)

  const isFloat = (node: Node) => node.dtype === 'f32'
  const [floatCarries, floatConsts] = [params.carries.filter(isFloat), params.consts.filter(isFloat)]
  const before = historyOf(scan)
  let count = 0
  const fresh = (node: Node) => param(count++, node.shape, node.dtype)
  const dCarries = floatCarries.map(fresh)
  const dConsts = floatConsts.map(fresh)
  const carries = params.carries.map(fresh)
  const xs = params.xs.map(fresh)
  const dyParams = yields.map((each, i) => (dys[i] === undefined ? undefined : fresh(each)))
  const consts = params.consts.map(fresh)

  const forward = new Map<Node, Node>()
  for (const [from, to] of [
    [params.carries, carries],
    [params.xs, xs],
    [params.consts, consts],
  ] as const) {
    for (const [i, each] of from.entries()) forward.set(each, to[i]!)
  }
  const outputs = substitute(op.body.outputs, forward)
  const seeds = [
    ...params.carries.map((each) => (isFloat(each) ? dCarries[floatCarries.indexOf(each)] : undefined)),
    ...dyParams,
  ]
  const sources = [...floatCarries, ...params.xs, ...floatConsts].map((each) => forward.get(each)!)
  const grads = adjoint(outputs, seeds, sources)
  const nextCarries = floatCarries.map((each, i) => grads[i] ?? zerosLike(each))
  const dxs = params.xs.map((each, i) => grads[floatCarries.length + i] ?? zerosLike(each))
  const constsAt = floatCarries.length + params.xs.length
  const nextConsts = dConsts.map((sum, i) => {
    const share = grads[constsAt + i]
    return share === undefined ? sum : elementwise('add', sum, share)
  })
  const bodyParams = [
    ...dCarries,
    ...dConsts,
    ...carries,
    ...xs,
    ...dyParams.filter((each) => each !== undefined),
    ...consts,
  ]
  const history = [...dCarries, ...dConsts]
  const none = (each: Node) => constant(0, heldShape(each, op.packing), each.dtype)
  const body = makeGraph(bodyParams, [...nextCarries, ...nextConsts, ...dxs, ...history])
  const result = scanOutputs({
    body,
    carries: [
      ...floatCarries.map((each) => finals[params.carries.indexOf(each)] ?? none(each)),
      ...floatConsts.map(none),
    ],
    xs: [...before, ...inputs.xs, ...dys.filter((each) => each !== undefined)],
    consts: inputs.consts,
    steps: op.steps,
    reverse: !op.reverse,
    packed: inputs.packed,
    checkpoint: op.checkpoint,
  })
  const dxsAt = floatCarries.length + floatConsts.length
  return [
    ...params.carries.map((each) => (isFloat(each) ? result[floatCarries.indexOf(each)] : undefined)),
    ...params.xs.map((each, i) => (isFloat(each) ? result[dxsAt + i] : undefined)),
    ...params.consts.map((each) =>
      isFloat(each) ? result[floatCarries.length + floatConsts.indexOf(each)] : undefined,
    ),
  ]
}

/** The stacked states before each step. Scans made by the face yield them; any other is run again with them. */
function historyOf(scan: ScanNode): Node[] {
  const { op } = scan
  const states = scanParts(op, op.body.params).carries
  const places = states.map((state) => op.body.outputs.indexOf(state, op.carries))
  if (!places.includes(-1)) return places.map((index) => outputOf(scan, index))
  const body = makeGraph(op.body.params, [...op.body.outputs, ...states], op.body.names)
  const again = scanOutputs({ ...scanSpec(scan, scan.inputs), body })
  return again.slice(op.body.outputs.length)
}
