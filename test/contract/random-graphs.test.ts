/** Graphs drawn at random: whatever they combine, the passes and WASM agree with the oracle. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compile } from '../../src/codegen/compile.ts'
import { gradient } from '../../src/graph/grad.ts'
import { interpret } from '../../src/graph/interpret.ts'
import { printGraph } from '../../src/graph/print.ts'
import { scan } from '../../src/graph/scan.ts'
import { trace } from '../../src/graph/trace.ts'
import type { Value } from '../../src/graph/value.ts'
import * as v from '../../src/graph/value.ts'
import { evaluateSize, sameShape } from '../../src/tensor/size.ts'
import { compiled, inputsOf, random } from './support.ts'

/** Draws: an integer in 0 … below − 1. */
type Draw = (below: number) => number

const pick = <V>(draw: Draw, from: readonly V[]): V => from[draw(from.length)]!

/** One more value from those that are there. Values stay small, and only inputs are compared: no f32 rounding decides. */
function grow(draw: Draw, pool: readonly Value[], inputs: readonly Value[]): Value {
  const x = pick(draw, pool)
  const axis = draw(x.rank || 1)
  const like = pool.filter((other) => sameShape(other.shape, x.shape))
  const fits = pool.filter(
    (other) => other.rank > 0 && other.rank <= x.rank && sameShape(other.shape, x.shape.slice(-other.rank)),
  )
  const rules: (() => Value)[] = [
    () => pick(draw, [v.tanh, v.sigmoid, v.neg, v.stopGradient])(x),
    () => x.square().add(0.5).sqrt().log(),
    () => pick(draw, [v.add, v.sub, v.mul])(x, pick(draw, like)).mul(0.5),
    () => pick(draw, [v.add, v.mul])(x, pick(draw, [...fits, ...like])).tanh(),
    () => {
      const gate = pick(draw, inputs)
      const same = pool.filter((other) => sameShape(other.shape, gate.shape))
      return same.length === 0 ? x : v.where(gate.less(0.1), pick(draw, same), pick(draw, same))
    },
    () => (x.rank === 0 ? x : x.mean(axis, { keepDims: draw(2) === 0 })),
    () => (x.rank === 0 ? x : pick(draw, [v.softmax, v.logSoftmax])(x, axis)),
    () => (x.rank < 2 ? x : x.transpose()),
    () =>
      x.rank < 2 ? x : x.matmul(x.transpose([...Array(x.rank - 2).keys(), x.rank - 1, x.rank - 2])).mul(0.2),
    () => {
      const weights = pool.filter((other) => other.rank === 2 && other.shape[0] === x.shape[x.rank - 1])
      return x.rank === 0 || weights.length === 0 ? x : x.matmul(pick(draw, weights)).mul(0.3)
    },
    () => (x.rank === 0 ? x : v.concat([x, pick(draw, like)], axis)),
    () => (x.rank === 0 ? x : v.concat([x, pick(draw, like)], axis).slice(axis, x.shape[axis]!)),
    () => (x.rank === 0 ? x.expandDims(0) : x.expandDims(axis)),
  ]
  return pick(draw, rules)()
}

function growAll(draw: Draw, from: readonly Value[], inputs: readonly Value[], count: number): Value[] {
  const pool = [...from]
  for (let i = 0; i < count; i++) {
    const made = grow(draw, pool, inputs)
    if (made.rank <= 4) pool.push(made)
  }
  return pool
}

/** A recurrence whose step is drawn too; what it takes from outside becomes its constants. */
function drawnScan(
  draw: Draw,
  inputs: readonly Value[],
  pool: readonly Value[],
  rows: { lengths?: Value; mask?: Value },
): Value[] {
  const [x, start] = inputs as [Value, Value]
  const outer = Array.from({ length: 2 }, () => pick(draw, pool))
  const { carry, ys } = scan(
    {
      carry: { h: start, g: v.zeros(start.shape) },
      xs: { x },
      reverse: draw(2) === 0,
      ...rows,
    },
    ({ carry: { h, g }, x: { x }, t }) => {
      const made = growAll(draw, [h, g, x, ...outer], inputs, 6).filter((value) =>
        sameShape(value.shape, h.shape),
      )
      const next = pick(draw, made).add(pick(draw, made)).tanh()
      const other = pick(draw, made).mul(0.5).add(t.toF32().mul(0.01))
      return { carry: { h: next, g: other }, y: { a: pick(draw, made), b: next } }
    },
  )
  return [carry.h, carry.g, ys.a, ys.b]
}

const PADDINGS = ['none', 'lengths', 'mask'] as const
type Padding = (typeof PADDINGS)[number]

function drawGraph(seed: number, padding: Padding) {
  const { integers } = random(seed)
  const draw: Draw = (below) => integers(1, 0, below - 1)[0]!
  const shapes = [['T', 'B', 3], ['B', 3], ['B', 'D'], ['D', 3], [3, 3], ['D'], [3], [], ['T', 'D']]
  const specs = shapes.map((shape) => ({ shape }))
  return trace([...specs, { shape: ['B'], dtype: 'i32' as const }], (...all) => {
    const inputs = all.slice(0, -1)
    const before = growAll(draw, inputs, inputs, 8)
    const lengths = all[all.length - 1]!
    const mask = v.mod(v.iota(['T', 1], 0).add(lengths), 3).greater(0)
    const rows = { lengths: { lengths }, mask: { mask }, none: {} }[padding]
    const states = drawnScan(draw, inputs, before, rows)
    const after = growAll(draw, [...states, ...before], inputs, 8)
    const results = [...states, ...after.slice(-6)]
    const loss = results.map((value) => value.mean()).reduce((sum, each) => sum.add(each))
    return [loss, ...results, ...gradient(loss, inputs)]
  })
}

const sizes = fc.record({
  T: fc.integer({ min: 1, max: 5 }),
  B: fc.integer({ min: 1, max: 6 }),
  D: fc.integer({ min: 1, max: 9 }),
})

test.each(await compiled())(
  '%s agrees with the oracle on graphs drawn at random',
  { timeout: 600_000 },
  async (name, place) => {
    const all = { '1': 1500, sample: 150 }[process.env['RECURRA_LONG'] ?? ''] ?? 60
    // What is built takes longer.
    const runs = name === 'wasm' ? all : all / 10
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.constantFrom(...PADDINGS),
        fc.array(sizes, { minLength: 2, maxLength: 2 }),
        async (seed, padding, bindingsList) => {
          const graph = drawGraph(seed, padding)
          const executable = await compile(graph, { ...place, verify: true })
          for (const bound of bindingsList) {
            const bindings = new Map(Object.entries(bound))
            const { numbers, integers } = random(seed + 1)
            const args = graph.params.map(({ shape, dtype }) => {
              const own = shape.map((size) => evaluateSize(size, bindings))
              const length = own.reduce((product, size) => product * size, 1)
              return {
                shape: own,
                data: Float64Array.from(dtype === 'f32' ? numbers(length) : integers(length, 0, bound.T)),
              }
            })
            const expected = interpret(graph, args, bindings)
            const inputs = inputsOf(graph, args)
            const received = await executable.call({ bindings, inputs, outputs: expected.map((_, i) => i) })
            for (const [i, { data }] of expected.entries()) {
              const bound = 1e-5 * Math.max(1, ...data.map(Math.abs))
              const off = data.findIndex((value, at) => !(Math.abs(received[i]![at]! - value) <= bound))
              if (off >= 0) {
                const message = `output ${i}, element ${off}: ${received[i]![off]} instead of ${data[off]}`
                expect.fail(`${message}\n${printGraph(graph)}`)
              }
            }
          }
        },
      ),
      { numRuns: runs },
    )
  },
)
