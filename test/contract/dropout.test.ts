/** Dropout: what it keeps, what that is a function of, and what training promises of it. */
import { describe, expect, test } from 'vitest'
import { attention } from '../../src/layers/attention.ts'
import { dense } from '../../src/layers/dense.ts'
import { type DropoutOptions, dropout } from '../../src/layers/dropout.ts'
import { call, input, model } from '../../src/layers/functional.ts'
import type { Layer } from '../../src/layers/layer.ts'
import * as packing from '../../src/layers/packing.ts'
import { SOLE_OUTPUT } from '../../src/layers/parts.ts'
import { lstm } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { outside as batchFirst } from '../../src/layers/signals.ts'
import { fit } from '../../src/train/fit.ts'
import { adam } from '../../src/train/optimizers.ts'
import { evaluate, predict } from '../../src/train/predict.ts'
import { traceNamed } from '../../src/train/session.ts'
import { traceStep } from '../../src/train/step.ts'
import { TrainingStep } from '../../src/train/training-step.ts'
import { forwardWindow, windowSpecs } from '../../src/train/window-graph.ts'
import { centralDifferences } from './gradients.ts'
import { batchOf, numbersOf, rnn, sequenceOf, squared, stepsOf, stillness, windowsOf } from './models.ts'
import { openWasm, outside, random, runOracle, traceLoss } from './support.ts'

const ofFeatures = (F: number) => ({ shape: [null, F], dtype: 'f32' }) as const
const sizes = (B: number, T: number, more = {}) => new Map(Object.entries({ B, T, ...more }))
const counters = { seed: [3], update: [5] }
const net = () =>
  sequential(
    [dropout({ rate: 0.2 }), rnn(), dropout({ rate: 0.5, noiseShape: [null, 1, 5] }), dense({ units: 2 })],
    { input: sequenceOf },
  )

/** What comes out for ones [B, T, F], in training. */
function ones(layers: readonly Layer[], [B, T, F]: readonly [number, number, number], values = counters) {
  const named = traceLoss(sequential(layers, { input: ofFeatures(F) }), 'meanSquaredError', false)
  const [x, y] = [new Array<number>(B * T * F).fill(1), new Array<number>(B * T * F).fill(0)]
  const { output } = runOracle(named, { ...values, x, y }, sizes(B, T))
  return (b: number, t: number, f: number) => output![(b * T + t) * F + f]!
}

const places = ([B, T, F]: readonly [number, number, number]) =>
  Array.from({ length: B * T * F }, (_, i) => [Math.floor(i / F / T), Math.floor(i / F) % T, i % F] as const)
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

describe('what is kept', () => {
  test.each([0.1, 0.5, 0.9])('a share of 1 − %d, scaled so that the mean stays', (rate) => {
    const shape = [20, 30, 20] as const
    const at = ones([dropout({ rate })], shape)
    const values = places(shape).map((place) => at(...place))
    // Four deviations of a mean over 12,000.
    const bound = 4 * Math.sqrt((rate * (1 - rate)) / values.length)
    expect(Math.abs(mean(values.map((value) => Number(value !== 0))) - (1 - rate))).toBeLessThan(bound)
    for (const value of values) expect([0, 1 / (1 - rate)]).toContain(value)
  })

  test('depends on row, step and feature alone, not on how many there are', () => {
    const [small, large] = [[2, 3, 4] as const, [5, 7, 4] as const]
    const [a, b] = [small, large].map((shape) => ones([dropout({ rate: 0.5 })], shape))
    expect(places(small).map((place) => a!(...place))).toEqual(places(small).map((place) => b!(...place)))
  })

  const shape = [6, 7, 8] as const
  const orders = [
    [[null, 1, 8], 1],
    [[null, 1, null], 1],
    [[1, null, 8], 0],
    [[null, null, 1], 2],
  ] as const
  test.each(orders)('noiseShape %j: one draw along axis %i', (noiseShape, axis) => {
    const at = ones([dropout({ rate: 0.5, noiseShape })], shape)
    const [along, other] = [new Set<number>(), new Set<number>()]
    for (const place of places(shape)) {
      along.add(at(...place) - at(...(place.with(axis, 0) as [number, number, number])))
      other.add(at(...(place.with(axis, 0) as [number, number, number])))
    }
    expect([...along]).toEqual([0])
    expect(other.size).toBe(2)
    expect(places(shape).filter((place) => at(...place) > 0).length).toBeGreaterThan(0)
  })

  test.each([[undefined], [[null, 1, 3]], [[1, null, 3]], [[1, 1, null]], [[null, null, 1]]])(
    'noiseShape %j: rows of unlike lengths draw what they draw among whole ones',
    (noiseShape) => {
      const [B, T, F] = [5, 6, 3]
      const lengths = [2, 6, 1, 6, 4]
      const layers = [dropout({ rate: 0.5, noiseShape })]
      const named = traceLoss(sequential(layers, { input: ofFeatures(F) }), 'meanSquaredError', true)
      const [x, y] = [new Array<number>(B * T * F).fill(1), new Array<number>(B * T * F).fill(0)]
      const { output } = runOracle(named, { ...counters, x, y, lengths }, sizes(B, T))
      const whole = ones(layers, [B, T, F])
      expect(Array.from(output!)).toEqual(
        places([B, T, F]).map(([b, t, f]) => (t < lengths[b]! ? whole(b, t, f) : 0)),
      )
    },
  )

  test('and so does what stands behind the last steps of rows of unlike lengths', () => {
    const [B, T] = [5, 6]
    const model = sequential([lstm({ units: 8 }), dropout({ rate: 0.5 })], { input: sequenceOf })
    const { numbers, weights } = random(2)
    const values = { ...counters, ...weights(model), x: numbers(B * T * 2), y: numbers(B * 8) }
    const [whole, ragged] = [false, true].map((lengths) => {
      const named = traceLoss(model, 'meanSquaredError', lengths)
      const { output } = runOracle(named, { ...values, lengths: [2, 6, 1, 6, 4] }, sizes(B, T))
      return Array.from(output!, (value) => value === 0)
    })
    expect(ragged).toEqual(whole)
  })

  test('differs from layer to layer, update to update, seed to seed; a seed of its own replaces the run’s', () => {
    const masks = (options: Partial<DropoutOptions>, values = counters) => {
      const at = ones([dropout({ rate: 0.5, ...options })], shape, values)
      return places(shape)
        .map((place) => Number(at(...place) > 0))
        .join('')
    }
    const [again, own] = [{ seed: [4], update: [5] }, { seed: 4 }]
    const all = [
      masks({}),
      masks({}, again),
      masks({}, { ...counters, update: [6] }),
      masks({ name: 'b' }),
      masks({ seed: -1 }),
      masks({ seed: 2 ** 40 + 4 }),
    ]
    expect(new Set(all).size).toBe(all.length)
    expect([masks({}), masks(own), masks(own, again)]).toEqual([all[0], all[1], all[1]])
    const twice = ones([dropout({ rate: 0.5 }), dropout({ rate: 0.5 })], shape)
    expect(Math.abs(mean(places(shape).map((place) => Number(twice(...place) > 0))) - 0.25)).toBeLessThan(0.1)
  })
})

describe('of attention', () => {
  const [B, T] = [5, 6]
  const shares = (rate: number, options: object = {}) => {
    const x = input(ofFeatures(2))
    return model({
      inputs: x,
      outputs: call(attention({ dropout: rate, ...options }), [x, x]).get('weights'),
    })
  }
  const of = (net: ReturnType<typeof shares>, lengths?: readonly number[]) => {
    const named = traceLoss(net, 'meanSquaredError', lengths !== undefined)
    const [x, y] = [new Array<number>(B * T * 2).fill(1), new Array<number>(B * T * T).fill(0)]
    return Array.from(
      runOracle(named, { ...counters, x, y, ...(lengths && { lengths }) }, sizes(B, T))['output']!,
    )
  }

  test('drops weights, scales the others, and nothing at inference', async () => {
    const values = of(shares(0.5))
    const kept = mean(values.map((value) => Number(value !== 0)))
    expect(Math.abs(kept - 0.5)).toBeLessThan(4 * Math.sqrt(0.25 / values.length))
    for (const value of values) if (value !== 0) expect(value).toBeCloseTo(2 / T, 12)
    expect([shares(0.5).built.draws, shares(0).built.draws]).toEqual([true, false])
    const { inputs } = batchOf(1, 3, 4)
    expect(await predict(shares(0.5), inputs)).toEqual(await predict(shares(0), inputs))
    expect(of(shares(0.5, { seed: 1 }))).not.toEqual(of(shares(0.5, { seed: 2 })))
    expect(of(shares(0.5, { seed: 1 }))).toEqual(of(shares(0.5, { seed: 1 })))
  })

  test('rows of unlike lengths draw what they draw among whole ones', () => {
    const lengths = [2, 6, 1, 6, 4]
    const [whole, ragged] = [of(shares(0.5)), of(shares(0.5), lengths)]
    for (const [i, value] of ragged.entries()) {
      const [b, t, s] = [Math.floor(i / T / T), Math.floor(i / T) % T, i % T]
      const there = t < lengths[b]! && s < lengths[b]! && whole[i] !== 0
      expect(value).toBeCloseTo(there ? 2 / lengths[b]! : 0, 12)
    }
  })

  test('what comes out is of the weights that are left, and so are gradients', () => {
    const x = input(ofFeatures(2))
    const seen = call(attention({ score: 'general', dropout: 0.3 }), [x.to(rnn()), x])
    const net = model({ inputs: x, outputs: seen })
    const { numbers, weights } = random(4)
    const values = { ...counters, ...weights(net), x: numbers(B * T * 2), y: numbers(B * T * 2) }
    for (const lengths of [undefined, [2, 6, 1, 6, 4]]) {
      const named = traceLoss(net, 'meanSquaredError', lengths !== undefined)
      const given = { ...values, ...(lengths && { lengths }) }
      const numeric = centralDifferences(named, [...net.built.params.keys()], given, sizes(B, T))
      expect(outside('f64', runOracle(named, given, sizes(B, T)), numeric)).toEqual([])
    }
  })
})

test('at inference it is the identity; rate 0 draws nothing', async () => {
  const { inputs } = batchOf(1, 3, 4)
  const alone = sequential([dropout({ rate: 0.5 })], { input: sequenceOf })
  expect((await predict(alone, inputs)).data).toEqual(inputs.data)
  const [model, without] = [net(), sequential([rnn(), dense({ units: 2 })], { input: sequenceOf })]
  without.setWeights(model.weights())
  expect(await predict(model, inputs)).toEqual(await predict(without, inputs))
  expect(await evaluate(model, [batchOf(1, 3, 4)], squared)).toEqual(
    await evaluate(without, [batchOf(1, 3, 4)], squared),
  )
  expect(sequential([dropout({ rate: 0 })], { input: sequenceOf }).built.draws).toBe(false)
})

test('gradients against central differences, the mask being what it is', () => {
  const [model, [B, T]] = [net(), [3, 4]]
  const { numbers, weights } = random(2)
  const values = {
    ...counters,
    ...weights(model),
    x: numbers(B * T * 2),
    y: numbers(B * T * 2),
    lengths: [4, 1, 3],
  }
  const named = traceLoss(model, 'meanSquaredError', true)
  const numeric = centralDifferences(named, [...model.built.params.keys()], values, sizes(B, T))
  expect(outside('f64', runOracle(named, values, sizes(B, T)), numeric)).toEqual([])
})

test('a training step in WASM draws what the oracle draws', async () => {
  const { numbers, weights } = random(3)
  for (const noiseShape of [undefined, [null, 1, 3], [1, null, null]]) {
    const layers = [
      dropout({ rate: 0.3, noiseShape }),
      lstm({ units: 4 }),
      dropout({ rate: 0.3 }),
      dense({ units: 2 }),
    ]
    const model = sequential(layers, { input: ofFeatures(3) })
    const optimizer = adam({ learningRate: 0.01 })
    const named = traceStep(model, { ...squared, optimizer })
    const wasm = await openWasm(named)
    for (const [B, T] of [
      [3, 5],
      [1, 1],
      [9, 4],
    ] as const) {
      const values = {
        ...{ seed: [-7], update: [2 ** 20], learningRate: [0.01] },
        ...weights(model),
        ...{ x: numbers(B * T * 3), y: numbers(B * 2) },
      }
      const zeros = named.inputs.flatMap((name, i) => {
        if (name in values) return []
        const length = named.graph.params[i]!.shape.reduce((product, { key }) => product * Number(key), 1)
        return [[name, new Array<number>(length).fill(name.includes(' of ') ? 0 : 1)] as const]
      })
      const all = { ...values, ...Object.fromEntries(zeros) }
      const { loss, gradientNorm } = runOracle(named, all, sizes(B, T))
      expect(
        outside('f32', await wasm(all, sizes(B, T)), { loss: loss!, gradientNorm: gradientNorm! }),
      ).toEqual([])
    }
  }
})

test('a window in two parts draws what one pass would: time goes on', () => {
  const model = sequential([dropout({ rate: 0.5 })], { input: sequenceOf })
  const leaves = { training: true, carry: [] }
  const windows = traceNamed(windowSpecs(model, leaves), (get) => ({
    outputs: { output: batchFirst(forwardWindow(model, get, leaves).outputs.get(SOLE_OUTPUT)!) },
  }))
  const [B, P, T] = [3, 4, 3]
  const x = new Array<number>(B * (P + T) * 2).fill(1)
  const whole = ones([dropout({ rate: 0.5 })], [B, P + T, 2])
  for (const C of [0, 2, 4, 5]) {
    const { output } = runOracle(windows, { ...counters, x }, sizes(B, T, { P, C }))
    expect(Array.from(output!)).toEqual(places([B, T, 2]).map(([b, t, f]) => whole(b, P + t, f)))
  }
  const ragged = { ...leaves, packing }
  const packed = traceNamed(windowSpecs(model, ragged), (get) => ({
    outputs: { output: batchFirst(forwardWindow(model, get, ragged).outputs.get(SOLE_OUTPUT)!) },
  }))
  const lengths = Int32Array.of(1, 3, 2)
  for (const C of [2, 4, 5]) {
    const parts = [
      packing.packingInputs(
        lengths.map((length) => Math.min(P + length, C)),
        C,
        'before',
      ),
      packing.packingInputs(
        lengths.map((length) => Math.max(P + length - C, 0)),
        P + T - C,
        'after',
      ),
    ]
    const inputs = Object.fromEntries(parts.flatMap((part) => part.inputs))
    const bindings = new Map([...sizes(B, T, { P, C }), ...parts.map(({ size }) => size)])
    const { output } = runOracle(packed, { ...counters, x, lengths, ...inputs }, bindings)
    const there = places([B, T, 2]).map(([b, t, f]) => (t < lengths[b]! ? whole(b, P + t, f) : 0))
    expect(Array.from(output!)).toEqual(there)
  }
})

describe('training', () => {
  const batches = windowsOf(batchOf(1, 3, 6), 2)
  const stepping = { ...squared, optimizer: adam({ learningRate: 0.01 }) }
  const options = { ...stepping, epochs: 3 }

  test.each([
    ['whole sequences', {}],
    ['windows that overlap', { truncate: { k1: 2, k2: 3 } }],
  ])('is resumed bit for bit: %s', async (_, more) => {
    const [reference, model] = [net(), net()]
    await fit(reference, batches, { ...options, ...more, seed: 8 })
    const run = fit(net(), batches, { ...options, ...more, seed: 8 })
    for await (const event of run) if (event.kind === 'step' && event.step === 4) run.stop()
    await fit(model, batches, { ...options, ...more, seed: 8, resume: await run.state() })
    expect(numbersOf(model)).toEqual(numbersOf(reference))
  })

  test('draws anew at every update, by the seed, and again the same after a step that was none', async () => {
    const lossesOf = async (seed: number) => {
      const model = net()
      model.weights(1)
      return (await stepsOf(fit(model, [batches[0]!, batches[0]!], { ...squared, ...stillness, seed }))).map(
        ([loss]) => loss,
      )
    }
    const [one, again, other] = [await lossesOf(1), await lossesOf(1), await lossesOf(2)]
    expect(again).toEqual(one)
    expect(new Set([...one, ...other]).size).toBe(4)
    const broken = {
      ...batches[0]!,
      targets: { ...batches[0]!.targets, data: new Float32Array(12).fill(NaN) },
    }
    const losses = []
    const step = new TrainingStep(net(), stepping)
    for (const batch of [batches[0]!, broken, batches[1]!]) losses.push((await step.run(batch, 0.01)).loss)
    const plain = new TrainingStep(net(), stepping)
    for (const batch of [batches[0]!, batches[1]!])
      expect(losses).toContain((await plain.run(batch, 0.01)).loss)
    expect(losses[1]).toBeNaN()
  })
})
