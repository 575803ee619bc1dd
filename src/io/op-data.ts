/**
 * Operations as data: for each kind what is written beside its inputs, and how the node is made again. Reading goes
 * through the constructors of graph/build.ts, which infer and check types; here stands what they take on trust.
 */
import * as build from '../graph/build.ts'
import { outputOf, scanOutputs } from '../graph/build-scan.ts'
import { requireEqual } from '../graph/guards.ts'
import { type Graph, isKind, type Node, scanParts } from '../graph/node.ts'
import { ELEMENTWISE, type ElementwiseName, type OpKind, type OpOf } from '../graph/ops.ts'
import type { Dtype } from '../tensor/dtype.ts'
import { ArgumentError } from '../tensor/errors.ts'
import type { Shape, Size } from '../tensor/size.ts'
import {
  choice,
  type Fields,
  fault,
  flag,
  integer,
  type Json,
  list,
  number,
  type Read,
  text,
  writeNumber,
} from './fields.ts'
import { requireLength, writeSize } from './size-data.ts'

/** What nodes are read with. */
export interface NodeContext {
  readonly size: Read<Size>
  readonly shape: Read<Shape>
  /** Graphs that a scan may fold: those read before its own. */
  readonly body: Read<Graph>
}

interface Rule<K extends OpKind> {
  /** Absent where the constructor knows. */
  readonly arity?: number
  /** `place` says where in the file a scan's body stands. */
  write(node: Node<OpOf<K>>, place: (body: Graph) => number): { readonly [field: string]: Json }
  read(fields: Fields, inputs: readonly [Node, Node, ...Node[]], context: NodeContext): Node
}

export const dtype = choice<Dtype>(['f32', 'i32', 'bool'], 'element type')
const count = integer(0, 2 ** 31 - 1)
const counts = list(count)
const elementwiseName = choice(Object.keys(ELEMENTWISE) as ElementwiseName[], 'function')
const labels: Read<string> = (value, where) => {
  const letters = text(value, where)
  if (/^[A-Za-z]*$/.test(letters) && new Set(letters).size === letters.length) return letters
  throw fault(where, 'expected letters, each of them once')
}
const length =
  ({ size }: NodeContext): Read<Size> =>
  (value, where) =>
    requireLength(size(value, where), where)

/** Parameters are no nodes of the file: a graph lists them apart. `firsts` and `setRows` stand in no traced graph. */
const RULES: { readonly [K in Exclude<OpKind, 'param' | 'firsts' | 'setRows'>]: Rule<K> } = {
  constant: {
    arity: 0,
    write: ({ op, shape, dtype }) => ({ value: writeNumber(op.value), shape: shape.map(writeSize), dtype }),
    read(fields, _, { shape }) {
      const [value, type] = [fields.get('value', number), fields.get('dtype', dtype)]
      const fits = type === 'f32' || (type === 'i32' ? (value | 0) === value : value === 0 || value === 1)
      if (!fits) throw fault(fields.where, `${value} is no value of type ${type}`)
      return build.constant(value, fields.get('shape', shape), type)
    },
  },
  size: {
    arity: 0,
    write: ({ op, shape, dtype }) => ({ size: writeSize(op.size), shape: shape.map(writeSize), dtype }),
    read: (fields, _, { size, shape }) =>
      build.sizeNode(
        fields.get('size', size),
        fields.get('shape', shape),
        fields.get('dtype', choice<Dtype>(['f32', 'i32'], 'element type')),
      ),
  },
  iota: {
    arity: 0,
    write: ({ op, shape }) => ({ shape: shape.map(writeSize), axis: op.axis }),
    read: (fields, _, { shape }) => build.iota(fields.get('shape', shape), fields.get('axis', count)),
  },
  elementwise: {
    write: ({ op }) => ({ fn: op.fn }),
    read: (fields, inputs) => build.elementwise(fields.get('fn', elementwiseName), ...inputs),
  },
  broadcast: {
    arity: 1,
    write: ({ op, shape }) => ({ shape: shape.map(writeSize), axes: op.axes }),
    read: (fields, [input], { shape }) =>
      build.broadcast(input, fields.get('shape', shape), fields.get('axes', counts)),
  },
  reshape: {
    arity: 1,
    write: ({ shape }) => ({ shape: shape.map(writeSize) }),
    read: (fields, [input], { shape }) => build.reshape(input, fields.get('shape', shape)),
  },
  transpose: {
    arity: 1,
    write: ({ op }) => ({ permutation: op.permutation }),
    read: (fields, [input]) => build.transpose(input, fields.get('permutation', counts)),
  },
  slice: {
    arity: 1,
    write: (node) => ({
      axis: node.op.axis,
      start: writeSize(node.op.start),
      length: writeSize(node.shape[node.op.axis]!),
      step: node.op.step,
    }),
    read(fields, [input], context) {
      const [axis, start] = [fields.get('axis', count), fields.get('start', length(context))]
      const [elements, step] = [fields.get('length', length(context)), fields.get('step', count)]
      return build.strided(input, axis, start, elements, step)
    },
  },
  pad: {
    arity: 1,
    write: ({ op }) => ({
      axis: op.axis,
      low: writeSize(op.low),
      high: writeSize(op.high),
      step: op.step,
    }),
    read: (fields, [input], context) =>
      build.pad(
        input,
        fields.get('axis', count),
        fields.get('low', length(context)),
        fields.get('high', context.size),
        fields.get('step', count),
      ),
  },
  flip: {
    arity: 1,
    write: ({ op }) => ({ axis: op.axis }),
    read: (fields, [input]) => build.flip(input, fields.get('axis', count)),
  },
  concat: {
    write: ({ op }) => ({ axis: op.axis }),
    read: (fields, inputs) => build.concat(inputs, fields.get('axis', count)),
  },
  reduce: {
    arity: 1,
    write: ({ op }) => ({ fn: op.fn, axes: op.axes }),
    read: (fields, [input]) =>
      build.reduce(fields.get('fn', choice(['sum', 'max'], 'reduction')), input, fields.get('axes', counts)),
  },
  einsum: {
    arity: 2,
    write: ({ op: { a, b, out } }) => ({ a, b, out }),
    read: (fields, [first, second]) =>
      build.einsum(
        first,
        fields.get('a', labels),
        second,
        fields.get('b', labels),
        fields.get('out', labels),
      ),
  },
  gather: {
    arity: 2,
    write: () => ({}),
    read: (_, [table, indices]) => build.gather(table, indices),
  },
  argsort: {
    arity: 1,
    write: () => ({}),
    read: (_, [input]) => build.argsort(input),
  },
  scatterAdd: {
    arity: 2,
    write: ({ op }) => ({ rows: writeSize(op.rows) }),
    read: (fields, [indices, updates], context) =>
      build.scatterAdd(indices, updates, fields.get('rows', length(context))),
  },
  scan: {
    write({ op: { body, carries, consts, steps, reverse, packing } }, place) {
      if (packing !== undefined) throw new ArgumentError('a file holds cells, and no cell packs rows')
      return { body: place(body), carries, consts, steps: writeSize(steps), reverse }
    },
    read: readScan,
  },
  output: {
    arity: 1,
    write: ({ op }) => ({ index: op.index }),
    read: (fields, [scan]) => outputOf(scan, fields.get('index', count)),
  },
}

function readScan(fields: Fields, inputs: readonly Node[], context: NodeContext): Node {
  const body = fields.get('body', context.body)
  const [carries, consts] = [fields.get('carries', count), fields.get('consts', count)]
  const steps = fields.get('steps', length(context))
  const reverse = fields.get('reverse', flag)
  if (body.outputs.length === 0 || carries > body.outputs.length || carries + consts > inputs.length) {
    throw fault(
      fields.where,
      `${carries} states and ${consts} constants do not fit ${inputs.length} inputs and ${body.outputs.length} outputs`,
    )
  }
  // Whoever folds a body takes over what it leaves unproved.
  for (const { left, right, message } of body.guards) requireEqual(left, right, () => message)
  const op = {
    kind: 'scan',
    body,
    carries,
    consts,
    steps,
    reverse,
    packing: undefined,
    checkpoint: false,
  } as const
  return scanOutputs({ ...scanParts(op, inputs), body, steps, reverse })[0]!.inputs[0]!
}

const kindOf = choice(Object.keys(RULES) as (keyof typeof RULES)[], 'op')

export function writeOp(node: Node, place: (body: Graph) => number): { readonly [field: string]: Json } {
  return {
    op: node.op.kind,
    ...(RULES[node.op.kind as keyof typeof RULES] as Rule<OpKind>).write(node, place),
  }
}

export function readOp(fields: Fields, inputs: readonly Node[], context: NodeContext): Node {
  const kind = fields.get('op', kindOf)
  const { arity, read } = RULES[kind]
  if (arity !== undefined && inputs.length !== arity) {
    throw fault(fields.where, `${kind} takes ${arity} inputs; received ${inputs.length}`)
  }
  if (kind !== 'output' && inputs.some((input) => isKind(input, 'scan'))) {
    throw fault(fields.where, 'a scan is read through its outputs')
  }
  return read(fields, inputs as unknown as [Node, Node, ...Node[]], context)
}
