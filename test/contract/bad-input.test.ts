/** Bad input throws a typed error that says what was expected and what came. */
import { expect, test } from 'vitest'
import type { Batch } from '../../src/data/batches.ts'
import { dense } from '../../src/layers/dense.ts'
import { elman, lstm } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { RecurraError } from '../../src/tensor/errors.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { type FitOptions, fit as train } from '../../src/train/fit.ts'
import { type GenerateOptions, generate } from '../../src/train/generate.ts'
import type { TensorLike } from '../../src/train/inputs.ts'
import { adam, sgd } from '../../src/train/optimizers.ts'
import { evaluate, type PredictOptions, predict } from '../../src/train/predict.ts'
import { batchOf, classes, f32, i32, lstmNet, rnn, sequenceOf, squared, tokenNet } from './models.ts'

const good = batchOf(1, 2, 3)
const { inputs: x } = good
const ids = { inputs: i32([1, 2, 3, 4], 2, 2), targets: i32([2, 3, 4, 5], 2, 2), reset: true }
const [nan, schedule] = [Number.NaN, () => Number.NaN]
/** What TypeScript would not let through. */
const odd = (value: unknown) => value as never
const fit = (options: Partial<FitOptions>) => train(lstmNet(), [good], { ...squared, ...options })
const batch = (change: Partial<Batch>) => train(lstmNet(), [{ ...good, ...change }], squared)
const tokens = (targets: Tensor) => train(tokenNet(), [{ ...ids, targets }], classes)
const ask = (values: TensorLike, options: PredictOptions = {}) => predict(lstmNet(), values, options)
const write = (options: Partial<GenerateOptions>, model = tokenNet()) =>
  generate(model, { prompt: [1], length: 2, ...options }).next()
const weights = (path: string, value: Tensor) =>
  lstmNet().setWeights(new Map(lstmNet().weights()).set(path, value))
const [one, fault] = [f32([1], 1), { ...x, data: new Float32Array(3) }]

const table: readonly (readonly [string, () => unknown, code: string, said: string])[] = [
  ['features', () => ask([[[1, 2, 3]]]), 'shape', 'f32[B, T, 2] | f32[1, 1, 3]'],
  ['rank', () => ask([[1, 2]]), 'shape', 'f32[B, T, 2] | f32[1, 2]'],
  ['tokens for numbers', () => ask(ids.inputs), 'shape', 'f32[B, T, 2] | i32[2, 2]'],
  ['ragged arrays', () => ask([[[1, 2], [3]]]), 'shape', 'expected 2 | received 1'],
  ['no rows', () => ask(f32([], 0, 3, 2)), 'data', '[0, 3, 2]'],
  [
    'inputs of another shape',
    () => batch({ inputs: f32([1, 2], 1, 1, 2) }),
    'shape',
    'f32[1, 1, 2] | f32[2, 3, 2]',
  ],
  ['a shape that does not hold the data', () => batch({ inputs: fault }), 'shape', '[2, 3, 2] | 3'],
  ['targets', () => batch({ targets: one }), 'shape', 'f32[2, 3, 2] | f32[1]'],
  ['no targets', () => batch({ targets: odd(undefined) }), 'shape', 'f32[2, 3, 2]'],
  ['targets that are no classes', () => tokens(good.targets), 'shape', 'i32[2, 2] | f32[2, 3, 2]'],
  ['a class that is not there', () => tokens(i32([0, 1, 6, 0], 2, 2)), 'data', '0 … 5 | 6 in row 1, step 0'],
  ['lengths for other rows', () => batch({ lengths: i32([1, 2, 3], 3) }), 'shape', 'i32[2] | i32[3]'],
  ['a length of 0', () => batch({ lengths: i32([3, 0], 2) }), 'data', '1 … 3 | received 0 in row 1'],
  ['a length beyond T', () => batch({ lengths: i32([4, 3], 2) }), 'data', '1 … 3 | received 4 in row 0'],
  ['half a step', () => ask(x, { lengths: [1.5, 2] }), 'data', '1.5'],
  ['half a token', () => predict(tokenNet(), [[1.5, 2]]), 'data', '1.5'],
  ['no batches', () => train(lstmNet(), [], squared), 'data', 'at least one batch'],
  ['nothing to evaluate', () => evaluate(lstmNet(), [], squared), 'data', 'at least one batch'],
  ['an unknown loss', () => fit({ loss: odd('hinge') }), 'argument', 'softmaxCrossEntropy | hinge'],
  ['an unknown back end', () => fit({ backend: odd('cuda') }), 'argument', 'wasm | cuda'],
  ['an unknown option', () => fit(odd({ clipNorm: 1 })), 'argument', 'clipNorm'],
  ['epochs', () => fit({ epochs: 0 }), 'argument', 'at least 1 | 0'],
  ['a clip of 0', () => fit({ clipGlobalNorm: 0 }), 'argument', 'above 0'],
  ['a clip of NaN', () => fit({ clipGlobalNorm: nan }), 'argument', 'NaN'],
  ['a seed of NaN', () => fit({ seed: nan }), 'argument', 'seed | NaN'],
  ['windows that overlap', () => fit({ truncate: { k1: 2, k2: 3 } }), 'argument', 'k1 2 | k2 3'],
  ['a window of 0', () => fit({ truncate: { k1: 0, k2: 0 } }), 'argument', 'at least 1 | 0'],
  ['a batch longer than its window', () => fit({ truncate: { k1: 2, k2: 2 } }), 'argument', '2 steps | 3'],
  ['a rate of NaN', () => sgd({ learningRate: nan }), 'argument', 'above 0 | NaN'],
  ['a schedule of NaN', () => fit({ optimizer: sgd({ learningRate: schedule }) }), 'argument', 'NaN'],
  ['momentum', () => sgd({ momentum: 1 }), 'argument', 'below 1'],
  ['beta', () => adam({ beta2: -1 }), 'argument', 'beta2 | -1'],
  ['units of 0', () => lstm({ units: 0 }), 'argument', 'at least 1 | 0'],
  ['units of NaN', () => dense({ units: nan }), 'argument', 'NaN'],
  ['an activation', () => elman({ units: 1, activation: odd('gelu') }), 'argument', 'tanh | gelu'],
  ['no layers', () => sequential([]), 'argument', 'at least one'],
  ['one name twice', () => sequential([rnn({ name: 'a' }), rnn({ name: 'a' })]), 'argument', 'named a'],
  [
    'a sequence lost',
    () => sequential([elman({ units: 1 }), rnn()], { input: sequenceOf }),
    'shape',
    '[B, 1]',
  ],
  ['an unknown state', () => ask(x, { initialState: { o: [[0]] } }), 'argument', 'lstm/h | o'],
  ['a state', () => ask(x, { initialState: { 'lstm/h': [[0]] } }), 'shape', '[2, 5] | [1, 1]'],
  ['weights', () => weights('dense/V', one), 'shape', 'f32[5, 2] | f32[1]'],
  ['weights too few', () => lstmNet().setWeights(new Map()), 'shape', 'lstm/U'],
  ['weights too many', () => weights('dense/Q', one), 'shape', 'dense/Q'],
  ['a temperature below 0', () => write({ temperature: -1 }), 'argument', 'at least 0 | -1'],
  ['a length of text below 0', () => write({ length: -1 }), 'argument', 'at least 0 | -1'],
  ['no prompt', () => write({ prompt: [] }), 'data', 'at least one'],
  ['a model that writes no tokens', () => write({}, lstmNet()), 'argument', '[B, T, V]'],
]

test.each(table)('%s', async (_, act, code, said) => {
  const error: unknown = await Promise.resolve()
    .then(act)
    .catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(RecurraError)
  const message = said.split(' | ').map((words) => expect.stringContaining(words))
  for (const each of message) expect(error).toMatchObject({ code, message: each })
})
