import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compile } from '../../src/codegen/compile.ts'
import { gradient } from '../../src/graph/grad.ts'
import { type F64Array, interpret } from '../../src/graph/interpret.ts'
import type { Graph } from '../../src/graph/node.ts'
import { trace } from '../../src/graph/trace.ts'
import { stopGradient } from '../../src/graph/value.ts'
import { type Bindings, evaluateSize } from '../../src/tensor/size.ts'
import { CASES, type Case } from './cases.ts'
import { compiled, inputsOf } from './support.ts'

const places = await compiled()

/** A mean over the case's result, the result, and the mean's gradient with respect to every f32 input. */
function graphOf({ inputs, build }: Case): Graph {
  return trace(inputs, (...values) => {
    const result = build(...values)
    const loss = result.add(0.7).mul(result).mean()
    const wanted = values.filter((value) => value.dtype === 'f32')
    return [loss, result, ...gradient(loss, wanted)]
  })
}

/** Numbers that depend on a seed alone, exactly representable in f32. */
function numbers(graph: Graph, bindings: Bindings, seed: number, highest = 3): F64Array[] {
  let state = seed
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  return graph.params.map(({ shape, dtype }) => {
    const sizes = shape.map((size) => evaluateSize(size, bindings))
    const length = sizes.reduce((product, size) => product * size, 1)
    const draw = () =>
      dtype === 'f32' ? Math.fround(2 * next() - 1) : Math.floor(next() * (highest + 2)) - 1
    return { shape: sizes, data: Float64Array.from({ length }, draw) }
  })
}

const sizes = fc.record({
  T: fc.integer({ min: 1, max: 6 }),
  B: fc.integer({ min: 1, max: 9 }),
  D: fc.integer({ min: 1, max: 13 }),
  N: fc.integer({ min: 1, max: 18 }),
})
const long = process.env['RECURRA_LONG'] === '1'

const small = new Map([
  ['T', 3],
  ['B', 4],
  ['D', 5],
  ['N', 2],
])

/** Checks gradients (the outputs from `first` on, one for each f32 input) of output 0 by central differences, in f64. */
function checkGradients(graph: Graph, args: readonly F64Array[], first: number, tolerance: number): void {
  const gradients = interpret(graph, args, small).slice(first)
  const wanted = graph.params.flatMap((param, i) => (param.dtype === 'f32' ? [i] : []))
  const loss = { ...graph, outputs: graph.outputs.slice(0, 1) }
  for (const [g, i] of wanted.entries()) {
    const { data } = args[i]!
    const numeric = data.map((value, at) => {
      const [above, below] = [1e-5, -1e-5].map((step) => {
        data[at] = value + step
        return interpret(loss, args, small)[0]!.data[0]!
      })
      data[at] = value
      return (above! - below!) / 2e-5
    })
    const scale = Math.max(1e-6, ...numeric.map(Math.abs))
    for (const [at, value] of numeric.entries())
      expect(Math.abs(gradients[g]!.data[at]! - value) / scale).toBeLessThan(tolerance)
  }
}

describe.each(Object.entries(CASES))('%s', (_, example) => {
  const graph = graphOf(example)

  test.skipIf(example.detached)('gradients agree with central differences', () => {
    checkGradients(graph, numbers(graph, small, 7, example.highest), 2, 1e-6)
  })

  test.skipIf(example.detached)('gradients of gradients agree with central differences', () => {
    const twice = trace(example.inputs, (...values) => {
      const wanted = values.filter((value) => value.dtype === 'f32')
      const result = example.build(...values)
      const once = gradient(result.add(0.7).mul(result).mean(), wanted)
      const loss = once.map((each) => each.square().mean()).reduce((sum, each) => sum.add(each))
      return [loss, ...gradient(loss, wanted)]
    })
    // Differences of a first gradient carry its curvature: one digit less.
    checkGradients(twice, numbers(twice, small, 3, example.highest), 1, 1e-5)
  })

  test.each(places)('%s agrees with the oracle for any sizes, compiled once', async (name, place) => {
    const executable = await compile(graph, { ...place, verify: true })
    expect(executable.backend).toBe(place.backend)
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), async (bound, seed) => {
        const bindings = new Map(Object.entries(bound))
        const args = numbers(graph, bindings, seed, example.highest)
        const expected = interpret(graph, args, bindings)
        const inputs = inputsOf(graph, args)
        const received = await executable.call({ bindings, inputs, outputs: expected.map((_, i) => i) })
        for (const [i, { data }] of expected.entries()) {
          const bound = 1e-5 * Math.max(1, ...data.map(Math.abs))
          for (const [at, value] of data.entries()) {
            const error = Math.abs(received[i]![at]! - value)
            if (!(error <= bound)) expect(received[i]![at], `output ${i}, element ${at}`).toBe(value)
          }
        }
      }),
      { numRuns: long && name === 'wasm' ? 300 : 12 },
    )
  })
})

test('no gradient travels through stopGradient', () => {
  const graph = trace([{ shape: [3] }], (x) => [...gradient(stopGradient(x).mul(x).sum(), [x])])
  const x = { data: Float64Array.of(1, -2, 3), shape: [3] }
  expect(interpret(graph, [x], new Map())[0]!.data).toEqual(x.data)
})

test.each(places)(
  '%s: sizes that memory has no room for change nothing: what was held is still there',
  async (_, place) => {
    const graph = trace([{ shape: ['B'] }, { shape: ['N'] }], (a, b) => [a!.mul(2), b!.mul(3)])
    const executable = await compile(graph, place)
    const call = (B: number, N: number, inputs: [number, Float32Array][]) =>
      executable.call({
        bindings: new Map(Object.entries({ B, N })),
        inputs: new Map(inputs),
        outputs: [0, 1],
      })
    await call(2, 1, [
      [0, Float32Array.of(1, 2)],
      [1, Float32Array.of(3)],
    ])
    await expect(call(3, 2 ** 31, [])).rejects.toThrow(/smaller batch/)
    expect(await call(2, 1, [])).toEqual([Float32Array.of(2, 4), Float32Array.of(9)])
  },
)
