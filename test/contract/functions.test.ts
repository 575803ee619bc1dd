/** Functions made of operations, against plain loops: the backends suite holds their WASM to the oracle, this the oracle. */
import { expect, test } from 'vitest'
import { compile } from '../../src/codegen/compile.ts'
import { lower } from '../../src/codegen/lower.ts'
import { printProgram } from '../../src/codegen/print.ts'
import * as fn from '../../src/graph/functions.ts'
import { gradient } from '../../src/graph/grad.ts'
import { interpret } from '../../src/graph/interpret.ts'
import { scan } from '../../src/graph/scan.ts'
import { scanUntil } from '../../src/graph/scan-until.ts'
import { trace } from '../../src/graph/trace.ts'
import { concat, flip, greaterEqual, iota, or, sizeValue, type Value, where } from '../../src/graph/value.ts'
import { symbol } from '../../src/tensor/size.ts'
import { optimized, random } from './support.ts'

type Array2 = readonly (readonly number[])[]

const rowsOf = (data: ArrayLike<number>, width: number): number[][] =>
  Array.from({ length: data.length / width }, (_, row) =>
    Array.from(data).slice(row * width, (row + 1) * width),
  )

/** The results of a function of f32 inputs, each flattened. */
function run(
  inputs: readonly { shape: number[]; data: readonly number[] }[],
  build: (...x: Value[]) => Value[],
) {
  const graph = trace(inputs, build)
  const args = inputs.map(({ shape, data }) => ({ shape, data: Float64Array.from(data) }))
  return interpret(graph, args, new Map()).map(({ data }) => Array.from(data))
}

const draw = random(11)
const matrix: Array2 = rowsOf(draw.numbers(4 * 7), 7).map((row) => [...row.slice(0, 5), row[0]!, row[1]!])
const asInput = (rows: Array2) => ({ shape: [rows.length, rows[0]!.length], data: rows.flat() })

test('sorting, along rows and columns, equal ones as they stand', () => {
  const [up, down, order, columns, highest, which, first, turned] = run([asInput(matrix)], (x) => {
    const { values, indices } = fn.topK(x, 3)
    return [
      fn.sort(x),
      fn.sort(x, -1, { descending: true }),
      fn.argsort(x).toF32(),
      fn.sort(x, 0),
      values,
      indices.toF32(),
      fn.argMax(x).toF32(),
      flip(x, 1),
    ]
  })
  const sorted = matrix.map((row) => [...row].sort((a, b) => a - b))
  expect(rowsOf(up!, 7)).toEqual(sorted)
  expect(rowsOf(down!, 7)).toEqual(sorted.map((row) => row.toReversed()))
  const orders = matrix.map((row) => row.map((_, i) => i).sort((i, j) => row[i]! - row[j]! || i - j))
  expect(rowsOf(order!, 7)).toEqual(orders)
  const byColumn = matrix[0]!.map((_, j) => matrix.map((row) => row[j]!).sort((a, b) => a - b))
  expect(rowsOf(columns!, 7)).toEqual(matrix.map((_, i) => byColumn.map((column) => column[i])))
  expect(rowsOf(highest!, 3)).toEqual(sorted.map((row) => row.toReversed().slice(0, 3)))
  expect(rowsOf(which!, 3).map((row, i) => row.map((j) => matrix[i]![j]))).toEqual(rowsOf(highest!, 3))
  expect(first).toEqual(matrix.map((row) => row.indexOf(Math.max(...row))))
  expect(rowsOf(turned!, 7)).toEqual(matrix.map((row) => row.toReversed()))
})

test('cumulative sums', () => {
  const [along, across] = run([asInput(matrix)], (x) => [fn.cumulativeSum(x, 1), fn.cumulativeSum(x, 0)])
  const sums = matrix.map((row) =>
    row.map((_, j) => row.slice(0, j + 1).reduce((sum, each) => sum + each, 0)),
  )
  for (const [i, row] of rowsOf(along!, 7).entries()) {
    for (const [j, value] of row.entries()) expect(value).toBeCloseTo(sums[i]![j]!, 12)
  }
  expect(rowsOf(across!, 7)[1]![2]).toBeCloseTo(matrix[0]![2]! + matrix[1]![2]!, 12)
})

test.each([
  ['valid', 1, 1],
  ['valid', 2, 2],
  ['same', 1, 2],
  ['same', 3, 1],
  ['causal', 1, 2],
] as const)('convolution: %s, stride %d, dilation %d', (padding, stride, dilation) => {
  const [length, inputs, outputs, width] = [9, 2, 3, 3]
  const x = rowsOf(draw.numbers(length * inputs), inputs)
  const kernel = draw.numbers(width * inputs * outputs)
  const [received] = run([asInput(x), { shape: [width, inputs, outputs], data: kernel }], (a, w) => [
    fn.convolution(a, w, { axes: [0], padding, strides: stride, dilations: dilation }),
  ])
  const reach = (width - 1) * dilation
  const wanted = padding === 'valid' ? Math.ceil((length - reach) / stride) : Math.ceil(length / stride)
  const missing = Math.max(0, (wanted - 1) * stride + reach + 1 - length)
  const before = { valid: 0, same: Math.floor(missing / 2), causal: reach }[padding]
  const expected = Array.from({ length: wanted }, (_, p) =>
    Array.from({ length: outputs }, (_, o) => {
      let sum = 0
      for (let j = 0; j < width; j++) {
        const at = p * stride + j * dilation - before
        for (let i = 0; i < inputs; i++) sum += (x[at]?.[i] ?? 0) * kernel[(j * inputs + i) * outputs + o]!
      }
      return sum
    }),
  )
  expect(received!.length).toBe(wanted * outputs)
  for (const [i, value] of expected.flat().entries()) expect(received![i]).toBeCloseTo(value, 12)
})

test('convolution in groups: as if each were one of its own', () => {
  const [x, w] = [
    { shape: [7, 2, 6], data: draw.numbers(84) },
    { shape: [3, 2, 9], data: draw.numbers(54) },
  ]
  const options = { axes: [0], padding: 'same', dilations: 2 } as const
  const [whole, parts] = run([x, w], (a, b) => {
    const each = [0, 1, 2].map((g) =>
      fn.convolution(a.slice(-1, 2 * g, 2 * g + 2), b.slice(-1, 3 * g, 3 * g + 3), options),
    )
    return [fn.convolution(a, b, { ...options, groups: 3 }), concat(each, -1)]
  })
  expect(whole!.length).toBe(7 * 2 * 9)
  for (const [i, value] of parts!.entries()) expect(whole![i]).toBeCloseTo(value, 12)
  const refuses = (groups: number) => () =>
    run([x, w], (a, b) => [fn.convolution(a, b, { ...options, groups })])
  expect(refuses(4)).toThrow(/convolution: groups must divide the last axis; received 4 and 6/)
  expect(refuses(2)).toThrow(/convolution: groups must divide the last axis; received 2 and 9/)
})

test('random numbers have their distributions, follow their keys and stay with their rows', () => {
  const key = { seed: 5, update: 2, stream: 99 }
  const rows = { shape: [3], data: [2, 0, 1] }
  const [uniform, normal, bernoulli, classes, again, other, small, moved] = run([rows], (order) => [
    fn.randomUniform([4000], key),
    fn.randomNormal([4000], key),
    fn.randomBernoulli(0.3, [4000], key),
    fn.randomCategorical(flip(fn.cumulativeSum(fn.randomUniform([4000, 3], key).mul(0), 1), 0), key).toF32(),
    fn.randomUniform([4000], key),
    fn.randomUniform([4000], { ...key, update: 3 }),
    fn.randomUniform([3, 2], key),
    fn.randomUniform([3, 2], { ...key, rows: order.toI32() }),
  ])
  const mean = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0) / values.length
  expect(mean(uniform!)).toBeCloseTo(0.5, 1)
  expect(Math.min(...uniform!)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...uniform!)).toBeLessThan(1)
  expect(Math.abs(mean(normal!))).toBeLessThan(0.06)
  expect(mean(normal!.map((z) => z * z))).toBeCloseTo(1, 1)
  expect(Math.abs(mean(bernoulli!) - 0.3)).toBeLessThan(0.03)
  for (const which of [0, 1, 2])
    expect(Math.abs(mean(classes!.map((c) => Number(c === which))) - 1 / 3)).toBeLessThan(0.04)
  expect(again).toEqual(uniform)
  expect(other).not.toEqual(uniform)
  expect(rowsOf(moved!, 2)).toEqual([2, 0, 1].map((row) => rowsOf(small!, 2)[row]))
})

test('a scan until its end runs no step after it, unless a gradient looks at them', async () => {
  const build = (rows: boolean, end: Value) =>
    scanUntil({ carry: { n: end.mul(0) }, steps: symbol('T'), rows }, ({ carry: { n } }) => {
      const next = n.add(1)
      const reached = greaterEqual(next, end)
      return {
        carry: { n: next },
        y: { next },
        until: rows
          ? reached
          : reached
              .toF32()
              .sum()
              .equal(sizeValue(symbol('B'))),
      }
    })
  for (const rows of [false, true]) {
    const specs = [{ shape: ['B'] }]
    const inference = trace(specs, (end) => {
      const { carry, ys, count } = build(rows, end!)
      return [carry.n, ys.next, count.toF32()]
    })
    const training = trace(specs, (end) => gradient(build(rows, end!).carry.n.sum(), [end!]))
    const [stops, goes] = [inference, training].map((graph) => printProgram(lower(optimized(graph))))
    expect([stops, goes].map((program) => program!.includes('until all of'))).toEqual([true, false])
    const executable = await compile(inference)
    for (const [T, B] of [
      [9, 3],
      [8, 3],
      [4, 2],
      [1, 1],
    ] as const) {
      const bindings = new Map(Object.entries({ T, B }))
      // First none ends: what its steps leave in memory must not be taken for those of the second call.
      for (const never of [T, 0]) {
        const data = Float32Array.from({ length: B }, (_, i) => 2 * i + 1 + never)
        const expected = interpret(inference, [{ data: Float64Array.from(data), shape: [B] }], bindings)
        const received = await executable.call({ bindings, inputs: new Map([[0, data]]), outputs: [0, 1, 2] })
        expect(received.map((each) => [...each])).toEqual(expected.map((each) => [...each.data]))
      }
    }
  }
})

test('a loop goes on to its last step while any state moves, or anything but 0 is yielded', async () => {
  const build = (x: Value, what: 'neither' | 'state' | 'yield') => {
    const carry = { ended: x.greater(99), n: x.mul(0) }
    const { carry: last, ys } = scan({ carry, steps: symbol('T') }, ({ carry: { ended, n } }) => ({
      carry: { ended: or(ended, n.greater(1)), n: what === 'state' ? n.add(1) : where(ended, n, n.add(1)) },
      y: { n: what === 'yield' ? n.add(1) : where(ended, 0, n) },
    }))
    return [last.n, ys.n]
  }
  for (const what of ['neither', 'state', 'yield'] as const) {
    const graph = trace([{ shape: ['B'] }], (x) => build(x!, what))
    const text = printProgram(lower(optimized(graph)))
    expect([what, text.includes('until all of')]).toEqual([what, what === 'neither'])
    const executable = await compile(graph)
    const bindings = new Map(Object.entries({ T: 7, B: 2 }))
    const expected = interpret(graph, [{ data: new Float64Array(2), shape: [2] }], bindings)
    const received = await executable.call({
      bindings,
      inputs: new Map([[0, new Float32Array(2)]]),
      outputs: [0, 1],
    })
    expect(received.map((each) => [...each])).toEqual(expected.map((each) => [...each.data]))
  }
})

test('random numbers of a row and a time: the same among more rows or steps, in another order, packed', () => {
  const key = { seed: 5, update: 2, stream: 99, rowAxis: 1 }
  const [T, B, F] = [3, 4, 5]
  const order = [2, 0, 3, 1]
  const packed = { rows: [2, 0, 2, 1], time: [0, 0, 2, 1] }
  const inputs = [order, packed.rows, packed.time].map((data) => ({ shape: [4], data }))
  const [all, more, sorted, rows] = run(inputs, (...numbers) => {
    const [own, row, time] = numbers.map((each) => each.toI32())
    const steps = (length: number) => ({ ...key, time: iota([length]) })
    return [
      fn.randomUniform([T, B, F], steps(T)),
      fn.randomUniform([T + 1, B + 2, F], steps(T + 1)),
      fn.randomUniform([T, B, F], { ...steps(T), rows: own! }),
      fn.randomUniform([4, F], { ...key, rowAxis: 0, rows: row!, time: time! }),
    ]
  })
  const at = (values: readonly number[], width: number, t: number, b: number) =>
    values.slice((t * width + b) * F, (t * width + b + 1) * F)
  for (let t = 0; t < T; t++) {
    for (let b = 0; b < B; b++) {
      expect(at(more!, B + 2, t, b)).toEqual(at(all!, B, t, b))
      expect(at(sorted!, B, t, b)).toEqual(at(all!, B, t, order[b]!))
    }
  }
  expect(rowsOf(rows!, F)).toEqual(packed.rows.map((b, i) => at(all!, B, packed.time[i]!, b)))
  expect(new Set(all).size).toBe(T * B * F)
})

test('a scan until its end: states hold, yields are 0, steps are counted', () => {
  const ends = { shape: [2], data: [3, 99] }
  const [state, yields, count] = run([ends], (end) => {
    const result = scanUntil({ carry: { n: end.mul(0) }, steps: 5, rows: true }, ({ carry: { n } }) => {
      const next = n.add(1)
      return { carry: { n: next }, y: { next }, until: next.equal(end) }
    })
    return [result.carry.n, result.ys.next, result.count.toF32()]
  })
  expect(state).toEqual([3, 5])
  expect(yields).toEqual([1, 1, 2, 2, 3, 3, 0, 4, 0, 5])
  expect(count).toEqual([3, 5])
})
