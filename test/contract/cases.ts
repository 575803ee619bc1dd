/** Functions that between them use every operation, both ways through time; the contract suite holds each to the oracle. */
import * as rows from '../../src/graph/build-rows.ts'
import * as fn from '../../src/graph/functions.ts'
import { scan } from '../../src/graph/scan.ts'
import { scanUntil } from '../../src/graph/scan-until.ts'
import type { ParamSpec } from '../../src/graph/trace.ts'
import type { Value } from '../../src/graph/value.ts'
import * as v from '../../src/graph/value.ts'
import { size } from '../../src/tensor/size.ts'
import { lossOf } from '../../src/train/losses.ts'

export interface Case {
  readonly inputs: readonly ParamSpec[]
  readonly build: (...inputs: Value[]) => Value
  /** What central differences cannot see: a gradient that was stopped. */
  readonly detached?: true
  /** Of operations that passes alone make: no file holds them. */
  readonly made?: true
  /** For i32 inputs: values run from −1 to this. */
  readonly highest?: number
}

/** Operations that passes alone make. */
const firsts = (indices: Value, length: number) =>
  v.derive([indices], ([at]) => rows.firsts(at!, size(length)))
const setRows = (table: Value, indices: Value, values: Value) =>
  v.derive([table, indices, values], ([whole, at, own]) => rows.setRows(whole!, at!, own!))

const f = (...shape: (number | string)[]): ParamSpec => ({ shape })
const i = (...shape: (number | string)[]): ParamSpec => ({ shape, dtype: 'i32' })
const unary = (build: (x: Value) => Value): Case => ({ inputs: [f('B', 3, 'D')], build })
const binary = (build: (a: Value, b: Value) => Value): Case => ({
  inputs: [f('B', 1, 'D'), f(3, 'D')],
  build,
})

/** One step of a recurrence with gates, states of two shapes and a yield. */
function recurrence(reverse: boolean, padding?: 'lengths' | 'mask'): Case {
  const alive = { lengths: [i('B')], mask: [i('T', 'B')], none: [] }[padding ?? 'none']
  return {
    inputs: [f('T', 'B', 3), f(3, 8), f(4, 8), f(8), f('B', 4), ...alive],
    highest: 6,
    build: (x, U, W, b, start, alive) => {
      const result = scan(
        {
          carry: { h: start!, n: v.zeros(['B', 1]) },
          xs: { x: x! },
          reverse,
          ...(padding === 'lengths' ? { lengths: alive! } : {}),
          ...(padding === 'mask' ? { mask: alive!.greater(1) } : {}),
        },
        ({ carry: { h, n }, x, t }) => {
          const z = x.x.matmul(U!).add(h.matmul(W!)).add(b!)
          const next = z.slice(1, 0, 4).tanh().mul(z.slice(1, 4).sigmoid()).add(h.mul(0.5))
          const count = n.add(h.sum(1, { keepDims: true }).mul(t.toF32().add(1)))
          return { carry: { h: next, n: count }, y: { h: next, z } }
        },
      )
      const tail = v.concat([result.carry.h, result.carry.n], 1).mean()
      return result.ys.h.square().sum(2).add(result.ys.z.sum(2)).add(tail)
    },
  }
}

export const CASES: Readonly<Record<string, Case>> = {
  neg: unary(v.neg),
  abs: unary(v.abs),
  exp: unary(v.exp),
  log: unary((x) => x.square().add(0.5).log()),
  sqrt: unary((x) => x.square().add(0.5).sqrt()),
  tanh: unary(v.tanh),
  sigmoid: unary(v.sigmoid),
  relu: unary(v.relu),
  'floor, sin, cos': unary((x) =>
    x
      .mul(20)
      .sin()
      .add(v.cos(x.mul(7)))
      .add(v.floor(x.mul(3)).mul(0.1)),
  ),
  'integer division': {
    inputs: [i('B', 5), f('B', 5)],
    highest: 9,
    build: (n, x) => {
      const [a, b] = [n!.mul(7).sub(23), n!.sub(4)]
      return v.floorDiv(a, b).add(v.mod(a, b).mul(100)).toF32().mul(0.01).mul(x!)
    },
  },
  random: {
    inputs: [i('B', 5), f('B', 5)],
    highest: 9,
    build: (n, x) => v.random([n!, v.iota(['B', 5], 0), v.iota([5], 0), 7, n!.mul(-1234567), 3]).mul(x!),
  },
  stopGradient: { ...unary((x) => v.stopGradient(x).mul(x)), detached: true },
  add: binary(v.add),
  sub: binary(v.sub),
  mul: binary(v.mul),
  div: binary((a, b) => a.div(b.square().add(0.5))),
  'max, min': binary((a, b) => a.max(b).add(a.mul(b.min(0.25)))),
  'comparisons, logic, select': binary((a, b) =>
    v.where(
      v.or(v.and(a.less(b), v.not(b.lessEqual(0))), v.and(a.equal(b), v.finite(a.sub(1)))),
      a.mul(2),
      b.square().add(a),
    ),
  ),
  'bool and i32 as numbers': {
    inputs: [f('B', 5), i('B', 5)],
    highest: 3,
    build: (x, n) =>
      x!.mul(x!.less(0.1).toF32()).add(n!.mul(2).max(1).neg().add(n!.abs()).toF32()).add(x!.toI32().toF32()),
  },
  'iota, sizes': {
    inputs: [f('B', 'D')],
    build: (x) =>
      x!
        .mul(v.iota(['B', 'D'], 1).toF32())
        .add(v.iota(['B', 1]).toF32())
        .div(v.sizeValue(x!.shape[0]!)),
  },
  'reduce along rows': unary((x) =>
    x
      .square()
      .sum(2)
      .add(x.reduceMax(-1))
      .add(x.mean([1, 2], { keepDims: true }).reshape(['B', 1])),
  ),
  'reduce across rows': unary((x) =>
    x
      .square()
      .sum(0)
      .add(x.mean([0, 1]))
      .mul(x.mean().add(1)),
  ),
  'reduce max across': unary((x) => x.reduceMax([0])),
  matmul: { inputs: [f('B', 'D'), f('D', 'N')], build: (a, b) => a!.matmul(b!) },
  'matmul of known sizes, epilogue': {
    inputs: [f('T', 'B', 6), f(6, 11), f(11), f('B', 11)],
    build: (x, w, b, c) => x!.matmul(w!).add(b!).tanh().mul(c!),
  },
  'matmul, batched': { inputs: [f('B', 'D', 3), f('B', 3, 5)], build: (a, b) => a!.matmul(b!) },
  'matmul with transposes': {
    inputs: [f('B', 6), f(9, 6)],
    build: (x, w) => x!.matmul(w!.transpose()).matmul(w!).add(x!.transpose().matmul(x!).sum(0)),
  },
  'a vector by a matrix': { inputs: [f(7), f(7, 9)], build: (a, b) => a!.matmul(b!) },
  'slice, concat, pad': {
    inputs: [f('B', 7), f('B', 2)],
    build: (a, b) =>
      v
        .concat([a!.slice(1, 2, 6), b!, a!.slice(1, 0, 1).mul(3)], 1)
        .mul(v.concat([a!, b!.mul(0).slice(1, 0, 0)], 1)),
  },
  'sort, top k, argmax': unary((x) =>
    fn
      .sort(x, 0)
      .add(fn.sort(x, 2, { descending: true }))
      .mul(fn.topK(x, 2, 1).values.sum(1, { keepDims: true }))
      .add(fn.argMax(x, 1).toF32().expandDims(1)),
  ),
  'cumulative sum': unary((x) => fn.cumulativeSum(x, 2).mul(fn.cumulativeSum(x, 0)).mul(0.2)),
  'convolution over time': {
    inputs: [f('T', 'B', 3), f(3, 3, 2)],
    build: (x, w) =>
      fn
        .convolution(x!, w!, { axes: [0], padding: 'same', dilations: 2 })
        .add(fn.convolution(x!, w!, { axes: [0], padding: 'causal' })),
  },
  'convolution in groups': {
    inputs: [f('T', 'B', 6), f(2, 2, 9)],
    build: (x, w) => fn.convolution(x!, w!, { axes: [0], padding: 'same', groups: 3 }),
  },
  'convolution over two axes, in groups': {
    inputs: [f('B', 5, 6, 4), f(2, 3, 2, 2)],
    build: (x, w) => fn.convolution(x!, w!, { axes: [1, 2], strides: [1, 2], groups: 2 }),
  },
  'convolution over two axes': {
    inputs: [f('B', 5, 6, 2), f(2, 3, 2, 3)],
    build: (x, w) => fn.convolution(x!, w!, { axes: [1, 2], strides: [1, 2], padding: 'valid' }),
  },
  'random distributions': {
    inputs: [i('B'), f('B', 'D')],
    build: (rows, x) => {
      const key = { seed: 7, update: 3, stream: 12345, rows: rows!, time: 2 }
      const normal = fn.randomNormal(['B', x!.shape[1]!], key)
      const kept = fn.randomBernoulli(0.5, ['B', x!.shape[1]!], key)
      return x!
        .mul(normal)
        .add(kept.mul(x!))
        .add(
          fn
            .randomCategorical(v.zeros(['B', 4]), key)
            .toF32()
            .expandDims(1),
        )
    },
  },
  'random numbers of rows and times': {
    inputs: [i('B'), f('D', 'B', 3), f('B', 3)],
    build: (rows, x, packed) => {
      const key = { seed: 7, update: 3, stream: 12345, rows: rows! }
      const mask = fn.randomUniform(x!.shape, { ...key, rowAxis: 1, time: v.iota([x!.shape[0]!]) }).less(0.5)
      const own = fn.randomUniform(packed!.shape, { ...key, time: rows!.add(1) })
      return v.where(mask, x!, 0).add(own.mul(packed!))
    },
  },
  'strided slices': {
    inputs: [f('B', 7), f('D', 'B')],
    build: (a, b) =>
      a!
        .slice(1, 1, 7, 2)
        .mul(a!.slice(1, 0, 5, 2))
        .sum(0)
        .add(b!.slice(0, 0, undefined, 2).sum()),
  },
  flip: {
    inputs: [f('B', 6), f(6, 9), f('D', 6)],
    build: (a, w, c) =>
      v
        .flip(a!, 0)
        .matmul(v.flip(w!, 0))
        .add(v.flip(c!, 1).matmul(v.flip(w!, 1)).sum(0))
        .mul(v.flip(v.flip(a!, 1).matmul(w!), 1)),
  },
  'transpose, reshape, broadcast': {
    inputs: [f('B', 3, 'D')],
    build: (x) =>
      x!
        .transpose([2, 0, 1])
        .reshape(['D', x!.shape[0]!, 3])
        .mul(x!.sum(2).expandDims(0))
        .transpose()
        .reshape([3, 'B', 'D']),
  },
  gather: {
    inputs: [f(5, 3), i('T', 'B')],
    highest: 5,
    build: (table, at) => v.gather(table!, at!).square(),
  },
  scatterAdd: {
    inputs: [i('B'), f('B', 5)],
    highest: 4,
    build: (at, x) => v.scatterAdd(at!, x!.square(), 4).mul(2),
  },
  firsts: {
    made: true,
    inputs: [i('T', 'B'), f('B', 5)],
    highest: 4,
    build: (at, x) => firsts(at!, 4).toF32().expandDims(2).mul(x!),
  },
  setRows: {
    made: true,
    inputs: [f(5, 3), i('T', 'B'), f('T', 'B', 3)],
    highest: 5,
    build: (table, at, x) => setRows(table!.square(), at!, x!.mul(x!)).mul(table!),
  },
  'setRows of a table as it is, without axes': {
    made: true,
    inputs: [f(6), i('B'), f('B')],
    highest: 6,
    build: (table, at, x) => v.concat([setRows(table!, at!, x!), table!], 0),
  },
  'log-softmax, softmax, logSumExp': unary((x) =>
    v
      .logSoftmax(x.mul(3))
      .add(v.softmax(x, 1))
      .mul(v.logSumExp(x, -1, { keepDims: true })),
  ),
  'cross entropy of wide rows': {
    inputs: [f('T', 'B', 3), i('B', 'T')],
    build: (x, y) => {
      const logits = x!.matmul(
        v
          .iota([3, 1030], 1)
          .add(v.iota([3, 1030], 0))
          .toF32()
          .sin(),
      )
      return lossOf('softmaxCrossEntropy').terms(logits, y!.mul(250).transpose())
    },
  },
  'one-hot': { inputs: [i('B'), f('B', 6)], highest: 5, build: (at, x) => v.oneHot(at!, 6).mul(x!) },
  'scan forwards': recurrence(false),
  'scan backwards': recurrence(true),
  'scan with lengths': recurrence(false, 'lengths'),
  'scan backwards with lengths': recurrence(true, 'lengths'),
  'scan with a mask': recurrence(false, 'mask'),
  'scan backwards with a mask': recurrence(true, 'mask'),
  'scan without inputs': {
    inputs: [f('B', 2)],
    build: (x) =>
      scan({ carry: { x: x! }, steps: 5 }, ({ carry: { x } }) => ({
        carry: { x: x.mul(0.9).add(x.square().mul(0.1)) },
      })).carry.x,
  },
  'scan until all have ended': {
    inputs: [f('B', 2), f('T', 'B', 2)],
    build: (h, x) => {
      const { carry, ys, count } = scanUntil(
        { carry: { h: h! }, xs: { x: x! } },
        ({ carry: { h }, x: { x }, t }) => {
          const next = h.mul(0.9).add(x.tanh())
          return { carry: { h: next }, y: { next }, until: t.equal(1) }
        },
      )
      return ys.next.sum(0).add(carry.h).mul(count.toF32())
    },
  },
  'scan until each row has ended': {
    inputs: [f('B', 2), f('T', 'B', 2), i('B')],
    highest: 6,
    build: (h, x, last) => {
      const { carry, ys, count } = scanUntil(
        { carry: { h: h! }, xs: { x: x! }, rows: true },
        ({ carry: { h }, x: { x }, t }) => {
          const next = h.mul(0.9).add(x.tanh())
          return { carry: { h: next }, y: { next }, until: t.equal(last!) }
        },
      )
      return ys.next.sum(0).add(carry.h).mul(count.toF32().expandDims(1))
    },
  },
  'a decoder that attends to another sequence': {
    inputs: [f('N', 'B', 2), f('T', 'B', 2), f(2, 3), f(3, 3), f(5, 3)],
    build: (source, target, U, W, V) => {
      const start = { h: v.zeros(['B', 3]) }
      const encoded = scan({ carry: start, xs: { x: source! } }, ({ carry: { h }, x: { x } }) => {
        const next = x.matmul(U!).add(h.matmul(W!)).tanh()
        return { carry: { h: next }, y: { next } }
      })
      const keys = encoded.ys.next.transpose([1, 0, 2])
      return scan({ carry: encoded.carry, xs: { x: target! } }, ({ carry: { h }, x: { x } }) => {
        const weights = v.softmax(keys.matmul(h.expandDims(2)), 1)
        const seen = weights.transpose([0, 2, 1]).matmul(keys).reshape(['B', 3])
        const next = v.concat([seen, x], 1).matmul(V!).add(h.mul(0.5)).tanh()
        return { carry: { h: next }, y: { next } }
      }).ys.next
    },
  },
  'scan within a scan': {
    inputs: [f('T', 'D', 'B', 2), f(2, 2), f('B', 2)],
    build: (x, w, start) =>
      scan({ carry: { h: start! }, xs: { rows: x! } }, ({ carry: { h }, x: { rows } }) => {
        const inner = scan({ carry: { g: h }, xs: { row: rows } }, ({ carry: { g }, x: { row } }) => {
          const next = g.matmul(w!).add(row).tanh()
          return { carry: { g: next }, y: { next } }
        })
        return { carry: { h: inner.carry.g.mul(0.5).add(h) }, y: { sum: inner.ys.next.sum(0) } }
      }).ys.sum,
  },
}
