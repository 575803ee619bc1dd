/** Checkpointed steps are the plain ones in less memory: values and gradients, the choice by a limit, and its record. */
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { minGruCell } from '../../src/cells/min-gru.ts'
import type { Batch } from '../../src/data/batches.ts'
import { bidirectional } from '../../src/layers/bidirectional.ts'
import { dense } from '../../src/layers/dense.ts'
import { dropout } from '../../src/layers/dropout.ts'
import type { Model } from '../../src/layers/model.ts'
import { gru, jordan, lstm, recurrent } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { inSegments } from '../../src/train/checkpoint.ts'
import { type FitOptions, fit } from '../../src/train/fit.ts'
import { WHOLE } from '../../src/train/leaves.ts'
import { adam, sgd } from '../../src/train/optimizers.ts'
import { TrainingStep } from '../../src/train/training-step.ts'
import { batchOf, f32, i32, lstmNet, numbersOf, sequenceOf, squared, windowsOf } from './models.ts'
import { openWasm, outside, random, runOracle, traceLoss } from './support.ts'

const all = { units: 3, returnSequences: true } as const
const NETS = {
  'many to one': () => [lstm({ units: 3 }), dense({ units: 2 })],
  'layers, the upper one backwards': () => [gru(all), lstm({ units: 2, goBackwards: true })],
  'both ways, trained beginnings': () => [bidirectional(lstm({ ...all, initialState: 'trainable' }))],
  'what is drawn': () => [lstm({ ...all, dropout: 0.2, recurrentDropout: 0.3, zoneout: 0.2 })],
  'a stack of cells, repeated outputs': () => [
    recurrent([minGruCell({ units: 3 }), minGruCell({ units: 2 })], { returnSequences: true }),
  ],
} as const

test.each(Object.entries(NETS))('%s: the plain values and gradients', async (_, layersOf) => {
  const model = sequential(layersOf(), { input: sequenceOf })
  const carry = model.calls.some(({ layer }) => layer.readsBackwards) ? [] : [...model.built.states.keys()]
  const traced = [false, true].map((mask) => {
    const [plain, segments] = [WHOLE, inSegments(WHOLE)].map((reading) =>
      traceLoss(model, 'meanSquaredError', false, mask, carry, [], reading),
    )
    return { plain: plain!, segments: segments!, run: openWasm(segments!) }
  })
  const drawn = fc.record({
    ...{ T: fc.integer({ min: 1, max: 9 }), B: fc.integer({ min: 1, max: 3 }), seed: fc.nat() },
    ...{ segment: fc.integer({ min: 1, max: 10 }), masked: fc.boolean() },
  })
  const property = fc.asyncProperty(drawn, async ({ T, B, segment, masked, seed }) => {
    const { numbers, integers, weights } = random(seed)
    const { plain, segments, run } = traced[Number(masked)]!
    const sizes = new Map(Object.entries({ T, B, segment }))
    const values = {
      ...weights(model),
      ...{ seed: [3], update: [5] },
      x: numbers(B * T * 2),
      y: numbers(B * T * 8),
      // Each row has a step.
      mask: integers(B * T, 0, 1).map((there, at) => (at % T === seed % T ? 1 : there)),
      fresh: integers(B, 0, 1),
      ...Object.fromEntries(carry.map((path) => [`state ${path}`, numbers(B * 3)])),
    }
    const own = Object.fromEntries(
      plain.inputs.map((name, i) => {
        const shape = plain.graph.params[i]!.shape.map(({ key }) => sizes.get(key) ?? Number(key))
        const given = values[name as keyof typeof values] as number[]
        return [
          name,
          given.slice(
            0,
            shape.reduce((product, size) => product * size, 1),
          ),
        ]
      }),
    )
    const expected = runOracle(plain, own, sizes)
    expect(outside('f64', runOracle(segments, own, sizes), expected)).toEqual([])
    expect(outside('f32', await (await run)(own, sizes), expected)).toEqual([])
  })
  await fc.assert(property, { numRuns: process.env['RECURRA_LONG'] === '1' ? 100 : 12 })
})

const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
afterEach(() => {
  warn.mockClear()
})

const ragged = (batch: Batch): Batch => {
  const [rows, steps] = batch.inputs.shape as [number, number]
  const lengths = Array.from({ length: rows }, (_, row) => 1 + ((row * 3 + 2) % steps))
  return { ...batch, lengths: i32(lengths, rows) }
}
const windows = windowsOf(batchOf(1, 3, 14), 5)
const options = { ...squared, optimizer: adam({ learningRate: 0.01 }), epochs: 2 }

test.each<readonly [string, readonly Batch[], Partial<FitOptions>, () => Model]>([
  ['lengths from the second batch on', [batchOf(1, 3, 7), ragged(batchOf(2, 4, 7))], {}, lstmNet],
  ['truncation', windows, { truncate: { k1: 5, k2: 5 } }, lstmNet],
  ['windows that share steps', windows, { truncate: { k1: 5, k2: 8 }, accumulate: 2 }, lstmNet],
  [
    'forced outputs, one layer of two',
    [batchOf(1, 3, 7)],
    { teacherForcing: true },
    () =>
      sequential([gru(all), jordan({ units: 4, outputs: 2, returnSequences: true })], { input: sequenceOf }),
  ],
  [
    'dropout draws the same again',
    [batchOf(1, 3, 7)],
    {},
    () => sequential([gru(all), dropout({ rate: 0.3 }), gru({ ...all, units: 2 })], { input: sequenceOf }),
  ],
])('training with %s learns the same', async (_, batches, more, net) => {
  const learnt = async (checkpoint: boolean) => {
    const model = net()
    // Unlike Adam's, its steps are no larger than the gradients, roundings included.
    const optimizer = sgd({ learningRate: 0.1, momentum: 0.9 })
    const { epochs } = await fit(model, batches, { ...options, ...more, optimizer, checkpoint })
    const all = [epochs.map(({ loss }) => loss), ...numbersOf(model)]
    return Object.fromEntries(all.map((numbers, i) => [i, numbers]))
  }
  expect(outside('f32', await learnt(true), await learnt(false))).toEqual([])
})

describe('memory', () => {
  const one = () => sequential([lstm({ units: 16 }), dense({ units: 1 })], { input: sequenceOf })
  const batchFor = (T: number): Batch => ({
    inputs: f32(random(1).numbers(8 * T * 2), 8, T, 2),
    targets: f32(random(2).numbers(8), 8, 1),
    reset: true,
  })
  const bytesAt = async (T: number, checkpoint: boolean) => {
    const step = new TrainingStep(one(), {
      ...squared,
      optimizer: adam(),
      backend: 'wasm',
      threads: 2,
      checkpoint,
    })
    const bytes = await step.memoryBytes(batchFor(T))
    // What the batch itself takes, as it comes and time-major, grows with T.
    return bytes - 2 * batchFor(T).inputs.data.byteLength
  }

  test('grows with √T instead of T', async () => {
    const growth = async (checkpoint: boolean) => {
      const [a, b, c] = (await Promise.all([100, 400, 1600].map((T) => bytesAt(T, checkpoint)))) as [
        number,
        number,
        number,
      ]
      return { ratio: (c - b) / (b - a), last: c }
    }
    const [plain, own] = [await growth(false), await growth(true)]
    expect(plain.ratio).toBeGreaterThan(3.9)
    expect(own.ratio).toBeGreaterThan(1.9)
    expect(own.ratio).toBeLessThan(2.1)
    expect(plain.last / own.last).toBeGreaterThan(8)
  })

  test('a limit switches it on, once, and the state says so', async () => {
    const [short, long] = [batchFor(20), batchFor(400)]
    const step = new TrainingStep(one(), { ...squared, optimizer: adam() })
    const memoryLimit = (await step.memoryBytes(long)) - 1
    const told = { ...options, memoryLimit }
    const [free, within, always] = [one(), one(), one()]
    const run = fit(within, [short, long, short], told)
    let state: Awaited<ReturnType<typeof run.state>> | undefined
    for await (const event of run) if (event.kind === 'step' && event.step === 2) state ??= await run.state()
    expect(warn.mock.calls).toEqual([[expect.stringMatching(/memoryLimit: from step 2 on, .*checkpoint/)]])
    expect(state!.get('training checkpoint')!.data[0]).toBe(1)
    const resumed = one()
    await fit(resumed, [short, long, short], { ...options, resume: state! })
    expect(numbersOf(resumed)).toEqual(numbersOf(within))
    await fit(free, [short], { ...told, memoryLimit: memoryLimit * 4 })
    expect(warn).toHaveBeenCalledTimes(1)
    await fit(always, [long, short], { ...options, checkpoint: true, memoryLimit })
    expect(warn).toHaveBeenCalledTimes(1)
  })

  test.each([false, true])('what fits neither way ends the run; checkpoint: %s', async (checkpoint) => {
    const model = one()
    const run = fit(model, [batchFor(20), batchFor(9000)], { ...options, checkpoint, memoryLimit: 2e6 })
    const message = /memoryLimit is 2000000 bytes, but this batch needs \d+ bytes.* to train on: give smaller/
    await expect(run).rejects.toMatchObject({ code: 'memory', message: expect.stringMatching(message) })
    const before = numbersOf(model).map((data) => [...data])
    expect(before.flat().every(Number.isFinite)).toBe(true)
  })
})

test.each<readonly [Partial<FitOptions>, RegExp]>([
  [{ checkpoint: 1 as never }, /checkpoint must be true or false; received 1/],
  [{ memoryLimit: 0.5 }, /memoryLimit must be an integer of at least 1; received 0.5/],
])('%j is refused', (more, message) => {
  expect(() => fit(lstmNet(), [batchOf(1, 2, 3)], { ...options, ...more })).toThrow(message)
})

test('what is not finite is found at its own step, whatever the segments', async () => {
  const batch = batchOf(1, 2, 10)
  batch.inputs.data[2 * 7] = Number.NaN
  const messages = []
  for (const checkpoint of [false, true]) {
    const run = fit(lstmNet(), [batch], { ...options, checkpoint })
    messages.push(await Promise.resolve(run).catch(({ message }: Error) => message))
  }
  expect(messages[0]).toMatch(/t = 7/)
  expect(messages[1]).toBe(messages[0])
})
