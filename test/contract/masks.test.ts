/** Layers that mask, and layers around others, in training and prediction. */
import { describe, expect, test } from 'vitest'
import { padNested } from '../../src/data/ragged.ts'
import { batchNorm } from '../../src/layers/batch-norm.ts'
import { bidirectional } from '../../src/layers/bidirectional.ts'
import { conv1d } from '../../src/layers/conv1d.ts'
import { dense } from '../../src/layers/dense.ts'
import { dropout } from '../../src/layers/dropout.ts'
import { embedding } from '../../src/layers/embedding.ts'
import { call, input, model } from '../../src/layers/functional.ts'
import { globalMaxPooling1d } from '../../src/layers/global-pooling.ts'
import type { Layer } from '../../src/layers/layer.ts'
import { masking } from '../../src/layers/masking.ts'
import { averagePooling1d, maxPooling1d } from '../../src/layers/pooling.ts'
import { elman, gru, jordan } from '../../src/layers/recurrent.ts'
import { repeatVector } from '../../src/layers/repeat-vector.ts'
import { residual } from '../../src/layers/residual.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { timeDistributed } from '../../src/layers/time-distributed.ts'
import { fit } from '../../src/train/fit.ts'
import { adam } from '../../src/train/optimizers.ts'
import { evaluate, predict, predictWithStates } from '../../src/train/predict.ts'
import { f32, i32, numbersOf, sequenceOf, squared, stepsOf, stillness } from './models.ts'
import { random, runOracle, traceLoss } from './support.ts'

const [B, T] = [3, 4]
const sizes = new Map(Object.entries({ B, T }))
const mask = [0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 0, 1]

test.each([
  ['whole', false, false],
  ['lengths', true, false],
  ['mask', false, true],
] as const)(
  'a layer that is the same at every step is so within timeDistributed: %s',
  (_, lengths, masks) => {
    for (const layer of [
      batchNorm({ name: 'inner' }),
      dropout({ rate: 0.5, name: 'inner' }),
      dense({ units: 2, name: 'inner' }),
      dropout({ rate: 0.5, noiseShape: [null, 1], name: 'inner' }),
    ]) {
      const plain = layer.kind === 'dropout' ? dropout({ ...layer.options, rate: 0.5, noiseShape: layer.options.noiseShape && [null, null, 1], name: 'inner' }) : layer // biome-ignore format: one line
      const { numbers, weights } = random(4)
      const [one, other] = [plain, timeDistributed(layer, { name: 'inner' })].map((each: Layer) => {
        const net = sequential([each], { input: sequenceOf })
        return { net, named: traceLoss(net, 'meanSquaredError', lengths, masks) }
      })
      const values = {
        ...{ ...weights(one!.net), x: numbers(B * T * 2), y: numbers(B * T * 2) },
        ...{ lengths: [4, 1, 3], mask, seed: [3], update: [5] },
      }
      expect(runOracle(other!.named, values, sizes)).toEqual(runOracle(one!.named, values, sizes))
    }
  },
)

test('within steps that are sequences, rows and steps draw for themselves; a shared draw is one', () => {
  const drawn = (noiseShape?: (number | null)[]) => {
    const net = sequential([timeDistributed(dropout({ rate: 0.5, noiseShape }))], {
      input: { shape: [null, 5, 6], dtype: 'f32' },
    })
    const [x, y] = [new Array<number>(B * T * 30).fill(1), new Array<number>(B * T * 30).fill(0)]
    const named = traceLoss(net, 'meanSquaredError', false)
    const { output } = runOracle(named, { x, y, seed: [1], update: [2] }, sizes)
    return Array.from({ length: B * T }, (_, i) => output!.slice(i * 30, (i + 1) * 30).join())
  }
  expect(new Set(drawn()).size).toBe(B * T)
  expect(new Set(drawn([1, null, null])).size).toBe(1)
})

const net = () =>
  sequential([masking({ maskValue: -1 }), gru({ units: 3, returnSequences: true }), dense({ units: 1 })], {
    input: sequenceOf,
  })

/** Three rows of 1 to 4 steps, x [B, T, 2] and y [B, T, 1]; what is not there is −1, or NaN. */
function ragged(filler: number, lengths = [4, 1, 3]) {
  const { numbers } = random(9)
  const fill = (all: number[], width: number) =>
    all.map((value, i) => (Math.floor(i / width) % T < lengths[Math.floor(i / width / T)]! ? value : filler))
  return {
    ...{ inputs: f32(fill(numbers(B * T * 2), 2), B, T, 2), targets: f32(fill(numbers(B * T), 1), B, T, 1) },
    reset: true,
  }
}

test('what a layer masks counts like what lengths or a mask leave out, in training and evaluation', async () => {
  const lengths = i32([4, 1, 3], B)
  const there = i32([1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0], B, T)
  const batches = [
    ragged(-1),
    { ...ragged(-1), lengths },
    { ...ragged(NaN), lengths },
    { ...ragged(NaN), mask: there },
  ]
  const trained = []
  for (const batch of batches) {
    const own = net()
    await fit(own, [batch], { ...squared, epochs: 3 })
    trained.push([numbersOf(own), await evaluate(own, [batch], squared)])
  }
  for (const each of trained) expect(each).toEqual(trained[0])
})

test('windows that share steps see the masks of layers, and lead to the same states', async () => {
  const { inputs, targets } = ragged(-1)
  const part = (from: number, to: number, reset: boolean) => {
    const cut = (data: ArrayLike<number>, width: number) =>
      Array.from(data).filter((_, i) => Math.floor(i / width) % T >= from && Math.floor(i / width) % T < to)
    return {
      inputs: f32(cut(inputs.data, 2), B, to - from, 2),
      targets: f32(cut(targets.data, 1), B, to - from, 1),
      reset,
    }
  }
  const losses = async (k2: number, lengths: boolean) => {
    const batches = [part(0, 2, true), part(2, 4, false)]
    const ends = [i32([2, 1, 2], B), i32([2, 1, 1], B)]
    const given = lengths ? batches.slice(0, 1).map((batch, i) => ({ ...batch, lengths: ends[i]! })) : batches
    const own = net()
    own.weights(2)
    const steps = await stepsOf(fit(own, given, { ...squared, ...stillness, truncate: { k1: 2, k2 } }))
    return steps.map(([loss]) => loss)
  }
  const [together, apart] = [await losses(3, false), await losses(2, false)]
  for (const [i, loss] of together.entries()) expect(loss).toBeCloseTo(apart[i]!, 6)
  expect((await losses(3, true))[0]).toBeCloseTo(together[0]!, 6)
})

test('what stands where nothing is: token 0 reads zeros, outputs repeat or are 0', async () => {
  const words = embedding({ inputDim: 3, outputDim: 2, maskZero: true })
  const tokens = i32([0, 1, 0, 2, 0], 1, 5)
  const states = async (...layers: Layer[]) => {
    const own = sequential(layers, { input: { shape: [null], dtype: 'i32' } })
    own.weights(5)
    const { data } = await predict(own, tokens)
    return Array.from({ length: 5 }, (_, t) => Array.from(data.subarray(2 * t, 2 * t + 2)))
  }
  const rnn = (zeroOutputForMask: boolean) => gru({ units: 2, returnSequences: true, zeroOutputForMask })
  const [read, held, zeroed] = [
    await states(words),
    await states(words, rnn(false)),
    await states(words, rnn(true)),
  ]
  expect([read[0], read[2], read[4]]).toEqual([[0, 0], [0, 0], [0, 0]]) // biome-ignore format: one line
  expect(held).toEqual([[0, 0], held[1], held[1], held[3], held[3]])
  expect(zeroed).toEqual([[0, 0], held[1], [0, 0], held[3], [0, 0]])
  expect(held[1]).not.toEqual(held[3])
})

test('teacher forcing feeds targets back past the steps that a layer masks', async () => {
  const losses = async (batch: ReturnType<typeof ragged>, ...layers: Layer[]) => {
    const own = sequential(
      [...layers, jordan({ units: 3, outputs: 1, returnSequences: true, name: 'out' })],
      {
        input: sequenceOf,
      },
    )
    own.weights(3)
    return stepsOf(fit(own, [batch], { ...squared, ...stillness, teacherForcing: true }))
  }
  const lengths = { lengths: i32([4, 1, 3], B) }
  const reference = await losses({ ...ragged(0), ...lengths })
  for (const batch of [ragged(-1), { ...ragged(-1), ...lengths }]) {
    const [[loss, norm]] = (await losses(batch, masking({ maskValue: -1 }))) as [readonly [number, number]]
    expect(loss).toBeCloseTo(reference[0]![0], 6)
    expect(norm).toBeCloseTo(reference[0]![1], 5)
  }
})

test('passages: a network over sentences of a network over words, padded anyhow', async () => {
  const passages = padNested([[[1, 2, 3], [4]], [[2], [3, 1], [4, 4]], [[1]]])
  const reader = () =>
    sequential([
      embedding({ inputDim: 5, outputDim: 3, maskZero: true }),
      timeDistributed(bidirectional(gru({ units: 2 }))),
      residual(gru({ units: 4, returnSequences: true })),
      gru({ units: 3 }),
    ])
  const wide = { data: new Int32Array(3 * 4 * 5), shape: [3, 4, 5], dtype: 'i32' } as const
  for (const [i, id] of passages.ids.data.entries()) {
    wide.data[(Math.floor(i / 9) * 4 + (Math.floor(i / 3) % 3)) * 5 + (i % 3)] = id
  }
  const own = reader()
  const { data } = await predict(own, passages.ids)
  expect((await predict(own, wide)).data).toEqual(data)
  const packed = await predict(own, passages.ids, { lengths: passages.lengths[0]! })
  for (const [i, value] of packed.data.entries()) expect(value).toBeCloseTo(data[i]!, 6)
  const targets = f32(random(1).numbers(9), 3, 3)
  const options = { ...squared, optimizer: adam({ learningRate: 0.05 }), epochs: 30 }
  const losses = await stepsOf(fit(own, [{ inputs: passages.ids, targets, reset: true }], options))
  expect(losses.at(-1)![0]).toBeLessThan(losses[0]![0] / 2)
  expect([...own.built.states.keys()]).toEqual(['residual/h', 'gru/h'])
})

test('states to begin with, of either direction; a state of another shape is refused', async () => {
  const [x, h] = [input({ shape: [null, 2] }), input({ shape: [3] })]
  const both = bidirectional(gru({ units: 3, returnState: true }), { mergeMode: null })
  const out = call(both, [x], { initialState: { 'forward h': h } })
  const net = model({ inputs: { x, h }, outputs: { forward: out, backward: out.get('backward') } })
  const { numbers } = random(3)
  const values = { x: f32(numbers(B * T * 2), B, T, 2), h: f32(numbers(B * 3), B, 3) }
  const plain = sequential([bidirectional(gru({ units: 3, returnState: true }))], { input: sequenceOf })
  plain.setWeights(net.weights())
  const { outputs, states } = await predictWithStates(net, values)
  const initialState = { 'bidirectional/forward h': values.h }
  const reference = await predictWithStates(plain, values.x, { initialState })
  const joined = Array.from({ length: B }, (_, b) =>
    ['forward', 'backward'].flatMap((way) => Array.from(outputs[way]!.data.slice(b * 3, (b + 1) * 3))),
  )
  expect(joined.flat()).toEqual(Array.from(reference.output.data))
  const last = 'bidirectional/backward h'
  expect(states[last]).toEqual(reference.states[last])
  expect(() =>
    model({
      inputs: x,
      outputs: call(both, [x], { initialState: { 'backward h': x.to(elman({ units: 2 })) } }),
    }),
  ).toThrow('bidirectional: state backward h must be f32[B, 3]; received [B, 2] as its initial state')
})

test('a loss counts whole steps: what is masked inside of them is refused', () => {
  const own = sequential([masking()], { input: { shape: [null, 3, 2], dtype: 'f32' } })
  expect(() => traceLoss(own, 'meanSquaredError', false)).toThrow(
    /meanSquaredError counts whole steps, but inside of those of the output some are masked/,
  )
})

test('windows of a stream refuse layers that do not go from step to step', async () => {
  for (const layer of [
    conv1d({ filters: 2, kernelSize: 2, padding: 'causal' }),
    residual(bidirectional(gru({ units: 1, returnSequences: true }))),
  ]) {
    const own = sequential([layer], { input: sequenceOf })
    const run = () => fit(own, [ragged(0)], { ...squared, truncate: { k1: 4, k2: 4 } })
    expect(run).toThrow(/conv1d does not go from step to step|residual reads from the end/)
  }
  const own = sequential([gru({ units: 2 }), repeatVector({ n: 2 })], { input: sequenceOf })
  await expect(evaluate(own, [], { ...squared, carry: true })).rejects.toThrow('repeatVector does not go')
})

describe.each<[string, Layer, Layer, string]>([
  [
    'conv1d',
    conv1d({ filters: 2, kernelSize: 3 }),
    conv1d({ filters: 2, kernelSize: 2, strides: 2, padding: 'same' }),
    'kernelSize 3',
  ],
  [
    'conv1d, dilated',
    conv1d({ filters: 2, kernelSize: 2, dilationRate: 2 }),
    conv1d({ filters: 2, kernelSize: 2, strides: 2, padding: 'same' }),
    'kernelSize 2',
  ],
  [
    'maxPooling1d',
    maxPooling1d({ poolSize: 3, strides: 1 }),
    maxPooling1d({ padding: 'same' }),
    'poolSize 3',
  ],
  [
    'averagePooling1d',
    averagePooling1d({ poolSize: 3 }),
    averagePooling1d({ padding: 'same' }),
    'poolSize 3',
  ],
])('a row shorter than a window: %s', (name, layer, same, window) => {
  const [short, long] = [f32([1, 2, 3, 4], 2, 2), f32(random(3).numbers(10), 5, 2)]
  const kind = name.split(',')[0]!

  test.each<[string, Layer]>([
    ['its state is the initial one', elman({ units: 2 })],
    ['its largest is 0', globalMaxPooling1d()],
  ])('has no steps, whatever stands beside it: %s', async (_, reader) => {
    const own = sequential([layer, reader], { input: sequenceOf })
    const beside = await predict(own, [short, long])
    expect(Array.from(beside.data.slice(0, 2))).toEqual([0, 0])
    const padded = f32([...short.data, ...new Array<number>(6).fill(7)], 1, 5, 2)
    const alone = await predict(own, padded, { lengths: i32([2], 1) })
    expect(alone.data).toEqual(beside.data.slice(0, 2))
    const other = await predict(own, [long])
    expect(other.data).toEqual(beside.data.slice(2))
  })

  test('a batch with room for no window is refused, and told by the layer', async () => {
    const own = sequential([layer], { input: sequenceOf })
    const refused = `${kind}: with padding valid and ${window} a window has 3 steps; received T`
    await expect(predict(own, [short])).rejects.toThrow(refused)
    await expect(predict(own, [short])).rejects.toThrow('T is 2')
    await expect(predict(own, [short, f32([1, 2], 1, 2)])).rejects.toThrow(refused)
    expect(() =>
      sequential([timeDistributed(layer)], { input: { shape: [null, 2, 2], dtype: 'f32' } }),
    ).toThrow(`${kind}: with padding valid and ${window} a window has 3 steps; received 2`)
  })

  test('what is advised for rows of unlike lengths is there', async () => {
    const own = sequential([same], { input: sequenceOf })
    await expect(predict(own, [short, long])).rejects.toThrow(
      `: use ${kind === 'conv1d' ? 'valid or causal' : 'valid'} for rows`,
    )
  })
})
