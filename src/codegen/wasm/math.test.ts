import { describe, expect, test } from 'vitest'
import { type Code, ModuleBuilder } from './assembler.ts'
import { emitExp, emitLog, emitSigmoid, emitTanh } from './math.ts'
import { emitCos, emitSin } from './trigonometry.ts'

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))

/** Applies one emitter to a whole array, four lanes at a time. */
function vectorized(emit: (f: Code) => void): (inputs: Float32Array) => Float32Array {
  const builder = new ModuleBuilder()
  builder.importMemory('env', 'memory', { initial: 32 })
  const apply = builder.func('apply', ['i32'], [], (f, end) => {
    const at = f.local('i32')
    f.loop((next) => {
      f.get(at)
      f.get(at)
      f.v128.load()
      emit(f)
      f.v128.store()
      f.get(at)
      f.i32.const(16)
      f.i32.add()
      f.tee(at)
      f.get(end)
      f.i32.ltU()
      f.brIf(next)
    })
  })
  builder.exportFunction('apply', apply)
  const memory = new WebAssembly.Memory({ initial: 32 })
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(builder.build()), { env: { memory } })
  return (inputs) => {
    const view = new Float32Array(memory.buffer, 0, inputs.length)
    view.set(inputs)
    ;(exports.apply as (end: number) => void)(4 * Math.ceil(inputs.length / 4) * 4)
    return view.slice()
  }
}

/** 100,000 log-spaced magnitudes of both signs from 2^-149 to 2^128, then 100,000 random bit patterns. */
const samples = (() => {
  const bits = new Uint32Array(200_000)
  let state = 1
  for (let i = 0; i < 100_000; i++) {
    // Positive floats are in the order of their bits, which grow with the logarithm.
    bits[i] = Math.floor((i >> 1) * (0x7f800000 / 50_000)) | (i & 1 ? 0x80000000 : 0)
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bits[100_000 + i] = state
  }
  return new Float32Array(bits.buffer)
})()

function errorInUlp(result: number, exact: number): number {
  if (Number.isNaN(exact) && Number.isNaN(result)) return 0
  const rounded = Math.fround(exact)
  if (!Number.isFinite(rounded) || !Number.isFinite(result)) return Object.is(rounded, result) ? 0 : Infinity
  const exponent = Math.max(-126, Math.floor(Math.log2(Math.abs(exact))))
  return Math.abs(result - exact) / 2 ** (exponent - 23)
}

const functions = {
  exp: { run: vectorized(emitExp), exact: Math.exp, bound: 1.19, from: -86.98, to: Infinity },
  log: { run: vectorized(emitLog), exact: Math.log, bound: 0.96, from: -Infinity, to: Infinity },
  tanh: { run: vectorized(emitTanh), exact: Math.tanh, bound: 2.62, from: -Infinity, to: Infinity },
  sigmoid: { run: vectorized(emitSigmoid), exact: sigmoid, bound: 2.49, from: -88.72, to: Infinity },
}

describe.each(Object.entries(functions))('%s', (name, { run, exact, bound, from, to }) => {
  test(`at most ${bound} ULP`, () => {
    // Dense where the function is neither constant nor linear, beside the whole range.
    const dense = Float32Array.from({ length: 60_000 }, (_, i) => (i - 30_000) / 300)
    for (const inputs of [samples, dense]) {
      const results = run(inputs)
      let worst = 0
      let worstAt = 0
      inputs.forEach((x, i) => {
        if (x < from || x > to) return
        const error = errorInUlp(results[i]!, exact(x))
        if (error > worst) [worst, worstAt] = [error, x]
      })
      expect(worst, `at ${worstAt}`).toBeLessThanOrEqual(bound)
    }
  })

  test('a lane does not see its neighbors', () => {
    const inputs = Float32Array.of(
      0.7,
      NaN,
      -3,
      Infinity,
      -Infinity,
      0.7,
      1e-40,
      -3,
      1e30,
      -3,
      0.7,
      0,
      -3,
      200,
      -200,
      0.7,
    )
    const results = run(inputs)
    for (const index of [5, 10, 15]) expect(results[index]).toBe(results[0])
    if (name !== 'log') for (const index of [7, 9, 12]) expect(results[index]).toBe(results[2])
  })
})

test.each([
  ['sin', vectorized(emitSin), Math.sin],
  ['cos', vectorized(emitCos), Math.cos],
] as const)('%s within ±8192: at most 1.55 ULP or 8.8e-8', (_, run, exact) => {
  const inputs = [samples, Float32Array.from({ length: 60_000 }, (_, i) => (i - 30_000) / 300)]
  for (const xs of inputs) {
    const ys = run(xs)
    const bad = xs.findIndex((x, i) => {
      const error = Math.abs(ys[i]! - exact(x))
      return Math.abs(x) <= 8192 && error > 8.8e-8 && errorInUlp(ys[i]!, exact(x)) > 1.55
    })
    expect(xs[bad]).toBeUndefined()
  }
})

test('special values', () => {
  const at = (name: keyof typeof functions, ...inputs: number[]) => [
    ...functions[name].run(Float32Array.from(inputs)),
  ]
  const { log } = Math
  expect(at('exp', -Infinity, -87, -0, 88.7228, 88.723, Infinity, NaN)).toEqual(
    [0, 0, 1, expect.closeTo(3.40269e38, -34), Infinity, Infinity, NaN], // below 2^-125.5: flushed
  )
  expect(at('sigmoid', -Infinity, -89, 0, 17.4, Infinity, NaN)).toEqual([0, 0, 0.5, 1, 1, NaN])
  expect(at('tanh', -Infinity, -9.02, -0, 0, 1e-45, 9.02, Infinity, NaN)).toEqual([
    -1,
    -1,
    -0,
    0,
    Math.fround(1e-45),
    1,
    1,
    NaN,
  ])
  expect(at('log', 0, -0, -1e-45, -1, -Infinity, Infinity, NaN, 1)).toEqual([
    -Infinity,
    -Infinity,
    NaN,
    NaN,
    NaN,
    Infinity,
    NaN,
    0,
  ])
  expect(at('log', 1e-45)[0]).toBeCloseTo(log(Math.fround(1e-45)), 5)
})

test('tanh is odd and within ±1', () => {
  const results = functions.tanh.run(samples)
  const mirrored = functions.tanh.run(samples.map((x) => -x))
  expect(results.every((y, i) => Number.isNaN(y) || (Math.abs(y) <= 1 && Object.is(mirrored[i], -y)))).toBe(
    true,
  )
})
