/** Products larger than tiles, panels and chunks, and those that join another's sum: sizes that small cases never reach. */
import { describe, expect, test } from 'vitest'
import { lower } from '../../src/codegen/lower.ts'
import { joinProducts } from '../../src/codegen/native/join.ts'
import { printProgram } from '../../src/codegen/print.ts'
import { gradient } from '../../src/graph/grad.ts'
import { scan } from '../../src/graph/scan.ts'
import { trace } from '../../src/graph/trace.ts'
import { concat, type Value } from '../../src/graph/value.ts'
import { elman, lstm } from '../../src/index.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { evaluateSize } from '../../src/tensor/size.ts'
import type { NamedGraph } from '../../src/train/session.ts'
import { compiled, openWasm, optimized, outside, random, runOracle, traceLoss } from './support.ts'

const places = await compiled(true)

/** a [K, M]ᵀ · b [K, N], and c [M, K] · d [N, K]ᵀ: of no size is anything known. */
const sums: NamedGraph = {
  graph: trace(
    [{ shape: ['K', 'M'] }, { shape: ['K', 'N'] }, { shape: ['M', 'K'] }, { shape: ['N', 'K'] }],
    (a, b, c, d) => [a.transpose().matmul(b), c.matmul(d.transpose())],
  ),
  inputs: ['a', 'b', 'c', 'd'],
  outputs: ['ab', 'cd'],
  donate: new Map(),
}

/** h(t) from x(t) · U + h(t−1) · W + b, each half of it by a product of its own. */
const halves: NamedGraph = {
  graph: trace(
    [
      { shape: ['T', 'B', 5] },
      { shape: [5, 128] },
      { shape: [64, 128] },
      { shape: [64] },
      { shape: ['B', 64] },
    ],
    (x, U, W, b, start) => {
      const { ys } = scan({ carry: { h: start }, xs: { x } }, ({ carry: { h }, x: { x } }) => {
        const z = x.matmul(U)
        const half = (from: number) => z.slice(1, from, from + 64).add(h.matmul(W.slice(1, from, from + 64)))
        const next = half(0).add(b).tanh().mul(half(64).sigmoid())
        return { carry: { h: next }, y: { h: next } }
      })
      return [ys.h, ...gradient(ys.h.square().mean(), [x, U, W, b, start])]
    },
  ),
  inputs: ['x', 'U', 'W', 'b', 'start'],
  outputs: ['h', 'd x', 'd U', 'd W', 'd b', 'd start'],
  donate: new Map(),
}

/** What a loop reads of products that others stand beside, or that begin elsewhere: none may be taken for another. */
const besides: [string, NamedGraph][] = (
  [
    [
      'beside a product, a function of one',
      (x, U, V) => concat([x.matmul(U.slice(1, 0, 32)), x.matmul(V.slice(1, 0, 32)).tanh()], 2),
    ],
    ['after the steps of one product those of another', (x, U, V) => concat([x.matmul(U), x.matmul(V)], 0)],
    ['each step what was made of the next', (x, U) => x.matmul(U).slice(0, 1, x.shape[0]!)],
  ] as [string, (x: Value, U: Value, V: Value) => Value][]
).map(([name, build]) => {
  const params = [
    { shape: ['T', 20, 5] },
    { shape: [5, 64] },
    { shape: [5, 64] },
    { shape: [64, 64] },
    { shape: [20, 64] },
  ]
  const graph = trace(params, (...values) => {
    const [x, U, V, W, start] = values as [Value, Value, Value, Value, Value]
    const { ys } = scan({ carry: { h: start }, xs: { z: build(x, U, V) } }, ({ carry: { h }, x: { z } }) => {
      const next = z.add(h.matmul(W)).tanh()
      return { carry: { h: next }, y: { h: next } }
    })
    return [ys.h]
  })
  return [name, { graph, inputs: ['x', 'U', 'V', 'W', 'start'], outputs: ['h'], donate: new Map() }]
})

function numbersFor({ graph, inputs }: NamedGraph, sizes: ReadonlyMap<string, number>) {
  const { numbers } = random(7)
  return Object.fromEntries(
    graph.params.map(({ shape }, i) => [
      inputs[i]!,
      numbers(shape.reduce((all, each) => all * evaluateSize(each, sizes), 1)),
    ]),
  )
}

const model = (units: number) =>
  sequential([elman({ units, returnSequences: true }), lstm({ units: units / 2 })], {
    input: { shape: [null, 6], dtype: 'f32' },
  })

const joins = ({ graph }: NamedGraph) =>
  printProgram(joinProducts(lower(optimized(graph), { panel: 32 }), 32)).match(/where product = .* \+ \(/g)
    ?.length ?? 0

test('a step takes x · U into the sum of its own product', () => {
  expect(joins(halves)).toBe(2)
  const deep = traceLoss(model(64), 'meanSquaredError', false)
  expect(joins(deep)).toBe(2)
  // Panels that are not full stay apart.
  expect(joins(traceLoss(model(20), 'meanSquaredError', false))).toBe(0)
})

describe.each(places)('%s', (_, place) => {
  test('sums of any lengths agree with the oracle', async () => {
    const run = await openWasm(sums, place)
    for (const [M, N, K] of [
      [1, 1, 1],
      [14, 32, 256],
      [15, 51, 300],
      [45, 100, 257],
      [29, 1024, 9],
      [1024, 33, 9],
      [300, 70, 12],
      [2, 200, 600],
    ] as const) {
      const sizes = new Map(Object.entries({ M, N, K }))
      const values = numbersFor(sums, sizes)
      expect(
        outside('f32', await run(values, sizes), runOracle(sums, values, sizes)),
        `${M} ${N} ${K}`,
      ).toEqual([])
    }
  })

  test('so do products in one sum, on both sides of the rule', async () => {
    const run = await openWasm(halves, place)
    for (const B of [1, 7, 8, 40]) {
      const sizes = new Map(Object.entries({ B, T: 3 }))
      const values = numbersFor(halves, sizes)
      expect(outside('f32', await run(values, sizes), runOracle(halves, values, sizes)), `B ${B}`).toEqual([])
    }
  })

  test.each(besides)('%s', async (_, named) => {
    const sizes = new Map([['T', 3]])
    const { W, ...rest } = numbersFor(named, sizes)
    // Larger ones would amplify roundings.
    const values = { ...rest, W: W!.map((each) => each / 8) }
    const received = await (await openWasm(named, place))(values, sizes)
    expect(outside('f32', received, runOracle(named, values, sizes))).toEqual([])
  })

  test.each([false, true])('and two layers; of unlike lengths: %s', async (unlike) => {
    const net = model(32)
    const named = traceLoss(net, 'meanSquaredError', unlike)
    const run = await openWasm(named, place)
    for (const B of [3, 17]) {
      const sizes = new Map(Object.entries({ B, T: 5 }))
      const { numbers, weights, integers } = random(B)
      const values = {
        x: numbers(B * 5 * 6),
        y: numbers(B * 16),
        ...weights(net),
        ...(unlike && { lengths: integers(B, 1, 5) }),
      }
      expect(outside('f32', await run(values, sizes), runOracle(named, values, sizes)), `B ${B}`).toEqual([])
    }
  })
})
