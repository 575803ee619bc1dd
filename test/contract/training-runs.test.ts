/** What a run may be told on its way: to measure, to stop, to go on from where another stood; and what it says of NaN. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Batch } from '../../src/data/batches.ts'
import { dense } from '../../src/layers/dense.ts'
import type { Model } from '../../src/layers/model.ts'
import { elman } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { type FitOptions, fit } from '../../src/train/fit.ts'
import { adam, adamW, rmsprop, sgd } from '../../src/train/optimizers.ts'
import { evaluate } from '../../src/train/predict.ts'
import type { EpochEvent, Run } from '../../src/train/run.ts'
import { cosineDecay } from '../../src/train/schedules.ts'
import { TrainingStep } from '../../src/train/training-step.ts'
import { batchOf, f32, i32, lstmNet, numbersOf, sequenceOf, squared, stillness, windowsOf } from './models.ts'
import { random } from './support.ts'

const hashOf = (model: Model) => {
  const hash = createHash('sha256')
  for (const data of numbersOf(model))
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  return hash.digest('hex')
}

/** Stops after the step, as soon as it is told of. */
async function stopAfter(run: Run, step: number) {
  for await (const event of run) if (event.kind === 'step' && event.step === step) run.stop()
  return { state: await run.state(), history: await run }
}

describe('validation and early stopping', () => {
  const [batches, validation] = [[batchOf(1, 2, 3)], { batches: [batchOf(2, 3, 4), batchOf(3, 1, 2)] }]

  test('a validation is an evaluation after its epoch', async () => {
    const [model, other] = [lstmNet(), lstmNet()]
    const { epochs } = await fit(model, batches, {
      ...squared,
      epochs: 4,
      validation: { ...validation, every: 2 },
    })
    expect(epochs.map(({ validationLoss }) => validationLoss !== undefined)).toEqual([
      false,
      true,
      false,
      true,
    ])
    await fit(other, batches, { ...squared, epochs: 4 })
    expect(numbersOf(other)).toEqual(numbersOf(model))
    const { loss } = await evaluate(model, validation.batches, squared)
    expect(epochs[3]!.validationLoss).toBe(loss)
  })

  /** A rate that ruins the model after three steps, one an epoch. */
  const ruined = sgd({ learningRate: (step) => (step < 3 ? 0.05 : 3) })
  test.each([
    ['the validation', { validation }],
    ['the training alone', {}],
  ])(
    'by the loss of %s: ends after `patience` epochs without a better one, with the best weights',
    async (_, more) => {
      const options = { ...squared, optimizer: ruined, epochs: 50, ...more }
      const weights: string[] = []
      const watched = lstmNet()
      const run = fit(watched, batches, { ...options, earlyStopping: { patience: 3 } })
      const { epochs, best, reason, stopped } = await run
      for (let n = 1; n <= epochs.length; n++) {
        const model = lstmNet()
        await fit(model, batches, { ...options, epochs: n })
        weights.push(hashOf(model))
      }
      const losses = epochs.map(({ loss, validationLoss = loss }) => validationLoss)
      expect([best, reason, stopped]).toEqual([
        { epoch: losses.indexOf(Math.min(...losses)) + 1, loss: Math.min(...losses) },
        'earlyStopping',
        false,
      ])
      expect(epochs.length).toBe(best!.epoch + 3)
      expect(hashOf(watched)).toBe(weights[best!.epoch - 1])
      await run.sync()
      expect(hashOf(watched)).toBe(weights[best!.epoch - 1])
      const last = lstmNet()
      await fit(last, batches, { ...options, earlyStopping: { patience: 3, restoreBest: false } })
      expect(hashOf(last)).toBe(weights.at(-1))
    },
  )

  test('less than minDelta is no better; all epochs or a stop end it too, with the best weights', async () => {
    const options = { ...squared, ...stillness, epochs: 9 }
    const { epochs, best } = await fit(lstmNet(), batches, { ...options, earlyStopping: { patience: 2 } })
    expect([epochs.length, best!.epoch]).toEqual([3, 1])
    const slow = { ...squared, epochs: 9, earlyStopping: { patience: 2, minDelta: 10 } }
    expect((await fit(lstmNet(), batches, slow)).best!.epoch).toBe(1)
    const [short, model] = [lstmNet(), lstmNet()]
    const history = await fit(short, batches, {
      ...squared,
      optimizer: ruined,
      epochs: 4,
      earlyStopping: { patience: 9 },
    })
    await fit(model, batches, { ...squared, optimizer: ruined, epochs: history.best!.epoch })
    expect([history.reason, hashOf(short)]).toEqual(['epochs', hashOf(model)])
  })
})

test('an AbortSignal ends a run as stop does: after the step under way, in a validation, before the first step', async () => {
  const batches = [batchOf(1, 2, 3), batchOf(2, 2, 3)]
  const controller = new AbortController()
  const run = fit(lstmNet(), batches, { ...squared, epochs: 1000, signal: controller.signal })
  for await (const event of run) if (event.kind === 'step' && event.step === 3) controller.abort()
  expect(await run).toMatchObject({ stopped: true, reason: 'stopped' })
  expect((await run).steps).toBeLessThan(2000)
  const model = lstmNet()
  const before = hashOf(model)
  const none = await fit(model, batches, { ...squared, signal: AbortSignal.abort() })
  expect(none).toEqual({ epochs: [], steps: 0, stopped: true, reason: 'stopped' })
  expect(hashOf(model)).toBe(before)
  const late = new AbortController()
  const validation = {
    *[Symbol.iterator]() {
      late.abort()
      yield* batches
    },
  }
  const ended = await fit(model, batches, {
    ...squared,
    validation: { batches: validation },
    signal: late.signal,
  })
  expect(ended).toMatchObject({ epochs: [], steps: 2, stopped: true })
})

describe('a run goes on from the state of another, bit for bit', () => {
  const documents = [batchOf(1, 2, 7), batchOf(2, 3, 4)]
  const windows = documents.flatMap((document) => windowsOf(document, 2))
  const whole: Batch[] = [documents[0]!, { ...documents[1]!, lengths: i32([4, 2, 1], 3) }]
  const gaps = windows.map((batch, i) => {
    const sizes = batch.inputs.shape.slice(0, 2) as [number, number]
    const there = random(i).integers(sizes[0] * sizes[1], 0, 1)
    for (let row = 0; row < sizes[0]; row++) there[row * sizes[1]] = 1
    return i === 0 ? batch : { ...batch, mask: i32(there, ...sizes) }
  })
  const rate = cosineDecay(0.05, 20, { warmup: 3 })
  const cases: readonly (readonly [string, readonly Batch[], Partial<FitOptions>])[] = [
    [
      'Adam, whole sequences, lengths',
      whole,
      { optimizer: adam({ learningRate: rate }), clipGlobalNorm: 0.2 },
    ],
    ['AdamW, windows', windows, { optimizer: adamW(), truncate: { k1: 2, k2: 2 } }],
    [
      'RMSProp, windows that overlap',
      windows,
      { optimizer: rmsprop({ momentum: 0.5, centered: true }), clipValue: 0.1, truncate: { k1: 2, k2: 5 } },
    ],
    ['windows that overlap, with masks', gaps, { truncate: { k1: 2, k2: 5 } }],
    [
      'early stopping',
      whole,
      {
        optimizer: sgd({ learningRate: (step) => (step < 4 ? 0.05 : 3) }),
        earlyStopping: { patience: 3 },
        epochs: 9,
      },
    ],
  ]
  test.each(cases)('%s', async (_, batches, more) => {
    const options = { ...squared, epochs: 3, ...more }
    const reference = lstmNet()
    const { epochs, steps } = await fit(reference, batches, options)
    for (let stop = 1; stop < steps; stop += 3) {
      const first = await stopAfter(fit(lstmNet(), batches, options), stop)
      // Numbers of its own, or not built yet.
      const model = stop % 2 === 0 ? lstmNet() : sequential(lstmNet().calls.map(({ layer }) => layer))
      if (model.isBuilt) model.weights(99)
      const second = await fit(model, batches, { ...options, resume: structuredClone(first.state) })
      expect(hashOf(model), `stopped after ${stop}`).toBe(hashOf(reference))
      const both: EpochEvent[] = [...first.history.epochs, ...second.epochs]
      expect([both, second.steps]).toEqual([epochs, steps])
    }
  })

  test('a state is of one moment, also while training goes on', async () => {
    const run = fit(lstmNet(), whole, { ...squared, epochs: 30 })
    const states: ReadonlyMap<string, Tensor>[] = []
    for await (const event of run)
      if (event.kind === 'step' && event.step % 9 === 0) states.push(await run.state())
    const [reference, models] = [lstmNet(), states.map(() => lstmNet())]
    await fit(reference, whole, { ...squared, epochs: 30 })
    for (const [i, resume] of states.entries())
      await fit(models[i]!, whole, { ...squared, epochs: 30, resume })
    expect(new Set([reference, ...models].map(hashOf)).size).toBe(1)
    expect(states.length).toBeGreaterThan(3)
  })

  test('with k1 < k2, rows that had ended before a run was stopped are not gone on from after it', async () => {
    const [first, second] = windows as [Batch, Batch]
    const ended = { ...first, lengths: i32([2, 1], 2) }
    const options = { ...squared, truncate: { k1: 2, k2: 5 }, epochs: 1 }
    const { state } = await stopAfter(fit(lstmNet(), [ended, second], options), 1)
    await expect(fit(lstmNet(), [ended, second], { ...options, resume: state })).rejects.toMatchObject({
      code: 'data',
      message: expect.stringContaining('must reset'),
    })
  })

  test('a state of another training is refused at once', async () => {
    const { state } = await stopAfter(fit(lstmNet(), whole, squared), 1)
    const resume =
      (change: (state: Map<string, Tensor>) => unknown, more: Partial<FitOptions> = {}) =>
      () => {
        const own = new Map(state)
        change(own)
        return fit(lstmNet(), whole, { ...squared, ...more, resume: own })
      }
    expect(resume((own) => own.delete('v of lstm/W'))).toThrow('v of lstm/W')
    expect(resume((own) => own.delete('training epoch'))).toThrow('training epoch')
    expect(resume((own) => own.set('dense/V', f32([1], 1)))).toThrow('f32[5, 2]; received f32[1]')
    expect(resume(() => {}, { optimizer: sgd() })).toThrow('m of lstm/')
  })
})

test('in a loop of one’s own, a step that is not finite is as if it had not been', async () => {
  const [first, second, third] = windowsOf(batchOf(1, 2, 6), 2)
  const broken = (batch: Batch, rows: number) => {
    const { inputs, targets } = batchOf(9, rows, 2)
    return { ...batch, inputs: { ...inputs, data: inputs.data.map(() => Number.NaN) }, targets }
  }
  const lossesOf = async (batches: readonly Batch[]) => {
    const step = new TrainingStep(lstmNet(), { ...squared, optimizer: adam(), truncate: { k1: 2, k2: 3 } })
    const losses = []
    for (const batch of batches) losses.push((await step.run(batch, 0.01)).loss)
    return { losses: losses.filter(Number.isFinite), steps: step.steps }
  }
  const expected = await lossesOf([first!, second!, third!])
  expect(await lossesOf([first!, broken(second!, 2), second!, broken(third!, 2), third!])).toEqual(expected)
  const anew = await lossesOf([first!, second!, { ...third!, reset: true }])
  expect(await lossesOf([first!, second!, broken(third!, 5), third!])).toEqual(anew)
})

describe('numbers that are not finite are traced to where they began', () => {
  const relu = (...weights: readonly [path: string, numbers: readonly number[]][]) => {
    const layer = elman({ units: 2, activation: 'relu', returnSequences: true })
    const model = sequential([layer, dense({ units: 2 })], { input: sequenceOf })
    const known = model.weights()
    const given = weights.map(([path, numbers]) => [
      path,
      { ...known.get(path)!, data: Float32Array.from(numbers) },
    ])
    model.setWeights(new Map([...known, ...(given as [string, Tensor][])]))
    return model
  }
  const all = batchOf(1, 3, 4)
  const inputs = (change: (value: number, i: number) => number) => ({
    ...all,
    inputs: f32(Array.from(all.inputs.data, change), 3, 4, 2),
  })
  const [one, huge] = [
    [1, 0, 0, 1],
    [1e15, 0, 0, 1e15],
  ]
  const growing = relu(['elman/U', one], ['elman/W', huge], ['dense/V', one])
  const shrunk = relu(['elman/U', one], ['elman/W', huge], ['dense/V', [1e-30, 0, 0, 1e-30]])
  test.each([
    ['an input', relu(), inputs((x, i) => (i === 13 ? Number.NaN : x)), 'NaN in input x at row 1, t = 2'],
    ['a weight', relu(['dense/V', [1, Number.NaN, 0, 1]]), all, 'NaN in input dense/V'],
    ['a step', growing, inputs(Math.abs), '(beyond f32) in einsum mk,kn→mn f32[alive, 2] at t = 3, row 0'],
    [
      'a step that is made small again',
      shrunk,
      inputs(Math.abs),
      '(beyond f32) in einsum mk,kn→mn f32[alive, 2] at t = 3, row 0',
    ],
    [
      'a step back',
      growing,
      inputs((_, i) => (i === 8 ? 1e-30 : 0)),
      'f32[alive, 2] at t = 2 on the way back, row 1',
    ],
  ])('%s', async (_, model, batch, said) => {
    const padded = { ...batch, lengths: i32([4, 4, 2], 3) }
    padded.inputs.data.fill(Number.NaN, 20)
    const before = hashOf(model)
    await expect(fit(model, [padded], squared)).rejects.toMatchObject({
      code: 'not-finite',
      message: expect.stringContaining(said),
    })
    expect(hashOf(model)).toBe(before)
  })

  test.each([
    ['an input', 'inputs', 'NaN in input x at row 1, t = 2'],
    ['a target', 'targets', 'NaN in input y at row 1, t = 2'],
  ])('%s, not what is masked before it', async (_, which, said) => {
    const broken = all.inputs.data.map((x, i) => ([4, 5, 9, 13].includes(i) ? Number.NaN : x))
    const mask = i32(Array.from('110101111111', Number), 3, 4)
    const batch = { ...all, mask, [which]: { ...all.inputs, data: broken } }
    await expect(fit(lstmNet(), [batch], squared)).rejects.toMatchObject({
      code: 'not-finite',
      message: expect.stringContaining(said),
    })
  })
})
