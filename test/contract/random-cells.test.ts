/**
 * Cells drawn at random, over padded and over packed rows: gates are slices in any order, some of which overlap or are
 * left out, states trade places, and what is yielded is whatever there is. WASM agrees with the oracle, and per-step
 * buffers in each other's place (codegen/overlay.ts) change no bit.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { lower } from '../../src/codegen/lower.ts'
import { instantiate } from '../../src/codegen/wasm/backend.ts'
import { gradient } from '../../src/graph/grad.ts'
import { interpret } from '../../src/graph/interpret.ts'
import { scan, type Values } from '../../src/graph/scan.ts'
import { scanPacked } from '../../src/graph/scan-packed.ts'
import { trace } from '../../src/graph/trace.ts'
import * as v from '../../src/graph/value.ts'
import { verify } from '../../src/graph/verify.ts'
import { packRows } from '../../src/tensor/packed-rows.ts'
import { evaluateSize, sameShape, symbol } from '../../src/tensor/size.ts'
import { optimized, random } from './support.ts'

type Draw = (below: number) => number
type Cell = (args: { carry: Values; x: Values }) => { carry: Values; y: Values }

const packing = { rows: symbol('B'), alive: symbol('alive'), total: symbol('N') }
const I = 3
const drawer = (seed: number): Draw => {
  const { integers } = random(seed)
  return (below) => integers(1, 0, below - 1)[0]!
}
const pick = <V>(draw: Draw, from: readonly V[]): V => from[draw(from.length)]!
const FUNCTIONS = [v.tanh, v.sigmoid, v.neg, (z: v.Value) => z.mul(0.5), (z: v.Value) => z]

/** A step of G gates of H numbers; the same draws each time it is traced. */
function cellOf(seed: number, G: number, H: number, [U, W, b, V]: readonly v.Value[]): Cell {
  return ({ carry: { h, c }, x: { x } }) => {
    const draw = drawer(seed)
    const z = x!.matmul(U!).add(h!.matmul(W!)).add(b!)
    const gates = Array.from({ length: G }, (_, g) => pick(draw, FUNCTIONS)(z.slice(1, g * H, (g + 1) * H)))
    if (G > 1 && draw(3) === 0) gates.push(z.slice(1, 1, H + 1).tanh())
    const pool = [h!, c!, ...gates]
    for (let i = 0; i < 5; i++) {
      const [p, q] = [pick(draw, pool), pick(draw, pool)]
      const rules = [
        () => p.mul(q).tanh(),
        () => p.add(q).mul(0.5),
        () => p.sub(q).sigmoid(),
        () => p.matmul(V!).tanh(),
        () => v.where(x!.slice(1, 0, 1).less(0.1), p, q),
        () => v.flip(p, 1),
        () => p.sum(1, { keepDims: true }).mul(0.1).add(q).tanh(),
      ]
      pool.push(pick(draw, rules)())
    }
    const last = () => pick(draw, [c!, ...pool.slice(-4)])
    const shown = gates.map((gate, i) => [`gate ${i}`, draw(2) === 0 ? gate : pick(draw, FUNCTIONS)(gate)])
    const y = { a: pick(draw, pool), ...(draw(2) === 0 ? Object.fromEntries(shown) : { b: last() }) }
    const [first, second] = [last(), last()]
    return { carry: draw(4) === 0 ? { h: c!, c: h!.add(first).tanh() } : { h: first, c: second }, y }
  }
}

function graphOf(seed: number, packed: boolean) {
  const draw = drawer(seed)
  const [G, H] = [1 + draw(4), pick(draw, [1, 2, 3, 4, 5, 8, 9])]
  const [lengths, reverse, again] = [draw(2) === 0, draw(2) === 0, draw(2) === 0]
  const specs = [
    { shape: packed ? ['N', I] : ['T', 'B', I] },
    { shape: [packed ? 'T' : 'B'], dtype: 'i32' as const },
    ...[[I, G * H], [H, G * H], [G * H], [H, H], ['B', H]].map((shape) => ({ shape })),
  ]
  return trace(specs, (x, rows, ...all) => {
    const start = { h: all[4]!, c: all[4]!.mul(0.5) }
    const run = (carry: Values, xs: v.Value, backwards: boolean, cell: Cell) =>
      packed
        ? scanPacked({ carry, xs: { x: xs }, packing, counts: rows!, reverse: backwards }, cell)
        : scan({ carry, xs: { x: xs }, reverse: backwards, ...(lengths && { lengths: rows! }) }, cell)
    const lower = run(start, x!, reverse, cellOf(seed + 1, G, H, all))
    const found = [lower]
    if (again) {
      const under = v.concat([lower.ys['a']!, x!], -1).slice(-1, 0, I)
      found.push(run(lower.carry, under, draw(2) === 0, cellOf(seed + draw(2) + 1, G, H, all)))
    }
    const outputs = found.flatMap(({ carry, ys }) => [...Object.values(carry), ...Object.values(ys)])
    const loss = outputs
      .map((each, i) =>
        each
          .square()
          .mul(0.1 * (i + 1))
          .sum(),
      )
      .reduce((sum, each) => sum.add(each))
    const like = outputs.filter((each) => sameShape(each.shape, outputs[0]!.shape)).slice(0, draw(3))
    return [loss, ...like, ...gradient(loss, [x!, ...all])]
  })
}

const sizes = fc
  .record({ T: fc.integer({ min: 1, max: 5 }), B: fc.integer({ min: 1, max: 7 }) })
  .chain(({ T, B }) =>
    fc.record({
      ...{ T: fc.constant(T), B: fc.constant(B) },
      lengths: fc.array(fc.integer({ min: 0, max: T }), { minLength: B, maxLength: B }),
    }),
  )

test('cells drawn at random agree with the oracle, and overlaid with themselves', {
  timeout: 600_000,
}, async () => {
  const runs = { '1': 1500, sample: 200 }[process.env['RECURRA_LONG'] ?? ''] ?? 80
  let overlaid = 0
  const property = fc.asyncProperty(
    fc.nat(),
    fc.boolean(),
    fc.array(sizes, { minLength: 2, maxLength: 3 }),
    async (seed, packed, all) => {
      const graph = graphOf(seed, packed)
      const program = lower(optimized(graph, verify))
      overlaid += program.aliases.size
      const [executable, apart] = [
        await instantiate(program),
        await instantiate({ ...program, aliases: new Map() }),
      ]
      for (const { T, B, lengths } of all) {
        const { counts, total } = packRows(Int32Array.from(lengths), T)
        const bindings = new Map(Object.entries({ T, B, ...(packed && { N: total }) }))
        const { numbers } = random(seed + 1)
        const args = graph.params.map(({ shape }, i) => {
          const own = shape.map((size) => evaluateSize(size, bindings))
          const data = numbers(own.reduce((product, size) => product * size, 1)).map((each) => each * 0.7)
          return {
            shape: own,
            data: Float64Array.from(i === 1 ? (packed ? counts : lengths) : data.map(Math.fround)),
          }
        })
        const inputs = new Map(
          args.map(({ data }, i) => [i, i === 1 ? Int32Array.from(data) : Float32Array.from(data)]),
        )
        const expected = interpret(graph, args, bindings)
        const call = { bindings, inputs, outputs: expected.map((_, i) => i) }
        const received = await executable.call(call)
        expect(received).toEqual(await apart.call(call))
        for (const [i, { data }] of expected.entries()) {
          const bound = 2e-5 * Math.max(1, ...data.map(Math.abs))
          const off = data.findIndex((value, at) => !(Math.abs(received[i]![at]! - value) <= bound))
          if (off >= 0) expect([i, off, received[i]![off]]).toEqual([i, off, data[off]])
        }
      }
    },
  )
  await fc.assert(property, { numRuns: runs })
  expect(overlaid).toBeGreaterThan(runs / 2)
})

test.each([3, 16])('what a product reads is not written over while it is read: %i numbers', async (H) => {
  const graph = trace([{ shape: ['T', 'B', H] }, { shape: [H, H] }], (x, M) => {
    const first = scan({ carry: { h: v.zeros(['B', H]) }, xs: { x: x! } }, ({ carry: { h }, x: { x } }) => ({
      carry: { h: h!.add(x!).tanh() },
      y: { seen: h!.mul(x!).add(x!) },
    }))
    // The weights are a state, so that the product stays in the loop and is the last to read what the first one yielded.
    const second = scan(
      { carry: { M: M! }, xs: { seen: first.ys['seen']! } },
      ({ carry: { M }, x: { seen } }) => ({
        carry: { M: M!.mul(0.9).add(0.01) },
        y: { product: seen!.matmul(M!) },
      }),
    )
    // Summed, since outputs have places of their own.
    return [second.carry['M']!, second.ys['product']!.square().sum(0)]
  })
  const program = lower(optimized(graph, verify))
  const bindings = new Map(Object.entries({ T: 4, B: 5 }))
  const { numbers } = random(1)
  const [x, M] = [numbers(4 * 5 * H), numbers(H * H)]
  const expected = interpret(
    graph,
    [
      { data: Float64Array.from(x), shape: [4, 5, H] },
      { data: Float64Array.from(M), shape: [H, H] },
    ],
    bindings,
  )
  const inputs = new Map([x, M].map((data, i) => [i, Float32Array.from(data)]))
  const received = await (await instantiate(program)).call({ bindings, inputs, outputs: [0, 1] })
  for (const [i, { data }] of expected.entries()) {
    const off = data.findIndex((value, at) => !(Math.abs(received[i]![at]! - value) <= 1e-5 * H))
    expect([i, off]).toEqual([i, -1])
  }
})
