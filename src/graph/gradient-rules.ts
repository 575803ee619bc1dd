/** The adjoint of every operation but scan (see grad.ts): from dy, the gradient of each operand. */
import { addSize, mulSize, type Size, subSize, ZERO } from '../tensor/size.ts'
import {
  broadcast,
  constant,
  elementwise as e,
  einsum,
  flip,
  gather,
  pad,
  reduce,
  reshape,
  scatterAdd,
  slice,
  strided,
  transpose,
  zerosLike,
} from './build.ts'
import type { Node } from './node.ts'
import type { ElementwiseName, OpKind, OpOf } from './ops.ts'
import { brought } from './rebuild.ts'

/** Gradients by operand; undefined where none flows. */
type Gradients = readonly (Node | undefined)[]
type Rule<N extends Node = Node> = ((node: N, dy: Node) => Gradients) | 'none'

const like = (node: Node, value: number) => constant(value, node.shape, node.dtype)
const when = (condition: Node, dy: Node) => e('select', condition, dy, zerosLike(dy))
const unless = (condition: Node, dy: Node) => e('select', condition, zerosLike(dy), dy)

const ELEMENTWISE_RULES: Record<
  ElementwiseName,
  ((dy: Node, y: Node, a: Node, b: Node) => Gradients) | 'none'
> = {
  neg: (dy) => [e('neg', dy)],
  // |x|′ is taken as 0 at 0.
  abs: (dy, _y, a) => [e('sub', when(e('less', zerosLike(a), a), dy), when(e('less', a, zerosLike(a)), dy))],
  exp: (dy, y) => [e('mul', dy, y)],
  log: (dy, _y, a) => [e('div', dy, a)],
  sqrt: (dy, y) => [e('div', e('mul', dy, like(y, 0.5)), y)],
  floor: 'none',
  sin: (dy, _y, a) => [e('mul', dy, e('cos', a))],
  cos: (dy, _y, a) => [e('neg', e('mul', dy, e('sin', a)))],
  tanh: (dy, y) => [e('mul', dy, e('sub', like(y, 1), e('mul', y, y)))],
  sigmoid: (dy, y) => [e('mul', dy, e('mul', y, e('sub', like(y, 1), y)))],
  add: (dy) => [dy, dy],
  sub: (dy) => [dy, e('neg', dy)],
  mul: (dy, _y, a, b) => [e('mul', dy, b), e('mul', dy, a)],
  div: (dy, y, _a, b) => [e('div', dy, b), e('neg', e('div', e('mul', dy, y), b))],
  floorDiv: 'none',
  mod: 'none',
  // Where both are equal the second takes all, so that relu = max(x, 0) has gradient 0 at 0.
  max: (dy, _y, a, b) => [when(e('less', b, a), dy), unless(e('less', b, a), dy)],
  min: (dy, _y, a, b) => [when(e('less', a, b), dy), unless(e('less', a, b), dy)],
  less: 'none',
  lessEqual: 'none',
  equal: 'none',
  and: 'none',
  or: 'none',
  not: 'none',
  isFinite: 'none',
  toF32: (dy, _y, a) => [a.dtype === 'f32' ? dy : undefined],
  toI32: 'none',
  select: (dy, _y, condition) => [undefined, when(condition, dy), unless(condition, dy)],
  random: 'none',
  stopGradient: 'none',
}

/** Axes of a shape that are not among `axes`. */
function otherAxes(rank: number, axes: readonly number[]): number[] {
  return Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !axes.includes(axis))
}

const GRADIENT_RULES: { readonly [K in Exclude<OpKind, 'scan' | 'output'>]: Rule<Node<OpOf<K>>> } = {
  param: 'none',
  constant: 'none',
  size: 'none',
  iota: 'none',
  elementwise: (node, dy) => {
    const rule = ELEMENTWISE_RULES[node.op.fn]
    return rule === 'none'
      ? node.inputs.map(() => undefined)
      : rule(dy, node, node.inputs[0]!, node.inputs[1]!)
  },
  broadcast: (node, dy) => [reduce('sum', dy, otherAxes(node.shape.length, node.op.axes))],
  reshape: (node, dy) => [reshape(dy, node.inputs[0]!.shape)],
  transpose: (node, dy) => [
    transpose(
      dy,
      node.op.permutation.map((_, axis) => node.op.permutation.indexOf(axis)),
    ),
  ],
  slice: (node, dy) => {
    const { axis, start, step } = node.op
    const covered = addSize(start, mulSize(node.shape[axis]!, step))
    return [pad(dy, axis, start, subSize(node.inputs[0]!.shape[axis]!, covered), step)]
  },
  pad: (node, dy) => {
    const { axis, low, step } = node.op
    return [strided(dy, axis, low, node.inputs[0]!.shape[axis]!, step)]
  },
  flip: (node, dy) => [flip(dy, node.op.axis)],
  concat: (node, dy) => {
    let start: Size = ZERO
    return node.inputs.map((input) => {
      const end = addSize(start, input.shape[node.op.axis]!)
      const part = slice(dy, node.op.axis, start, end)
      start = end
      return part
    })
  },
  reduce: (node, dy) => {
    const x = node.inputs[0]!
    const kept = otherAxes(x.shape.length, node.op.axes)
    if (node.op.fn === 'sum') return [broadcast(dy, x.shape, kept)]
    // Equal largest ones share the gradient, as PyTorch's amax has it.
    const largest = e('equal', x, broadcast(node, x.shape, kept))
    const share = e('div', dy, reduce('sum', e('toF32', largest), node.op.axes))
    return [when(largest, broadcast(share, x.shape, kept))]
  },
  einsum: (node, dy) => {
    const { a, b, out } = node.op
    return [einsum(dy, out, node.inputs[1]!, b, a), einsum(node.inputs[0]!, a, dy, out, b)]
  },
  gather: (node, dy) => [scatterAdd(node.inputs[1]!, dy, node.inputs[0]!.shape[0]!), undefined],
  argsort: 'none',
  scatterAdd: (node, dy) => [undefined, gather(dy, node.inputs[0]!)],
  firsts: 'none',
  setRows: (node, dy) => brought.rows!.setRows(node, dy),
}

/** One table for every kind: the rule's gradients for a node. */
export function operandGradients(node: Node, dy: Node): Gradients {
  const rule = GRADIENT_RULES[node.op.kind as keyof typeof GRADIENT_RULES] as Rule | undefined
  if (rule === undefined || rule === 'none') return node.inputs.map(() => undefined)
  return rule(node, dy)
}
