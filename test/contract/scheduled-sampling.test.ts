/** Scheduled sampling: its decays, what is read and how often, gradients, and what training promises of it. */
import { describe, expect, test } from 'vitest'
import type { NamedBatch } from '../../src/data/batches.ts'
import { attention } from '../../src/layers/attention.ts'
import { batchNorm } from '../../src/layers/batch-norm.ts'
import { dense } from '../../src/layers/dense.ts'
import { dropout } from '../../src/layers/dropout.ts'
import { embedding } from '../../src/layers/embedding.ts'
import { forcedBy } from '../../src/layers/forcing.ts'
import { call, input, model } from '../../src/layers/functional.ts'
import { concatenate } from '../../src/layers/merge.ts'
import * as packing from '../../src/layers/packing.ts'
import { gru, jordan, lstm } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { decode } from '../../src/train/decode.ts'
import { type FitOptions, fit } from '../../src/train/fit.ts'
import { sgd } from '../../src/train/optimizers.ts'
import { sampledTokens } from '../../src/train/sampled-tokens.ts'
import { type ScheduledSamplingOptions, scheduledSampling } from '../../src/train/scheduled-sampling.ts'
import { sequenceAccuracy } from '../../src/train/sequence-accuracy.ts'
import { traceStep } from '../../src/train/step.ts'
import { trainingGraph } from '../../src/train/training-graph.ts'
import { centralDifferences } from './gradients.ts'
import {
  batchOf,
  classes,
  f32,
  i32,
  numbersOf,
  sequenceOf,
  squared,
  stepsOf,
  stillness,
  windowsOf,
} from './models.ts'
import { openWasm, outside, random, runOracle } from './support.ts'

/** Reads targets with this probability, always. */
const sampled = (probability: number) => ({ teacherForcing: { probability: () => probability } })
const still = (probability: number) => ({ ...sampled(probability), optimizer: sgd({ learningRate: 1 }) })

test.each<[ScheduledSamplingOptions, number[]]>([
  [{ decay: 'linear', c: 0.25 }, [1, 0.75, 0.5, 0.25, 0, 0]],
  [{ decay: 'linear', k: 1.25, c: 0.5, epsilon: 0.125 }, [1, 0.75, 0.25, 0.125, 0.125, 0.125]],
  [{ decay: 'exponential', k: 0.5 }, [1, 0.5, 0.25, 0.125, 0.0625, 0.03125]],
  [{ decay: 'inverseSigmoid', k: 2 }, [0, 1, 2, 3, 4, 5].map((i) => 2 / (2 + Math.exp(i / 2)))],
])('%j', (options, expected) => {
  const { probability } = scheduledSampling(options)
  for (const [i, each] of expected.entries()) expect(probability(i)).toBeCloseTo(each, 12)
  expect(probability(1e9)).toBe(options.decay === 'linear' ? (options.epsilon ?? 0) : 0)
})

describe('a cell that reads its own output', () => {
  const netOf = () =>
    sequential([jordan({ units: 3, outputs: 2, returnSequences: true, name: 'r' })], { input: sequenceOf })
  const [T, width] = [4, 2]

  test('each step reads target or own output, as often as the probability says', () => {
    const net = netOf()
    const { numbers, weights } = random(4)
    const [w, x, y] = [weights(net), numbers(T * width), numbers(T * width)]
    const times = (from: readonly number[], matrix: readonly number[], columns: number) =>
      Array.from({ length: columns }, (_, j) =>
        from.reduce((sum, value, i) => sum + value * matrix[i * columns + j]!, 0),
      )
    /** The loss where the steps of `chosen`, a bit each, hand on their targets. */
    const lossOf = (chosen: number) => {
      let [o, sum]: [number[], number] = [[0, 0], 0]
      for (let t = 0; t < T; t++) {
        const own = times(o, w['r/W']!, 3)
        const h = times(x.slice(t * width, (t + 1) * width), w['r/U']!, 3).map((value, j) =>
          Math.tanh(value + own[j]! + w['r/b']![j]!),
        )
        const output = times(h, w['r/V']!, width).map((value, j) => value + w['r/c']![j]!)
        const target = y.slice(t * width, (t + 1) * width)
        sum += output.reduce((total, value, j) => total + (value - target[j]!) ** 2, 0) / width / T
        o = (chosen >> t) & 1 ? target : output
      }
      return sum
    }
    const named = traceStep(net, { ...squared, ...still(0) }, { forced: forcedBy })
    const counts = new Array<number>(2 ** (T - 1)).fill(0)
    const [draws, probability] = [200, 0.3]
    for (let update = 0; update < draws; update++) {
      const { loss } = runOracle(
        named,
        { ...w, x, y, learningRate: [1], forcing: [probability], seed: [2], update: [update] },
        new Map(Object.entries({ B: 1, T })),
      )
      const found = counts.findIndex((_, chosen) => Math.abs(lossOf(chosen) - loss![0]!) < 1e-12)
      expect(found).toBeGreaterThanOrEqual(0)
      counts[found]!++
    }
    for (const [chosen, count] of counts.entries()) {
      const share = [0, 1, 2].reduce((all, t) => all * ((chosen >> t) & 1 ? probability : 1 - probability), 1)
      // Four deviations.
      expect(Math.abs(count / draws - share)).toBeLessThan(4 * Math.sqrt((share * (1 - share)) / draws))
    }
  })

  test.each([[false], [true]])(
    'gradients go through own outputs; WASM does what the oracle does; lengths: %s',
    async (lengths) => {
      const net = sequential(
        [lstm({ units: 2, returnSequences: true }), jordan({ units: 3, outputs: 2, returnSequences: true })],
        { input: sequenceOf },
      )
      const [B, sizes] = [3, new Map(Object.entries({ B: 3, T }))]
      const { numbers, weights } = random(3)
      const values = {
        ...weights(net),
        ...{ x: numbers(B * T * width), y: numbers(B * T * width), lengths: lengths ? [2, 4, 1] : [4, 4, 4] },
        ...{ learningRate: [1], forcing: [0.5], seed: [1], update: [7] },
      }
      const named = traceStep(
        net,
        { ...squared, ...still(0) },
        { forced: forcedBy, packing: lengths ? packing : undefined },
      )
      const paths = [...net.built.params.keys()]
      const after = runOracle(named, values, sizes)
      const gradients = Object.fromEntries(
        paths.map((path) => [`d ${path}`, values[path as 'x'].map((value, i) => value - after[path]![i]!)]),
      )
      expect(
        outside('f64', gradients, centralDifferences({ ...named, donate: new Map() }, paths, values, sizes)),
      ).toEqual([])
      expect(outside('f32', await (await openWasm(named))(values, sizes), after)).toEqual([])
    },
  )

  test('1 is teacher forcing and 0 runs free, with gaps too; what a row draws is its own', async () => {
    const whole = batchOf(6, 3, 6)
    const mask = i32([1, 1, 1, 1, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 0, 0], 3, 6)
    const lossesOf = async (batch: NamedBatch, options: Partial<FitOptions>) =>
      await stepsOf(fit(netOf(), [batch, batch], { ...squared, ...stillness, ...options }))
    for (const batch of [whole, { ...whole, mask }, { ...whole, lengths: i32([6, 2, 4], 3) }]) {
      for (const [probability, teacherForcing] of [
        [1, true],
        [0, false],
      ] as const) {
        const reference = (await lossesOf(batch, { teacherForcing })).flat()
        const received = (await lossesOf(batch, sampled(probability))).flat()
        expect(outside('f32', { received }, { received: reference })).toEqual([])
      }
    }
    // Rows packed by their lengths draw what they draw where a mask says the same.
    const ends = await lossesOf({ ...whole, lengths: i32([2, 6, 4], 3) }, sampled(0.5))
    const masked = await lossesOf(
      { ...whole, mask: i32([1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0], 3, 6) },
      sampled(0.5),
    )
    expect(outside('f32', { losses: ends.flat() }, { losses: masked.flat() })).toEqual([])
    expect(ends[0]![0]).not.toBe(ends[1]![0])
  })

  test.each([[{}], [{ truncate: { k1: 2, k2: 2 } }], [{ truncate: { k1: 2, k2: 3 } }], [{ accumulate: 2 }]])(
    'is resumed bit for bit: %j',
    async (more) => {
      const batches = windowsOf(batchOf(1, 3, 6), 2)
      const options = {
        ...squared,
        teacherForcing: scheduledSampling({ decay: 'exponential', k: 0.8 }),
        epochs: 3,
        seed: 4,
        ...more,
      }
      const [reference, net] = [netOf(), netOf()]
      await fit(reference, batches, options)
      const run = fit(netOf(), batches, options)
      for await (const event of run) if (event.kind === 'step' && event.step === 4) run.stop()
      await fit(net, batches, { ...options, resume: await run.state() })
      expect(numbersOf(net)).toEqual(numbersOf(reference))
    },
  )
})

describe('a decoder of tokens', () => {
  const V = 5
  const translator = (drops = false) => {
    const source = input({ shape: ['S'], dtype: 'i32' })
    const target = input({ shape: ['T'], dtype: 'i32' })
    const words = embedding({ inputDim: V, outputDim: 3 })
    const encoded = source.to(words).to(gru({ units: 3, returnSequences: true }))
    const read = drops ? target.to(words).to(dropout({ rate: 0.3 })) : target.to(words)
    const decoded = read.to(gru({ units: 3, returnSequences: true }), {
      initialState: { h: encoded.get('h') },
    })
    const both = call(concatenate(), [decoded, call(attention(), [decoded, encoded])])
    const seen = both.to(lstm({ units: 4, returnSequences: true }))
    const net = model({ inputs: { source, target }, outputs: seen.to(dense({ units: V })) })
    const numbers = Object.entries(random(9).weights(net))
    net.setWeights(
      new Map(numbers.map(([path, each]) => [path, f32(each, ...net.built.params.get(path)!.shape)])),
    )
    return net
  }
  const { integers } = random(8)
  const [B, S, T] = [4, 3, 5]
  const batch = {
    inputs: { source: i32(integers(B * S, 0, V - 1), B, S), target: i32(integers(B * T, 0, V - 1), B, T) },
    targets: i32(integers(B * T, 0, V - 1), B, T),
    reset: true,
  }
  const ends = { lengths: { source: i32([3, 1, 2, 3], B), target: i32([5, 2, 1, 4], B) } }
  const lossOf = async (each: NamedBatch, options: Partial<FitOptions>) =>
    (await stepsOf(fit(translator(), [each], { ...classes, ...stillness, ...options })))[0]!

  test.each([
    ['rows whole', batch],
    ['lengths', { ...batch, ...ends }],
  ])('1 reads what it is given: %s', async (_, each) => {
    expect(
      outside('f32', { step: await lossOf(each, sampled(1)) }, { step: await lossOf(each, {}) }),
    ).toEqual([])
  })

  test('sequence accuracy: rows that are right as wholes, up to their ends', () => {
    const [written, targets] = [i32([1, 2, 0, 0, 3, 4, 5, 0], 2, 4), i32([1, 2, 0, 9, 3, 4, 0, 0], 2, 4)]
    expect(sequenceAccuracy(written, targets)).toBe(0)
    expect(sequenceAccuracy(written, targets, { end: 0 })).toBe(0.5)
    expect(sequenceAccuracy([[1], [2, 3], [], [4]], [[1], [2], [], [4, 0]])).toBe(0.5)
    expect(() => sequenceAccuracy([[1]], [])).toThrow('received 1 for 0')
    expect(() => sequenceAccuracy(i32([1], 1), targets)).toThrow('expected tokens [B, T]; received [1]')
  })

  test('0 reads what decode writes', async () => {
    const net = translator()
    const go = i32([1, 1, 1, 1], B, 1)
    const { tokens } = await decode(net, { source: batch.inputs.source }, { start: go, steps: T })
    const given = Array.from({ length: B }, (_, b) => [1, ...tokens.data.slice(b * T, (b + 1) * T - 1)])
    const target = { ...batch.inputs, target: i32(given.flat(), B, T) }
    const starts = batch.inputs.target.data.map((token, i) => (i % T === 0 ? 1 : token))
    const free = { ...batch, inputs: { ...batch.inputs, target: i32([...starts], B, T) } }
    const reference = await lossOf({ ...batch, inputs: target }, {})
    expect(outside('f32', { step: await lossOf(free, sampled(0)) }, { step: reference })).toEqual([])
    const half = await lossOf(free, sampled(0.5))
    expect(Math.abs(half[0] - reference[0])).toBeGreaterThan(1e-4)
    const drawn = { teacherForcing: { probability: () => 0, temperature: 1 } }
    expect(Math.abs((await lossOf(free, drawn))[0] - reference[0])).toBeGreaterThan(1e-4)
  })

  test.each([[false], [true]])(
    'gradients, dropout among them; WASM does what the oracle does; mask: %s',
    async (mask) => {
      const net = translator(true)
      const plan = scheduledSampling({ decay: 'exponential', k: 0.5 })
      const named = traceStep(
        net,
        { ...classes, teacherForcing: plan, optimizer: sgd({ learningRate: 1 }) },
        { reading: sampledTokens(plan), mask },
      )
      const { weights } = random(2)
      const values = {
        ...weights(net),
        ...{
          'x source': batch.inputs.source.data,
          'x target': batch.inputs.target.data,
          y: batch.targets.data,
        },
        ...{
          'mask S': [1, 1, 1, 0, 1, 0, 1, 1, 0, 0, 0, 1],
          mask: [1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0, 1, 1, 0, 1, 1, 0],
        },
        ...{ learningRate: [1], forcing: [0.5], seed: [1], update: [3] },
      }
      const sizes = new Map(Object.entries({ B, S, T }))
      const paths = [...net.built.params.keys()]
      const after = runOracle(named, values, sizes)
      const gradients = Object.fromEntries(
        paths.map((path) => [
          `d ${path}`,
          (values[path as 'y'] as unknown as number[]).map((value, i) => value - after[path]![i]!),
        ]),
      )
      expect(
        outside('f64', gradients, centralDifferences({ ...named, donate: new Map() }, paths, values, sizes)),
      ).toEqual([])
      expect(outside('f32', await (await openWasm(named))(values, sizes), after)).toEqual([])
    },
  )

  test('a model of one input, states carried, in segments, resumed: as without', async () => {
    const text = () =>
      sequential(
        [
          embedding({ inputDim: V, outputDim: 3 }),
          lstm({ units: 4, returnSequences: true }),
          dense({ units: V }),
        ],
        { input: { shape: [null], dtype: 'i32' } },
      )
    const batches = [0, 1].map((i) => ({
      inputs: i32(integers(B * T, 0, V - 1), B, T),
      targets: batch.targets,
      reset: i === 0,
    }))
    const options = { ...classes, truncate: { k1: T, k2: T }, epochs: 2 }
    const trained = async (more: Partial<FitOptions>) => {
      const net = text()
      const run = fit(net, batches, { ...options, ...more })
      await run
      return Object.fromEntries([...net.weights()].map(([path, { data }]) => [path, data]))
    }
    const reference = await trained({})
    expect(outside('f32', await trained(sampled(1)), reference)).toEqual([])
    expect(
      outside('f32', await trained({ ...sampled(0.5), checkpoint: true }), await trained(sampled(0.5))),
    ).toEqual([])
    const run = fit(text(), batches, { ...options, ...sampled(0.5) })
    for await (const event of run) if (event.kind === 'step' && event.step === 3) run.stop()
    const net = text()
    await fit(net, batches, { ...options, ...sampled(0.5), resume: await run.state() })
    expect(Object.fromEntries([...net.weights()].map(([path, { data }]) => [path, data]))).toEqual(
      await trained(sampled(0.5)),
    )
  })

  test('what cannot be run step by step is refused', () => {
    const tokens = { shape: [null], dtype: 'i32' } as const
    const words = () => embedding({ inputDim: V, outputDim: 3 })
    const graph =
      (net: ReturnType<typeof translator>, more = {}) =>
      () =>
        trainingGraph(net, { ...classes, ...still(0.5), ...more })
    const ofLayers = (...layers: Parameters<typeof sequential>[0]) =>
      sequential([words(), ...layers, dense({ units: V })], { input: tokens })
    const rnn = (more = {}) => lstm({ units: 3, returnSequences: true, ...more })
    expect(graph(ofLayers(rnn({ goBackwards: true })))).toThrow(
      'lstm, which reads steps that are not written yet',
    )
    expect(graph(ofLayers(rnn(), batchNorm()))).toThrow('batchNorm/movingMean')
    expect(graph(ofLayers(rnn()), { truncate: { k1: 1, k2: 2 } })).toThrow('give k1 = k2')
    expect(graph(sequential([rnn(), dense({ units: V })], { input: sequenceOf }))).toThrow(
      'x is f32[B, T, 2]',
    )
    const forced = { teacherForcing: { probability: () => 0.5, feedback: 'other' } }
    expect(graph(translator(), forced)).toThrow('one of source, target; received other')
    const x = input(tokens)
    const read = x.to(words()).to(rnn())
    const again = x.to(words()).to(rnn(), { initialState: read })
    expect(graph(model({ inputs: x, outputs: again.to(dense({ units: V })) }))).toThrow(
      'begins with states after',
    )
  })
})
