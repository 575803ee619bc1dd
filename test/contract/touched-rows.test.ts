/** Gradients of tables kept for the rows that were read: the bits of those kept whole, and what stays whole. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compile, lowering } from '../../src/codegen/compile.ts'
import { explain } from '../../src/codegen/explain.ts'
import { kernelsOf, type Program, viewsOf } from '../../src/codegen/program.ts'
import { constant } from '../../src/graph/build.ts'
import { firsts, setRows } from '../../src/graph/build-rows.ts'
import { gradient } from '../../src/graph/grad.ts'
import { interpret } from '../../src/graph/interpret.ts'
import { isKind, makeGraph, topological } from '../../src/graph/node.ts'
import { scan } from '../../src/graph/scan.ts'
import { trace } from '../../src/graph/trace.ts'
import { gather, type Value, zeros } from '../../src/graph/value.ts'
import { maxNorm } from '../../src/init/constraints.ts'
import { l2 } from '../../src/init/regularizers.ts'
import { dense } from '../../src/layers/dense.ts'
import { type EmbeddingOptions, embedding } from '../../src/layers/embedding.ts'
import { call, input, model } from '../../src/layers/functional.ts'
import { add, concatenate } from '../../src/layers/merge.ts'
import type { Model } from '../../src/layers/model.ts'
import * as packing from '../../src/layers/packing.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { MANY } from '../../src/passes/touched-rows.ts'
import { evaluateSize, size } from '../../src/tensor/size.ts'
import { accumulated } from '../../src/train/accumulation.ts'
import { lazyAdam } from '../../src/train/lazy-adam.ts'
import { movingAverage } from '../../src/train/moving-average.ts'
import { adam, adamW, type Optimizer, rmsprop, sgd } from '../../src/train/optimizers.ts'
import type { NamedGraph } from '../../src/train/session.ts'
import { type StepOptions, type StepTracing, traceStep } from '../../src/train/step.ts'
import { rnn, tokensOf } from './models.ts'
import { compiled, outside, random } from './support.ts'

const [V, E, CLASSES] = [MANY + 3, 5, 4]
const loss = 'softmaxCrossEntropy'
const places = await compiled()

const words = (more: Partial<EmbeddingOptions> = {}) =>
  sequential([embedding({ inputDim: V, outputDim: E, ...more }), dense({ units: CLASSES })], {
    input: tokensOf,
  })

function stepOf(model: Model, options: Partial<StepOptions>, tracing: StepTracing = {}): NamedGraph {
  return traceStep(model, { loss, optimizer: adam(), ...options }, tracing)
}

/** The same step with the gradient of each table among its outputs: it is kept whole. */
function whole(named: NamedGraph): NamedGraph {
  const { params, outputs, names, guards } = named.graph
  const sums = topological(outputs).filter((node) => isKind(node, 'scatterAdd') && node.shape.length > 1)
  expect(sums.length).toBeGreaterThan(0)
  return { ...named, graph: makeGraph(params, [...outputs, ...sums], names, guards) }
}

const sizesOf = fc.record({ T: fc.integer({ min: 1, max: 7 }), B: fc.integer({ min: 1, max: 5 }) })

/** Loss and norm, then all that the step holds, after each of some calls; `spoil` says at which one a number is NaN. */
async function run(
  named: NamedGraph,
  place: object,
  sizes: Record<string, number>,
  seed: number,
  spoil = -1,
) {
  const { graph, inputs, donate } = named
  const executable = await compile(graph, { ...place, donate, verify: true })
  const bindings = new Map(Object.entries(sizes))
  const { numbers, integers } = random(seed)
  // Few tokens, so that many stand several times; some outside the table.
  const tokens = [-1, 0, 1, 2, 7, V - 2, V - 1, V]
  const drawn = (i: number): Float32Array | Int32Array => {
    const { shape, dtype } = graph.params[i]!
    const length = shape.reduce((product, each) => product * evaluateSize(each, bindings), 1)
    const name = inputs[i]!
    if (dtype === 'i32' && name !== 'y')
      return Int32Array.from(integers(length, 0, tokens.length - 1), (at) => tokens[at]!)
    if (dtype !== 'f32') return Int32Array.from(integers(length, 0, CLASSES - 1))
    if (/ of |^q|averaged|accumulated/.test(name)) return new Float32Array(length)
    if (name === 'learningRate') return Float32Array.of(0.05)
    return Float32Array.from(numbers(length))
  }
  let given = new Map(inputs.map((_, i) => [i, drawn(i)]))
  const states: Record<string, ArrayLike<number>>[] = []
  for (let step = 0; step < 4; step++) {
    const bias = inputs.findIndex((name) => /dense.*\/c$/.test(name))
    if (step === spoil) given.set(bias, new Float32Array(CLASSES).fill(Number.NaN))
    const [mean, norm] = await executable.call({ bindings, inputs: given, outputs: [0, 1] })
    const state: Record<string, ArrayLike<number>> = { loss: mean!, norm: norm! }
    for (const input of donate.values()) state[inputs[input]!] = await executable.read(input)
    states.push(state)
    given = new Map(
      inputs.flatMap((name, i) => (name === 'y' || graph.params[i]!.dtype === 'i32' ? [[i, drawn(i)]] : [])),
    )
  }
  return states
}

/** But for the gradient's norm, whose squares are added in another order; −0 is 0. */
function bitsOf({ norm, ...rest }: Record<string, ArrayLike<number>>) {
  return Object.fromEntries(
    Object.entries(rest).map(([name, data]) => [name, Array.from(data, (x) => x + 0)]),
  )
}

const OPTIMIZERS: Readonly<Record<string, () => Optimizer>> = {
  adam,
  adamW,
  lazyAdam,
  'rmsprop, centered, with momentum': () => rmsprop({ centered: true, momentum: 0.9 }),
  sgd,
  'sgd with momentum': () => sgd({ momentum: 0.9, nesterov: true }),
  'averages of adam': () => movingAverage(adam()),
  'averages of lazyAdam': () => movingAverage(lazyAdam()),
}

describe.each(places)('%s: bits of a gradient kept whole', (_, place) => {
  test.each(Object.entries(OPTIMIZERS))('%s', async (_, make) => {
    const named = stepOf(words(), { optimizer: make(), clipValue: 0.01 })
    await fc.assert(
      fc.asyncProperty(sizesOf, fc.nat(), async (sizes, seed) => {
        const [own, reference] = [
          await run(named, place, sizes, seed),
          await run(whole(named), place, sizes, seed),
        ]
        for (const [call, state] of own.entries()) {
          expect(bitsOf(state), `call ${call}`).toEqual(bitsOf(reference[call]!))
          expect(outside('f32', { norm: state['norm']! }, { norm: reference[call]!['norm']! })).toEqual([])
        }
      }),
      { numRuns: 4 },
    )
  })
})

/** A table read in two places, the tokens of one and of the other. */
function twice(): Model {
  const rows = embedding({ inputDim: V, outputDim: E })
  const [a, b] = [input({ shape: [null], dtype: 'i32' }), input({ shape: [null], dtype: 'i32' })]
  const read = call(add(), [a.to(rows), b.to(rows)])
  return model({ inputs: { a, b }, outputs: read.to(dense({ units: CLASSES })) })
}

test.each(Object.entries(OPTIMIZERS))('%s, of a table read in two places', async (_, make) => {
  const named = stepOf(twice(), { optimizer: make() })
  expect(over(await programOf(named))).not.toContain('scatterAdd')
  const sizes = { T: 5, B: 4 }
  for (const [, place] of places) {
    const [own, reference] = [await run(named, place, sizes, 8), await run(whole(named), place, sizes, 8)]
    expect(own.map(bitsOf)).toEqual(reference.map(bitsOf))
  }
})

test('of two tables read at the same places, one held small: the other is kept by rows', async () => {
  const a = input({ shape: [null], dtype: 'i32' })
  const held = embedding({ inputDim: V, outputDim: E, embeddingsRegularizer: l2({ l2: 0.1 }) })
  const read = call(concatenate(), [a.to(held), a.to(embedding({ inputDim: V, outputDim: E }))])
  const named = stepOf(model({ inputs: { a }, outputs: read.to(dense({ units: CLASSES })) }), {
    optimizer: sgd(),
  })
  const kernels = kernelsOf((await programOf(named)).steps)
  const tables = (kind: string) =>
    kernels.filter((each) => each.kind === kind && 'v' in each && each.v === size(V)).length
  expect([tables('scatterAdd'), tables('setRows')]).toEqual([1, 1])
})

test.each(Object.entries(OPTIMIZERS))(
  '%s, clipped by the norm: equal but for rounding, on any threads the same bits',
  async (_, make) => {
    const named = stepOf(words({ maskZero: true }), { optimizer: make(), clipGlobalNorm: 0.01 })
    const sizes = { T: 6, B: 3 }
    const reference = await run(whole(named), { backend: 'wasm' }, sizes, 3)
    const own = await run(named, { backend: 'wasm' }, sizes, 3)
    expect(outside('f32', own.at(-1)!, reference.at(-1)!)).toEqual([])
    for (const threads of [2, 3])
      expect(await run(named, { backend: 'wasm', threads }, sizes, 3)).toEqual(own)
  },
)

test.each<[string, () => Optimizer]>([
  ['adam', adam],
  ['lazyAdam', lazyAdam],
])('%s: where the loss is not finite, all rows keep what they hold', async (_, optimizer) => {
  for (const [, place] of places) {
    const states = await run(stepOf(words(), { optimizer: optimizer() }), place, { T: 4, B: 2 }, 5, 2)
    const held = (call: number) =>
      Object.entries(states[call]!).filter(([name]) => !/^loss$|^norm$|\/c$/.test(name))
    expect(held(1).length).toBeGreaterThan(5)
    expect(held(2)).toEqual(held(1))
    expect(states[2]!['loss']![0]).toBeNaN()
  }
})

test('rows of unlike lengths, packed', async () => {
  const net = sequential([embedding({ inputDim: V, outputDim: E }), rnn(), dense({ units: CLASSES })], {
    input: tokensOf,
  })
  const named = stepOf(net, { optimizer: lazyAdam() }, { packing })
  expect(over(await programOf(named))).toEqual([])
})

const programOf = async ({ graph, donate }: NamedGraph) => (await lowering(graph, { donate }))()

/** The kernels that walk over all rows of the table, and the buffers as long as it beside what is held. */
function over({ steps, buffers, aliases, inputs }: Program): string[] {
  const isWhole = (elements: unknown) => elements === size(V * E)
  const held = new Set(inputs.map(({ view }) => view.buffer))
  const kernels = kernelsOf(steps)
  const walks = kernels.filter((kernel) =>
    kernel.kind === 'map' || kernel.kind === 'reduce'
      ? kernel.shape[0] === size(V)
      : kernel.kind === 'scatterAdd' && kernel.v === size(V),
  )
  const touched = new Set(kernels.flatMap((kernel) => viewsOf(kernel).map(({ buffer }) => buffer)))
  const others = buffers.filter(
    (each) => isWhole(each.elements) && touched.has(each) && !held.has(aliases.get(each) ?? each),
  )
  return [...walks.map(({ kind }) => kind), ...others.map(({ name }) => name)]
}

describe('what walks over a table', () => {
  test.each<[string, () => Optimizer, string[]]>([
    ['lazyAdam', lazyAdam, []],
    ['sgd', sgd, []],
    ['adam', adam, ['map']],
    ['averages of adam', () => movingAverage(adam()), ['map']],
  ])('%s', async (_, optimizer, expected) => {
    for (const clipGlobalNorm of [undefined, 1])
      expect(over(await programOf(stepOf(words(), { optimizer: optimizer(), clipGlobalNorm })))).toEqual(
        expected,
      )
  })

  test.each<[string, () => NamedGraph]>([
    [
      'a small table',
      () =>
        stepOf(
          sequential([embedding({ inputDim: MANY - 1, outputDim: E }), dense({ units: 2 })], {
            input: tokensOf,
          }),
          {},
        ),
    ],
    ['a regularizer', () => stepOf(words({ embeddingsRegularizer: l2({ l2: 0.1 }) }), {})],
    [
      'a constraint over rows',
      () => stepOf(words({ embeddingsConstraint: maxNorm({ maxValue: 1, axis: 1 }) }), {}),
    ],
    ['several batches an update', () => stepOf(words(), { accumulate: 2 }, { accumulated })],
    ['its own gradient among the outputs', () => whole(stepOf(words(), {}))],
  ])('with %s its gradient is kept whole', async (_, make) => {
    const kinds = kernelsOf((await programOf(make())).steps).map(({ kind }) => kind)
    expect(kinds).toContain('scatterAdd')
    expect(kinds).not.toContain('setRows')
  })

  test('explain says which gradient', () => {
    expect(explain(stepOf(words(), {}).graph)).toContain(
      `a gradient f32[${V}, ${E}] is kept for the rows alone that were read`,
    )
  })
})

test('a table read in a recurrence', async () => {
  const graph = trace([{ shape: [V, E] }, { shape: ['T', 'B'], dtype: 'i32' }], (table: Value, at: Value) => {
    const { carry } = scan({ carry: { h: zeros(['B', E]) }, xs: { at } }, ({ carry: { h }, x }) => ({
      carry: { h: gather(table, x.at).add(h.mul(0.5)).tanh() },
    }))
    const mean = carry.h.square().mean()
    return [mean, table.sub(gradient(mean, [table])[0]!.mul(0.1))]
  })
  const { numbers, integers } = random(4)
  const [table, at] = [numbers(V * E), integers(12, 0, 5).map((token) => token * 200)]
  const bindings = new Map([
    ['T', 4],
    ['B', 3],
  ])
  const expected = interpret(
    graph,
    [
      { data: Float64Array.from(table), shape: [V, E] },
      { data: Float64Array.from(at), shape: [4, 3] },
    ],
    bindings,
  )
  for (const [, place] of places) {
    const executable = await compile(graph, { ...place, donate: new Map([[1, 0]]), verify: true })
    const inputs = new Map<number, Float32Array | Int32Array>([
      [0, Float32Array.from(table)],
      [1, Int32Array.from(at)],
    ])
    const [mean, next] = await executable.call({ bindings, inputs, outputs: [0, 1] })
    expect(
      outside('f32', { mean: mean!, next: next! }, { mean: expected[0]!.data, next: expected[1]!.data }),
    ).toEqual([])
  }
})

describe('refused', () => {
  const [table, at] = [constant(0, [size(5), size(2)]), constant(0, [size(3)], 'i32')]
  test('indices that are no integers', () => {
    expect(() => firsts(table, size(5))).toThrow('firsts expects i32 indices; received f32[5, 2]')
    expect(() => setRows(table, table, table)).toThrow(
      /setRows expects a table, i32 indices and values of its type/,
    )
  })
  test('rows that do not fit', () => {
    expect(() => setRows(table, at, constant(0, [size(3), size(4)]))).toThrow(
      'setRows: shapes [3, 2] and [3, 4] do not agree',
    )
  })
})
