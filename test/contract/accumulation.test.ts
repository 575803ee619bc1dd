/** Updates of several batches, and averages of weights: in the step, and in what a run goes on from. */
import { describe, expect, test } from 'vitest'
import type { Batch } from '../../src/data/batches.ts'
import { batchNorm } from '../../src/layers/batch-norm.ts'
import { dense } from '../../src/layers/dense.ts'
import type { Model } from '../../src/layers/model.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { ArgumentError } from '../../src/tensor/errors.ts'
import { elementCount, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { type FitOptions, fit } from '../../src/train/fit.ts'
import { movingAverage } from '../../src/train/moving-average.ts'
import { adam, rmsprop, sgd } from '../../src/train/optimizers.ts'
import { linearDecay } from '../../src/train/schedules.ts'
import {
  batchOf,
  f32,
  i32,
  lstmNet,
  numbersOf,
  rnn,
  sequenceOf,
  squared,
  stepsOf,
  windowsOf,
} from './models.ts'
import { outside } from './support.ts'

const T = 5
/** Batches of unlike rows and lengths, and all of their rows as one. */
const parts: readonly Batch[] = [
  { ...batchOf(1, 2, T), lengths: i32([5, 2], 2), weights: f32([1, 0.5], 2) },
  { ...batchOf(2, 1, T), lengths: i32([1], 1), weights: f32([2], 1) },
  { ...batchOf(3, 3, T), lengths: i32([3, 4, 5], 3), weights: f32([1, 0, 3], 3) },
]
function joined(tensors: readonly Tensor[]): Tensor {
  const shape = [tensors.reduce((rows, each) => rows + each.shape[0]!, 0), ...tensors[0]!.shape.slice(1)]
  const numbers = tensors.flatMap(({ data }) => Array.from(data))
  const data = tensors[0]!.dtype === 'i32' ? Int32Array.from(numbers) : Float32Array.from(numbers)
  expect(elementCount(shape)).toBe(numbers.length)
  return tensor(data, shape)
}
const whole: Batch = {
  inputs: joined(parts.map(({ inputs }) => inputs)),
  targets: joined(parts.map(({ targets }) => targets)),
  lengths: joined(parts.map(({ lengths }) => lengths!)),
  weights: joined(parts.map(({ weights }) => weights!)),
  reset: true,
}
const all = (model: Model) => ({ all: numbersOf(model).flatMap((data) => [...data]) })

async function trained(batches: readonly Batch[], options: Partial<FitOptions>, model = lstmNet()) {
  await fit(model, batches, { ...squared, epochs: 4, ...options })
  return all(model)
}

describe('an update of several batches', () => {
  test.each<[string, Partial<FitOptions>]>([
    ['SGD', { optimizer: sgd({ learningRate: 0.1, momentum: 0.5 }) }],
    [
      'SGD, clipped, by a schedule',
      { optimizer: sgd({ learningRate: linearDecay(0.5, 4) }), clipGlobalNorm: 0.01 },
    ],
    ['averages', { optimizer: movingAverage(sgd({ learningRate: 0.1 }), { momentum: 0.5 }) }],
  ])('is that of all their rows at once: %s', async (_, options) => {
    const expected = await trained([whole], options)
    expect(outside('f32', await trained(parts, { ...options, accumulate: 3 }), expected)).toEqual([])
  })

  test('changes nothing before; what is left over counts later; norms are of the mean so far', async () => {
    const before = all(lstmNet())
    const optimizer = sgd({ learningRate: 0.1 })
    expect(await trained(parts, { accumulate: 13, optimizer })).toEqual(before)
    const [once, twice] = [lstmNet(), lstmNet()]
    await fit(once, [...parts, parts[0]!], { ...squared, optimizer, accumulate: 4 })
    // Of 6 batches in two epochs, the first 4 make an update.
    await fit(twice, parts, { ...squared, optimizer, accumulate: 4, epochs: 2 })
    expect(all(twice)).toEqual(all(once))
    const norms = async (batches: readonly Batch[], accumulate: number) =>
      (await stepsOf(fit(lstmNet(), batches, { ...squared, optimizer, accumulate }))).map(([, norm]) => norm)
    const [last, one] = [(await norms(parts, 3)).at(-1)!, (await norms([whole], 1))[0]!]
    expect(outside('f32', { norm: [last] }, { norm: [one] })).toEqual([])
  })

  test('variables go on with every batch, states with every window', async () => {
    const net = () => sequential([batchNorm(), rnn(), dense({ units: 2 })], { input: sequenceOf })
    const [still, moved] = [net(), net()]
    const nothing = { ...squared, optimizer: sgd({ learningRate: () => 0 }) }
    const windows = windowsOf(batchOf(6, 2, 6), 2)
    const options = { ...nothing, truncate: { k1: 2, k2: 2 } }
    const plain = await stepsOf(fit(still, windows, options))
    const several = await stepsOf(fit(moved, windows, { ...options, accumulate: 2 }))
    expect(several.map(([loss]) => loss)).toEqual(plain.map(([loss]) => loss))
    expect(all(moved)).toEqual(all(still))
  })
})

describe('a run goes on from a state, bit for bit', () => {
  test.each<[string, Partial<FitOptions>]>([
    [
      'between the batches of an update',
      { accumulate: 4, optimizer: adam({ learningRate: 0.05 }), clipValue: 0.1 },
    ],
    ['with averages', { optimizer: movingAverage(rmsprop(), { momentum: 0.7 }) }],
    ['with both', { accumulate: 2, optimizer: movingAverage(adam()) }],
  ])('%s', async (_, options) => {
    const expected = await trained(parts, options)
    for (const epochs of [1, 2, 3]) {
      const run = fit(lstmNet(), parts, { ...squared, ...options, epochs })
      await run
      expect(await trained(parts, { ...options, resume: await run.state() })).toEqual(expected)
    }
  })
})

describe('averages of weights', () => {
  const inner = () => adam({ learningRate: 0.05 })

  test('are momentum a + (1 − momentum) θ after every update, from the first θ on; losses are not theirs', async () => {
    const momentum = 0.6
    let average: number[] = []
    for (let epochs = 1; epochs <= 5; epochs++) {
      const { all: now } = await trained([whole], { optimizer: inner(), epochs })
      average = epochs === 1 ? now : average.map((a, i) => momentum * a + (1 - momentum) * now[i]!)
      const options = { optimizer: movingAverage(inner(), { momentum }), epochs }
      expect(outside('f32', await trained([whole], options), { all: average }), `${epochs}`).toEqual([])
    }
    const run = (optimizer = inner()) => fit(lstmNet(), [whole], { ...squared, epochs: 5, optimizer })
    expect(await stepsOf(run(movingAverage(inner())))).toEqual(await stepsOf(run()))
  })

  test('are what a model ends with, but not where early stopping has better weights, or nothing was learnt', async () => {
    const optimizer = movingAverage(inner())
    const stopping = { epochs: 3, earlyStopping: { patience: 5 } }
    const raw = await trained([whole], { ...stopping, optimizer: inner() })
    expect(await trained([whole], { ...stopping, optimizer })).toEqual(raw)
    const [stopped, begin] = [lstmNet(), all(lstmNet())]
    await fit(stopped, [whole], { ...squared, optimizer, signal: AbortSignal.abort() })
    expect(all(stopped)).toEqual(begin)
    expect(await trained(parts, { optimizer, accumulate: 13 })).toEqual(begin)
  })

  test('of averages are refused', () => {
    expect(() => movingAverage(movingAverage(adam()))).toThrow(ArgumentError)
    expect(() => movingAverage(movingAverage(adam()))).toThrow('adam ends with average already')
  })
})

test.each([0, -1, 1.5, '2', null])('accumulate %j is refused at once', (accumulate) => {
  const run = () => fit(lstmNet(), parts, { ...squared, accumulate: accumulate as number })
  expect(run).toThrow(`accumulate must be an integer of at least 1; received ${JSON.stringify(accumulate)}`)
})
