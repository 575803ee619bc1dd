/** Streams: a model that is given a sequence step by step says what `predict` says of it as a whole, and allocates nothing. */
import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Cell, defineCell } from '../../src/cells/define.ts'
import { elmanCell } from '../../src/cells/elman.ts'
import { gruCell } from '../../src/cells/gru.ts'
import { lstmCell } from '../../src/cells/lstm.ts'
import { qrnnCell } from '../../src/cells/qrnn.ts'
import { stacked } from '../../src/cells/stacked.ts'
import { lowering } from '../../src/codegen/compile.ts'
import { prepare, singleRows } from '../../src/codegen/prepare.ts'
import { glorotUniform } from '../../src/init/initializers.ts'
import { attention } from '../../src/layers/attention.ts'
import { batchNorm } from '../../src/layers/batch-norm.ts'
import { bidirectional } from '../../src/layers/bidirectional.ts'
import { convLstm1d } from '../../src/layers/conv-lstm.ts'
import { conv1d } from '../../src/layers/conv1d.ts'
import { dense } from '../../src/layers/dense.ts'
import { embedding } from '../../src/layers/embedding.ts'
import { call, input, model as modelFrom } from '../../src/layers/functional.ts'
import { globalMaxPooling1d } from '../../src/layers/global-pooling.ts'
import type { Layer } from '../../src/layers/layer.ts'
import { layerNorm } from '../../src/layers/layer-norm.ts'
import { masking } from '../../src/layers/masking.ts'
import { concatenate } from '../../src/layers/merge.ts'
import type { Model } from '../../src/layers/model.ts'
import { gru, jordan, lstm, type RecurrentOptions, recurrent } from '../../src/layers/recurrent.ts'
import { residual } from '../../src/layers/residual.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { traceStep } from '../../src/layers/stream-graph.ts'
import { timeDistributed } from '../../src/layers/time-distributed.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { predictWithStates } from '../../src/train/predict.ts'
import { resetState } from '../../src/train/stateful.ts'
import { f32, i32, lstmNet, sequenceOf, tokenNet } from './models.ts'
import { random } from './support.ts'

const hasCompiler = spawnSync('cc', ['--version']).status === 0
const backends = ['wasm', 'interpret', ...(hasCompiler ? (['native'] as const) : [])] as const
const over = (...layers: Layer[]) => sequential(layers, { input: sequenceOf })
const returnSequences = true

/** A model of two sequences and a vector, with two outputs. */
function joint(): Model {
  const [a, b, still] = [
    input({ shape: [null, 2], dtype: 'f32' }),
    input({ shape: [null], dtype: 'i32' }),
    input({ shape: [3], dtype: 'f32' }),
  ]
  const read = call(concatenate(), [a, b.to(embedding({ inputDim: 6, outputDim: 2 }))])
  const h = read.to(gru({ units: 4 }))
  return modelFrom({
    inputs: { a, b, still },
    outputs: {
      all: call(concatenate(), [h, still]).to(dense({ units: 2 })),
      steps: read.to(lstm({ units: 3, returnSequences })),
    },
  })
}

const MODELS: Record<string, (options: RecurrentOptions) => Model> = {
  'lstm, learnt beginning': (options) =>
    over(lstm({ units: 5, initialState: 'trainable', ...options }), dense({ units: 2 })),
  gru: (options) => over(gru({ units: 40, ...options })),
  'a stack, normed': (options) =>
    over(
      dense({ units: 3 }),
      residual(gru({ units: 3, returnSequences })),
      batchNorm(),
      layerNorm(),
      recurrent([elmanCell({ units: 3 }), lstmCell({ units: 4 })], options),
    ),
  'jordan, whose output is no state': (options) => over(jordan({ units: 3, outputs: 2, ...options })),
  qrnn: (options) => over(recurrent(qrnnCell({ units: 3 }), options)),
  'masked, output no state': (options) =>
    over(masking({ maskValue: 0.5 }), jordan({ units: 3, outputs: 2, ...options })),
  'masked lstm': (options) => over(masking({ maskValue: 0.5 }), lstm({ units: 3, ...options })),
  stateful: (options) => over(lstm({ units: 3, stateful: true, ...options })),
  'steps that are sequences': (options) =>
    sequential([timeDistributed(bidirectional(gru({ units: 2 }))), lstm({ units: 3, ...options })], {
      input: { shape: [null, 3, 2], dtype: 'f32' },
    }),
  'rows of features': (options) =>
    sequential([convLstm1d({ filters: 2, kernelSize: 3, padding: 'same', ...options })], {
      input: { shape: [null, 4, 2], dtype: 'f32' },
    }),
  tokens: tokenNet,
  'masked tokens': (options) =>
    sequential([embedding({ inputDim: 6, outputDim: 3, maskZero: true }), gru({ units: 3, ...options })], {
      input: { shape: [null], dtype: 'i32' },
    }),
  'several inputs and outputs': joint,
}

/** Inputs of B rows and T steps for a model, some steps all 0.5 or token 0. */
function inputsFor(model: Model, seed: number, B: number, T: number): Record<string, Tensor> {
  const { numbers, integers } = random(seed)
  return Object.fromEntries(
    [...model.built.inputs].map(([name, { shape, dtype }]) => {
      const full = [B, ...shape.map((size) => (typeof size === 'number' ? size : T))]
      const count = full.reduce((a, b) => a * b)
      const width = count / B / T
      const gone = integers(B * T, 0, 3)
      const floats = () => numbers(count).map((value, i) => (gone[Math.floor(i / width)] === 0 ? 0.5 : value))
      return [name, dtype === 'i32' ? i32(integers(count, 0, 5), ...full) : f32(floats(), ...full)]
    }),
  )
}

const isSequence = (model: Model, name: string) => typeof model.built.inputs.get(name)!.shape[0] !== 'number'

/** What rows of an input hold at step t, one behind the other. */
function at({ data, shape }: Tensor, t: number, sequence: boolean, rows: readonly number[]) {
  const size = data.length / shape[0]!
  const width = sequence ? size / shape[1]! : size
  const parts = rows.map((row) => data.slice(row * size + (sequence ? t * width : 0)).slice(0, width))
  const all = parts.flatMap((part) => [...part])
  return data instanceof Float32Array ? Float32Array.from(all) : Int32Array.from(all)
}

const stepAt = (model: Model, inputs: Record<string, Tensor>, t: number, rows: readonly number[]) => {
  const values = Object.entries(inputs).map(
    ([name, x]) => [name, at(x, t, isSequence(model, name), rows)] as const,
  )
  return values.length === 1 ? values[0]![1] : Object.fromEntries(values)
}

/** Bits where the arithmetic is the same; the oracle rounds states to f32 after every step. */
const expectClose = (backend: string, received: ArrayLike<number>, expected: ArrayLike<number>) => {
  expect(received.length).toBe(expected.length)
  if (backend !== 'interpret') expect([...Array.from(received)]).toEqual([...Array.from(expected)])
  else for (let i = 0; i < expected.length; i++) expect(received[i]).toBeCloseTo(expected[i]!, 5)
}

/** The first t steps of all sequences. */
const firstSteps = (model: Model, inputs: Record<string, Tensor>, t: number) => {
  const parts = Object.entries(inputs).map(([name, x]): [string, Tensor] => {
    if (!isSequence(model, name)) return [name, x]
    const { data, shape } = x
    const [B, T, ...rest] = shape as [number, number, ...number[]]
    const width = data.length / B / T
    const rows = Array.from({ length: B }, (_, row) => data.subarray(row * T * width, (row * T + t) * width))
    const numbers = rows.flatMap((row) => [...row])
    return [name, data instanceof Float32Array ? f32(numbers, B, t, ...rest) : i32(numbers, B, t, ...rest)]
  })
  return parts.length === 1 ? parts[0]![1] : Object.fromEntries(parts)
}

describe.each(backends)('%s', (backend) => {
  test.each(Object.entries(MODELS))(
    '%s: after every step what the steps so far give as a whole',
    async (_, make) => {
      for (const options of [{ returnSequences }, {}]) {
        const [B, T] = [3, 6]
        const model = make(options)
        const inputs = inputsFor(model, 7, B, T)
        const stream = await model.streams(B, { backend })
        expect(stream.backend).toBe(backend)
        for (let t = 0; t < T; t++) {
          resetState(model)
          const whole = await predictWithStates(model, firstSteps(model, inputs, t + 1), { backend })
          stream.step(stepAt(model, inputs, t, [0, 1, 2]))
          for (const [name, output] of Object.entries(whole.outputs)) {
            const { sequence } = model.built.outputs.get(name)!
            expectClose(backend, stream.outputs[name]!, at(output, t, sequence, [0, 1, 2]))
          }
          const states = stream.state()
          for (const [path, { data, shape }] of Object.entries(whole.states)) {
            expect(states[path]!.shape).toEqual(shape)
            expectClose(backend, states[path]!.data, data)
          }
        }
      }
    },
  )
})

test('rows of any cell go on each at its own pace, begin anew, and move to another stream', async () => {
  const user = defineCell<{ units: number }>()({
    name: 'user',
    state: ({ units }) => ({ h: units, n: 1 }),
    params: ({ inputs, units }) => ({ U: glorotUniform(inputs, units), w: glorotUniform(units, 1) }),
  }).step(({ x, state: { h, n }, params: { U, w } }) => {
    const next = x.matmul(U).add(h.mul(n.sigmoid())).tanh()
    return { output: next, state: { h: next.mul(0.5).add(h.mul(0.5)), n: next.matmul(w) } }
  })
  const cells: readonly ((options: { readonly units: number }) => Cell)[] = [
    lstmCell,
    gruCell,
    elmanCell,
    user,
    ({ units }: { units: number }) => stacked([gruCell({ units }), user({ units: 2 })]),
  ]
  const T = 4
  const property = fc.asyncProperty(
    fc.record({
      cell: fc.constantFrom(...cells),
      units: fc.integer({ min: 1, max: 40 }),
      features: fc.integer({ min: 1, max: 9 }),
      B: fc.integer({ min: 1, max: 5 }),
      seed: fc.nat(1000),
      backend: fc.constantFrom('wasm', 'native') as fc.Arbitrary<'wasm' | 'native'>,
    }),
    async ({ cell, units, features, B, seed, backend }) => {
      const layers = [
        recurrent(cell({ units }), { returnSequences, initialState: 'trainable' }),
        dense({ units: 2 }),
      ]
      const model = sequential(layers, { input: { shape: [null, features], dtype: 'f32' } })
      const { numbers, integers, weights } = random(seed)
      const drawn = Object.entries(weights(model)).map(
        ([path, data]) => [path, f32(data, ...model.weights().get(path)!.shape)] as const,
      )
      model.setWeights(new Map(drawn))
      const x = f32(numbers(B * T * features), B, T, features)
      const { output } = await predictWithStates(model, x, { backend: 'wasm' })
      let stream = await model.streams(B, { backend })
      const steps = new Array<number>(B).fill(0)
      for (let turn = 0; turn < 3 * T; turn++) {
        const rows = steps.flatMap((_, row) => (integers(1, 0, 1)[0] === 1 ? [row] : []))
        for (const row of rows) {
          if (steps[row] !== T) continue
          stream.reset(row)
          steps[row] = 0
        }
        if (turn === T) {
          const moved = await model.streams(B, { backend, initialState: stream.state() })
          // Outputs are no states.
          moved.outputs['output']!.set(stream.outputs['output']!)
          stream = moved
        }
        const before = stream.outputs['output']!.slice()
        const given = rows.flatMap((row) => [...at(x, steps[row]!, true, [row])])
        const received = stream.step(Float32Array.from(given), rows)
        for (let row = 0; row < B; row++) {
          const own = received.slice(2 * row, 2 * row + 2)
          const expected = rows.includes(row)
            ? at(output, steps[row]!++, true, [row])
            : before.slice(2 * row, 2 * row + 2)
          for (const i of [0, 1]) expect(own[i]).toBeCloseTo(expected[i]!, 5)
        }
      }
    },
  )
  await fc.assert(property, { seed: 5, numRuns: hasCompiler ? 20 : 10 })
})

test('states of a row, from predict or another stream; weights stay until they are taken anew', async () => {
  const model = lstmNet()
  const x = f32(random(3).numbers(2 * 4 * 2), 2, 4, 2)
  const { output, states } = await predictWithStates(model, x)
  const begun = await predictWithStates(model, firstSteps(model, { x }, 3) as Tensor)
  const many = await model.streams(2, { initialState: begun.states })
  const last = [0, 1].map((row) => [...at(output, 3, true, [row])])
  expect([...many.step(at(x, 3, true, [0, 1]) as Float32Array)]).toEqual(last.flat())
  expect(many.state()).toEqual(states)
  const one = await model.stream()
  one.setState({ 'lstm/h': [[9, 9, 9, 9, 9]] })
  one.setState((await model.streams(2, { initialState: begun.states })).state(1))
  expect([...one.step([...at(x, 3, true, [1])])]).toEqual(last[1])
  many.setState(one.state(0), 0)
  expect(many.state(0)).toEqual(many.state(1))

  const fresh = lstmNet()
  fresh.weights(8)
  model.setWeights(fresh.weights())
  one.reset()
  const old = [...one.step(Float32Array.of(1, 2))]
  one.refresh()
  one.reset()
  const expected = await predictWithStates(model, [[[1, 2]]])
  expect([...one.step(Float32Array.of(1, 2))]).toEqual([...expected.output.data])
  expect(old).not.toEqual([...expected.output.data])
})

test('weights are packed when a stream is opened, and not at its steps', async () => {
  const { graph, donate, weights } = traceStep(lstmNet(), 1)
  const lowered = (await lowering(graph, { donate }))()
  const { steps, prepared } = prepare(singleRows(lowered, 24), new Set(weights.values()))
  const kinds = steps.map((step) => step.kind === 'call' && step.kernel.kind)
  expect(kinds.slice(prepared)).toEqual(['row', 'row', 'map', 'row', 'map'])
  expect(steps).toHaveLength(lowered.steps.length)
})

test('a step of one number, and inputs without time that stay', async () => {
  const tokens = await tokenNet().stream()
  expect(tokens.step(3)).toBe(tokens.outputs['output'])
  const model = joint()
  const stream = await model.stream()
  const still = Float32Array.of(1, 2, 3)
  const step = { a: [1, 2], b: 4 }
  const first = [...stream.step({ ...step, still })]
  stream.reset()
  expect([...stream.step(step)]).toEqual(first)
})

test('nothing is allocated: the heap stays as it is over 100,000 steps', () => {
  const library = new URL('../../dist/index.js', import.meta.url).href
  const program = `
    const { dense, lstm, sequential } = await import(${JSON.stringify(library)})
    const net = sequential([lstm({ units: 8, returnSequences: true }), dense({ units: 2 })], { input: { shape: [null, 3], dtype: 'f32' } })
    const rows = [0, 2]
    for (const backend of ['wasm', 'native']) {
      const [one, many] = [await net.stream({ backend }), await net.streams(4, { backend })]
      const [x, some, all] = [3, 6, 12].map((length) => new Float32Array(length).fill(0.5))
      const run = (times) => { for (let i = 0; i < times; i++) { one.step(x); many.step(some, rows); many.step(all) } }
      run(20000)
      gc()
      const before = process.memoryUsage()
      run(100000)
      const after = process.memoryUsage()
      console.log(after.heapUsed - before.heapUsed + after.external - before.external)
    }`
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--expose-gc', '--input-type=module', '-e', program],
    { encoding: 'utf8' },
  )
  const grown = stdout.trim().split('\n').map(Number)
  expect(grown, stderr).toHaveLength(2)
  // An object a step would be megabytes.
  for (const bytes of grown) expect(bytes).toBeLessThan(200_000)
})

describe('what cannot be', () => {
  const sequence = () => input({ shape: [null, 2], dtype: 'f32' })
  const handed = () => {
    const [a, b] = [sequence(), sequence()]
    return modelFrom({
      inputs: { a, b },
      outputs: b.to(gru({ units: 2 }), { initialState: { h: a.to(gru({ units: 2 })) } }),
    })
  }
  const attending = () => {
    const x = sequence()
    return modelFrom({ inputs: x, outputs: call(attention(), [x, x]) })
  }
  const around = 'reads other steps than the one that has come; call predict on whole sequences'
  test.each<[string, () => Model, string]>([
    [
      'both ways',
      () => over(bidirectional(gru({ units: 2 }), { name: 'both' })),
      'layer both reads a sequence from its end',
    ],
    [
      'backwards',
      () => over(lstm({ units: 2, goBackwards: true })),
      'layer lstm reads a sequence from its end',
    ],
    ['convolution', () => over(conv1d({ filters: 2, kernelSize: 2 })), `layer conv1d ${around}`],
    ['pooling', () => over(globalMaxPooling1d()), `layer globalMaxPooling1d ${around}`],
    ['attention', attending, `layer attention ${around}`],
    ['states that are given', handed, 'layer gru_1 begins with states that other layers give'],
    [
      'no sequence',
      () => sequential([dense({ units: 2 })], { input: { shape: [3], dtype: 'f32' } }),
      'no input of the model is a sequence',
    ],
    [
      'steps of any size',
      () =>
        sequential(
          [embedding({ inputDim: 5, outputDim: 2 }), timeDistributed(gru({ units: 2 })), gru({ units: 2 })],
          { input: { shape: [null, 'words'], dtype: 'i32' } },
        ),
      'input x has steps of words parts',
    ],
    [
      'a model that is not built',
      () => sequential([lstm({ units: 2 })]),
      'the model does not know its input yet',
    ],
  ])('%s is refused by name', async (_, make, message) => {
    await expect(async () => make().stream()).rejects.toThrow(message)
  })

  test('numbers, rows and states that do not fit', async () => {
    const [one, many, tokens, both] = await Promise.all([
      lstmNet().stream(),
      lstmNet().streams(3),
      tokenNet().streams(2),
      joint().stream(),
    ])
    const odd = (value: unknown) => value as never
    const wrong: [() => unknown, string][] = [
      [() => one.step(Float32Array.of(1)), 'step: input x of a step is [1, 2], 2 numbers; received 1'],
      [() => one.step(1), '2 numbers; received 1'],
      [
        () => one.step(Int32Array.of(1, 2)),
        'input x takes f32 numbers in a Float32Array; received a Int32Array',
      ],
      [() => one.step(odd(Float64Array.of(1, 2))), 'received a Float64Array'],
      [() => one.step(odd(['1', 2])), 'input x takes f32 numbers; received "1" at 0'],
      [() => one.step(odd(undefined)), 'expected the numbers of a step, one input; received undefined'],
      [() => one.step(odd({ y: [1, 2] })), 'the model reads one input; received y'],
      [() => many.step(Float32Array.of(1, 2), [3]), 'step: rows are 0 … 2; received 3'],
      [() => many.step(Float32Array.of(1, 2, 3, 4), [1, 1]), 'row 1 is there twice'],
      [() => many.step(Float32Array.of(1, 2), [0, 1]), 'is [2, 2], 4 numbers; received 2'],
      [() => tokens.step([1, 6]), 'a token must lie in 0 … 5; received 6 at 1'],
      [() => tokens.step([1, 0.5]), 'input x takes i32 numbers; received 0.5 at 1'],
      [() => both.step(1), 'the model reads { a, b, still }; received one'],
      [() => both.step({ a: [1, 2], b: 1 }), 'expected { a, b, still }; received no still'],
      [() => both.step({ a: [1, 2], still: [1, 2, 3] }), 'received no b'],
      [() => many.step(Float32Array.of(1, 2), odd(1)), 'step: rows are a list of numbers; received 1'],
      [() => many.reset(-1), 'reset: rows are 0 … 2; received -1'],
      [() => many.state(0.5), 'state: rows are 0 … 2; received 0.5'],
      [() => many.setState({ 'gru/h': [[1]] }), 'stream: there is no state gru/h; expected lstm/'],
      [
        () => many.setState({ 'lstm/h': [[1, 2, 3, 4, 5]] }),
        'state lstm/h must be f32[3, 5]; received f32[1, 5]',
      ],
      [
        () => many.setState({ 'lstm/h': i32([1, 2, 3, 4, 5], 1, 5) }, 1),
        'must be f32[1, 5]; received i32[1, 5]',
      ],
    ]
    for (const [run, message] of wrong) expect(run, message).toThrow(message)
    await expect(lstmNet().streams(0)).rejects.toThrow(
      'the number of streams must be an integer of at least 1',
    )
    await expect(lstmNet().stream(odd({ states: {} }))).rejects.toThrow('there is no option states')
    await expect(lstmNet().stream({ backend: odd('gpu') })).rejects.toThrow('backend must be one of auto')
    // And they go on.
    expect(one.step(Float32Array.of(1, 2))).toHaveLength(2)
    expect(many.step(new Float32Array(6))).toHaveLength(6)
  })
})
