/** Cells over images and over several inputs, as models have them: trained, carried on, saved; and a ConvLSTM on video. */
import { expect, test } from 'vitest'
import type { Batch } from '../../src/data/batches.ts'
import { movingDots } from '../../src/data/video.ts'
import { gradientFlow } from '../../src/inspect/index.ts'
import { loadModel, saveModel } from '../../src/io/model.ts'
import { bidirectional } from '../../src/layers/bidirectional.ts'
import { convLstm1d, convLstm2d } from '../../src/layers/conv-lstm.ts'
import { dense } from '../../src/layers/dense.ts'
import { flatten } from '../../src/layers/flatten.ts'
import { call, input, model } from '../../src/layers/functional.ts'
import type { Layer } from '../../src/layers/layer.ts'
import { concatenate } from '../../src/layers/merge.ts'
import { type RecurrentOptions, recurrent } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { timeDistributed } from '../../src/layers/time-distributed.ts'
import { fit } from '../../src/train/fit.ts'
import { adam, sgd } from '../../src/train/optimizers.ts'
import { evaluate, predictWithStates } from '../../src/train/predict.ts'
import { cut, f32, i32, nested, squared, stepsOf, stillness, windowsOf } from './models.ts'
import { outside, random, runOracle, traceLoss } from './support.ts'

const [B, T] = [16, 6]
const own = (options: RecurrentOptions = {}) =>
  recurrent(nested({ units: 4 }), { returnSequences: true, ...options })
const video = () => input({ shape: [null, 2, 3, 1] })
const audio = () => input({ shape: [null, 2] })

function netOf(layer: Layer) {
  const inputs = { video: video(), audio: audio() }
  const read = call(layer, [inputs.video, inputs.audio])
  return model({ inputs, outputs: read.to(dense({ units: 1 })) })
}

/** What was loud lately, as far as the first pixel was bright then: Σ 0.8^(t − s) a(s) v(s). */
function batchOf(seed: number) {
  const { numbers, integers } = random(seed)
  const [v, a] = [numbers(B * T * 6), numbers(B * T * 2)]
  const y = new Array<number>(B * T).fill(0)
  for (const i of y.keys()) y[i] = v[6 * i]! * a[2 * i]! + (i % T > 0 ? 0.8 * y[i - 1]! : 0)
  const lengths = integers(B, 2, T)
  return {
    inputs: { video: f32(v, B, T, 2, 3, 1), audio: f32(a, B, T, 2) },
    ...{ targets: f32(y, B, T, 1), lengths: { video: i32(lengths, B) }, reset: true },
  }
}

test('a cell of two inputs, one an image, with a matrix state: trains over unlike lengths, and a file gives it back', async () => {
  const net = netOf(own({ initialState: 'trainable' }))
  const batches = [batchOf(1), batchOf(2), batchOf(3)]
  const begin = await evaluate(net, [batchOf(4)], squared)
  await fit(net, batches, { ...squared, optimizer: adam({ learningRate: 0.02 }), epochs: 60, seed: 1 })
  const end = await evaluate(net, [batchOf(4)], squared)
  expect(end.loss).toBeLessThan(0.5 * begin.loss)

  const bytes = saveModel(net)
  const loaded = loadModel(bytes).model
  expect(saveModel(loaded)).toEqual(bytes)
  const { inputs } = batchOf(5)
  expect(await predictWithStates(loaded, inputs)).toEqual(await predictWithStates(net, inputs))
})

test('lengths and masks of several inputs say whose they are', async () => {
  const [net, { lengths, ...batch }] = [netOf(own()), batchOf(4)]
  const nameless =
    /by name, of one for all that share its time: { video, audio }; received them without a name/
  await expect(predictWithStates(net, batch.inputs, { lengths: lengths.video })).rejects.toThrow(nameless)
  await expect(fit(net, [{ ...batch, lengths: lengths.video }], squared)).rejects.toThrow(nameless)
  const mask = { text: [[1]] }
  await expect(predictWithStates(net, batch.inputs, { mask })).rejects.toThrow(/received text/)
})

test('its states go on from one part of a sequence to the next, as those of the whole', async () => {
  const net = netOf(own({ returnState: true }))
  const { inputs } = batchOf(6)
  const flat = { ...inputs, video: { ...inputs.video, shape: [B, T, 6] } }
  const part = (first: number, end: number) => ({
    video: { ...cut(flat.video, first, end), shape: [B, end - first, 2, 3, 1] },
    audio: cut(flat.audio, first, end),
  })
  const [whole, first] = [await predictWithStates(net, inputs), await predictWithStates(net, part(0, 2))]
  const rest = await predictWithStates(net, part(2, T), { initialState: first.states })
  expect(rest.states).toEqual(whole.states)
  expect(rest.states['nested/seen']!.shape).toEqual([B, 4, 2])
  expect(rest.output).toEqual(cut(whole.output, 2, T))
})

test('both ways, states from one layer to another, and what has no time stands at every step', async () => {
  const netOf = (timed: boolean) => {
    const [seen, heard, context] = [video(), audio(), timed ? audio() : input({ shape: [2] })]
    const both = call(bidirectional(own()), [seen, heard])
    const initialState = { heard: both.get('forward heard'), seen: both.get('backward seen') }
    const told = call(own({ name: 'told' }), [seen, context], { initialState })
    const outputs = call(concatenate(), [both, told]).to(dense({ units: 1 }))
    return model({ inputs: { seen, heard, context }, outputs })
  }
  const { inputs, targets } = batchOf(7)
  const given = { seen: inputs.video, heard: inputs.audio }
  const rows = random(8).numbers(2 * B)
  const steps = Array.from({ length: B * T * 2 }, (_, i) => rows[2 * Math.floor(i / 2 / T) + (i % 2)]!)
  const contexts = [f32(rows, B, 2), f32(steps, B, T, 2)]
  const [trained, other] = await Promise.all(
    contexts.map(async (context, k) => {
      const net = netOf(k === 1)
      const batch = { inputs: { ...given, context }, targets, reset: true }
      await fit(net, [batch], { ...squared, optimizer: sgd({ learningRate: 0.1 }), epochs: 3, seed: 1 })
      const { output } = await predictWithStates(loadModel(saveModel(net)).model, batch.inputs)
      return { output: output.data }
    }),
  )
  expect(outside('f32', trained!, other!)).toEqual([])
})

test('windows that share steps, and what each step gives to the weights: as of rows of features', async () => {
  const layer = convLstm1d({ filters: 2, kernelSize: 2, padding: 'same', returnSequences: true })
  const net = sequential([layer, timeDistributed(flatten()), dense({ units: 1 })])
  const { inputs, targets } = batchOf(9)
  const whole = { inputs: { ...inputs.audio, shape: [B, T, 2] }, targets, reset: true }
  const images = (batch: Batch) => {
    const [rows, steps] = batch.inputs.shape as [number, number]
    return { ...batch, inputs: { ...batch.inputs, shape: [rows, steps, 2, 1] } }
  }
  const losses = async (batches: Batch[], k1: number, k2: number) => {
    const options = { ...squared, ...stillness, truncate: { k1, k2 } }
    const steps = await stepsOf(fit(net, batches.map(images), options))
    return steps.map(([loss]) => loss as number)
  }
  const plain = await losses(windowsOf(whole, 2), 2, 2)
  const received = { shared: await losses(windowsOf(whole, 2), 2, 4), all: await losses([whole], T, T) }
  const mean = plain.reduce((sum, loss) => sum + loss / plain.length, 0)
  expect(outside('f32', received, { shared: plain, all: [mean] })).toEqual([])

  const { contributions } = await gradientFlow(net, images(whole), { ...squared, contributions: true })
  const weights = Object.fromEntries([...net.weights()].map(([path, { data }]) => [path, data]))
  const values = { ...weights, x: inputs.audio.data, y: targets.data }
  const gradients = runOracle(
    traceLoss(net, 'meanSquaredError', false),
    values,
    new Map(Object.entries({ B, T })),
  )
  for (const name of ['U', 'W', 'b']) {
    const { data } = contributions[`convLstm1d/${name}`]!.steps
    const size = data.length / T
    const sum = Array.from({ length: size }, (_, i) => Array.from({ length: T }, (_, t) => data[t * size + i]!).reduce((a, b) => a + b)) // biome-ignore format: one line
    expect(outside('f32', { sum }, { sum: gradients[`d convLstm1d/${name}`]! }), name).toEqual([])
  }
})

test.each([
  ['each frame’s direction', true],
  ['each clip’s', false],
])('a convolutional LSTM sees where a dot goes: %s', async (_, perFrame) => {
  const batchOf = (seed: number) => {
    const { inputs, directions, labels } = movingDots({ clips: 128, frames: 5, height: 5, width: 5, seed })
    return { inputs, targets: perFrame ? directions : labels, reset: true }
  }
  const layer = convLstm2d({ filters: 6, kernelSize: 3, padding: 'same', returnSequences: perFrame })
  const flat = perFrame ? timeDistributed(flatten()) : flatten()
  const net = sequential([layer, flat, dense({ units: 8 })])
  const loss = 'softmaxCrossEntropy'
  const optimizer = adam({ learningRate: 0.01 })
  await fit(net, [batchOf(1)], { loss, optimizer, clipGlobalNorm: 1, epochs: 40, seed: 1 })
  const { metrics } = await evaluate(net, [batchOf(2)], { loss, metrics: ['accuracy'] })
  // One of eight.
  expect(metrics.accuracy).toBeGreaterThan(0.35)
})
