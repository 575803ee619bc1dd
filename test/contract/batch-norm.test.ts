/** Batch normalization against plain loops; its moving statistics as a variable of a training. */
import { describe, expect, test } from 'vitest'
import { loadModel, saveModel } from '../../src/io/model.ts'
import { batchNorm } from '../../src/layers/batch-norm.ts'
import { dense } from '../../src/layers/dense.ts'
import { elman, lstm } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { summary } from '../../src/layers/summary.ts'
import { fit } from '../../src/train/fit.ts'
import { sgd } from '../../src/train/optimizers.ts'
import { evaluate } from '../../src/train/predict.ts'
import { TrainingStep } from '../../src/train/training-step.ts'
import { centralDifferences } from './gradients.ts'
import { batchOf, numbersOf, sequenceOf, squared, windowsOf } from './models.ts'
import { openWasm, outside, random, runOracle, traceLoss } from './support.ts'

const [B, T, F] = [3, 4, 2]
const [momentum, epsilon] = [0.75, 0.01]
const sizes = new Map(Object.entries({ B, T }))
const given = {
  'no time': { row: true, there: '111' },
  'all steps': { row: false, there: '111111111111' },
  lengths: { row: false, there: '111110001100' },
  mask: { row: false, there: '011110011100' },
}

describe.each(Object.entries(given))('%s', (padding, { row, there }) => {
  const isThere = (at: number) => there[at] === '1'
  const options = { momentum, epsilon }
  const kinds = [padding === 'lengths', padding === 'mask'] as const
  const values = { lengths: [4, 1, 2], mask: Array.from(there, Number) }

  test('mean 0 and variance 1 over what is there, then gain and bias; moving statistics go on', async () => {
    const shape = row ? [F] : [null, F]
    const model = sequential([batchNorm(options)], { input: { shape, dtype: 'f32' } })
    const { numbers } = random(3)
    const x = numbers(there.length * F)
    const [g, b, m, v] = [numbers(F), numbers(F), numbers(F), numbers(F).map(Math.abs)] as number[][]
    const output = new Array<number>(x.length).fill(0)
    const [means, variances]: [number[], number[]] = [[], []]
    for (let f = 0; f < F; f++) {
      const own = x.filter((_, i) => i % F === f && isThere(Math.floor(i / F)))
      const mean = own.reduce((sum, value) => sum + value, 0) / own.length
      const variance = own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / own.length
      means.push(momentum * m![f]! + (1 - momentum) * mean)
      variances.push(momentum * v![f]! + (1 - momentum) * variance)
      for (let i = f; i < x.length; i += F) {
        output[i] = ((x[i]! - mean) / Math.sqrt(variance + epsilon)) * g![f]! + b![f]!
      }
    }
    const weights = { 'batchNorm/g': g!, 'batchNorm/b': b! }
    const moving = { 'batchNorm/movingMean': m!, 'batchNorm/movingVariance': v! }
    const named = traceLoss(model, 'meanSquaredError', ...kinds)
    const all = { x, y: x, ...values, ...weights, ...moving }
    const expected = {
      output: output.filter((_, i) => isThere(Math.floor(i / F))),
      'next batchNorm/movingMean': means,
      'next batchNorm/movingVariance': variances,
    }
    for (const [type, results] of [
      ['f64', runOracle(named, all, sizes)],
      ['f32', await (await openWasm(named))(all, sizes)],
    ] as const) {
      const own = Array.from(results['output']!).filter((_, i) => isThere(Math.floor(i / F)))
      expect(outside(type, { ...results, output: own }, expected)).toEqual([])
    }
  })

  test('gradients are central differences’', () => {
    const layers = row
      ? [batchNorm(options), dense({ units: 2 })]
      : [batchNorm(options), elman({ units: 3, returnSequences: true }), batchNorm({ center: false }), dense({ units: 2 })] // biome-ignore format: one line
    const model = sequential(layers, { input: { shape: row ? [F] : [null, F], dtype: 'f32' } })
    const { numbers, weights } = random(8)
    const all = {
      ...weights(model),
      ...values,
      x: numbers(there.length * F),
      y: numbers(there.length * 2),
    }
    const named = traceLoss(model, 'meanSquaredError', ...kinds)
    const numeric = centralDifferences(named, [...model.built.params.keys()], all, sizes)
    expect(outside('f64', runOracle(named, all, sizes), numeric)).toEqual([])
  })
})

const net = () =>
  sequential([batchNorm(), lstm({ units: 3, returnSequences: true }), batchNorm(), dense({ units: 2 })], {
    input: sequenceOf,
  })
const batches = [batchOf(1, 2, 3), batchOf(2, 3, 4)]
const options = { ...squared, epochs: 6 }

test('outside training the statistics are the moving ones, which a file keeps', async () => {
  const model = net()
  await fit(model, batches, options)
  const before = numbersOf(model).map((data) => data.slice())
  const { loss } = await evaluate(model, batches, squared)
  expect(numbersOf(model)).toEqual(before)
  const loaded = loadModel(saveModel(model)).model
  expect(numbersOf(loaded)).toEqual(before)
  expect((await evaluate(loaded, batches, squared)).loss).toBe(loss)
  expect(model.weights().get('batchNorm/movingMean')!.data).not.toEqual(new Float32Array(2))
  expect(summary(model).split('\n').slice(-3)).toEqual([
    expect.stringMatching(/^total +100$/),
    expect.stringMatching(/^trainable +90$/),
    expect.stringMatching(/^non-trainable +10$/),
  ])
})

test('a run goes on from a state in a file, bit for bit, moving statistics included', async () => {
  const reference = net()
  await fit(reference, batches, options)
  const first = net()
  const run = fit(first, batches, { ...options, epochs: 3 })
  await run
  const { model, state } = loadModel(saveModel(first, { state: await run.state() }))
  await fit(model, batches, { ...options, resume: state! })
  expect(numbersOf(model)).toEqual(numbersOf(reference))
})

test('early stopping gives the moving statistics of its epoch back', async () => {
  const optimizer = sgd({ learningRate: (step) => (step < 6 ? 0.05 : 1.5) })
  const run = { ...squared, optimizer, validation: { batches } }
  const [stopped, reference] = [net(), net()]
  const { best } = await fit(stopped, batches, { ...run, epochs: 30, earlyStopping: { patience: 3 } })
  await fit(reference, batches, { ...run, epochs: best!.epoch })
  expect(numbersOf(stopped)).toEqual(numbersOf(reference))
})

test('a step that is not finite leaves them as they were; a window in two parts has none', async () => {
  const model = net()
  const step = new TrainingStep(model, { ...squared, optimizer: sgd() })
  await step.run(batches[0]!, 0.1)
  await step.sync()
  const before = numbersOf(model)
  const { inputs } = batches[0]!
  await step.run({ ...batches[0]!, inputs: { ...inputs, data: inputs.data.with(1, Number.NaN) } }, 0.1)
  await step.sync()
  expect(numbersOf(model)).toEqual(before)
  const windows = fit(net(), windowsOf(batchOf(1, 2, 6), 2), { ...squared, truncate: { k1: 2, k2: 4 } })
  await expect(windows).rejects.toThrow('batchNorm/movingMean would see each by itself: give k1 = k2')
})
