/** Weights of rows, steps and classes in losses: Σ w ℓ over how many are there, in training and evaluation. */
import { expect, test } from 'vitest'
import type { Batch } from '../../src/data/batches.ts'
import { type SequencesOptions, sequences } from '../../src/data/index.ts'
import { where } from '../../src/graph/value.ts'
import { dense } from '../../src/layers/dense.ts'
import type { Model } from '../../src/layers/model.ts'
import { lstm } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { ArgumentError, DataError, ShapeError } from '../../src/tensor/errors.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { type FitOptions, fit } from '../../src/train/fit.ts'
import type { LossFunction } from '../../src/train/losses.ts'
import { sgd } from '../../src/train/optimizers.ts'
import { evaluate, predict } from '../../src/train/predict.ts'
import { batchOf, classes, f32, i32, lstmNet, numbersOf, sequenceOf, squared, stepsOf, stillness, windowsOf } from './models.ts' // biome-ignore format: one line
import { outside, random } from './support.ts'

const [B, T, V] = [3, 4, 3]
const paddings = {
  'all steps': { there: '111111111111', given: {} },
  lengths: { there: '111110001100', given: { lengths: i32([4, 1, 2], B) } },
  mask: { there: '011110010110', given: { mask: i32(Array.from('011110010110', Number), B, T) } },
} as const
const net = (returnSequences = true) =>
  sequential([lstm({ units: 5, returnSequences }), dense({ units: V })], { input: sequenceOf })
const classWeight = { 0: 0.5, 2: 3 }
const { numbers, integers } = random(2)
const inputs = f32(numbers(B * T * 2), B, T, 2)
const perRow = [0, 1, 2.5]
const perStep = numbers(B * T).map((value) => Math.abs(value))

function crossEntropy(logits: readonly number[], target: number): number {
  return Math.log(logits.reduce((sum, each) => sum + Math.exp(each), 0)) - logits[target]!
}

const cases = Object.keys(paddings).flatMap((padding) =>
  (['none', 'rows', 'steps'] as const).flatMap((own) =>
    [undefined, classWeight].map((weight) => [padding as keyof typeof paddings, own, weight] as const),
  ),
)

test.each(cases)('%s, weights of %s, of classes %j', async (padding, own, weight) => {
  const { there, given } = paddings[padding]
  const targets = integers(B * T, 0, V - 1)
  const weights = { none: {}, rows: { weights: f32(perRow, B) }, steps: { weights: f32(perStep, B, T) } }[own]
  // What is not there is not looked at.
  for (const [i, value] of [...there].entries())
    if (own === 'steps' && value === '0') weights.weights!.data[i] = Number.NaN
  const batch: Batch = { inputs, targets: i32(targets, B, T), ...given, ...weights, reset: true }
  const model = net()
  const { data } = await predict(model, inputs, given)
  let [plain, sum, count] = [0, 0, 0]
  for (const [i, target] of targets.entries()) {
    if (there[i] === '0') continue
    const term = crossEntropy(Array.from(data.subarray(i * V, (i + 1) * V)), target)
    const mine = { none: 1, rows: perRow[Math.floor(i / T)]!, steps: perStep[i]! }[own]
    plain += mine * term
    sum += mine * ((weight as Record<number, number> | undefined)?.[target] ?? 1) * term
    count++
  }
  const run = fit(model, [batch], { ...classes, ...stillness, ...(weight && { classWeight: weight }) })
  const [step] = await stepsOf(run)
  expect(outside('f32', { loss: [step![0]] }, { loss: [sum / count] })).toEqual([])
  // Classes weigh in training alone.
  const evaluation = await evaluate(model, [batch], { ...classes, metrics: ['perplexity'] })
  expect(outside('f32', { loss: [evaluation.loss] }, { loss: [plain / count] })).toEqual([])
  const unweighted = await evaluate(model, [{ ...batch, ...{ weights: undefined } } as Batch], classes)
  expect(Math.log(evaluation.metrics.perplexity)).toBeCloseTo(unweighted.loss, 5)
})

/** Numbers after three epochs. */
async function trained(model: Model, batches: Iterable<Batch>, options: Partial<FitOptions> = {}) {
  await fit(model, batches, { ...squared, optimizer: sgd({ learningRate: 0.1 }), epochs: 3, ...options })
  return { all: numbersOf(model).flatMap((data) => [...data]) }
}

test('a weight of 2 is the row twice, as far as the count goes; of 0, one without a gradient', async () => {
  const { inputs: x, targets: y } = batchOf(4, 2, 3)
  const twice = { inputs: x, targets: y, weights: f32([2, 0], 2), reset: true }
  const row = (all: typeof x) => f32([...all.data.subarray(0, 6)], 1, 3, 2)
  const alone = { inputs: row(x), targets: row(y), reset: true }
  const expected = await trained(lstmNet(), [alone])
  expect(outside('f32', await trained(lstmNet(), [twice]), expected)).toEqual([])
  // A term that is ∞ weighs as little.
  const loss: LossFunction = (z, t) => where(t.greater(9), Number.POSITIVE_INFINITY, z.sub(t).mul(z.sub(t)))
  const far = { ...twice, targets: f32([...y.data.subarray(0, 6), 10, 10, 10, 10, 10, 10], 2, 3, 2) }
  expect(outside('f32', await trained(lstmNet(), [far], { loss }), expected)).toEqual([])
})

test.each([
  { k1: 2, k2: 2 },
  { k1: 2, k2: 5 },
])('in windows %j, weights are those of the batch’s own steps; they may come and go', async (truncate) => {
  const windows = windowsOf(batchOf(5, B, 6), 2)
  const one = (batch: Batch) => ({ ...batch, weights: f32(new Array(B).fill(1), B) })
  const plain = await trained(lstmNet(), windows, { truncate })
  const some = windows.map((batch, i) => (i === 1 ? one(batch) : batch))
  expect(outside('f32', await trained(lstmNet(), some, { truncate }), plain)).toEqual([])
  const none = windows.map((batch) => ({ ...batch, weights: f32(new Array(2 * B).fill(0), B, 2) }))
  const model = lstmNet()
  const begin = { all: numbersOf(model).flatMap((data) => [...data]) }
  expect(await trained(model, none, { truncate })).toEqual(begin)
})

test('a run goes on from a state, bit for bit, with weights that come late', async () => {
  const batches = [batchOf(1, 2, 3), { ...batchOf(2, 2, 3), weights: f32([3, 0.5], 2) }]
  const reference = lstmNet()
  await trained(reference, batches, { epochs: 4 })
  const run = fit(lstmNet(), batches, { ...squared, optimizer: sgd({ learningRate: 0.1 }), epochs: 2 })
  await run
  const model = lstmNet()
  await trained(model, batches, { epochs: 4, resume: await run.state() })
  expect(numbersOf(model)).toEqual(numbersOf(reference))
})

test('sequences brings weights of rows and of steps', () => {
  const x = [[[1], [2], [3]], [[4]], [[5], [6]]]
  const weightsOf = (weights: NonNullable<SequencesOptions['weights']>) =>
    [...sequences(x, [0, 1, 0], { batch: 2, weights })].map((batch) => batch.weights)
  const rows = [f32([1, 0.5], 2), f32([2], 1)]
  expect(weightsOf([1, 0.5, 2])).toEqual(rows)
  expect(weightsOf(tensor([1, 0.5, 2]))).toEqual(rows)
  expect(weightsOf([[1, 0, 2], [3], [4, 5]])).toEqual([f32([1, 0, 2, 3, 0, 0], 2, 3), f32([4, 5], 1, 2)])
  expect(() => weightsOf([1, 2])).toThrow(DataError)
  expect(() => weightsOf([[1], [3], [4, 5]])).toThrow('weights: sequence 0 has 3 steps; received 1')
  expect(() => weightsOf(tensor([[1], [2], [3]]))).toThrow(
    'weights: expected a number a row, [N]; received [3, 1]',
  )
  expect(() => weightsOf([[[1], [1], [1]], [[1]], [[1], [1]]])).toThrow(
    'expected a number a step; received [3, 1]',
  )
})

const batch = { inputs, targets: i32(new Array(B * T).fill(1), B, T), reset: true }
test.each<[string, object, Partial<FitOptions>, new (...args: never[]) => Error, string]>([
  [
    'of no tensor',
    { weights: [1, 1, 1] },
    {},
    ShapeError,
    'a batch’s weights must be a tensor'.replace('’', "'"),
  ],
  ['of other rows', { weights: f32([1], 1) }, {}, ShapeError, 'f32[3], one a row, or f32[3, 4], one a step; received f32[1]'], // biome-ignore format: one line
  ['of i32', { weights: i32([1, 1, 1], 3) }, {}, ShapeError, 'received i32[3]'],
  ['below 0', { weights: f32([1, 1, -1], 3) }, {}, DataError, 'at least 0; received -1 in row 2'],
  ['of NaN', { weights: f32([1, Number.NaN, 1], 3) }, {}, DataError, 'received NaN in row 1'],
  ['of a class too many', {}, { classWeight: { 3: 1 } }, ArgumentError, 'the classes 0 … 2; received 3'],
])('weights %s are refused', async (_, more, options, error, message) => {
  const run = fit(net(), [{ ...batch, ...more }], { ...classes, ...options })
  await expect(run).rejects.toThrow(error)
  await expect(run).rejects.toThrow(message)
})

test.each<[unknown, object, string]>([
  [{ a: 1 }, classes, 'expected classes 0, 1, …; received a'],
  [{ 0: -1 }, classes, 'classWeight: 0 must be a number of at least 0; received -1'],
  [{ 0: 2 }, squared, 'a loss on classes; received meanSquaredError: give batches weights instead'],
  [[1, 2], classes, 'received a list'],
  [null, classes, 'received null'],
  [3, classes, 'expected weights by class, such as { 0: 1, 1: 3 }; received 3'],
  [new Map([[1, 3]]), classes, 'received [object Map]'],
])('classWeight %j is refused before the first step', async (classWeight, loss, message) => {
  const options = { ...loss, classWeight } as FitOptions
  await expect(fit(net(), [batch], options)).rejects.toThrow(ArgumentError)
  await expect(fit(net(), [batch], options)).rejects.toThrow(message)
})
