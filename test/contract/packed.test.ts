/** A scan over packed rows is the scan over padded ones with lengths: values and gradients, in the oracle and in WASM. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compile } from '../../src/codegen/compile.ts'
import { lower } from '../../src/codegen/lower.ts'
import { printProgram } from '../../src/codegen/print.ts'
import { gradient } from '../../src/graph/grad.ts'
import { type F64Array, interpret } from '../../src/graph/interpret.ts'
import { scan, type Values } from '../../src/graph/scan.ts'
import { scanPacked } from '../../src/graph/scan-packed.ts'
import { trace } from '../../src/graph/trace.ts'
import * as v from '../../src/graph/value.ts'
import { eachPacked, type PackedRows, packRows } from '../../src/tensor/packed-rows.ts'
import { symbol } from '../../src/tensor/size.ts'
import { elementCount, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { optimized, random } from './support.ts'

const [I, H] = [3, 4]
const packing = { rows: symbol('B'), alive: symbol('alive'), total: symbol('N') }
const weights = [
  { shape: [I, 2 * H] },
  { shape: [H, 2 * H] },
  { shape: [2 * H] },
  { shape: ['B', H] },
] as const

/** Gates, two states of two shapes of which one sums, a broadcast, a reduction and a yield that no state reads. */
function step([U, W, b]: readonly v.Value[]) {
  return ({ carry: { h, n }, x: { x } }: { carry: Values; x: Values }) => {
    const z = x!.matmul(U!).add(h!.matmul(W!)).add(b!)
    const next = z.slice(1, 0, H).tanh().mul(z.slice(1, H).sigmoid()).add(h!.mul(0.5))
    const count = n!.add(h!.sum(1, { keepDims: true }).mul(0.3)).tanh()
    return { carry: { h: next, n: count }, y: { h: next, z: z.mul(count) } }
  }
}

/** Two layers, the second the other way; what they give is weighed so that every part counts. */
function build(run: (carry: Values, x: v.Value, reverse: boolean) => { carry: Values; ys: Values }) {
  return (x: v.Value, weights: readonly v.Value[], reverse: boolean, mean: (value: v.Value) => v.Value) => {
    const start = { h: weights[3]!, n: v.zeros(['B', 1]) }
    const lower = run(start, x, reverse)
    const upper = run(start, lower.ys['h']!.slice(-1, 0, I).add(x.mul(0.5)), !reverse)
    const states = [lower, upper].map(({ carry }) => carry['h']!.square().sum().add(carry['n']!.sum()))
    const ys = [lower.ys['z']!.square(), upper.ys['h']!, upper.ys['z']!.mul(0.1)]
    const loss = states
      .reduce((sum, each) => sum.add(each))
      .add(ys.map(mean).reduce((sum, each) => sum.add(each)))
    return [loss, ...gradient(loss, [x, ...weights]), upper.ys['h']!, lower.carry['h']!]
  }
}

const graphs = [false, true].map((reverse) => ({
  packed: trace([{ shape: ['N', I] }, { shape: ['T'], dtype: 'i32' }, ...weights], (x, counts, ...all) => {
    const run = (carry: Values, x: v.Value, backwards: boolean) =>
      scanPacked({ carry, xs: { x }, packing, counts: counts!, reverse: backwards }, step(all))
    return build(run)(x!, all, reverse, (value) => value.sum())
  }),
  padded: trace(
    [{ shape: ['T', 'B', I] }, { shape: ['B'], dtype: 'i32' }, ...weights],
    (x, lengths, ...all) => {
      const run = (carry: Values, x: v.Value, backwards: boolean) =>
        scan({ carry, xs: { x }, lengths: lengths!, reverse: backwards }, step(all))
      return build(run)(x!, all, reverse, (value) => value.sum())
    },
  ),
}))

const configurations = fc
  .record({ T: fc.integer({ min: 1, max: 6 }), B: fc.integer({ min: 1, max: 7 }), seed: fc.nat() })
  .chain(({ T, B, seed }) =>
    fc.record({
      ...{ T: fc.constant(T), B: fc.constant(B), seed: fc.constant(seed) },
      lengths: fc.array(fc.integer({ min: 0, max: T }), { minLength: B, maxLength: B }),
    }),
  )

test.each([false, true])('the padded scan, compiled once for all sizes; reverse: %s', async (reverse) => {
  const { packed, padded } = graphs[Number(reverse)]!
  const executable = await compile(packed, { verify: true })
  const property = fc.asyncProperty(configurations, async ({ T, B, seed, lengths }) => {
    const rows = packRows(Int32Array.from(lengths), T)
    const { numbers } = random(seed)
    const draw = (...shape: number[]): F64Array => ({
      shape,
      data: Float64Array.from(numbers(shape.reduce((product, size) => product * size, 1))),
    })
    const x = draw(B, T, I)
    const others = [draw(I, 2 * H), draw(H, 2 * H), draw(2 * H), draw(B, H)]
    const timeMajor = { shape: [T, B, I], data: x.data.map((_, i) => x.data[swap(i, T, B, I)]!) }
    const expected = interpret(
      padded,
      [timeMajor, { shape: [B], data: Float64Array.from(lengths) }, ...others],
      new Map(Object.entries({ T, B })),
    )
    // What is by row stands in order of the lengths, what is by step without the rows that have ended.
    const sorted = ({ data, shape }: F64Array) =>
      reordered(tensor(Float32Array.from(data), shape), rows.order)
    const xs = pack(tensor(Float32Array.from(x.data), [B, T, I]), rows)
    const start = sorted(others[3]!)
    const bindings = new Map(Object.entries({ T, B, N: rows.total }))
    const inputs = [
      xs,
      tensor(rows.counts),
      ...others.slice(0, 3).map(({ data, shape }) => tensor(Float32Array.from(data), shape)),
      start,
    ]
    const oracle = interpret(
      packed,
      inputs.map(({ data, shape }) => ({ data: Float64Array.from(data), shape })),
      bindings,
    )
    const packedOf = ({ data }: F64Array, width: number) => {
      const found: number[] = []
      eachPacked(rows, (_, row, t) => {
        found.push(...data.subarray((t * B + row) * width, (t * B + row + 1) * width))
      })
      return found
    }
    const wanted = [
      ...[expected[0]!.data, packedOf(expected[1]!, I), ...expected.slice(2, 5).map(({ data }) => data)],
      ...[sorted(expected[5]!).data, packedOf(expected[6]!, H), sorted(expected[7]!).data],
    ]
    const received = await executable.call({
      bindings,
      inputs: new Map(inputs.map(({ data }, i) => [i, data])),
      outputs: wanted.map((_, i) => i),
    })
    for (const [i, numbers] of wanted.entries()) {
      const scale = Math.max(1, ...Array.from(numbers, Math.abs))
      const far = (found: ArrayLike<number>, bound: number) =>
        Array.from(numbers).some((value, at) => !(Math.abs(found[at]! - value) <= bound * scale))
      expect([i, oracle[i]!.data.length, far(oracle[i]!.data, 1e-6), far(received[i]!, 1e-5)]).toEqual([
        i,
        numbers.length,
        false,
        false,
      ])
    }
  })
  await fc.assert(property, { numRuns: process.env['RECURRA_LONG'] === '1' ? 300 : 40 })
})

/** Where element i of [T, B, I] stands in [B, T, I]. */
function swap(i: number, T: number, B: number, width: number): number {
  const [t, b] = [Math.floor(i / width / B), Math.floor(i / width) % B]
  return (b * T + t) * width + (i % width)
}

test('products that leave the loop run over the rows that are there', () => {
  const graph = optimized(graphs[0]!.packed)
  const program = printProgram(lower(graph))
  // x·U before each loop, each weight's gradient after it: over N rows, none over T·B.
  expect(program).toMatch(/^matmul N × 8 × 3/m)
  expect(program).toMatch(/^matmul 4 × 8 × N/m)
  expect(program).not.toContain('B·T')
  expect(program.match(/^ {2}matmul .*/gm)).toEqual([
    '  matmul alive × 8 × 4',
    '  matmul alive × 8 × 4',
    '  matmul alive × 4 × 8',
    '  matmul alive × 4 × 8',
  ])
})

test('rows that look at each other: what has the rows alive twice is not kept from step to step', async () => {
  const graph = trace(
    [{ shape: ['N', I] }, { shape: ['T'], dtype: 'i32' }, { shape: ['B', I] }, { shape: [1, 1] }],
    (x, counts, start, scale) => {
      const { carry, ys } = scanPacked(
        // k never changes: a constant by row, beside the one of all rows that the step names itself.
        // s and e are sums by row, which no sum over all rows may stand for.
        {
          carry: { h: start!, k: start!, s: v.zeros(['B', 1]), e: v.zeros(['B', 1, 1]) },
          xs: { x: x! },
          packing,
          counts: counts!,
        },
        ({ carry: { h, k, s, e }, x: { x } }) => {
          const alike = h!.matmul(h!.transpose()).mul(scale!)
          const around = x!.mean(0).add(start!.mean(0)).add(h!.mean(0).mul(k!))
          const own = {
            s: s!.add(x!.sum(1, { keepDims: true })),
            e: e!.add(x!.expandDims(1).matmul(x!.expandDims(2))),
          }
          return { carry: { h: h!.add(x!).tanh(), k: k!, ...own }, y: { seen: alike.matmul(x!), around } }
        },
      )
      const sums = carry.s!.square().sum().add(carry.e!.square().sum())
      const loss = sums
        .add(carry.h!.square().sum())
        .add(ys.seen!.square().sum())
        .add(ys.around!.square().sum())
      return [loss, ...gradient(loss, [x!, start!, scale!])]
    },
  )
  const bindings = new Map(Object.entries({ T: 4, B: 3, N: 7 }))
  const { numbers } = random(1)
  const inputs = [numbers(7 * I), [3, 2, 1, 1], numbers(3 * I), numbers(1)]
  const shapes = [[7, I], [4], [3, I], [1, 1]]
  const expected = interpret(
    graph,
    inputs.map((data, i) => ({ data: Float64Array.from(data), shape: shapes[i]! })),
    bindings,
  )
  const executable = await compile(graph, { verify: true })
  const received = await executable.call({
    bindings,
    inputs: new Map(inputs.map((data, i) => [i, i === 1 ? Int32Array.from(data) : Float32Array.from(data)])),
    outputs: expected.map((_, i) => i),
  })
  for (const [i, { data }] of expected.entries()) {
    for (const [at, value] of data.entries()) expect(received[i]![at]).toBeCloseTo(value, 4)
  }
})

test('a step that yields the rows alive twice, or not as axis 0, is refused', () => {
  const yielding = (make: (x: v.Value) => v.Value) =>
    trace([{ shape: ['N', I] }, { shape: ['T'], dtype: 'i32' }], (x, counts) => {
      const carry = { n: v.zeros(['B', 1]) }
      const { ys } = scanPacked({ carry, xs: { x: x! }, packing, counts: counts! }, ({ carry, x }) => ({
        carry,
        y: { made: make(x.x) },
      }))
      return [ys.made]
    })
  const message = /yields may have the rows alive as axis 0 alone; received/
  expect(() => yielding((x) => x.matmul(x.transpose()))).toThrow(message)
  expect(() => yielding((x) => x.transpose().mul(2))).toThrow(message)
})

/** [B, T, …] → [Σ lengths, …] */
function pack({ data, shape, dtype }: Tensor, rows: PackedRows): Tensor {
  const [, steps, ...rest] = shape as [number, number, ...number[]]
  const width = elementCount(rest)
  const packed = new Float32Array(rows.total * width)
  eachPacked(rows, (at, row, t) => {
    const from = (row * steps + t) * width
    packed.set(data.subarray(from, from + width), at * width)
  })
  return { data: packed, shape: [rows.total, ...rest], dtype }
}

/** Row i of the result is row order[i]. */
function reordered({ data, shape, dtype }: Tensor, order: Int32Array): Tensor {
  const width = elementCount(shape.slice(1))
  const rows = Array.from(order, (row) => [...data.subarray(row * width, (row + 1) * width)])
  return { data: Float32Array.from(rows.flat()), shape, dtype }
}
