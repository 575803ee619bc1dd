/** Metrics against plain loops over predictions: classes, two sides and values; what is masked counts for nothing. */
import { expect, test } from 'vitest'
import type { Batch } from '../../src/data/batches.ts'
import { dense } from '../../src/layers/dense.ts'
import type { Model } from '../../src/layers/model.ts'
import { lstm } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { ArgumentError, DataError, ShapeError } from '../../src/tensor/errors.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { fit } from '../../src/train/fit.ts'
import type { LossName } from '../../src/train/losses.ts'
import {
  f1,
  type MaseOptions,
  type MetricOption,
  mase,
  precision,
  recall,
  topKAccuracy,
} from '../../src/train/metrics.ts'
import { evaluate, predict } from '../../src/train/predict.ts'
import type { EpochEvent } from '../../src/train/run.ts'
import { f32, i32, sequenceOf } from './models.ts'
import { outside, random } from './support.ts'

const [T, V] = [5, 4]
const presences = {
  'all steps': () => ({}),
  lengths: (B: number) => ({ lengths: i32([5, 1, 3].slice(0, B), B) }),
  mask: (B: number) => ({ mask: i32(Array.from('011010001011011'.slice(0, B * T), Number), B, T) }),
}
type Padding = keyof typeof presences

/** What a step or row has: scores z and targets y, one of each feature, or the class as the only y. */
interface Place {
  readonly z: readonly number[]
  readonly y: readonly number[]
}

const net = (units: number, returnSequences: boolean) =>
  sequential(
    [
      lstm({ units: 6, returnSequences }),
      dense({ units, kernelInitializer: { kind: 'normal', deviation: 3 } }),
    ],
    {
      input: sequenceOf,
    },
  )

/** Two batches of unlike rows. */
function batchesOf(
  units: number,
  sequence: boolean,
  padding: Padding,
  target: (i: number) => number,
  isClass: boolean,
) {
  return [3, 2].map((B, at): Batch => {
    const { numbers } = random(7 + at)
    const lead = sequence ? [B, T] : [B]
    const width = isClass ? [] : [units]
    const count = [...lead, ...width].reduce((product, size) => product * size, 1)
    const y = random(20 + at)
      .integers(count, 0, 999)
      .map(target)
    const targets = isClass ? i32(y, ...lead) : f32(y, ...lead, ...width)
    return { inputs: f32(numbers(B * T * 2), B, T, 2), targets, ...presences[padding](B), reset: true }
  })
}

async function placesOf(model: Model, batches: readonly Batch[], units: number, sequence: boolean) {
  const places: Place[] = []
  for (const { inputs, targets, lengths, mask } of batches) {
    const { data } = await predict(model, inputs, { ...(lengths && { lengths }), ...(mask && { mask }) })
    const width = targets.data.length / (data.length / units)
    for (let at = 0; at < data.length / units; at++) {
      const [row, step] = [Math.floor(at / T), at % T]
      const isThere = mask ? mask.data[at] === 1 : step < (lengths?.data[row] ?? T)
      if (sequence && !isThere) continue
      const cut = (all: ArrayLike<number>, size: number) => Array.from(all).slice(at * size, (at + 1) * size)
      places.push({ z: cut(data, units), y: cut(targets.data, width) })
    }
  }
  return places
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
const over = (a: number, b: number) => (a === 0 ? 0 : a / b)
const likeliest = ({ z }: Place) => z.indexOf(Math.max(...z))

/** Precision, recall and F1 from [said, is] of every class. */
function scores(classes: readonly (readonly (readonly [boolean, boolean])[])[]) {
  const counts = classes.map((pairs) => ({
    hits: pairs.filter(([said, is]) => said && is).length,
    predicted: pairs.filter(([said]) => said).length,
    actual: pairs.filter(([, is]) => is).length,
  }))
  const total = (name: 'hits' | 'predicted' | 'actual') => counts.reduce((sum, each) => sum + each[name], 0)
  const [hits, predicted, actual] = [total('hits'), total('predicted'), total('actual')]
  return {
    precision: mean(counts.map((each) => over(each.hits, each.predicted))),
    recall: mean(counts.map((each) => over(each.hits, each.actual))),
    f1: mean(counts.map((each) => over(2 * each.hits, each.predicted + each.actual))),
    microPrecision: over(hits, predicted),
    microRecall: over(hits, actual),
    microF1: over(2 * hits, predicted + actual),
  }
}

const micro = [
  precision({ average: 'micro', name: 'microPrecision' }),
  recall({ average: 'micro', name: 'microRecall' }),
  f1({ average: 'micro', name: 'microF1' }),
] as const
const series = random(4).numbers(24)
const kinds: readonly (readonly [
  name: string,
  loss: LossName,
  units: number,
  target: (i: number) => number,
  metrics: readonly MetricOption[],
  expected: (places: readonly Place[]) => Record<string, number>,
])[] = [
  [
    'classes',
    'softmaxCrossEntropy',
    V,
    (i) => i % (V - 1),
    ['accuracy', topKAccuracy(2), 'perplexity', 'bitsPerCharacter', 'precision', 'recall', 'f1', ...micro],
    (places) => {
      const nats = places.map(({ z, y }) => {
        const highest = Math.max(...z)
        return Math.log(z.reduce((sum, each) => sum + Math.exp(each - highest), 0)) + highest - z[y[0]!]!
      })
      const better = ({ z, y }: Place) => z.filter((each) => each > z[y[0]!]!).length
      return {
        accuracy: mean(places.map((place) => Number(likeliest(place) === place.y[0]))),
        top2Accuracy: mean(places.map((place) => Number(better(place) < 2))),
        perplexity: Math.exp(mean(nats)),
        bitsPerCharacter: mean(nats) / Math.log(2),
        ...scores(
          Array.from({ length: V }, (_, v) =>
            places.map((place) => [likeliest(place) === v, place.y[0] === v]),
          ),
        ),
      }
    },
  ],
  [
    'two classes',
    'softmaxCrossEntropy',
    2,
    (i) => i % 2,
    [precision({ average: 'binary' }), recall({ average: 'binary' }), f1({ average: 'binary' })],
    (places) => {
      const { precision, recall, f1 } = scores([
        places.map((place) => [likeliest(place) === 1, place.y[0] === 1]),
      ])
      return { precision, recall, f1 }
    },
  ],
  ...(['binaryCrossEntropy', 'hinge'] as const).map(
    (loss) =>
      [
        `labels, ${loss}`,
        loss,
        3,
        (i: number) => (i % 2 === 1 ? 1 : loss === 'hinge' ? -1 : 0),
        ['accuracy', 'precision', 'recall', 'f1', ...micro],
        (places: readonly Place[]) => ({
          accuracy: mean(places.flatMap(({ z, y }) => z.map((each, o) => Number(each > 0 === y[o]! > 0)))),
          ...scores([0, 1, 2].map((o) => places.map(({ z, y }) => [z[o]! > 0, y[o]! > 0]))),
        }),
      ] as const,
  ),
  [
    'values',
    'huber',
    2,
    (i) => i / 500 - 1,
    ['meanAbsoluteError', 'rootMeanSquaredError', mase({ season: 3, train: tensor(series, [12, 2]) })],
    (places) => {
      const errors = [0, 1].map((o) => places.map(({ z, y }) => z[o]! - y[o]!))
      const naive = [0, 1].map((o) => {
        const own = series.filter((_, i) => i % 2 === o)
        return mean(own.slice(3).map((value, t) => Math.abs(value - own[t]!)))
      })
      return {
        meanAbsoluteError: mean(errors.flat().map(Math.abs)),
        rootMeanSquaredError: Math.sqrt(mean(errors.flat().map((error) => error ** 2))),
        mase: mean(errors.map((own, o) => mean(own.map(Math.abs)) / naive[o]!)),
      }
    },
  ],
]
const cases = kinds.flatMap(([name, ...kind]) => [
  ...(Object.keys(presences) as Padding[]).map(
    (padding) => [`${name}, ${padding}`, padding, true, ...kind] as const,
  ),
  [`${name}, one a row`, 'lengths', false, ...kind] as const,
])

test.each(cases)('%s', async (_, padding, sequence, loss, units, target, metrics, expected) => {
  const model = net(units, sequence)
  const batches = batchesOf(units, sequence, padding, target, loss === 'softmaxCrossEntropy')
  const reached = await evaluate(model, batches, { loss, metrics })
  const wanted = expected(await placesOf(model, batches, units, sequence))
  expect(Object.keys(reached.metrics).sort()).toEqual(Object.keys(wanted).sort())
  const listed = (values: Readonly<Record<string, number>>) =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, [value]]))
  expect(outside('f32', listed(reached.metrics), listed(wanted))).toEqual([])
})

const classes = batchesOf(V, true, 'mask', (i) => i % V, true)

test('fit measures its validation: what evaluate says of the model then', async () => {
  const model = net(V, true)
  const metrics = ['accuracy', topKAccuracy(3)] as const
  const options = { loss: 'softmaxCrossEntropy' } as const
  const validation = { batches: classes, metrics, every: 2 }
  const { epochs } = await fit(model, classes, { ...options, epochs: 4, validation })
  const { loss, metrics: reached } = await evaluate(model, classes, { ...options, metrics })
  expect(epochs.map(({ validationMetrics }) => validationMetrics === undefined)).toEqual([
    true,
    false,
    true,
    false,
  ])
  expect(epochs[3]).toMatchObject({
    validationLoss: loss,
    validationMetrics: reached,
  } satisfies Partial<EpochEvent>)
  expect(reached.accuracy).toBeLessThanOrEqual(reached.top3Accuracy)
})

test('MASE of several values ahead: each by the naive error of its feature', async () => {
  const series = Float64Array.of(1, 2, 4, 3, 5)
  const model = net(4, true)
  const batches = batchesOf(4, true, 'lengths', (i) => i / 500, false)
  const places = await placesOf(model, batches, 4, true)
  const errors = [0, 1, 2, 3].map((o) => mean(places.map(({ z, y }) => Math.abs(z[o]! - y[o]!))))
  const measured = async (train: MaseOptions['train']) => {
    const metrics = [mase({ train })] as const
    return [(await evaluate(model, batches, { loss: 'meanSquaredError', metrics })).metrics.mase]
  }
  const reached = { one: await measured(series), two: await measured([...series].map((x) => [x, 10 * x])) }
  const [one, two] = [mean(errors) / 1.5, mean(errors.map((error, o) => error / (o % 2 === 0 ? 1.5 : 15)))]
  expect(outside('f32', reached, { one: [one], two: [two] })).toEqual([])
  await expect(measured([...series].map((x) => [x, x, x]))).rejects.toThrow('train has 3 features')
})

test('a metric of one’s own is a function of sums', async () => {
  const least = {
    name: 'squaredNorm',
    terms: ({ output }: Parameters<ReturnType<typeof f1>['terms']>[0]) => output.square(),
    result: (sums: readonly number[], count: number) => sums.reduce((all, sum) => all + sum, 0) / count,
  } as const
  const model = net(V, true)
  const { metrics } = await evaluate(model, classes, { loss: 'softmaxCrossEntropy', metrics: [least] })
  const places = await placesOf(model, classes, V, true)
  const expected = mean(places.map(({ z }) => z.reduce((sum, value) => sum + value ** 2, 0)))
  expect(outside('f32', { norm: [metrics.squaredNorm] }, { norm: [expected] })).toEqual([])
})

test.each<[metrics: unknown, loss: LossName, error: new (...args: never[]) => Error, message: string]>([
  ['accuracy', 'softmaxCrossEntropy', ArgumentError, 'metrics must be a list'],
  [['toString'], 'softmaxCrossEntropy', ArgumentError, 'accuracy, bitsPerCharacter,'],
  [[{}], 'softmaxCrossEntropy', ArgumentError, 'received {}'],
  [['f1', f1({ average: 'micro' })], 'softmaxCrossEntropy', ArgumentError, 'two are named f1'],
  [['accuracy'], 'meanSquaredError', ArgumentError, 'accuracy expects a loss on classes, or'],
  [['perplexity'], 'binaryCrossEntropy', ArgumentError, 'received binaryCrossEntropy'],
  [['meanAbsoluteError'], 'softmaxCrossEntropy', ArgumentError, 'a loss on numbers'],
  [[f1({ average: 'binary' })], 'softmaxCrossEntropy', ShapeError, 'expects 2 classes; received 4'],
])('metrics %j of %s are refused, by fit before it begins', async (metrics, loss, error, message) => {
  const batches = loss === 'softmaxCrossEntropy' ? classes : batchesOf(V, true, 'mask', (i) => i % 2, false)
  const options = { loss, metrics: metrics as MetricOption[] }
  const refused = evaluate(net(V, true), batches, options)
  await expect(refused).rejects.toThrow(error)
  await expect(refused).rejects.toThrow(message)
  const run = fit(net(V, true), batches, { loss, validation: { batches, metrics: options.metrics } })
  const events: string[] = []
  const watched = (async () => {
    for await (const { kind } of run) events.push(kind)
  })()
  await expect(watched).rejects.toThrow(message)
  if (error === ArgumentError) expect(events).toEqual([])
})

test.each<[() => unknown, new (...args: never[]) => Error, string]>([
  [() => topKAccuracy(0), ArgumentError, 'topKAccuracy: k must be an integer of at least 1; received 0'],
  [
    () => f1({ average: 'weighted' as never }),
    ArgumentError,
    'f1: average must be one of macro, micro, binary',
  ],
  [() => mase({ train: [1, 2], season: 0 }), ArgumentError, 'season'],
  [() => mase({ train: [1, 2], season: 2 }), DataError, 'longer than a season of 2; received 2'],
  [() => mase({ train: [1, 1, 1] }), DataError, 'must miss by more than 0; received 0 of feature 0'],
  [() => mase({ train: [[[1]], [[2]]] }), ShapeError, '[time] or [time, features]; received [2,1,1]'],
])('%s', (make, error, message) => {
  expect(make).toThrow(error)
  expect(make).toThrow(message)
})
