/** Activations as functions of values: against Math in f64 and in WASM, at every size of x; slopes; what refuses. */
import { expect, test } from 'vitest'
import { compile } from '../codegen/compile.ts'
import { gradient } from '../graph/grad.ts'
import { interpret } from '../graph/interpret.ts'
import { trace } from '../graph/trace.ts'
import type { Value } from '../graph/value.ts'
import * as own from './activation-functions.ts'

/** 1 − Φ(z) for z ≥ 0: a series, or beyond 3 a continued fraction. */
function tail(z: number): number {
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)
  if (z >= 3) {
    let fraction = z
    for (let k = 200; k >= 1; k--) fraction = z + k / fraction
    return density / fraction
  }
  let [term, sum] = [z, z]
  for (let k = 1; k < 100; k++) {
    term *= (z * z) / (2 * k + 1)
    sum += term
  }
  return 0.5 - density * sum
}
const sigmoid = (x: number) => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x)))
const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))
const elu = (x: number, alpha = 1) => (x > 0 ? x : alpha * Math.expm1(x))
const clip = (x: number, low: number, high: number) => Math.min(Math.max(x, low), high)
const geluOf = (x: number) => x * (x < 0 ? tail(-x) : 1 - tail(x))
const nearly = (x: number) => {
  const near = clip(x, -20, 20)
  return x * sigmoid(2 * Math.sqrt(2 / Math.PI) * (near + 0.044715 * near ** 3))
}
const squareplus = (x: number, b = 4) => (x < 0 ? b / (Math.hypot(x, Math.sqrt(b)) - x) : Math.hypot(x, Math.sqrt(b)) + x) / 2 // biome-ignore format: one line

type Case = readonly [string, (x: Value) => Value, (x: number) => number]
const CASES: readonly Case[] = [
  ['exponential', own.exponential, Math.exp],
  ['elu', own.elu, elu],
  ['elu, α = 0.5', (x) => own.elu(x, 0.5), (x) => elu(x, 0.5)],
  ['celu', own.celu, elu],
  ['celu, α = 2', (x) => own.celu(x, 2), (x) => (x > 0 ? x : 2 * Math.expm1(x / 2))],
  ['selu', own.selu, (x) => 1.0507009873554805 * elu(x, 1.6732632423543772)],
  ['leakyRelu', own.leakyRelu, (x) => (x < 0 ? 0.2 * x : x)],
  ['leakyRelu, s = 0.01', (x) => own.leakyRelu(x, 0.01), (x) => (x < 0 ? 0.01 * x : x)],
  ['relu6', own.relu6, (x) => clip(x, 0, 6)],
  ['hardTanh', own.hardTanh, (x) => clip(x, -1, 1)],
  ['silu', own.silu, (x) => x * sigmoid(x)],
  ['hardSilu', own.hardSilu, (x) => x * clip(x / 6 + 0.5, 0, 1)],
  ['gelu', own.gelu, geluOf],
  ['gelu, approximate', (x) => own.gelu(x, true), nearly],
  ['softplus', own.softplus, softplus],
  ['logSigmoid', own.logSigmoid, (x) => -softplus(-x)],
  ['mish', own.mish, (x) => x * Math.tanh(softplus(x))],
  ['softsign', own.softsign, (x) => x / (1 + Math.abs(x))],
  ['squareplus', own.squareplus, squareplus],
  ['squareplus, b = 1', (x) => own.squareplus(x, 1), (x) => squareplus(x, 1)],
  ['tanhShrink', own.tanhShrink, (x) => x - Math.tanh(x)],
  ['hardShrink', own.hardShrink, (x) => (Math.abs(x) > 0.5 ? x : 0)],
  ['softShrink', own.softShrink, (x) => x - clip(x, -0.5, 0.5)],
]

const sizes = [1e-30, 1e-8, 1e-4, 0.01, 0.1, 0.3, 0.7, 1.3, 2.2, 2.9, 3.1, 5.5, 6.5, 9, 17, 25, 60, 87, 104, 1e4, 1e19, 1e30] // biome-ignore format: one line
const points = [0, ...sizes, ...sizes.map((x) => -x)].map(Math.fround)
const traced = (of: (x: Value) => Value) =>
  trace([{ name: 'x', shape: [points.length] }], (x) => {
    const y = of(x!)
    return [y, ...gradient(y.sum(), [x!])]
  })
const exact = (graph: ReturnType<typeof traced>, x: readonly number[]) =>
  interpret(graph, [{ data: Float64Array.from(x), shape: [x.length] }], new Map()).map((each) => each.data)

test.each(CASES)('%s: its values', async (name, of, equation) => {
  const graph = traced(of)
  const [oracle] = exact(graph, points)
  const executable = await compile(graph, { verify: true })
  const inputs = new Map([[0, Float32Array.from(points)]])
  const [wasm, slopes] = await executable.call({ bindings: new Map(), inputs, outputs: [0, 1] })
  // x − tanh x is what a difference of neighbors leaves.
  const lost = name === 'tanhShrink' ? 1e-7 : 0
  for (const [i, x] of points.entries()) {
    const expected = equation(x)
    if (!Number.isFinite(Math.fround(expected))) {
      expect([Math.fround(oracle![i]!), wasm![i]]).toEqual([Math.fround(expected), Math.fround(expected)])
      continue
    }
    const [size, far] = [Math.abs(expected), Math.abs(x)]
    const fit = name === 'gelu' ? 1.3e-7 : 1e-12
    const own = fit * size + 1e-80 * Math.max(far, 1) + 1e-6 * lost * far
    expect(Math.abs(oracle![i]! - expected), `f64 at ${x}`).toBeLessThanOrEqual(own)
    // What is rounded in an exponent of some size is as much of the result; numbers below 2e-38 may be 0.
    const exponent = Math.min(/gelu/.test(name) ? far * far : far, 200)
    const bound = (1e-6 + 2e-7 * exponent) * size + lost * far + 2e-38 * Math.max(far, 1)
    expect(Math.abs(wasm![i]! - expected), `f32 at ${x}`).toBeLessThanOrEqual(bound)
    expect(Number.isFinite(slopes![i]), `the slope at ${x}: ${slopes![i]}`).toBe(true)
  }
})

test.each(CASES)('%s: its slopes are those of the equation', async (name, of, equation) => {
  const near = points.map((x) => (x === 0 || (Math.abs(x) > 1e-3 && Math.abs(x) < 30) ? x : 0.4))
  const graph = traced(of)
  const [, slopes] = exact(graph, near)
  const inputs = new Map([[0, Float32Array.from(near)]])
  const executable = await compile(graph, { verify: true })
  const [, wasm] = await executable.call({ bindings: new Map(), inputs, outputs: [0, 1] })
  for (const [i, x] of near.entries()) {
    // At 0 those with a bend there have the slope of one side.
    if (x === 0 && /relu|hardSilu|^selu|α = 0.5/i.test(name)) continue
    const h = 1e-5
    const expected = (equation(x + h) - equation(x - h)) / (2 * h)
    // The curve on either side of 0 may be another.
    const bound = 1e-6 * Math.max(1, Math.abs(expected)) + (x === 0 ? 2 * h : 0)
    expect(Math.abs(slopes![i]! - expected), `f64 at ${x}`).toBeLessThanOrEqual(bound)
    expect(Math.abs(wasm![i]! - expected), `f32 at ${x}`).toBeLessThanOrEqual(10 * bound)
  }
})

test('gelu, approximate, is as near as its text says', () => {
  const farthest = Math.max(...Array.from({ length: 1201 }, (_, i) => Math.abs(nearly(i / 100 - 6) - geluOf(i / 100 - 6)))) // biome-ignore format: one line
  expect(farthest).toBeLessThan(5e-4)
  expect(farthest).toBeGreaterThan(4e-4)
})

test.each<[string, (x: Value) => Value, RegExp]>([
  ['elu', (x) => own.elu(x, Number.NaN), /elu: alpha must be a number that is finite; received NaN/],
  ['celu', (x) => own.celu(x, 0), /celu: alpha must be a number above 0; received 0/],
  ['leakyRelu', (x) => own.leakyRelu(x, '1' as never), /leakyRelu: negativeSlope .* received "1"/],
  ['gelu', (x) => own.gelu(x, 1 as never), /gelu: approximate must be true or false; received 1/],
  ['squareplus', (x) => own.squareplus(x, -1), /squareplus: b must be a number above 0; received -1/],
  ['hardShrink', (x) => own.hardShrink(x, -1), /hardShrink: threshold .* of at least 0; received -1/],
  ['softShrink', (x) => own.softShrink(x, -1), /softShrink: threshold .* of at least 0; received -1/],
])('%s refuses', (_, of, message) => {
  expect(() => traced(of)).toThrow(message)
})
