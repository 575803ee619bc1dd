/** Bad input throws a typed error that says what was expected and what came. */
import { expect, test } from 'vitest'
import { explain } from '../../src/codegen/explain.ts'
import type { Batch } from '../../src/data/batches.ts'
import { gradient } from '../../src/graph/grad.ts'
import { scan } from '../../src/graph/scan.ts'
import { trace } from '../../src/graph/trace.ts'
import { bidirectional } from '../../src/layers/bidirectional.ts'
import { dense } from '../../src/layers/dense.ts'
import { dropout } from '../../src/layers/dropout.ts'
import type { Layer } from '../../src/layers/layer.ts'
import { elman, jordan, lstm, type RecurrentOptions } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { RecurraError } from '../../src/tensor/errors.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { type FitOptions, fit as train } from '../../src/train/fit.ts'
import { type GenerateOptions, generate } from '../../src/train/generate.ts'
import { huber, type LossOption } from '../../src/train/losses.ts'
import { mase } from '../../src/train/metrics.ts'
import { movingAverage } from '../../src/train/moving-average.ts'
import { adam, adamW, rmsprop, sgd } from '../../src/train/optimizers.ts'
import type { InputLike } from '../../src/train/padding.ts'
import { evaluate, type PredictOptions, predict } from '../../src/train/predict.ts'
import { scheduledSampling } from '../../src/train/scheduled-sampling.ts'
import {
  constantRate,
  cosineDecay,
  exponentialDecay,
  linearDecay,
  stepDecay,
  warmup,
} from '../../src/train/schedules.ts'
import type { StepOptions } from '../../src/train/step.ts'
import { trainingGraph } from '../../src/train/training-graph.ts'
import { TrainingStep } from '../../src/train/training-step.ts'
import { batchOf, classes, f32, i32, lstmNet, rnn, sequenceOf, squared, tokenNet } from './models.ts'

const good = batchOf(1, 2, 3)
const { inputs: x } = good
const ids = { inputs: i32([1, 2, 3, 4], 2, 2), targets: i32([2, 3, 4, 5], 2, 2), reset: true }
const [nan, schedule] = [Number.NaN, () => Number.NaN]
/** What TypeScript would not let through. */
const odd = (value: unknown) => value as never
const fit = (options: Partial<FitOptions>) => train(lstmNet(), [good], { ...squared, ...options })
const batch = (change: Partial<Batch>) => train(lstmNet(), [{ ...good, ...change }], squared)
const against = (loss: LossOption, targets: Tensor) => train(lstmNet(), [{ ...good, targets }], { loss })
const tokens = (targets: Tensor) => train(tokenNet(), [{ ...ids, targets }], classes)
const ask = (values: InputLike, options: PredictOptions = {}) => predict(lstmNet(), values, options)
const write = (options: Partial<GenerateOptions>, model = tokenNet()) =>
  generate(model, { prompt: [1], length: 2, ...options }).next()
const weights = (path: string, value: Tensor) =>
  lstmNet().setWeights(new Map(lstmNet().weights()).set(path, value))
const forced = (layers: Layer[], loss: LossOption = 'meanSquaredError', input?: typeof sequenceOf) =>
  train(sequential(layers, input && { input }), [good], { loss, teacherForcing: true })
const fedBack = (more: RecurrentOptions = {}) =>
  jordan({ units: 3, outputs: 2, returnSequences: true, ...more })
const decays = (options: unknown) => scheduledSampling(odd(options))
const [one, fault] = [f32([1], 1), { ...x, data: new Float32Array(3) }]

const graph = (options: Partial<StepOptions>) =>
  trainingGraph(lstmNet(), { ...squared, optimizer: adam(), ...options })

const timeless = () => {
  const model = sequential([dense({ units: 2 })])
  const rows = { inputs: f32([1, 2], 1, 2), targets: f32([1, 2], 1, 2), reset: true }
  return train(model, [rows], { ...squared, truncate: { k1: 1, k2: 2 } })
}

const table: readonly (readonly [string, () => unknown, code: string, said: string])[] = [
  ['features', () => ask([[[1, 2, 3]]]), 'shape', 'f32[B, T, 2] | f32[1, 1, 3]'],
  ['rank', () => ask([[1, 2]]), 'shape', 'f32[B, T, 2] | f32[1, 2]'],
  ['tokens for numbers', () => ask(ids.inputs), 'shape', 'f32[B, T, 2] | i32[2, 2]'],
  ['ragged arrays', () => ask([[[1, 2], [3]]]), 'shape', 'expected 2 | received 1'],
  [
    'a row of another rank',
    () => ask([[[1, 2]], [1, 2]]),
    'shape',
    'sequence 0 | [T, 2], | sequence 1 f32 [T]',
  ],
  ['a step of another rank', () => ask([[[1, 2]], [[1, 2], 1]]), 'shape', 'inputs: sequence 1: | array of 2'],
  ['a row of numbers', () => ask(odd([[[1, 2]], 1])), 'argument', 'sequence 1 | received number'],
  ['a row of another type', () => ask([x, i32([1], 1)]), 'shape', 'sequence 1 i32'],
  ['a row of no step', () => ask([[[1, 2]], []]), 'data', 'sequence 1 has no time step'],
  ['a row that its shape does not hold', () => ask([fault]), 'shape', '[2, 3, 2] | 3'],
  [
    'rows of unlike size without time',
    () => predict(sequential([dense({ units: 2 })]), [[1, 2], [3]]), // biome-ignore format: one line
    'shape',
    'equal size; row 0 has 2, row 1 1',
  ],
  [
    'lengths beside those of sequences',
    () => ask([[[1, 2]], [[1, 2], [3, 4]]], { lengths: [1, 2] }), // biome-ignore format: one line
    'argument',
    'leave the option lengths out',
  ],
  ['a mask of another length', () => ask([[[1, 2]], [[1, 2], [3, 4]]], { mask: [[1], [1]] }), 'data', 'sequence 1 has 2 steps; received 1'], // biome-ignore format: one line
  ['one mask for sequences', () => ask([[[1, 2]], [[1, 2], [3, 4]]], { mask: i32([1, 0, 1, 1], 2, 2) }), 'argument', 'a list of masks'], // biome-ignore format: one line
  ['no rows', () => ask(f32([], 0, 3, 2)), 'data', '[0, 3, 2]'],
  [
    'inputs of another shape',
    () => batch({ inputs: f32([1, 2], 1, 1, 2) }),
    'shape',
    'f32[1, 1, 2] | f32[2, 3, 2]',
  ],
  ['a shape that does not hold the data', () => batch({ inputs: fault }), 'shape', '[2, 3, 2] | 3'],
  ['a batch of null', () => train(lstmNet(), [odd(null)], squared), 'shape', 'inputs must be a tensor'],
  ['inputs in lists', () => batch({ inputs: odd([[[1, 2]]]) }), 'shape', 'inputs must be a tensor | object'],
  ['targets in lists', () => batch({ targets: odd([[1]]) }), 'shape', 'targets must be a tensor'],
  ['lengths in a list', () => batch({ lengths: odd([3, 3]) }), 'shape', 'lengths must be a tensor'],
  [
    'a batch that may or may not go on',
    () => batch({ reset: odd(1) }),
    'argument',
    'reset | true or false | 1',
  ],
  ['no model', () => train(odd({}), [good], squared), 'argument', 'fit: expected a model | object'],
  [
    'no model to evaluate',
    () => evaluate(odd(null), [good], squared),
    'argument',
    'evaluate: expected a model',
  ],
  [
    'nothing to predict',
    () => predict(lstmNet(), odd(undefined)),
    'shape',
    'predict: expected nested arrays',
  ],
  ['a name', () => predict(lstmNet(), { y: x }), 'shape', 'inputs are one tensor | received { y }'],
  ['an unknown field', () => batch(odd({ weight: one })), 'argument', 'batch: there is no field weight'],
  ['no model to predict', () => predict(odd('net'), x), 'argument', 'predict: expected a model | string'],
  ['no model to write', () => write({}, odd(null)), 'argument', 'generate: expected a model'],
  [
    'no options',
    () => train(lstmNet(), [good], odd(undefined)),
    'argument',
    'fit: expected an object of options',
  ],
  ['targets', () => batch({ targets: one }), 'shape', 'f32[2, 3, 2] | f32[1]'],
  ['no targets', () => batch({ targets: odd(undefined) }), 'shape', 'f32[2, 3, 2]'],
  ['targets that are no classes', () => tokens(good.targets), 'shape', 'i32[2, 2] | f32[2, 3, 2]'],
  ['a class that is not there', () => tokens(i32([0, 1, 6, 0], 2, 2)), 'data', '0 … 5 | 6 in row 1, step 0'],
  ['lengths for other rows', () => batch({ lengths: i32([1, 2, 3], 3) }), 'shape', 'i32[2] | i32[3]'],
  ['a length of 0', () => batch({ lengths: i32([3, 0], 2) }), 'data', '1 … 3 | received 0 in row 1'],
  ['a length beyond T', () => batch({ lengths: i32([4, 3], 2) }), 'data', '1 … 3 | received 4 in row 0'],
  ['a mask for other rows', () => batch({ mask: i32([1, 1, 1], 1, 3) }), 'shape', 'bool[2, 3] | i32[1, 3]'],
  ['a mask of numbers', () => batch({ mask: f32(new Array(6).fill(1), 2, 3) }), 'shape', 'i32 | f32[2, 3]'],
  [
    'a mask of 2',
    () => batch({ mask: i32([1, 1, 1, 1, 1, 2], 2, 3) }),
    'data',
    '0 and 1 | 2 in row 1, step 2',
  ],
  ['half a step there', () => ask(x, { mask: [[1, 1, 1], [0.5, 1, 1]] }), 'data', '0.5'], // biome-ignore format: one line
  ['an empty row', () => ask(x, { mask: [[1, 0, 1], [0, 0, 0]] }), 'data', 'no step of row 1'], // biome-ignore format: one line
  [
    'lengths and a mask',
    () => batch({ lengths: i32([1, 2], 2), mask: i32(new Array(6).fill(1), 2, 3) }),
    'argument',
    'received both',
  ],
  [
    'a mask without time',
    () => predict(sequential([dense({ units: 2 })]), [[1, 2]], { mask: [[1, 1]] }),
    'shape',
    'without time',
  ],
  [
    'a mask of a scan that is no bool',
    () =>
      trace([{ shape: ['T', 'B'] }], (mask) => odd(scan({ carry: {}, mask: mask! }, () => ({ carry: {} })))),
    'shape',
    'bool[T, B] | f32[T, B]',
  ],
  [
    'a scan with both',
    () =>
      trace(
        [
          { shape: ['B'], dtype: 'i32' },
          { shape: ['T', 'B'], dtype: 'bool' },
        ],
        (lengths, mask) => odd(scan({ carry: {}, lengths: lengths!, mask: mask! }, () => ({ carry: {} }))),
      ),
    'argument',
    'lengths or a mask | both',
  ],
  ['half a step', () => ask(x, { lengths: [1.5, 2] }), 'data', '1.5'],
  ['half a token', () => predict(tokenNet(), [[1.5, 2]]), 'data', '1.5'],
  [
    'a window of a network that reads backwards',
    () => train(sequential([rnn({ goBackwards: true })]), [good], { ...squared, truncate: { k1: 3, k2: 3 } }),
    'argument',
    'truncate | reads from the end',
  ],
  ['no layer', () => sequential(odd(['lstm'])), 'argument', 'lstm({ units: 8 }) | string'],
  [
    'an operator on a value',
    () => trace([{ shape: [2] }], (v) => [odd(odd(v) + 1)]),
    'argument',
    'where(condition',
  ],
  [
    'a trace of no list',
    () => trace([{ shape: [2] }], (v) => odd(v)),
    'argument',
    'array of symbolic values',
  ],
  [
    'a gradient through a constant of a step',
    () =>
      trace([{ shape: [3] }], (w) => {
        const twice = w.mul(2)
        const { ys } = scan({ carry: {}, xs: { x: w.broadcastTo([2, 3]) } }, ({ x: { x } }) => ({
          carry: {},
          y: { d: gradient(twice.mul(x).sum(), [w])[0]! },
        }))
        return [ys.d]
      }),
    'argument',
    'through other outer values',
  ],
  [
    'evaluating no list',
    () => evaluate(lstmNet(), odd(good), squared),
    'argument',
    'evaluate: batches | object',
  ],
  ['half a carry', () => evaluate(lstmNet(), [good], { ...squared, carry: odd(1) }), 'argument', 'carry | 1'],
  ['no batches', () => train(lstmNet(), [], squared), 'data', 'at least one batch'],
  ['nothing to evaluate', () => evaluate(lstmNet(), [], squared), 'data', 'at least one batch'],
  [
    'an unknown loss',
    () => fit({ loss: odd('hinges') }),
    'argument',
    'softmaxCrossEntropy, | hinge, | "hinges"',
  ],
  [
    'a loss of JavaScript’s',
    () => fit({ loss: odd('toString') }),
    'argument',
    'softmaxCrossEntropy | toString',
  ],
  ['no loss', () => train(lstmNet(), [good], odd({})), 'argument', 'softmaxCrossEntropy | undefined'],
  [
    'a loss of its own targets',
    () => fit({ loss: odd({ terms: Math.abs }) }),
    'argument',
    "'classes' | undefined",
  ],
  ['a loss already summed', () => fit({ loss: (o, y) => o.sub(y).sum() }), 'shape', '[T, B] | f32[]'],
  ['a loss of a number', () => fit({ loss: odd(() => 1) }), 'shape', '[T, B] | number'],
  ['half a sign', () => against('hinge', x), 'data', '−1 or 1 | in row 0, step 0'],
  [
    'two',
    () => against('binaryCrossEntropy', f32(new Array(12).fill(2), 2, 3, 2)),
    'data',
    '0 to 1 | received 2',
  ],
  [
    'a loss that may take logits',
    () => fit({ loss: { ...huber(), logits: odd(1) } }),
    'argument',
    'logits | 1',
  ],
  [
    'a loss that accepts no function',
    () => fit({ loss: { ...huber(), accepts: odd(0) } }),
    'argument',
    'what, test | 0',
  ],
  ['delta', () => huber({ delta: 0 }), 'argument', 'above 0 | 0'],
  ['an unknown back end', () => fit({ backend: odd('cuda') }), 'argument', 'wasm | cuda'],
  ['an unknown option', () => fit(odd({ clipNorm: 1 })), 'argument', 'clipNorm'],
  ['epochs', () => fit({ epochs: 0 }), 'argument', 'at least 1 | 0'],
  ['a clip of 0', () => fit({ clipGlobalNorm: 0 }), 'argument', 'above 0'],
  ['a clip of NaN', () => fit({ clipGlobalNorm: nan }), 'argument', 'NaN'],
  ['a seed of NaN', () => fit({ seed: nan }), 'argument', 'seed | NaN'],
  ['both clips', () => fit({ clipGlobalNorm: 1, clipValue: 2 }), 'argument', 'not both | 1 and 2'],
  ['a value to clip at of 0', () => fit({ clipValue: 0 }), 'argument', 'clipValue | 0'],
  ['windows with gaps', () => fit({ truncate: { k1: 3, k2: 2 } }), 'argument', 'k1 3 | k2 2'],
  ['rows without time', () => timeless(), 'argument', 'sequences'],
  ['no list of batches', () => train(lstmNet(), odd(good), squared), 'argument', 'iterable | object'],
  ['no batch', () => train(lstmNet(), [odd({})], squared), 'shape', 'tensor'],
  ['validation', () => fit({ validation: odd({ batch: [] }) }), 'argument', 'batch; expected batches'],
  ['validation of nothing', () => fit({ validation: { batches: [] } }), 'data', 'validation | none'],
  ['validation, seldom', () => fit({ validation: { batches: [], every: 0.5 } }), 'argument', 'every | 0.5'],
  ['patience', () => fit({ earlyStopping: { patience: -1 } }), 'argument', 'patience | -1'],
  ['a difference', () => fit({ earlyStopping: { minDelta: nan } }), 'argument', 'minDelta | NaN'],
  ['a signal', () => fit({ signal: odd(new AbortController()) }), 'argument', 'AbortSignal'],
  ['a state', () => fit({ resume: odd({}) }), 'argument', 'state() | object'],
  ['an optimizer by name', () => fit({ optimizer: odd('adam') }), 'argument', 'adam() | "adam"'],
  [
    'a step without optimizer',
    () => new TrainingStep(lstmNet(), odd(squared)),
    'argument',
    'adam() | undefined',
  ],
  [
    'a graph without optimizer',
    () => trainingGraph(lstmNet(), odd(squared)),
    'argument',
    'adam() | undefined',
  ],
  ['a graph clipped at NaN', () => graph({ clipValue: nan }), 'argument', 'clipValue | NaN'],
  ['a graph cut nowhere', () => graph({ truncate: odd(5) }), 'argument', 'truncate: expected an object | 5'],
  ['a misspelt option of a step', () => graph(odd({ clipNorm: 1 })), 'argument', 'clipNorm; expected loss, '],
  [
    'a rate of an own optimizer',
    () => graph({ optimizer: { ...adam(), learningRate: nan } }),
    'argument',
    'learningRate | NaN',
  ],
  [
    'a misspelt k2',
    () => fit({ truncate: odd({ k1: 1, k2: 1, k3: 1 }) }),
    'argument',
    'truncate: there is no option k3',
  ],
  ['a window of 0', () => fit({ truncate: { k1: 0, k2: 0 } }), 'argument', 'at least 1 | 0'],
  ['a batch longer than its window', () => fit({ truncate: { k1: 2, k2: 2 } }), 'argument', '2 steps | 3'],
  ['a decay', () => decays({ decay: 'cosine' }), 'argument', 'linear, exponential, inverseSigmoid | cosine'],
  ['no decay', () => decays(undefined), 'argument', 'scheduledSampling | undefined'],
  ['no slope', () => decays({ decay: 'linear' }), 'argument', 'c must be | undefined'],
  [
    'the least chance',
    () => decays({ decay: 'linear', c: 1, epsilon: 1 }),
    'argument',
    'epsilon | below 1 | 1',
  ],
  ['a slope elsewhere', () => decays({ decay: 'exponential', k: 0.5, c: 1 }), 'argument', 'no option c'],
  [
    'an exponential of 1',
    () => decays({ decay: 'exponential', k: 1 }),
    'argument',
    'k | above 0 and below 1 | 1',
  ],
  [
    'a sigmoid below 1',
    () => decays({ decay: 'inverseSigmoid', k: 0.5 }),
    'argument',
    'k | at least 1 | 0.5',
  ],
  ['a feedback', () => decays({ decay: 'exponential', k: 0.5, feedback: 1 }), 'argument', 'feedback | 1'],
  [
    'a chance of 2',
    () => train(sequential([fedBack()]), [good], { ...squared, teacherForcing: { probability: () => 2 } }),
    'argument',
    'update 0 | from 0 to 1 | 2',
  ],
  ['forcing by no schedule', () => fit({ teacherForcing: odd({}) }), 'argument', 'scheduledSampling | {}'],
  ['forcing by a word', () => fit({ teacherForcing: odd('yes') }), 'argument', 'true or false | yes'],
  [
    'forcing of nothing fed back',
    () => fit({ teacherForcing: true }),
    'argument',
    'jordan( | feedback | lstm, dense',
  ],
  [
    'the same, not built yet',
    () => forced([dense({ units: 2 })]),
    'argument',
    'jordan( | feedback | received dense',
  ],
  [
    'forcing within',
    () => forced([fedBack(), dense({ units: 2 })]),
    'argument',
    'last one | jordan before dense',
  ],
  [
    'forcing backwards',
    () => forced([fedBack({ goBackwards: true })], undefined, sequenceOf),
    'argument',
    'first step to the last | jordan, which reads from the end',
  ],
  [
    'forcing both ways',
    () => forced([bidirectional(fedBack(), { mergeMode: 'sum' })]),
    'argument',
    'first step to the last | bidirectional',
  ],
  [
    'forcing towards one output',
    () => forced([fedBack({ returnSequences: false })], undefined, sequenceOf),
    'argument',
    'every step | jordan without returnSequences: true',
  ],
  [
    'forcing by classes',
    () => forced([fedBack()], 'softmaxCrossEntropy'),
    'argument',
    'meanSquaredError | softmaxCrossEntropy, whose targets are classes',
  ],
  ['a rate of NaN', () => sgd({ learningRate: nan }), 'argument', 'above 0 | NaN'],
  ['a schedule of NaN', () => fit({ optimizer: sgd({ learningRate: schedule }) }), 'argument', 'NaN'],
  ['momentum', () => sgd({ momentum: 1 }), 'argument', 'below 1'],
  ['nesterov alone', () => sgd({ nesterov: true }), 'argument', 'momentum above 0'],
  ['beta', () => adam({ beta2: -1 }), 'argument', 'beta2 | -1'],
  ['no such decay', () => adam(odd({ weightDecay: 1 })), 'argument', 'weightDecay'],
  ['decay', () => adamW({ weightDecay: -1 }), 'argument', 'weightDecay | -1'],
  ['rho', () => rmsprop({ rho: 1 }), 'argument', 'rho | 1'],
  ['epsilon', () => rmsprop({ epsilon: 0 }), 'argument', 'epsilon | 0'],
  ['a rate', () => constantRate(0), 'argument', 'above 0 | 0'],
  ['steps of a decay', () => linearDecay(1, 0), 'argument', 'steps | 0'],
  ['a share', () => cosineDecay(1, 2, { end: 2 }), 'argument', 'end | 2'],
  ['an option of a decay', () => cosineDecay(1, 2, odd({ alpha: 0 })), 'argument', 'alpha'],
  ['a factor', () => stepDecay(1, 2, -1), 'argument', 'factor | -1'],
  ['no factor', () => exponentialDecay(1, 2, odd(undefined)), 'argument', 'factor | undefined'],
  ['half a step of warm-up', () => warmup(0.5, 1), 'argument', 'steps | 0.5'],
  ['units of 0', () => lstm({ units: 0 }), 'argument', 'at least 1 | 0'],
  [
    'units that no memory holds',
    () => sequential([lstm({ units: 2 ** 40 })], { input: sequenceOf }).weights(),
    'argument',
    '[2, 4398046511104] would have 8796093022208 elements',
  ],
  ['a rate in quotation marks', () => dropout({ rate: odd('0.5') }), 'argument', 'received "0.5"'],
  ['units in quotation marks', () => lstm({ units: odd('8') }), 'argument', 'received "8"'],
  ['units in a list', () => lstm({ units: odd([8, [2]]) }), 'argument', 'received [8,"2"]'],
  [
    'units in a list of odd things',
    () => lstm({ units: odd([1n, nan, null]) }),
    'argument',
    'received ["1","NaN","null"]',
  ],
  ['units in an object', () => lstm({ units: odd({ units: 8 }) }), 'argument', 'received {"units":8}'],
  ['units in a long list', () => lstm({ units: odd(new Array(99).fill(123)) }), 'argument', '123,123,'],
  ['units in a model', () => lstm({ units: odd(lstmNet()) }), 'argument', 'received {"'],
  ['options in quotation marks', () => lstm(odd('8')), 'argument', 'received "8"'],
  ['nothing to explain', () => explain(odd(undefined)), 'argument', 'explain: | trainingGraph | undefined'],
  ['a model to explain', () => explain(odd(lstmNet())), 'argument', 'explain: expected a graph | object'],
  ['no series to scale by', () => mase(odd({})), 'argument', 'mase: train must be | undefined'],
  [
    'averages of nothing',
    () => movingAverage(odd(undefined)),
    'argument',
    'movingAverage: optimizer | undefined',
  ],
  ['units of NaN', () => dense({ units: nan }), 'argument', 'NaN'],
  ['an activation', () => elman({ units: 1, activation: odd('gelu') }), 'argument', 'tanh | gelu'],
  ['layers in no list', () => sequential(odd(rnn())), 'argument', 'in a list; received object'],
  ['a layer not called', () => sequential([odd(lstm)]), 'argument', 'lstm({ units: 8 }) | function'],
  [
    'a misspelt input',
    () => sequential([rnn()], odd({ inputs: sequenceOf })),
    'argument',
    'inputs; expected input',
  ],
  [
    'an input of no type',
    () => sequential([rnn()], { input: { shape: [null, 2], dtype: odd('f64') } }),
    'argument',
    'f32, i32, bool | f64',
  ],
  [
    'an input of one number',
    () => sequential([rnn()], { input: { shape: odd(2), dtype: 'f32' } }),
    'shape',
    'list of sizes; received 2',
  ],
  ['no layers', () => sequential([]), 'argument', 'at least one'],
  ['one name twice', () => sequential([rnn({ name: 'a' }), rnn({ name: 'a' })]), 'argument', 'named a'],
  [
    'a sequence lost',
    () => sequential([elman({ units: 1 }), rnn()], { input: sequenceOf }),
    'shape',
    '[B, 1]',
  ],
  ['an unknown state', () => ask(x, { initialState: { o: [[0]] } }), 'argument', 'lstm/h | o'],
  ['states in no object', () => ask(x, { initialState: odd(0) }), 'argument', 'initialState | 0'],
  ['a state', () => ask(x, { initialState: { 'lstm/h': [[0]] } }), 'shape', '[2, 5] | [1, 1]'],
  ['weights', () => weights('dense/V', one), 'shape', 'f32[5, 2] | f32[1]'],
  [
    'weights in lists',
    () => weights('dense/c', odd({ ...f32([1, 2], 2), data: [1, 2], shape: [1] })),
    'shape',
    'holds 1',
  ],
  [
    'weights of integers',
    () => weights('dense/c', odd({ ...i32([1, 2], 2), dtype: 'f32' })),
    'argument',
    'f32 in a Int32Array',
  ],
  ['weights in an object', () => lstmNet().setWeights(odd({})), 'argument', 'Map | object'],
  ['weights too few', () => lstmNet().setWeights(new Map()), 'shape', 'lstm/U'],
  ['weights too many', () => weights('dense/Q', one), 'shape', 'dense/Q'],
  ['a temperature below 0', () => write({ temperature: -1 }), 'argument', 'at least 0 | -1'],
  ['a length of text below 0', () => write({ length: -1 }), 'argument', 'at least 0 | -1'],
  ['half a token', () => write({ prompt: [1, 1.5] }), 'data', '32 bits; received 1.5 at 1'],
  ['a token beyond the vocabulary', () => write({ prompt: [1, 7] }), 'data', '0 … 5; received 7 | step 1'],
  ['a token below it', () => write({ prompt: [-1] }), 'data', 'embedding | 0 … 5; received -1 | step 0'],
  ['a text for tokens', () => write({ prompt: odd('To be') }), 'argument', 'prompt | string'],
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
