/** Models of several inputs and outputs, with times of their own. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sequences } from '../../src/data/index.ts'
import {
  adam,
  add,
  bidirectional,
  call,
  concatenate,
  dense,
  embedding,
  evaluate,
  type Flow,
  fit,
  flatten,
  globalAveragePooling1d,
  gru,
  input,
  l2,
  lstm,
  model,
  predict,
  predictWithStates,
  sgd,
  summary,
} from '../../src/index.ts'
import { loadModel, saveModel } from '../../src/io/index.ts'
import type { Model } from '../../src/layers/model.ts'
import { RecurraError } from '../../src/tensor/errors.ts'
import { type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { centralDifferences } from './gradients.ts'
import { f32, i32, numbersOf, squared } from './models.ts'
import { openWasm, outside, random, runOracle, traceLoss } from './support.ts'

const tokens = (time: string) => input({ shape: [time], dtype: 'i32' })

/** An encoder both ways, whose states a decoder begins with; one embedding serves both. */
function translator(): Model {
  const [source, target] = [tokens('Tsource'), tokens('Ttarget')]
  const words = embedding({ inputDim: 5, outputDim: 3 })
  const read = source.to(words).to(bidirectional(gru({ units: 2 })))
  const h = call(concatenate(), [read.get('forward h'), read.get('backward h')])
  const written = target.to(words).to(gru({ units: 4, returnSequences: true, returnState: true }), {
    initialState: { h },
  })
  return model({ inputs: { source, target }, outputs: written.to(dense({ units: 5 })) })
}

const net = translator()
const [B, S, T] = [3, 4, 3]
const sizes = new Map(Object.entries({ B, Tsource: S, Ttarget: T }))
const { integers, weights } = random(11)
const values = {
  ...weights(net),
  ...{ 'x source': integers(B * S, 0, 4), 'x target': integers(B * T, 0, 4), y: integers(B * T, 0, 4) },
  ...{ 'lengths Tsource': [4, 1, 3], 'lengths Ttarget': [2, 3, 1] },
}

describe('an encoder–decoder', () => {
  const named = traceLoss(net, 'softmaxCrossEntropy', true)
  const reference = runOracle(named, values, sizes)

  test('one embedding of two inputs is one variable; a layer that is called again has the same weights', () => {
    expect([...net.built.params.keys()].filter((path) => path.startsWith('embedding'))).toEqual([
      'embedding/E',
    ])
    expect(net.calls.map(({ name }) => name)).toContain('embedding@2')
    expect(summary(net)).toMatch(/embedding@2 +\[B, Ttarget, 3\] +0\n/)
  })

  test('gradients agree with central differences, and WASM with f64, where both times are ragged', async () => {
    const paths = [...net.built.params.keys()]
    expect(outside('f64', reference, centralDifferences(named, paths, values, sizes))).toEqual([])
    expect(outside('f32', await (await openWasm(named))(values, sizes), reference)).toEqual([])
  })

  test('what is beyond a row’s end in either time changes no bit', () => {
    const garbage = {
      ...values,
      'x source': values['x source'].map((token, i) =>
        i % S < [4, 1, 3][Math.floor(i / S)]! ? token : 4 - token,
      ),
      'x target': values['x target'].map((token, i) =>
        i % T < [2, 3, 1][Math.floor(i / T)]! ? token : 4 - token,
      ),
    }
    expect(runOracle(named, garbage, sizes)).toEqual(reference)
  })

  test('masks say what lengths say', () => {
    const masked = traceLoss(net, 'softmaxCrossEntropy', false, true)
    const mask = (lengths: readonly number[], steps: number) =>
      lengths.flatMap((length) => Array.from({ length: steps }, (_, t) => Number(t < length)))
    const given = {
      ...values,
      'mask Tsource': mask(values['lengths Tsource'], S),
      'mask Ttarget': mask(values['lengths Ttarget'], T),
    }
    const { output: _, ...rest } = reference
    expect(outside('f64', runOracle(masked, given, sizes), rest)).toEqual([])
  })

  test('predicts as in training, from lists of unlike lengths; a file predicts the same', async () => {
    net.setWeights(
      new Map(
        [...net.built.params].map(([path, { shape }]) => {
          return [path, f32((values as Record<string, number[]>)[path]!, ...shape)] as const
        }),
      ),
    )
    const rows = (name: 'source' | 'target', steps: number) =>
      values[`lengths T${name}`].map((length, b) =>
        i32(values[`x ${name}`].slice(b * steps, b * steps + length), length),
      )
    const x = { source: rows('source', S), target: rows('target', T) }
    const { output, lengths } = await predictWithStates(net, x)
    expect(outside('f32', { output: output.data }, { output: reference['output']! })).toEqual([])
    expect(lengths).toEqual(i32([2, 3, 1], 3))
    const bytes = saveModel(net)
    const loaded = loadModel(bytes).model
    expect((await predict(loaded, x)).data).toEqual(output.data)
    expect(saveModel(loaded)).toEqual(bytes)
  })
})

describe('several outputs', () => {
  const x = input({ shape: [null, 2] })
  const h = x.to(lstm({ units: 3, returnSequences: true }))
  const net = model({
    inputs: x,
    outputs: {
      step: h.to(dense({ units: 2 })),
      whole: h.to(globalAveragePooling1d()).to(dense({ units: 3 })),
    },
  })
  const { numbers } = random(3)
  const batch = {
    inputs: f32(numbers(2 * 3 * 2), 2, 3, 2),
    targets: { step: f32(numbers(2 * 3 * 2), 2, 3, 2), whole: i32([2, 0], 2) },
    lengths: i32([3, 1], 2),
    reset: true,
  }
  const loss = { step: 'meanSquaredError', whole: 'softmaxCrossEntropy' } as const

  test('the loss is the weighted sum of theirs, and goes down', async () => {
    const of = async (lossWeights: Record<string, number>) =>
      (await evaluate(net, [batch], { loss, lossWeights })).loss
    const [both, step, whole] = [await of({}), await of({ whole: 0 }), await of({ step: 0 })]
    expect(step + whole).toBeCloseTo(both, 5)
    expect(await of({ step: 2, whole: 0.5 })).toBeCloseTo(2 * step + whole / 2, 5)
    const { epochs } = await fit(net, [batch], { loss, epochs: 60, optimizer: adam({ learningRate: 0.05 }) })
    expect(epochs.at(-1)!.loss).toBeLessThan(both / 3)
    const { outputs } = await predictWithStates(net, batch.inputs)
    expect(Object.entries(outputs).map(([name, { shape }]) => [name, shape])).toEqual([
      ['step', [2, 3, 2]],
      ['whole', [2, 3]],
    ])
  })

  test('how batches are cut changes no loss: each output’s mean is over its own steps and rows', async () => {
    const lengths = [5, 1, 3, 2, 5]
    const rows = (width: number) => lengths.map((length) => f32(numbers(length * width), length, width))
    const targets = { step: rows(2), whole: [2, 0, 1, 1, 0] }
    const weights = { step: lengths.map((length) => f32(numbers(length).map(Math.abs), length)) }
    const x = input({ shape: [null, 2] })
    const h = x.to(gru({ units: 3, returnSequences: true, kernelRegularizer: l2({ l2: 0.5 }) }))
    const step = h.to(dense({ units: 2 }))
    const own = model({
      inputs: { x },
      outputs: { step, whole: h.to(globalAveragePooling1d()).to(dense({ units: 3 })) },
    })
    const options = { loss, lossWeights: { whole: 0.5 } }
    const inputs = { x: rows(2) }
    const losses = [5, 1, 2, 3].map(
      async (batch) => (await evaluate(own, sequences(inputs, targets, { batch, weights }), options)).loss,
    )
    const [whole, ...others] = await Promise.all(losses)
    for (const each of others) expect(each).toBeCloseTo(whole!, 5)
    const batches = sequences(inputs, targets, { batch: 2, weights })
    const still = { ...options, optimizer: sgd({ learningRate: 1e-30 }), epochs: 1, validation: { batches } }
    expect((await fit(own, batches, still)).epochs[0]!.validationLoss).toBeCloseTo(whole!, 5)
  })

  test('metrics of each by name, over its own steps and rows, in evaluation and validation', async () => {
    const longer = { ...batch, inputs: f32(numbers(2 * 5 * 2), 2, 5, 2), lengths: i32([5, 4], 2) }
    const all = [batch, { ...longer, targets: { ...batch.targets, step: f32(numbers(20), 2, 5, 2) } }]
    const metrics = { step: ['meanAbsoluteError'], whole: ['accuracy'] } as const
    const { metrics: reached } = await evaluate(net, all, { loss, metrics })
    let [missed, places, right] = [0, 0, 0]
    for (const { inputs, targets, lengths } of all) {
      const { outputs } = await predictWithStates(net, inputs, { lengths })
      const { step, whole } = outputs as Record<'step' | 'whole', Tensor>
      for (const b of [0, 1]) {
        const scores = whole.data.subarray(3 * b, 3 * b + 3)
        if (scores.indexOf(Math.max(...scores)) === targets.whole.data[b]) right++
        for (let i = 0; i < 2 * lengths.data[b]!; i++, places++) {
          const at = 2 * b * inputs.shape[1]! + i
          missed += Math.abs(step.data[at]! - targets.step.data[at]!)
        }
      }
    }
    expect(reached['step/meanAbsoluteError']).toBeCloseTo(missed / places, 5)
    expect(reached['whole/accuracy']).toBe(right / 4)
    const options = {
      optimizer: sgd({ learningRate: 1e-30 }),
      epochs: 1,
      validation: { batches: all, metrics },
    }
    const { epochs } = await fit(net, all, { loss, ...options })
    expect(epochs[0]!.validationMetrics).toEqual(reached)
  })

  test.each<[string, object, RegExp]>([
    [
      'a list of metrics',
      { loss, validation: { batches: [batch], metrics: ['f1'] } },
      /\{ step: \['accuracy'\] \}/,
    ],
    [
      'metrics of none',
      { loss, validation: { batches: [batch], metrics: { all: ['f1'] } } },
      /step, whole; received all/,
    ],
    [
      'one loss for two',
      { loss: 'meanSquaredError' },
      /one for each output of the model, \{ step, whole \}; received "meanSquaredError"/,
    ],
    [
      'a loss of no output',
      { loss: { step: 'hinge', all: 'hinge' } },
      /received \{"step":"hinge","all":"hinge"\}/,
    ],
    ['a weight of none', { loss, lossWeights: { all: 1 } }, /lossWeights: .*all/],
    ['a weight below 0', { loss, lossWeights: { step: -1 } }, /step.*at least 0.*-1/],
    ['accumulation', { loss, accumulate: 2 }, /accumulate expects a model with one output/],
    ['weights of classes', { loss, classWeight: { 0: 2 } }, /classWeight expects a model with one output/],
  ])('refused: %s', async (_, options, message) => {
    await expect((async () => fit(net, [batch], options as never))()).rejects.toThrow(message)
  })
})

describe('two inputs', () => {
  const reader = (times: readonly [string | null, string | null]) => {
    const [a, b] = times.map((time) => input({ shape: [time, 2] })) as [Flow, Flow]
    return model({ inputs: { a, b }, outputs: call(concatenate(), [a, b].map((each) => each.to(gru({ units: 2 })))) }) // biome-ignore format: one line
  }
  const [shared, apart] = [reader([null, null]), reader(['Ta', 'Tb'])]
  apart.setWeights(new Map(shared.weights()))
  const clash = /inputs a and b share their time, but not their lengths .* shape: \['Tb', …\]/
  const { numbers } = random(8)
  const of = (lengths: readonly number[]) => lengths.map((length) => f32(numbers(2 * length), length, 2))
  const whole = (rows: readonly Tensor[]) => f32(rows.flatMap(({ data }) => [...data]), rows.length, 3, 2) // biome-ignore format: one line

  test('that share a time are as long as each other, row by row, or refused', async () => {
    const length = fc.integer({ min: 1, max: 3 })
    // All reach T = 3 in some row, so that padding alone tells nothing.
    const lengths = fc.array(length, { minLength: 2, maxLength: 2 }).map((some) => [3, ...some])
    await fc.assert(
      fc.asyncProperty(lengths, lengths, fc.boolean(), async (la, lb, asTensors) => {
        const given = { a: of(la), b: of(lb) }
        const x = Object.fromEntries(
          Object.entries(given).map(([name, rows]) => {
            const isWhole = asTensors && rows.every(({ shape }) => shape[0] === 3)
            return [name, isWhole ? whole(rows) : rows]
          }),
        )
        const reference = (await predict(apart, x)).data
        const batches = sequences(x, f32([...reference], 3, 4), { batch: 3 })
        const loss = 'meanSquaredError'
        const runs = [
          () => predict(shared, x).then(({ data }) => expect(data).toEqual(reference)),
          () =>
            evaluate(shared, batches, { loss }).then((reached) => expect(reached.loss).toBeCloseTo(0, 10)),
          async () => fit(shared, batches, { loss, epochs: 1, optimizer: sgd({ learningRate: 1e-30 }) }),
        ]
        expect((await evaluate(apart, batches, { loss })).loss).toBeCloseTo(0, 10)
        for (const run of runs) {
          if (String(la) === String(lb)) await run()
          else await expect(run()).rejects.toThrow(clash)
        }
      }),
      { numRuns: 12 },
    )
  })

  test('may have their lengths, or a mask, said of one of them', async () => {
    const ends = i32([3, 1], 2)
    const x = { a: whole(of([3, 3])), b: whole(of([3, 3])) }
    const expected = await predict(apart, x, { lengths: { a: ends, b: ends } })
    expect(await predict(shared, x, { lengths: { b: ends } })).toEqual(expected)
    expect(await predict(shared, x, { lengths: { a: ends, b: ends } })).toEqual(expected)
    await expect(predict(shared, x, { lengths: { a: i32([3, 2], 2), b: ends } })).rejects.toThrow(clash)
    const rows = { a: of([3, 2]), b: of([3, 2]) }
    const gaps = [[1, 0, 1], [0, 1]] // biome-ignore format: one line shows the lengths
    const masked = await predict(apart, rows, { mask: { a: gaps, b: gaps } })
    for (const name of ['a', 'b'])
      expect(await predict(shared, rows, { mask: { [name]: gaps } })).toEqual(masked)
  })
})

test('an image without time beside sequences: a batch says of it that all is there, which changes nothing', async () => {
  const [image, x] = [input({ shape: [2, 2] }), input({ shape: [null, 2] })]
  const parts = [image.to(flatten()), x.to(gru({ units: 2 }))]
  const net = model({ inputs: { image, x }, outputs: call(concatenate(), parts).to(dense({ units: 1 })) })
  const given = { image: f32([1, 2, 3, 4, 5, 6, 7, 8], 2, 2, 2), x: [[[1, 2], [3, 4]], [[5, 6]]] } // biome-ignore format: one line
  const targets = await predict(net, given)
  const { loss } = await evaluate(net, sequences(given, targets, { batch: 2 }), squared)
  expect(loss).toBeCloseTo(0, 10)
  const [batch] = sequences(given, targets, { batch: 2 })
  const short = { ...batch!, lengths: { image: i32([2, 1], 2) } }
  await expect(evaluate(net, [short], squared)).rejects.toThrow(/takes rows without time as its input image/)
})

describe('batches by name', () => {
  const list = (...rows: number[][]) => rows.map((row) => i32(row, row.length))
  const source = list([1, 2, 3], [4], [1, 1])
  const target = list([0, 1], [0, 2, 3], [0])
  const next = list([1, 2], [2, 3, 4], [1])

  test('each input is padded by itself', () => {
    const [first] = sequences({ source, target }, next, { batch: 2 })
    expect(first).toEqual({
      inputs: { source: i32([1, 2, 3, 4, 0, 0], 2, 3), target: i32([0, 1, 0, 0, 2, 3], 2, 3) },
      targets: i32([1, 2, 0, 2, 3, 4], 2, 3),
      lengths: { source: i32([3, 1], 2), target: i32([2, 3], 2) },
      reset: true,
    })
  })

  test('every epoch has an order of its own; a training that is resumed goes on in it, bit for bit', async () => {
    const batches = sequences({ source, target }, next, { batch: 1, shuffle: true, seed: 4 })
    const orders = [1, 2, 3, 4].map((epoch) =>
      Array.from(
        batches.epoch!(epoch),
        ({ inputs }) =>
          (inputs as Record<string, Tensor>)['source']!.data[0]! +
          (inputs as Record<string, Tensor>)['source']!.data.length,
      ),
    )
    expect(new Set(orders.map(String)).size).toBeGreaterThan(1)
    for (const order of orders) expect(order.toSorted()).toEqual(orders[0]!.toSorted())
    const options = { loss: 'softmaxCrossEntropy', seed: 1 } as const
    const [whole, parts] = [translator(), translator()]
    await fit(whole, batches, { ...options, epochs: 3 })
    const run = fit(parts, batches, { ...options, epochs: 1 })
    await run
    await fit(parts, batches, { ...options, epochs: 3, resume: await run.state() })
    expect(numbersOf(parts)).toEqual(numbersOf(whole))
  })

  test.each<[string, () => unknown, RegExp]>([
    [
      'unlike numbers of rows',
      () => sequences({ source, target: target.slice(1) }, next, { batch: 1 }),
      /source has 3 rows; received 2 of target/,
    ],
    [
      'targets of another number',
      () => [...sequences({ source, target }, tensor([1, 2], undefined, 'i32'), { batch: 1 })],
      /targets output .* 3 sequences/,
    ],
    [
      'nothing',
      () => sequences({}, next, { batch: 1 }),
      /expected inputs and targets by name; received none/,
    ],
    [
      'targets that are as long as no input',
      () => sequences({ source, target }, { next, other: list([1, 2], [2], [1]) }, { batch: 1 }),
      /targets other: sequence 1 has 3 steps; received 1\. Give one target for each step of an input/,
    ],
    [
      'targets of rows without time',
      () => sequences({ x: [[1, 2]] }, { y: [[3]] }, { batch: 1 }),
      /targets y: no input has steps/,
    ],
    [
      'a mask of no input',
      () => sequences({ source, target }, next, { batch: 1, mask: { next: [[1, 1], [1, 1, 1], [1]] } }), // biome-ignore format: one line
      /mask: there is no input next; expected source, target/,
    ],
    [
      'a mask of two inputs',
      () => sequences({ source, target }, next, { batch: 1, mask: [[1, 1], [1, 1, 1], [1]] }), // biome-ignore format: one line
      /mask: expected an object of inputs \{ source, target \}; received a list/,
    ],
    [
      'weights of no output',
      () => sequences({ source, target }, { next }, { batch: 1, weights: { target: [1, 2, 3] } }),
      /weights: there is no output target; expected next/,
    ],
    [
      'weights of two outputs',
      () => sequences({ target }, { next, more: next }, { batch: 1, weights: [1, 2, 3] }),
      /weights: expected an object of outputs \{ next, more \}; received a list/,
    ],
    ['no bucket', () => sequences(source, next, { batch: 1, bucket: 0.5 }), /bucket.*0.5/],
    ['shuffle that is no flag', () => sequences(source, next, { batch: 1, shuffle: 1 as never }), /shuffle/],
  ])('refused: %s', (_, make, message) => {
    expect(make).toThrow(message)
  })
})

describe('bad input', () => {
  const x = input({ shape: [null, 2] })
  const h = x.to(lstm({ units: 3, returnSequences: true }))
  const other = input({ shape: ['words'], dtype: 'i32' })
  const boxed = input({ shape: ['B', 2] })

  test.each<[string, () => unknown, RegExp]>([
    ['no layer', () => call('lstm' as never, [x]), /call: expected a layer such as lstm.*received string/],
    ['no list', () => call(add(), x as never), /add: expected a list of what it reads/],
    [
      'no flow',
      () => call(add(), [x, 3 as never]),
      /add: expected what input\(\{ shape \}\) or a layer's call gives; received number/,
    ],
    [
      'an input that is not listed',
      () => model({ inputs: x, outputs: other.to(embedding({ inputDim: 3, outputDim: 2 })) }),
      /depends on an input i32\[B, words\] that is not among its inputs: x/,
    ],
    [
      'an input that is not used',
      () => model({ inputs: { x, other }, outputs: h }),
      /no output depends on the input other/,
    ],
    [
      'an output that is an input',
      () => model({ inputs: { x }, outputs: { same: x, h } }),
      /the output same is an input itself/,
    ],
    ['no outputs', () => model({ inputs: x, outputs: {} }), /model: expected outputs; received none/],
    [
      'a name of no word',
      () => model({ inputs: { 'a b': x }, outputs: h }),
      /inputs are named by words; received "a b"/,
    ],
    [
      'an input that is a layer',
      () => model({ inputs: h, outputs: h }),
      /the input x must be one that input/,
    ],
    [
      'a time that means something else',
      () => model({ inputs: boxed, outputs: boxed.to(lstm({ units: 3 })) }),
      /a name such as 'Tsource'/,
    ],
    [
      'a state of another shape',
      () => model({ inputs: x, outputs: x.to(gru({ units: 2 }), { initialState: h }) }),
      /gru: state h must be f32\[B, 2\]; received \[B, 3\]/,
    ],
    [
      'a state that is not there',
      () => model({ inputs: x, outputs: x.to(gru({ units: 3 }), { initialState: { c: h.get('c') } }) }),
      /gru: initialState names c; its states are h/,
    ],
    [
      'states of what is none',
      () =>
        x.to(gru({ units: 3 }), { initialState: 3 as never }) &&
        model({ inputs: x, outputs: x.to(gru({ units: 3 }), { initialState: x }) }),
      /initialState/,
    ],
    ['a part that is not there', () => model({ inputs: x, outputs: h.get('q') }), /nothing of it is named q/],
    ['layers that do not fit', () => model({ inputs: x, outputs: call(add(), [x, h]) }), /add/],
  ])('refused when built: %s', (_, make, message) => {
    expect(make).toThrow(RecurraError)
    expect(make).toThrow(message)
  })

  const good = {
    inputs: { source: i32([1, 2], 1, 2), target: i32([0], 1, 1) },
    targets: i32([1], 1, 1),
    reset: true,
  }
  test.each<[string, object, RegExp]>([
    [
      'one input of two',
      { ...good, inputs: good.inputs.source },
      /inputs are \{ source, target \}; received one tensor/,
    ],
    [
      'an input too many',
      { ...good, inputs: { ...good.inputs, more: good.targets } },
      /received \{ source, target, more \}/,
    ],
    [
      'unlike rows',
      { ...good, inputs: { ...good.inputs, source: i32([1, 2], 2, 1) } },
      /input target takes .* B .*received 1 and 2/,
    ],
    [
      'numbers for tokens',
      { ...good, inputs: { ...good.inputs, target: f32([0], 1, 1) } },
      /input target takes i32\[B, Ttarget\]; received f32\[1, 1\]/,
    ],
    [
      'weights of no output',
      { ...good, weights: { more: f32([1], 1) } },
      /weights are those of the model's outputs, \{ output \}; received more/,
    ],
    [
      'a length beyond the end',
      { ...good, lengths: { source: i32([3], 1) } },
      /length must lie in 1 … 2; received 3/,
    ],
  ])('refused in training: %s', async (_, batch, message) => {
    await expect(
      (async () => fit(translator(), [batch as never], { loss: 'softmaxCrossEntropy' }))(),
    ).rejects.toThrow(message)
  })

  test('what takes one input says so', () => {
    expect(() => translator().input).toThrow(/expected a model with one input; this one has source, target/)
  })
})
