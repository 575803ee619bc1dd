/** Regularizers and constraints: their equations, where they act in a training, and how they are declared and saved. */
import { describe, expect, test } from 'vitest'
import { defineCell } from '../../src/cells/define.ts'
import { gruCell } from '../../src/cells/gru.ts'
import { compile } from '../../src/codegen/compile.ts'
import { gradient } from '../../src/graph/grad.ts'
import { interpret } from '../../src/graph/interpret.ts'
import { trace } from '../../src/graph/trace.ts'
import { constraint, maxNorm, minMaxNorm, nonNeg, unitNorm } from '../../src/init/constraints.ts'
import { glorotUniform, joined, type Parameter, parameter, zeros } from '../../src/init/initializers.ts'
import { l1, l1L2, l2, orthogonalRegularizer, regularizer } from '../../src/init/regularizers.ts'
import type { Rule } from '../../src/init/rules.ts'
import { loadModel, saveModel } from '../../src/io/model.ts'
import { batchNorm } from '../../src/layers/batch-norm.ts'
import { conv1d } from '../../src/layers/conv1d.ts'
import { dense } from '../../src/layers/dense.ts'
import { embedding } from '../../src/layers/embedding.ts'
import { model as functional, input } from '../../src/layers/functional.ts'
import { layerNorm } from '../../src/layers/layer-norm.ts'
import type { Model } from '../../src/layers/model.ts'
import { elman, gru, jordan, lstm, recurrent } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { fit } from '../../src/train/fit.ts'
import { movingAverage } from '../../src/train/moving-average.ts'
import { sgd } from '../../src/train/optimizers.ts'
import { evaluate } from '../../src/train/predict.ts'
import { TrainingStep } from '../../src/train/training-step.ts'
import { batchOf, numbersOf, sequenceOf, squared, stepsOf, tokensOf } from './models.ts'
import { random } from './support.ts'

type Matrix = readonly (readonly number[])[]
type AnyRule = Rule<'regularizer' | 'constraint'>

const turned = (m: Matrix): Matrix => m[0]!.map((_, column) => m.map((row) => row[column]!))
const total = (numbers: readonly number[]) => numbers.reduce((sum, each) => sum + each, 0)
const norm = (vector: readonly number[]) => Math.sqrt(total(vector.map((each) => each * each)))
const all = (m: Matrix, of: (w: number) => number) => total(m.flat().map(of))
/** Each row times what its norm n gives, over n + ε. */
const rowsTo = (m: Matrix, of: (n: number) => number): Matrix =>
  m.map((row) => row.map((each) => (each * of(norm(row))) / (norm(row) + 1e-7)))
const columnsTo = (m: Matrix, of: (n: number) => number) => turned(rowsTo(turned(m), of))
function meanCosine(rows: Matrix): number {
  const cosines = rows.flatMap((a, i) =>
    rows.slice(i + 1).map((b) => Math.abs(total(a.map((each, k) => each * b[k]!)) / norm(a) / norm(b))),
  )
  return total(cosines) / cosines.length
}

const PENALTIES: readonly (readonly [string, AnyRule, (m: Matrix) => number])[] = [
  ['l1', l1({ l1: 0.3 }), (m) => 0.3 * all(m, Math.abs)],
  ['l1, default', l1(), (m) => 0.01 * all(m, Math.abs)],
  ['l2', l2({ l2: 0.2 }), (m) => 0.2 * all(m, (w) => w * w)],
  ['l2, default', l2(), (m) => 0.01 * all(m, (w) => w * w)],
  ['l1L2', l1L2({ l1: 0.1, l2: 0.2 }), (m) => 0.1 * all(m, Math.abs) + 0.2 * all(m, (w) => w * w)],
  ['l1L2, default', l1L2(), () => 0],
  ['orthogonal', orthogonalRegularizer(), (m) => 0.01 * meanCosine(m)],
  [
    'orthogonal, columns',
    orthogonalRegularizer({ factor: 2, mode: 'columns' }),
    (m) => 2 * meanCosine(turned(m)),
  ],
  ['own', regularizer('own', (w) => w.square().square().sum()), (m) => all(m, (w) => w ** 4)],
]
const within = (low: number, high: number) => (n: number) => Math.min(Math.max(n, low), high)
const PROJECTIONS: readonly (readonly [string, AnyRule, (m: Matrix) => Matrix])[] = [
  ['maxNorm', maxNorm({ maxValue: 0.8 }), (m) => columnsTo(m, within(0, 0.8))],
  ['maxNorm, default', maxNorm(), (m) => columnsTo(m, within(0, 2))],
  ['maxNorm, rows', maxNorm({ maxValue: 0.8, axis: -1 }), (m) => rowsTo(m, within(0, 0.8))],
  [
    'maxNorm, all',
    maxNorm({ maxValue: 1, axis: [0, 1] }),
    (m) => m.map((row) => row.map((w) => (w * Math.min(norm(m.flat()), 1)) / norm(m.flat()))),
  ],
  ['nonNeg', nonNeg(), (m) => m.map((row) => row.map((w) => Math.max(w, 0)))],
  ['unitNorm', unitNorm(), (m) => columnsTo(m, () => 1)],
  ['unitNorm, rows', unitNorm({ axis: 1 }), (m) => rowsTo(m, () => 1)],
  ['minMaxNorm, default', minMaxNorm(), (m) => columnsTo(m, within(0, 1))],
  [
    'minMaxNorm',
    minMaxNorm({ minValue: 0.9, maxValue: 1.1, rate: 0.3, axis: 1 }),
    (m) => rowsTo(m, (n) => 0.3 * within(0.9, 1.1)(n) + 0.7 * n),
  ],
  ['own', constraint('own', (w) => w.max(-0.1)), (m) => m.map((row) => row.map((w) => Math.max(w, -0.1)))],
]

const shape = [3, 4]
const matrix = Array.from({ length: 3 }, (_, row) => random(row + 5).numbers(4))

test.each([...PENALTIES, ...PROJECTIONS])(
  '%s: the equation, in f64 and in WASM; a gradient as differences say, finite at 0',
  async (_, rule, equation) => {
    const graph = trace([{ shape }], (w) => {
      const value = rule.apply(w!)
      return [value, ...gradient(value.sum(), [w!])]
    })
    const run = (data: readonly number[]) =>
      interpret(graph, [{ data: Float64Array.from(data), shape }], new Map()).map((each) => each.data)
    const expected = [equation(matrix)].flat(2)
    const [value, slopes] = run(matrix.flat())
    for (const [i, each] of expected.entries()) expect(value![i]).toBeCloseTo(each, 6)
    const numeric = matrix.flat().map((w, i) => {
      const at = (step: number) => total([...run(matrix.flat().with(i, w + step))[0]!])
      return (at(1e-5) - at(-1e-5)) / 2e-5
    })
    for (const [i, each] of numeric.entries()) expect(slopes![i]).toBeCloseTo(each, 5)
    const executable = await compile(graph, { verify: true })
    const inputs = new Map([[0, Float32Array.from(matrix.flat())]])
    const [fast] = await executable.call({ bindings: new Map(), inputs, outputs: [0] })
    for (const [i, each] of expected.entries()) expect(fast![i]).toBeCloseTo(each, 5)
    const [atZero, slopesAtZero] = run(new Array<number>(12).fill(0))
    expect(atZero!.every(Number.isFinite)).toBe(true)
    if (rule.kind === 'regularizer') expect(slopesAtZero!.every(Number.isFinite)).toBe(true)
  },
)

const rate = 0.1
const plain = { ...squared, optimizer: sgd({ learningRate: rate }) }
const batch = batchOf(1, 3, 4)
const ruled = (on: boolean) =>
  sequential(
    [
      lstm({
        units: 3,
        returnSequences: true,
        ...(on && { kernelRegularizer: l2({ l2: 0.5 }), recurrentRegularizer: l1({ l1: 0.25 }) }),
        ...(on && { recurrentConstraint: maxNorm({ maxValue: 0.5 }) }),
      }),
      dense({ units: 2, ...(on && { kernelConstraint: nonNeg(), biasRegularizer: l2({ l2: 3 }) }) }),
    ],
    { input: sequenceOf },
  )
const weightOf = (model: Model, path: string) => Array.from(model.weights().get(path)!.data)
const size = (model: Model, path: string, of: (w: number) => number) => total(weightOf(model, path).map(of))
const penaltyOf = (model: Model) =>
  0.5 * size(model, 'lstm/U', (w) => w * w) +
  0.25 * size(model, 'lstm/W', Math.abs) +
  3 * size(model, 'dense/c', (w) => w * w)
/** Norms of columns of W [3, 12]. */
const norms = (W: readonly number[]) =>
  Array.from({ length: 12 }, (_, column) => norm([0, 1, 2].map((row) => W[12 * row + column]!)))
const holds = (model: Model) => {
  expect(Math.max(...norms(weightOf(model, 'lstm/W')))).toBeLessThan(0.5 + 1e-6)
  expect(Math.min(...weightOf(model, 'dense/V'))).toBeGreaterThanOrEqual(0)
}

describe('in training', () => {
  test('the loss of fit and of evaluate has the penalties; an update has their gradients, and then the constraints', async () => {
    const [model, without] = [ruled(true), ruled(false)]
    without.setWeights(model.weights())
    const before = Object.fromEntries(
      [...model.weights().keys()].map((path) => [path, weightOf(model, path)]),
    )
    const penalty = penaltyOf(model)
    const measured = await evaluate(model, [batch], { ...squared, metrics: ['rootMeanSquaredError'] })
    const bare = await evaluate(without, [batch], { ...squared, metrics: ['rootMeanSquaredError'] })
    expect(measured.loss).toBeCloseTo(bare.loss + penalty, 5)
    expect(measured.metrics).toEqual(bare.metrics)
    const [step] = await stepsOf(fit(model, [batch], plain))
    await fit(without, [batch], plain)
    expect(step![0]).toBeCloseTo(measured.loss, 5)
    // d(0.5 Σ w²) = w, d(0.25 Σ |w|) = 0.25 sign w.
    for (const [i, w] of before['lstm/U']!.entries())
      expect(weightOf(model, 'lstm/U')[i]).toBeCloseTo(weightOf(without, 'lstm/U')[i]! - rate * w, 6)
    const W = weightOf(without, 'lstm/W').map((w, i) => w - rate * 0.25 * Math.sign(before['lstm/W']![i]!))
    const own = norms(W)
    expect(own.some((each) => each > 0.5)).toBe(true)
    for (const [i, w] of W.entries())
      expect(weightOf(model, 'lstm/W')[i]).toBeCloseTo(w * Math.min(1, 0.5 / own[i % 12]!), 5)
    const V = weightOf(without, 'dense/V')
    expect(V.some((v) => v < 0)).toBe(true)
    for (const [i, v] of V.entries()) expect(weightOf(model, 'dense/V')[i]).toBeCloseTo(Math.max(v, 0), 6)
  })

  test('what a layer that is called twice adds counts once', async () => {
    const [x, layer] = [input({ shape: [2] }), dense({ units: 2, kernelRegularizer: l2({ l2: 0.5 }) })]
    const twice = functional({ inputs: x, outputs: x.to(layer).to(layer) })
    const zeros = { data: new Float32Array(2), shape: [1, 2], dtype: 'f32' } as const
    const { loss } = await evaluate(twice, [{ inputs: zeros, targets: zeros, reset: true }], squared)
    expect(loss).toBeCloseTo(0.5 * size(twice, 'dense/V', (w) => w * w), 6)
  })

  test.each([
    ['averages of the weights', { optimizer: movingAverage(sgd(), { momentum: 0.9 }) }],
    ['several batches an update', { accumulate: 2 }],
    ['windows that overlap', { truncate: { k1: 4, k2: 6 } }],
  ])('constraints hold with %s', async (_, more) => {
    const model = ruled(true)
    await fit(model, [batch, batchOf(2, 3, 4)], { ...plain, ...more, epochs: 3 })
    holds(model)
  })

  test('a step that is refused leaves all as it was: also what a constraint would change', async () => {
    const model = ruled(true)
    const before = numbersOf(model).map((each) => each.slice())
    const step = new TrainingStep(model, plain)
    const targets = { ...batch.targets, data: batch.targets.data.map(() => Number.NaN) }
    expect((await step.run({ ...batch, targets }, rate)).loss).toBeNaN()
    await step.sync()
    expect(numbersOf(model)).toEqual(before)
  })

  test('a model goes on from its file, bit for bit; its file is the same again', async () => {
    const options = { ...plain, epochs: 2 }
    const [reference, model] = [ruled(true), ruled(true)]
    const run = fit(model, [batch], options)
    await run
    const bytes = saveModel(model, { state: await run.state() })
    const loaded = loadModel(bytes)
    expect(saveModel(loaded.model, { state: loaded.state! })).toEqual(bytes)
    await fit(loaded.model, [batch], { ...options, epochs: 5, resume: loaded.state! })
    await fit(reference, [batch], { ...options, epochs: 5 })
    expect(numbersOf(loaded.model)).toEqual(numbersOf(reference))
  })
})

const of = (...roles: readonly string[]) =>
  Object.fromEntries(
    roles.flatMap((role) => [
      [`${role}Regularizer`, regularizer(role, (w) => w.sum())],
      [`${role}Constraint`, constraint(role, (w) => w)],
    ]),
  )
const each = of('kernel', 'recurrent', 'bias')
const saidOf = ({ params }: Model['built']) =>
  Object.fromEntries(
    [...params].map(([path, { regularizer: a, constraint: b }]) => [path, [a?.name, b?.name]]),
  )
const both = (name?: string) => [name, name]

test.each([
  ['elman', elman({ units: 2, ...each }), { U: 'kernel', W: 'recurrent', b: 'bias' }],
  ['lstm', lstm({ units: 2, ...each }), { U: 'kernel', W: 'recurrent', b: 'bias' }],
  ['gru', gru({ units: 2, ...each }), { U: 'kernel', W: 'recurrent', b: 'bias' }],
  [
    'stacked',
    recurrent([gruCell({ units: 2, resetAfter: false, ...each }), gruCell({ units: 1 })]),
    {
      '0 U': 'kernel',
      '0 W': 'recurrent',
      '0 b': 'bias',
      '1 U': undefined,
      '1 W': undefined,
      '1 b': undefined,
    },
  ],
  [
    'jordan',
    jordan({ units: 2, outputs: 2, ...each }),
    { U: 'kernel', W: 'recurrent', V: 'kernel', b: 'bias', c: 'bias' },
  ],
  ['conv1d', conv1d({ filters: 2, kernelSize: 2, ...of('kernel', 'bias') }), { K: 'kernel', b: 'bias' }],
  ['batchNorm', batchNorm(of('beta', 'gamma')), { g: 'gamma', b: 'beta' }],
  ['layerNorm', layerNorm(of('beta', 'gamma')), { g: 'gamma', b: 'beta' }],
  ['layerNorm', layerNorm({ ...of('beta', 'gamma'), scale: false }), { b: 'beta' }],
])('%s: options say it of its parameters, also when loaded', (name, layer, expected) => {
  const model = sequential([layer], { input: sequenceOf })
  const said = Object.fromEntries(
    Object.entries(expected).map(([key, role]) => [`${name}/${key}`, both(role)]),
  )
  expect(saidOf(model.built)).toEqual(said)
  expect(saidOf(loadModel(saveModel(model)).model.built)).toEqual(said)
})

test('gains and shifts begin as options say, count in the loss and are held', async () => {
  const options = {
    betaInitializer: { kind: 'constant', value: -0.5 },
    gammaInitializer: { kind: 'uniform', low: 2, high: 3 },
    betaRegularizer: l2({ l2: 0.5 }),
    gammaConstraint: maxNorm({ maxValue: 1 }),
  } as const
  for (const [name, layer] of Object.entries({
    batchNorm: batchNorm(options),
    layerNorm: layerNorm(options),
  })) {
    const model = sequential([layer], { input: sequenceOf })
    const bare = sequential([name === 'batchNorm' ? batchNorm() : layerNorm()], { input: sequenceOf })
    expect(weightOf(model, `${name}/b`)).toEqual([-0.5, -0.5])
    expect(weightOf(model, `${name}/g`).every((g) => g >= 2 && g <= 3)).toBe(true)
    bare.setWeights(model.weights())
    const batch = batchOf(1, 3, 4)
    const [own, plainOne] = [await evaluate(model, [batch], squared), await evaluate(bare, [batch], squared)]
    expect(own.loss).toBeCloseTo(plainOne.loss + 0.5 * 2 * 0.25, 5)
    await fit(model, [batch], plain)
    expect(norm(weightOf(model, `${name}/g`))).toBeLessThan(1 + 1e-6)
  }
})

test('a convolution has the penalty of its kernel, and is held', async () => {
  const options = { kernelRegularizer: l2({ l2: 0.5 }), kernelConstraint: nonNeg() }
  const [model, bare] = [options, {}].map((own) =>
    sequential([conv1d({ filters: 2, kernelSize: 3, padding: 'same', groups: 2, ...own })], {
      input: sequenceOf,
    }),
  )
  bare!.setWeights(model!.weights())
  const penalty = 0.5 * size(model!, 'conv1d/K', (w) => w * w)
  const measured = await evaluate(model!, [batch], squared)
  expect(measured.loss).toBeCloseTo((await evaluate(bare!, [batch], squared)).loss + penalty, 5)
  await fit(model!, [batch], plain)
  expect(Math.min(...weightOf(model!, 'conv1d/K'))).toBeGreaterThanOrEqual(0)
})

test('embeddings, a dense layer without the bias that options speak of, and a cell of the user', () => {
  const own = defineCell<object>()({
    name: 'own',
    state: () => ({ h: 2 }),
    params: ({ inputs }) => ({ U: parameter([inputs, 2], { kind: 'glorotUniform' }, { regularizer: l2() }) }),
  }).step(({ x, state: { h }, params: { U } }) => ({ output: h, state: { h: x.matmul(U).add(h) } }))
  const embeddings = { embeddingsRegularizer: l1(), embeddingsConstraint: unitNorm({ axis: 1 }) }
  const model = sequential(
    [
      embedding({ inputDim: 5, outputDim: 3, ...embeddings }),
      recurrent(own({})),
      dense({ units: 2, useBias: false, kernelConstraint: maxNorm(), biasRegularizer: l2() }),
    ],
    { input: tokensOf },
  )
  const said = {
    'embedding/E': ['l1', 'unitNorm'],
    'own/U': ['l2', undefined],
    'dense/V': [undefined, 'maxNorm'],
  }
  expect(saidOf(model.built)).toEqual(said)
  const bytes = saveModel(model)
  const loaded = loadModel(bytes).model
  expect(saidOf(loaded.built)).toEqual(said)
  expect(saveModel(loaded)).toEqual(bytes)
})

const odd = (value: unknown) => value as never
test.each<[string, () => unknown, RegExp]>([
  ['l1 below 0', () => l1({ l1: -1 }), /l1: l1 must be a number of at least 0; received -1/],
  ['l2 of a text', () => l2({ l2: odd('1') }), /l2: l2 must be a number of at least 0; received "1"/],
  ['a misspelt option', () => l1L2(odd({ l3: 1 })), /l1L2: there is no option l3; expected l1, l2/],
  [
    'a mode',
    () => orthogonalRegularizer({ mode: odd('row') }),
    /mode must be one of rows, columns; received "row"/,
  ],
  [
    'a bias at right angles',
    () => parameter([3], { kind: 'heNormal' }, { regularizer: orthogonalRegularizer() }),
    /orthogonalRegularizer: expected a matrix of at least two rows; received \[3\]/,
  ],
  ['no length', () => maxNorm({ maxValue: 0 }), /maxNorm: maxValue must be a number above 0; received 0/],
  [
    'an axis',
    () => unitNorm({ axis: 0.5 }),
    /unitNorm: axis must be an integer or a list of them; received 0.5/,
  ],
  ['no axes', () => unitNorm({ axis: [] }), /unitNorm: axis must .* received \[\]/],
  ['bounds', () => minMaxNorm({ minValue: 2 }), /minValue must be at most maxValue; received 2 and 1/],
  ['a rate', () => minMaxNorm({ rate: 2 }), /minMaxNorm: rate must be a number from 0 to 1; received 2/],
  [
    'an axis that a bias lacks',
    () => sequential([lstm({ units: 2, biasConstraint: maxNorm({ axis: 1 }) })], { input: sequenceOf }),
    /maxNorm: axis must be one of the weight's, \[8\]; received 1/,
  ],
  [
    'no function',
    () => regularizer('own', odd(1)),
    /regularizer: expected a name and a function of the weight; received string and number/,
  ],
  [
    'no number',
    () => parameter([2], { kind: 'heNormal' }, { regularizer: regularizer('own', (w) => w) }),
    /regularizer own: of a weight \[2\] it must make f32\[\]; received f32\[2\]/,
  ],
  [
    'another shape',
    () => parameter([2], { kind: 'heNormal' }, { constraint: constraint('own', (w) => w.sum()) }),
    /constraint own: .* must make f32\[2\]; received f32\[\]/,
  ],
  [
    'a constraint as a regularizer',
    () => lstm({ units: 2, kernelRegularizer: odd(maxNorm()) }),
    /lstm: kernelRegularizer must be a regularizer, such as l2\(\) makes; received maxNorm/,
  ],
  [
    'a function that is not called',
    () => dense({ units: 2, kernelConstraint: odd(maxNorm) }),
    /dense: kernelConstraint must be a constraint, such as maxNorm\(\) makes; received maxNorm/,
  ],
  [
    'a tied kernel',
    () => dense({ units: 2, tiedTo: 'embedding', kernelConstraint: maxNorm() }),
    /dense: expected kernelConstraint or tiedTo; received both/,
  ],
  [
    'a part',
    () => joined(zeros(1), parameter([1], { kind: 'heNormal' }, { regularizer: l2() })),
    /part 1: a regularizer is of the whole, not of a part/,
  ],
  [
    'a rule of an own cell',
    () => {
      const U = { ...glorotUniform(2, 2), constraint: 'maxNorm' } as unknown as Parameter
      const cell = defineCell<object>()({ name: 'own', state: () => ({ h: 2 }), params: () => ({ U }) })
      return sequential([recurrent(cell.step(({ state: { h } }) => ({ output: h, state: { h } }))({}))], {
        input: sequenceOf,
      })
    },
    /cell own: U must be a constraint, .* received maxNorm/,
  ],
])('%s is refused', (_, act, message) => {
  expect(act).toThrow(message)
})
