/**
 * Checkpointed back-propagation through time (Chen et al. 2016; Gruslys et al. 2016): a scan over T steps becomes one
 * over ⌊T / S⌋ segments of S steps each, whose body is the scan of one segment, and a scan over the steps that are left.
 * The adjoint of a scan makes its forward step anew from the state before it, here a segment from the state before it.
 * So states are kept only where segments begin, and what a segment needs between forward and backward only while it
 * is gone through: with S = √T all of that is O(√T). Every step computes what it computed before.
 */
import { constantOf, floorDivSize, mulSize, type Size, size, subSize, ZERO } from '../tensor/size.ts'
import { concat, param, reshape, strided } from './build.ts'
import { outputOf, type ScanSpec, scanOutputs, scanSpec } from './build-scan.ts'
import { isKind, makeGraph, type Node, type ScanNode, topological } from './node.ts'
import { substitute } from './rebuild.ts'
import { derive, type Value } from './value.ts'

/**
 * The same values, to take gradients of: by scans in segments of so many steps, or √T where it is known. Scans over
 * packed rows, whose segments would be of unlike sizes, stay as they are, and so do those without a state that gradients
 * flow through.
 */
export function checkpointed(values: readonly Value[], segment: Size): Value[] {
  let made: Node[] | undefined
  return values.map((_, i) =>
    derive(values, (nodes) => {
      made ??= inSegments(nodes, segment)
      return made[i]!
    }),
  )
}

function inSegments(nodes: readonly Node[], segment: Size): Node[] {
  const replaced = new Map<Node, Node>()
  // Inputs before users: what a scan reads of another one is replaced by then.
  for (const node of topological(nodes)) {
    if (!isKind(node, 'scan') || !isWorth(node)) continue
    const outputs = segmented(scanSpec(node, substitute(node.inputs, replaced)), segment)
    for (const [i, output] of outputs.entries()) replaced.set(outputOf(node, i), output)
  }
  return substitute(nodes, replaced)
}

function isWorth({ op, inputs }: ScanNode): boolean {
  return op.packing === undefined && inputs.slice(0, op.carries).some(({ dtype }) => dtype === 'f32')
}

/** The outputs of a scan, had in segments. */
function segmented(spec: ScanSpec, given: Size): Node[] {
  const { body, carries, xs, steps, reverse } = spec
  const known = constantOf(steps)
  const segment = known === undefined ? given : size(Math.max(1, Math.ceil(Math.sqrt(known))))
  const count = floorDivSize(steps, segment)
  const whole = mulSize(count, segment)
  const rest = subSize(steps, whole)
  const part = (x: Node, from: Size, length: Size) => strided(x, 0, from, length, 1)
  // What is left comes last in the order of the steps.
  const [first, last] = reverse ? [rest, ZERO] : [ZERO, whole]
  const inner = body.params.map(({ shape, dtype }, i) => {
    const isStep = i >= carries.length && i < carries.length + xs.length
    return param(i, isStep ? [segment, ...shape] : shape, dtype)
  })
  const states = inner.slice(0, carries.length)
  const one = scanOutputs({
    ...spec,
    carries: states,
    xs: inner.slice(carries.length, carries.length + xs.length),
    consts: inner.slice(carries.length + xs.length),
    steps: segment,
  })
  const segments = scanOutputs({
    ...spec,
    // The states before each segment are yielded too, as those before each step are: gradients read them.
    body: makeGraph(inner, [...one, ...states], body.names),
    xs: xs.map((x) => reshape(part(x, first, whole), [count, segment, ...x.shape.slice(1)])),
    steps: count,
    checkpoint: true,
  })
  const remainder = scanOutputs({
    ...spec,
    carries: segments.slice(0, carries.length),
    xs: xs.map((x) => part(x, last, rest)),
    steps: rest,
  })
  return remainder.map((output, i) => {
    if (i < carries.length) return output
    const before = segments[i]!
    const joined = reshape(before, [whole, ...before.shape.slice(2)])
    return concat(reverse ? [output, joined] : [joined, output], 0)
  })
}
