/**
 * The oracle: evaluates a graph in f64 with plain loops: no passes, no cleverness. Every backend and every pass is
 * tested against it.
 */
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { philox } from '../tensor/random.ts'
import { type Bindings, evaluateSize, type Shape } from '../tensor/size.ts'
import { stackedShape } from './build-scan.ts'
import { checkGuards } from './guards.ts'
import { type Graph, type Node, type ScanNode, scanParts, topological } from './node.ts'
import type { ElementwiseName, OpKind, OpOf } from './ops.ts'
import { type F64Array, stepsOf } from './scan-steps.ts'

export type { F64Array } from './scan-steps.ts'

const ELEMENTWISE: Record<ElementwiseName, (a: number, b: number, c: number, ...rest: number[]) => number> = {
  neg: (a) => -a,
  abs: (a) => Math.abs(a),
  exp: (a) => Math.exp(a),
  log: (a) => Math.log(a),
  sqrt: (a) => Math.sqrt(a),
  floor: (a) => Math.floor(a),
  sin: (a) => Math.sin(a),
  cos: (a) => Math.cos(a),
  tanh: (a) => Math.tanh(a),
  sigmoid: (a) => 1 / (1 + Math.exp(-a)),
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  floorDiv: (a, b) => (b === 0 ? 0 : Math.floor(a / b)),
  mod: (a, b) => (b === 0 ? 0 : a - b * Math.floor(a / b)),
  max: (a, b) => Math.max(a, b),
  min: (a, b) => Math.min(a, b),
  less: (a, b) => Number(a < b),
  lessEqual: (a, b) => Number(a <= b),
  equal: (a, b) => Number(a === b),
  and: (a, b) => Number(a !== 0 && b !== 0),
  or: (a, b) => Number(a !== 0 || b !== 0),
  not: (a) => Number(a === 0),
  isFinite: (a) => Number(Number.isFinite(a)),
  toF32: (a) => a,
  toI32: (a) => (Number.isNaN(a) ? 0 : Math.min(2147483647, Math.max(-2147483648, Math.trunc(a)))),
  select: (a, b, c) => (a !== 0 ? b : c),
  random: (a, b, c, d, e, f) => (philox([a, b, c, d!], [e!, f!])[0] >>> 8) / 2 ** 24,
  stopGradient: (a) => a,
}

/** A value and the index of each of its elements, in row-major order. */
function fill(shape: readonly number[], at: (index: readonly number[]) => number): F64Array {
  const length = shape.reduce((product, size) => product * size, 1)
  const data = new Float64Array(length)
  const index = shape.map(() => 0)
  for (let i = 0; i < length; i++) {
    data[i] = at(index)
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]! += 1
      if (index[axis]! < shape[axis]!) break
      index[axis] = 0
    }
  }
  return { data, shape }
}

function offsetOf(shape: readonly number[], index: readonly number[]): number {
  let offset = 0
  for (let axis = 0; axis < shape.length; axis++) offset = offset * shape[axis]! + index[axis]!
  return offset
}

/** How far elements of a row-major value stand apart along each axis. */
function stridesOf(shape: readonly number[]): number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1))
}

/** The place of an index: start + Σ strides · index. */
function placeOf(index: readonly number[], strides: readonly number[], start = 0): number {
  let place = start
  for (let axis = 0; axis < strides.length; axis++) place += index[axis]! * strides[axis]!
  return place
}

function read(array: F64Array, index: readonly number[]): number {
  return array.data[offsetOf(array.shape, index)]!
}

type Evaluate<K extends OpKind> = (
  node: Node<OpOf<K>>,
  inputs: readonly F64Array[],
  shape: readonly number[],
  bindings: Bindings,
) => F64Array

const EVALUATE: { readonly [K in Exclude<OpKind, 'param' | 'scan' | 'output'>]: Evaluate<K> } = {
  constant: ({ op }, _inputs, shape) => fill(shape, () => op.value),
  size: ({ op }, _inputs, shape, bindings) => fill(shape, () => evaluateSize(op.size, bindings)),
  iota: ({ op }, _inputs, shape) => fill(shape, (index) => index[op.axis]!),
  elementwise: ({ op }, [a, b, c, ...rest], shape) => {
    const fn = ELEMENTWISE[op.fn]
    const at = (i: number): number => {
      const [x, y, z] = [a!.data[i]!, b?.data[i] ?? 0, c?.data[i] ?? 0]
      return rest.length === 0 ? fn(x, y, z) : fn(x, y, z, ...rest.map(({ data }) => data[i]!))
    }
    return { shape, data: a!.data.map((_, i) => at(i)) }
  },
  broadcast: ({ op }, [x], shape) => {
    const own = stridesOf(x!.shape)
    const strides = shape.map((_, axis) => own[op.axes.indexOf(axis)] ?? 0)
    return fill(shape, (index) => x!.data[placeOf(index, strides)]!)
  },
  reshape: (_node, [x], shape) => ({ data: x!.data, shape }),
  transpose: ({ op }, [x], shape) => {
    const own = stridesOf(x!.shape)
    const strides = op.permutation.map((axis) => own[axis]!)
    return fill(shape, (index) => x!.data[placeOf(index, strides)]!)
  },
  slice: ({ op }, [x], shape, bindings) => {
    const own = stridesOf(x!.shape)
    const start = evaluateSize(op.start, bindings) * own[op.axis]!
    const strides = own.with(op.axis, own[op.axis]! * op.step)
    return fill(shape, (index) => x!.data[placeOf(index, strides, start)]!)
  },
  flip: ({ op }, [x], shape) =>
    fill(shape, (index) => read(x!, index.with(op.axis, shape[op.axis]! - 1 - index[op.axis]!))),
  pad: ({ op }, [x], shape, bindings) => {
    const low = evaluateSize(op.low, bindings)
    return fill(shape, (index) => {
      const at = (index[op.axis]! - low) / op.step
      const isThere = Number.isInteger(at) && at >= 0 && at < x!.shape[op.axis]!
      return isThere ? read(x!, index.with(op.axis, at)) : 0
    })
  },
  concat: ({ op }, inputs, shape) =>
    fill(shape, (index) => {
      let at = index[op.axis]!
      for (const input of inputs) {
        const size = input.shape[op.axis]!
        if (at < size) return read(input, index.with(op.axis, at))
        at -= size
      }
      throw new ShapeError('concat: index outside its operands')
    }),
  reduce: ({ op }, [x], shape) => {
    const start = op.fn === 'sum' ? 0 : Number.NEGATIVE_INFINITY
    const result = fill(shape, () => start)
    const own = stridesOf(shape)
    const kept = x!.shape.map((_, axis) => axis).filter((axis) => !op.axes.includes(axis))
    const strides = x!.shape.map((_, axis) => own[kept.indexOf(axis)] ?? 0)
    fill(x!.shape, (index) => {
      const into = placeOf(index, strides)
      const [known, value] = [result.data[into]!, read(x!, index)]
      result.data[into] = op.fn === 'sum' ? known + value : Math.max(known, value)
      return 0
    })
    return result
  },
  argsort: (_node, [x], shape) => {
    const length = shape[shape.length - 1]!
    const result = new Float64Array(x!.data.length)
    for (let start = 0; start < result.length; start += length) {
      const key = (i: number) => (Number.isNaN(x!.data[start + i]) ? Infinity : x!.data[start + i]!)
      const order = Array.from({ length }, (_, i) => i)
      // Infinity − Infinity is NaN, which a comparison function must not give.
      result.set(
        order.sort((i, j) => (key(i) < key(j) ? -1 : key(i) > key(j) ? 1 : i - j)),
        start,
      )
    }
    return { shape, data: result }
  },
  einsum: ({ op }, [a, b], shape) => {
    const sizes = new Map<string, number>()
    for (const [i, label] of [...op.a].entries()) sizes.set(label, a!.shape[i]!)
    for (const [i, label] of [...op.b].entries()) sizes.set(label, b!.shape[i]!)
    const summed = [...sizes.keys()].filter((label) => !op.out.includes(label))
    const labels = [...op.out, ...summed]
    const result = fill(shape, () => 0)
    const stridesIn = (operand: string, from: readonly number[]) =>
      labels.map((label) => stridesOf(from)[operand.indexOf(label)] ?? 0)
    const [inA, inB, into] = [stridesIn(op.a, a!.shape), stridesIn(op.b, b!.shape), stridesIn(op.out, shape)]
    fill(
      labels.map((label) => sizes.get(label)!),
      (index) => {
        result.data[placeOf(index, into)]! += a!.data[placeOf(index, inA)]! * b!.data[placeOf(index, inB)]!
        return 0
      },
    )
    return result
  },
  gather: (_node, [table, indices], shape) => {
    const rank = indices!.shape.length
    return fill(shape, (index) => {
      const row = read(indices!, index.slice(0, rank))
      return row >= 0 && row < table!.shape[0]! ? read(table!, [row, ...index.slice(rank)]) : 0
    })
  },
  scatterAdd: (_node, [indices, updates], shape) => {
    const result = fill(shape, () => 0)
    const rank = indices!.shape.length
    fill(updates!.shape, (index) => {
      const row = read(indices!, index.slice(0, rank))
      if (row >= 0 && row < shape[0]!)
        result.data[offsetOf(shape, [row, ...index.slice(rank)])]! += read(updates!, index)
      return 0
    })
    return result
  },
  firsts: ({ op }, [indices], shape, bindings) => {
    const rows = evaluateSize(op.rows, bindings)
    const isThere = (index: number) => index >= 0 && index < rows
    const { data } = indices!
    return { shape, data: data.map((index) => (isThere(index) ? data.indexOf(index) : -1)) }
  },
  setRows: (_node, [table, indices, values], shape) => {
    const result = { shape, data: table!.data.slice() }
    const rank = indices!.shape.length
    fill(values!.shape, (index) => {
      const row = read(indices!, index.slice(0, rank))
      const isFirst = indices!.data.indexOf(row) === offsetOf(indices!.shape, index.slice(0, rank))
      if (isFirst && row >= 0 && row < shape[0]!)
        result.data[offsetOf(shape, [row, ...index.slice(rank)])] = read(values!, index)
      return 0
    })
    return result
  },
}

function shapeUnder(shape: Shape, bindings: Bindings): number[] {
  return shape.map((each) => evaluateSize(each, bindings))
}

/**
 * The outputs of a graph in f64.
 * @throws {ShapeError} where an argument's shape is not the parameter's under the bindings
 */
export function interpret(
  graph: Graph,
  args: readonly F64Array[],
  bindings: Bindings = new Map(),
): F64Array[] {
  checkGuards(graph.guards, bindings)
  if (args.length !== graph.params.length) {
    throw new ArgumentError(
      `interpret: the graph has ${graph.params.length} parameters; received ${args.length}`,
    )
  }
  const known = new Map<Node, F64Array>()
  for (const [i, each] of graph.params.entries()) {
    const expected = shapeUnder(each.shape, bindings)
    const { shape } = args[i]!
    if (expected.length !== shape.length || expected.some((size, axis) => size !== shape[axis])) {
      throw new ShapeError(
        `interpret: parameter ${graph.names[i] ?? i} is [${expected}]; received [${args[i]!.shape}]`,
      )
    }
    known.set(each, args[i]!)
  }
  const scans = new Map<Node, F64Array[]>()
  for (const node of topological(graph.outputs)) {
    if (known.has(node)) continue
    const inputs = node.inputs.map((input) => known.get(input)!)
    if (node.op.kind === 'scan') scans.set(node, runScan(node as ScanNode, inputs, bindings))
    else if (node.op.kind === 'output') known.set(node, scans.get(node.inputs[0]!)![node.op.index]!)
    else if (node.op.kind === 'param') throw new ArgumentError('interpret: the graph is not closed')
    else {
      const evaluate = EVALUATE[node.op.kind] as Evaluate<OpKind>
      known.set(node, evaluate(node as never, inputs, shapeUnder(node.shape, bindings), bindings))
    }
  }
  return graph.outputs.map((output) => known.get(output)!)
}

function runScan(scan: ScanNode, inputs: readonly F64Array[], bindings: Bindings): F64Array[] {
  const { op } = scan
  const { body } = op
  const { carries, xs, consts } = scanParts(op, inputs)
  const params = scanParts(op, body.params as readonly Node[])
  const yields = body.outputs.slice(op.carries)
  const stacked = yields.map((each) => fill(shapeUnder(stackedShape(each, op), bindings), () => 0))
  let states = [...carries]
  for (const step of stepsOf(scan, inputs[body.params.length], bindings)) {
    const args = [
      ...states.map((each, j) => step.held(each, params.carries[j]!)),
      ...xs.map((each, j) => step.part(each, params.xs[j]!)),
      ...consts.map((each, j) => step.held(each, params.consts[j]!)),
    ]
    const outputs = interpret(body, args, step.bindings)
    states = states.map((before, j) => {
      const next = outputs[j]!
      if (next.data.length === before.data.length) return next
      // Rows that are not alive hold.
      const data = before.data.slice()
      data.set(next.data)
      return { ...before, data }
    })
    for (const [j, y] of yields.entries()) step.part(stacked[j]!, y).data.set(outputs[op.carries + j]!.data)
  }
  return [...states, ...stacked]
}
