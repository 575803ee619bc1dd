/** Functions that are made of operations: what they compute, how it is differentiated and compiled follows from those. */
import { requireChoice, requireGroups } from '../tensor/checks.ts'
import { ShapeError } from '../tensor/errors.ts'
import {
  addSize,
  constantOf,
  floorDivSize,
  maxSize,
  mulSize,
  printShape,
  productOf,
  type Size,
  type SizeLike,
  size,
  subSize,
} from '../tensor/size.ts'
import { normalAxis } from './axes.ts'
import * as build from './build.ts'
import { scan } from './scan.ts'
import {
  add,
  constant,
  cos,
  derive,
  equal,
  gather,
  iota,
  log,
  matmul,
  maximum,
  mul,
  neg,
  type Operand,
  random,
  reduceMax,
  reshape,
  slice,
  sqrt,
  sub,
  transpose,
  type Value,
  where,
  zeros,
} from './value.ts'

/** Moves one axis to another place; the others keep their order. */
export function moveAxis(x: Value, from: number, to: number): Value {
  const [source, target] = [normalAxis(x.shape, from), normalAxis(x.shape, to)]
  const order = Array.from({ length: x.rank }, (_, axis) => axis).filter((axis) => axis !== source)
  order.splice(target, 0, source)
  return transpose(x, order)
}

/** The index of the largest element along an axis, as i32; the first of equal ones. */
export function argMax(x: Value, axis = -1): Value {
  const at = normalAxis(x.shape, axis)
  // The first is the one with the largest −index; indices are exact in f32 up to 2²⁴.
  const order = neg(iota(x.shape, at).toF32())
  return neg(reduceMax(where(equal(x, reduceMax(x, at, { keepDims: true })), order, -Infinity), at)).toI32()
}

/** The indices that put an axis in order, as i32: lowest first, NaN last, equal ones as they stand. No gradient. */
export function argsort(x: Value, axis = -1): Value {
  const last = moveAxis(x, axis, -1)
  return moveAxis(
    derive([last], ([node]) => build.argsort(node!)),
    -1,
    axis,
  )
}

/** The elements at i32 indices along an axis: result[…, i, …] = x[…, indices[…, i, …], …]. */
export function takeAlong(x: Value, indices: Value, axis = -1): Value {
  const [rows, at] = [moveAxis(x, axis, -1), moveAxis(indices, axis, -1)]
  const length = rows.shape[rows.rank - 1]!
  const lead = rows.shape.slice(0, -1)
  const flat = reshape(rows, [productOf(rows.shape)])
  let offset: Value = zeros([], 'i32')
  let stride: Size = length
  for (let i = lead.length - 1; i >= 0; i--) {
    offset = add(offset, mul(iota(at.shape, i), sizeInteger(stride)))
    stride = mulSize(stride, lead[i]!)
  }
  return moveAxis(gather(flat, add(at, offset)), -1, axis)
}

/** An axis in order: lowest first, or highest. */
export function sort(x: Value, axis = -1, options: { readonly descending?: boolean } = {}): Value {
  return takeAlong(x, orderOf(x, axis, options.descending ?? false), axis)
}

function orderOf(x: Value, axis: number, descending: boolean): Value {
  return argsort(descending ? neg(x) : x, axis)
}

/** The k largest elements along an axis, highest first, and their indices. */
export function topK(x: Value, k: number, axis = -1): { readonly values: Value; readonly indices: Value } {
  const indices = slice(orderOf(x, axis, true), axis, 0, k)
  return { values: takeAlong(x, indices, axis), indices }
}

/** Σ of the elements up to and with each one, along an axis. */
export function cumulativeSum(x: Value, axis = 0): Value {
  const rows = moveAxis(x, axis, 0)
  const result = scan(
    { carry: { sum: zeros(rows.shape.slice(1)) }, xs: { row: rows } },
    ({ carry: { sum }, x: { row } }) => {
      const next = add(sum, row)
      return { carry: { sum: next }, y: { next } }
    },
  )
  return moveAxis(result.ys.next, 0, axis)
}

export interface ConvolutionOptions {
  /** Axes of x that the kernel moves over, one for each of its leading axes. */
  readonly axes: readonly number[]
  /** Steps between outputs, one for all or one an axis. Default: 1. */
  readonly strides?: number | readonly number[]
  /** Steps between the kernel's elements. Default: 1. */
  readonly dilations?: number | readonly number[]
  /** `same`: as many outputs as ⌈inputs / stride⌉, zeros around; `causal`: zeros before only. Default: 'valid'. */
  readonly padding?: 'valid' | 'same' | 'causal'
  /** Parts of the features that each have their own part of the outputs; the kernel is [k…, I / groups, O]. Default: 1. */
  readonly groups?: number
}

/**
 * Cross-correlation over any number of axes, as Keras's convolutions: x [… axes …, I] and kernel [k…, I, O] give
 * y[…, p, …, o] = Σ_j x[…, p · stride + j · dilation, …] · kernel[j, :, o].
 *
 * Each of the kernel's elements is one matrix product with a strided view of x: nothing is copied together first.
 */
export function convolution(x: Value, kernel: Value, options: ConvolutionOptions): Value {
  const { groups = 1, padding = 'valid' } = options
  requireChoice('convolution', 'padding', padding, ['valid', 'same', 'causal'])
  const axes = options.axes.map((axis) => normalAxis(x.shape, axis))
  const sizes = kernel.shape.slice(0, axes.length).map((each) => constantOf(each) ?? 0)
  if (kernel.rank !== axes.length + 2 || sizes.some((each) => each < 1) || axes.includes(x.rank - 1)) {
    throw new ShapeError(
      `convolution: over axes ${axes.join(', ')} of ${printShape(x.shape)}, the kernel must be [k…, inputs, outputs] with ` +
        `${axes.length} known sizes before the last two; received ${printShape(kernel.shape)}`,
    )
  }
  const each = (option: number | readonly number[] | undefined) =>
    axes.map((_, i) => (typeof option === 'number' ? option : (option?.[i] ?? 1)))
  const [strides, dilations] = [each(options.strides), each(options.dilations)]
  const reach = sizes.map((width, i) => (width - 1) * dilations[i]!)
  const padded = axes.reduce((value, axis, i) => {
    const [low, high] = marginsOf(padding, value.shape[axis]!, reach[i]!, strides[i]!)
    return derive([value], ([node]) => build.pad(node!, axis, low, high))
  }, x)
  let sum: Value | undefined
  for (const place of placesOf(sizes)) {
    const part = axes.reduce((value, axis, i) => {
      const start = place[i]! * dilations[i]!
      return slice(value, axis, start, subSize(padded.shape[axis]!, reach[i]! - start), strides[i]!)
    }, padded)
    const weights = place.reduce((value, at, i) => slice(value, i, at, at + 1), kernel)
    const own = reshape(weights, kernel.shape.slice(-2))
    const product = groups === 1 ? matmul(part, own) : grouped(part, own, groups)
    sum = sum === undefined ? product : add(sum, product)
  }
  return sum!
}

/** Of x […, I] by [I / G, O]: outputs g · O / G … of features g · I / G …, for each g. */
function grouped(x: Value, weights: Value, groups: number): Value {
  const cut = (value: Value) => {
    const size = constantOf(value.shape.at(-1)!)
    requireGroups('convolution', groups, 'last axis', size)
    return reshape(value, [...value.shape.slice(0, -1), groups, size! / groups])
  }
  const lead = 'abcdefghij'.slice(0, x.rank - 1)
  const made = derive([cut(x), cut(weights)], ([a, b]) =>
    build.einsum(a!, `${lead}mk`, b!, 'kmn', `${lead}mn`),
  )
  return reshape(made, [...x.shape.slice(0, -1), weights.shape[1]!])
}

/** Zeros before and after, where windows reach over `reach` places more than one; the odd one after, as in Keras. */
export function marginsOf(
  padding: 'valid' | 'same' | 'causal',
  length: Size,
  reach: number,
  stride: number,
): [SizeLike, SizeLike] {
  if (padding === 'valid') return [0, 0]
  if (padding === 'causal') return [reach, 0]
  if (stride === 1) return [Math.floor(reach / 2), Math.ceil(reach / 2)]
  const last = mulSize(floorDivSize(addSize(length, -1), stride), stride)
  const total = maxSize(0, subSize(addSize(last, reach + 1), length))
  const low = floorDivSize(total, 2)
  return [low, subSize(total, low)]
}

/** All index tuples below the sizes, in row-major order. */
function placesOf(sizes: readonly number[]): number[][] {
  return sizes.reduce<number[][]>(
    (places, width) => places.flatMap((place) => Array.from({ length: width }, (_, at) => [...place, at])),
    [[]],
  )
}

/** What random numbers are a function of. Two uses with the same key give the same numbers. */
export interface RandomKey {
  /** i32 scalars: the seed, and which update it is. */
  readonly seed: Operand
  readonly update: Operand
  /** Of the layer that draws: `streamOf(path)`. */
  readonly stream: number
  /** i32, along the axis of rows: each row's own number, which stays with it however rows are sorted. Default: its index. */
  readonly rows?: Value | undefined
  /** The axis of rows. Default: 0. */
  readonly rowAxis?: number
  /** The time step: an i32 scalar, or i32 [T], one number for each index of axis 0. Default: 0. */
  readonly time?: Operand
}

/**
 * Numbers in [0, 1): each a function of the key, of its row, its time and its place among the elements of that row at
 * that time alone. So it is the same whatever the number of rows and steps, and in [B, F], time-major [T, B, F], or
 * packed [N, F] with the row and the time of each of the N.
 */
export function randomUniform(shape: readonly (SizeLike | string)[], key: RandomKey, draw = 0): Value {
  const whole = zeros(shape, 'i32')
  const { rowAxis = 0, time = 0 } = key
  const timed = typeof time !== 'number' && time.rank > 0
  const along = (numbers: Value, axis: number) =>
    reshape(
      numbers,
      whole.shape.map((length, at) => (at === axis ? length : 1)),
    )
  let [element, stride]: [Value, Size] = [constant(draw, [], 'i32'), size(4)]
  for (let axis = whole.rank - 1; axis >= 0; axis--) {
    if (axis === rowAxis || (timed && axis === 0)) continue
    element = add(element, mul(iota(whole.shape, axis), sizeInteger(stride)))
    stride = mulSize(stride, whole.shape[axis]!)
  }
  const index = () => (whole.rank === 0 ? constant(0, [], 'i32') : iota(whole.shape, rowAxis))
  return random([
    add(whole, element),
    key.rows === undefined || whole.rank === 0 ? index() : along(key.rows, rowAxis),
    timed ? along(time, 0) : time,
    key.stream | 0,
    key.seed,
    key.update,
  ])
}

/** Normal numbers of mean 0 and deviation 1: √(−2 log u) · cos 2πv (Box and Muller 1958). */
export function randomNormal(shape: readonly (SizeLike | string)[], key: RandomKey): Value {
  const [u, v] = [randomUniform(shape, key, 1), randomUniform(shape, key, 2)]
  return mul(sqrt(mul(log(sub(1, u)), -2)), cos(mul(v, 2 * Math.PI)))
}

/** 1 with probability p, else 0, as f32. */
export function randomBernoulli(p: Operand, shape: readonly (SizeLike | string)[], key: RandomKey): Value {
  return randomUniform(shape, key).less(p).toF32()
}

/** A class drawn from softmax(logits) along the last axis, as i32: the largest of logits − log(−log u). */
export function randomCategorical(logits: Value, key: RandomKey): Value {
  // u = 0 would give −∞ for every class at once.
  const u = maximum(randomUniform(logits.shape, key, 3), 2 ** -25)
  return argMax(sub(logits, log(neg(log(u)))))
}

function sizeInteger(value: Size): Value {
  return constantOf(value) === undefined
    ? derive([], () => build.sizeNode(value, [], 'i32'))
    : constant(constantOf(value)!, [], 'i32')
}
