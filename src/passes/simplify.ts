/** Algebra that makes graphs smaller: identities, constants, views of views, sums of padded slices. */
import * as build from '../graph/build.ts'
import { isKind, type Node } from '../graph/node.ts'
import { addSize, constantOf, mulSize, subSize, ZERO } from '../tensor/size.ts'
import type { Pass, Rule } from './rewrite.ts'
import { SCAN_RULES } from './simplify-scan.ts'

const constantValue = (node: Node | undefined) => (node?.op.kind === 'constant' ? node.op.value : undefined)
const like = (node: Node, value: number) => build.constant(value, node.shape, node.dtype)

/** Arithmetic of constants; rounded to their type, as the program would. */
const FOLD: Partial<Record<string, (a: number, b: number) => number>> = {
  neg: (a) => -a,
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  max: (a, b) => Math.max(a, b),
  min: (a, b) => Math.min(a, b),
}

const foldConstants: Rule = (node) => {
  if (!isKind(node, 'elementwise')) return undefined
  const fold = FOLD[node.op.fn]
  const [a, b] = [constantValue(node.inputs[0]), constantValue(node.inputs[1] ?? node.inputs[0])]
  if (fold === undefined || a === undefined || b === undefined) return undefined
  if (node.dtype === 'f32') return like(node, Math.fround(fold(a, b)))
  return like(node, node.op.fn === 'mul' ? Math.imul(a, b) : fold(a, b) | 0)
}

/** x + 0, x · 1, x · 0 … A product with a constant 0 is 0: what is multiplied by it is finite or masked. */
const identities: Rule = (node) => {
  if (!isKind(node, 'elementwise')) return undefined
  const [a, b, c] = node.inputs as [Node, Node, Node]
  const [p, q] = [constantValue(a), constantValue(b)]
  switch (node.op.fn) {
    case 'add':
      return p === 0 ? b : q === 0 ? a : undefined
    case 'sub':
      return q === 0 ? a : p === 0 ? build.elementwise('neg', b) : undefined
    case 'mul':
      return p === 1 ? b : q === 1 ? a : p === 0 || q === 0 ? like(node, 0) : undefined
    case 'div':
      return q === 1 ? a : p === 0 ? like(node, 0) : undefined
    case 'neg':
      return isKind(a, 'elementwise') && a.op.fn === 'neg' ? a.inputs[0] : undefined
    case 'select':
      return b === c ? b : p === undefined ? undefined : p !== 0 ? b : c
    case 'and':
      return p === 0 || q === 0 ? like(node, 0) : p !== undefined ? b : q !== undefined ? a : undefined
    case 'or':
      return p === 0 ? b : q === 0 ? a : p !== undefined || q !== undefined ? like(node, 1) : undefined
    case 'not':
      return p === undefined ? undefined : like(node, p === 0 ? 1 : 0)
    case 'stopGradient':
      return a
    case 'toF32':
      return a.dtype === 'f32' ? a : p === undefined ? undefined : like(node, Math.fround(p))
    case 'toI32':
      return a.dtype === 'i32' ? a : p !== undefined && (p | 0) === p ? like(node, p) : undefined
    default:
      return undefined
  }
}

/** Views of constants are constants; sums and products with a constant 0 are 0. */
const constants: Rule = (node) => {
  const value = constantValue(node.inputs[0])
  switch (node.op.kind) {
    case 'broadcast':
    case 'reshape':
    case 'transpose':
    case 'slice':
    case 'flip':
      return value === undefined ? undefined : like(node, value)
    case 'pad':
    case 'reduce':
    case 'gather':
      // What a gather reads outside its table is 0 too.
      return value === 0 ? like(node, 0) : undefined
    case 'concat':
      return value !== undefined && node.inputs.every((input) => constantValue(input) === value)
        ? like(node, value)
        : undefined
    case 'einsum':
    case 'scatterAdd':
      return node.inputs.some((input) => constantValue(input) === 0 && input.dtype === 'f32')
        ? like(node, 0)
        : undefined
    default:
      return undefined
  }
}

const viewsOfViews: Rule = (node) => {
  const inner = node.inputs[0]
  if (inner === undefined) return undefined
  if (isKind(node, 'broadcast') && isKind(inner, 'broadcast')) {
    return build.broadcast(
      inner.inputs[0]!,
      node.shape,
      inner.op.axes.map((axis) => node.op.axes[axis]!),
    )
  }
  if (isKind(node, 'transpose') && isKind(inner, 'transpose')) {
    return build.transpose(
      inner.inputs[0]!,
      node.op.permutation.map((axis) => inner.op.permutation[axis]!),
    )
  }
  if (isKind(node, 'reshape') && isKind(inner, 'reshape')) return build.reshape(inner.inputs[0]!, node.shape)
  if (isKind(node, 'slice') && isKind(inner, 'slice') && node.op.axis === inner.op.axis) {
    const start = addSize(inner.op.start, mulSize(node.op.start, inner.op.step))
    const step = inner.op.step * node.op.step
    return build.strided(inner.inputs[0]!, node.op.axis, start, node.shape[node.op.axis]!, step)
  }
  if (isKind(node, 'flip') && isKind(inner, 'flip') && node.op.axis === inner.op.axis) return inner.inputs[0]
  if (
    isKind(node, 'slice') &&
    isKind(inner, 'concat') &&
    node.op.axis === inner.op.axis &&
    node.op.step === 1
  ) {
    let start = ZERO
    for (const part of inner.inputs) {
      const low = subSize(node.op.start, start)
      if (low === ZERO && part.shape[node.op.axis] === node.shape[node.op.axis]) return part
      start = addSize(start, part.shape[node.op.axis]!)
    }
  }
  return undefined
}

/** f(broadcast a, broadcast b) is broadcast f(a, b): the work is done once for each element of a and b. */
const broadcastLate: Rule = (node) => {
  if (!isKind(node, 'elementwise')) return undefined
  const first = node.inputs.find((input) => isKind(input, 'broadcast'))
  if (first === undefined || !isKind(first, 'broadcast')) return undefined
  const small = first.inputs[0]!
  const inputs = node.inputs.map((input) => {
    if (isKind(input, 'constant')) return build.constant(input.op.value, small.shape, input.dtype)
    const same = isKind(input, 'broadcast') && input.op.axes.join() === first.op.axes.join()
    return same ? input.inputs[0] : undefined
  })
  if (inputs.some((input) => input === undefined)) return undefined
  return build.broadcast(build.elementwise(node.op.fn, ...(inputs as Node[])), node.shape, first.op.axes)
}

const reductions: Rule = (node) => {
  const inner = node.inputs[0]
  if (!isKind(node, 'reduce') || inner === undefined) return undefined
  // Σ over an axis of both operands of a product is one more axis to contract.
  if (node.op.fn === 'sum' && isKind(inner, 'einsum')) {
    const { a, b, out } = inner.op
    const summed = node.op.axes.filter((axis) => a.includes(out[axis]!) && b.includes(out[axis]!))
    if (summed.length === 0) return undefined
    const product = build.einsum(inner.inputs[0]!, a, inner.inputs[1]!, b, without([...out], summed).join(''))
    const shifted = node.op.axes
      .filter((axis) => !summed.includes(axis))
      .map((axis) => axis - summed.filter((s) => s < axis).length)
    return build.reduce('sum', product, shifted)
  }
  if (isKind(inner, 'reduce') && inner.op.fn === node.op.fn) {
    const original = without(
      inner.inputs[0]!.shape.map((_, axis) => axis),
      inner.op.axes,
    )
    const axes = [...inner.op.axes, ...node.op.axes.map((axis) => original[axis]!)]
    return build.reduce(node.op.fn, inner.inputs[0]!, axes)
  }
  // Σ over other axes than those along which products stand side by side is that of each product.
  if (node.op.fn === 'sum' && (isKind(inner, 'concat') || isKind(inner, 'pad')) && holdsProducts(inner)) {
    const { axis } = inner.op
    if (node.op.axes.includes(axis)) return undefined
    const place = axis - node.op.axes.filter((each) => each < axis).length
    const parts = inner.inputs.map((part) => build.reduce('sum', part, node.op.axes))
    if (isKind(inner, 'concat')) return build.concat(parts, place)
    return build.pad(parts[0]!, place, inner.op.low, inner.op.high, inner.op.step)
  }
  // Σ over a transposed tensor is Σ over the original axes where the kept ones keep their order.
  if (isKind(inner, 'transpose')) {
    const { permutation } = inner.op
    const kept = without(permutation, node.op.axes)
    if (kept.some((axis, i) => i > 0 && axis < kept[i - 1]!)) return undefined
    return build.reduce(
      node.op.fn,
      inner.inputs[0]!,
      node.op.axes.map((axis) => permutation[axis]!),
    )
  }
  return undefined
}

/** Made of products and zeros: a weight's gradient where the cell takes the weight in parts. */
function holdsProducts(node: Node): boolean {
  return node.inputs.every((part) => isKind(part, 'einsum') || constantValue(part) === 0)
}

function without<T>(items: readonly T[], axes: readonly number[]): T[] {
  return items.filter((_, axis) => !axes.includes(axis))
}

/** A product reads its operands in any order of axes, and writes in any: transposes vanish in its letters. */
const transposesInProducts: Rule = (node) => {
  if (isKind(node, 'transpose') && isKind(node.inputs[0]!, 'einsum')) {
    const { op, inputs } = node.inputs[0]!
    return build.einsum(
      inputs[0]!,
      op.a,
      inputs[1]!,
      op.b,
      node.op.permutation.map((axis) => op.out[axis]).join(''),
    )
  }
  if (!isKind(node, 'einsum') || !node.inputs.some((input) => isKind(input, 'transpose'))) return undefined
  const [a, b] = node.inputs.map((input, i) => {
    const labels = i === 0 ? node.op.a : node.op.b
    if (!isKind(input, 'transpose')) return { node: input, labels }
    const original = input.op.permutation.map((_, axis) => labels[input.op.permutation.indexOf(axis)]!)
    return { node: input.inputs[0]!, labels: original.join('') }
  })
  return build.einsum(a!.node, a!.labels, b!.node, b!.labels, node.op.out)
}

/** A sum of slices padded to disjoint places that together fill an axis is their concatenation. */
const padsToConcat: Rule = (node) => {
  const isPad = (each: Node) => isKind(each, 'pad')
  if (!isKind(node, 'elementwise') || node.op.fn !== 'add' || !node.inputs.some(isPad)) return undefined
  const terms = addends(node)
  const first = terms?.[0]
  if (terms === undefined || first === undefined || !isKind(first, 'pad') || !terms.every(isPad))
    return undefined
  const { axis } = first.op
  const rest = [...terms]
  const parts: Node[] = []
  let filled = ZERO
  while (rest.length > 0) {
    const at = rest.findIndex(
      (term) => isKind(term, 'pad') && term.op.axis === axis && term.op.low === filled && term.op.step === 1,
    )
    if (at < 0) return undefined
    const part = rest.splice(at, 1)[0]!.inputs[0]!
    parts.push(part)
    filled = addSize(filled, part.shape[axis]!)
  }
  return filled === node.shape[axis] ? build.concat(parts, axis) : undefined
}

/** More terms than this are left as they are: a graph of additions has exponentially many paths. */
const MOST_TERMS = 64

/** The terms of a chain of additions; undefined where there are too many, or one is not wanted. */
export function addends(node: Node, wanted: (term: Node) => boolean = () => true): Node[] | undefined {
  const terms: Node[] = []
  const open = [node]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (isKind(next, 'elementwise') && next.op.fn === 'add') open.push(...next.inputs.toReversed())
    else if (!wanted(next)) return undefined
    else terms.push(next)
    if (open.length + terms.length > MOST_TERMS) return undefined
  }
  return terms
}

/** A pad or slice that does nothing was never made; a reshape that only adds or drops axes of size 1 is a broadcast. */
const reshapesOfOnes: Rule = (node) => {
  if (!isKind(node, 'reshape')) return undefined
  const input = node.inputs[0]!
  if (!isKind(input, 'broadcast')) return undefined
  const wide = (shape: readonly { key: string }[]) =>
    shape.filter((each) => each.key !== '1').map((each) => each.key)
  if (wide(input.shape).join() !== wide(node.shape).join()) return undefined
  const source = input.inputs[0]!
  if (source.shape.some((each) => constantOf(each) === 1)) return undefined
  // Axis i of the source stands at the axis of the same rank among the axes that are not 1.
  const places = input.shape.flatMap((each, axis) => (constantOf(each) === 1 ? [] : [axis]))
  const targets = node.shape.flatMap((each, axis) => (constantOf(each) === 1 ? [] : [axis]))
  return build.broadcast(
    source,
    node.shape,
    input.op.axes.map((axis) => targets[places.indexOf(axis)]!),
  )
}

export const simplify: Pass = {
  name: 'simplify',
  rules: {
    foldConstants,
    identities,
    constants,
    viewsOfViews,
    broadcastLate,
    reductions,
    transposesInProducts,
    padsToConcat,
    reshapesOfOnes,
  },
  scanRules: SCAN_RULES,
}
