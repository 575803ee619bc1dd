/** Views of views: slices, transposes, broadcasts and reshapes move no numbers, they change offsets and strides. */
import type { Node } from '../graph/node.ts'
import { mulSize, ONE, type Shape, type Size, size, subSize, ZERO } from '../tensor/size.ts'
import { denseStrides, isDense, shifted, type View } from './program.ts'

/** The view of a view node over its operand's; undefined where only a copy could give it. */
export function viewOf(node: Node, operand: View): View | undefined {
  const { op } = node
  switch (op.kind) {
    case 'broadcast': {
      const strides = node.shape.map(() => ZERO)
      for (const [axis, target] of op.axes.entries()) strides[target] = operand.strides[axis]!
      return { ...operand, strides }
    }
    case 'transpose':
      return { ...operand, strides: op.permutation.map((axis) => operand.strides[axis]!) }
    case 'slice':
      return strided(operand, op.axis, op.start, size(op.step))
    case 'flip':
      return strided(operand, op.axis, subSize(node.shape[op.axis]!, 1), size(-1))
    case 'reshape':
      return reshaped(operand, node.inputs[0]!.shape, node.shape)
    default:
      return undefined
  }
}

/** The view of elements start, start + step, … along an axis. */
export function strided(view: View, axis: number, start: Size, step: Size): View {
  const stride = view.strides[axis]!
  return { ...shifted(view, mulSize(start, stride)), strides: view.strides.with(axis, mulSize(stride, step)) }
}

function reshaped(view: View, from: Shape, to: Shape): View | undefined {
  if (isDense(view, from)) return { ...view, strides: denseStrides(to) }
  const wide = (shape: Shape) => shape.flatMap((each, axis) => (each === ONE ? [] : [axis]))
  const [source, target] = [wide(from), wide(to)]
  if (source.length !== target.length || source.some((axis, i) => from[axis] !== to[target[i]!]))
    return undefined
  const strides = to.map(() => ZERO)
  for (const [i, axis] of target.entries()) strides[axis] = view.strides[source[i]!]!
  return { ...view, strides }
}

/** Axes that lie one inside the other in several views at once. */
export interface Merged {
  readonly size: Size
  readonly strides: readonly Size[]
}

/**
 * One axis that stands for a row of axes, outermost first, with its stride in each view; undefined where some
 * view's strides do not nest.
 */
export function mergeAxes(sizes: readonly Size[], strides: readonly (readonly Size[])[]): Merged | undefined {
  const wide = sizes.flatMap((each, i) => (each === ONE ? [] : [i]))
  for (let i = 0; i + 1 < wide.length; i++) {
    const [outer, inner] = [wide[i]!, wide[i + 1]!]
    for (const each of strides) if (each[outer] !== mulSize(each[inner]!, sizes[inner]!)) return undefined
  }
  const last = wide[wide.length - 1]
  return {
    size: sizes.reduce((product, each) => mulSize(product, each), ONE),
    strides: strides.map((each) => (last === undefined ? ZERO : each[last]!)),
  }
}

/** A shape with axes merged wherever all the strides allow it, outermost first. */
export function collapse(
  shape: Shape,
  strides: readonly (readonly Size[])[],
): { shape: Size[]; strides: Size[][] } {
  const result: { shape: Size[]; strides: Size[][] } = { shape: [], strides: strides.map(() => []) }
  for (const [axis, each] of shape.entries()) {
    if (each === ONE) continue
    const at = result.shape.length - 1
    const nests = at >= 0 && strides.every((own, i) => result.strides[i]![at] === mulSize(own[axis]!, each))
    if (nests) {
      result.shape[at] = mulSize(result.shape[at]!, each)
      for (const [i, own] of strides.entries()) result.strides[i]![at] = own[axis]!
    } else {
      result.shape.push(each)
      for (const [i, own] of strides.entries()) result.strides[i]!.push(own[axis]!)
    }
  }
  return result
}
