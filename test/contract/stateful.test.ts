/** Stateful layers, as Keras has them: row i goes on as row i, in `fit`, `evaluate` and `predict`, until it is reset. */
import { describe, expect, test } from 'vitest'
import type { Batch } from '../../src/data/batches.ts'
import { loadModel, saveModel } from '../../src/io/index.ts'
import { bidirectional } from '../../src/layers/bidirectional.ts'
import { dense } from '../../src/layers/dense.ts'
import { call, input, model } from '../../src/layers/functional.ts'
import { highway } from '../../src/layers/highway.ts'
import type { Layer } from '../../src/layers/layer.ts'
import { gru, lstm } from '../../src/layers/recurrent.ts'
import { residual } from '../../src/layers/residual.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { timeDistributed } from '../../src/layers/time-distributed.ts'
import { type FitOptions, fit } from '../../src/train/fit.ts'
import { freeRun } from '../../src/train/free-run.ts'
import { adam, sgd } from '../../src/train/optimizers.ts'
import { evaluate, predict, predictWithStates } from '../../src/train/predict.ts'
import { resetState } from '../../src/train/stateful.ts'
import { TrainingStep } from '../../src/train/training-step.ts'
import { batchOf, cut, numbersOf, sequenceOf, squared, stepsOf, stillness, windowsOf } from './models.ts'

const [B, T] = [3, 6]
const whole = batchOf(2, B, T)
/** Batches that all say reset, as `sequences` makes them. */
const parts = windowsOf(whole, 2).map((batch): Batch => ({ ...batch, reset: true }))
const stateful = true
const returnSequences = true
const netOf = (...layers: Layer[]) => {
  const model = sequential(layers, { input: sequenceOf })
  model.weights(1)
  return model
}
const plain = (own: object = { stateful }) =>
  netOf(lstm({ units: 3, returnSequences, initialState: 'trainable', ...own }), dense({ units: 2 }))

describe('states go on', () => {
  test.each<[string, (own: object) => Layer]>([
    ['lstm', (own) => lstm({ units: 2, returnSequences, ...own })],
    ['residual', (own) => residual(gru({ units: 2, returnSequences, ...own }))],
    ['highway', (own) => highway(gru({ units: 2, returnSequences, ...own }))],
  ])('%s: parts give what the whole gives, in predict and evaluate, until a reset', async (_, layer) => {
    const [model, reference] = [netOf(layer({ stateful })), netOf(layer({}))]
    const expected = await predict(reference, whole.inputs)
    for (let round = 0; round < 2; round++) {
      for (const [i, { inputs }] of parts.entries()) {
        expect(await predict(model, inputs)).toEqual(cut(expected, 2 * i, 2 * i + 2))
      }
      resetState(model)
    }
    const loss = (await evaluate(reference, [whole], squared)).loss
    expect((await evaluate(model, parts, squared)).loss).toBeCloseTo(loss, 6)
    // And on from there.
    const again = (await evaluate(model, parts, squared)).loss
    expect(Math.abs(again - loss)).toBeGreaterThan(1e-5)
  })

  test.each<[string, (own: object) => Layer]>([
    ['goBackwards', (own) => lstm({ units: 2, returnSequences, goBackwards: true, ...own })],
    ['bidirectional', (own) => bidirectional(gru({ units: 2, returnSequences, ...own }))],
  ])('%s: each call begins where the one before has ended, as if its states were given', async (_, layer) => {
    const [model, reference] = [netOf(layer({ stateful })), netOf(layer({}))]
    let states = {}
    for (const { inputs } of parts) {
      const expected = await predictWithStates(reference, inputs, { initialState: states })
      expect(await predictWithStates(model, inputs)).toEqual(expected)
      states = expected.states
    }
  })

  test('states that are given count for their call; other functions leave them', async () => {
    const model = plain()
    const first = await predictWithStates(model, parts[0]!.inputs)
    await predict(model, parts[1]!.inputs)
    const given = await predict(model, parts[1]!.inputs, { initialState: first.states })
    const reference = await predict(plain({}), whole.inputs)
    expect(given).toEqual(cut(reference, 2, 4))
    await freeRun(model, whole.inputs, { steps: 2 })
    expect(await predict(model, parts[2]!.inputs)).toEqual(cut(reference, 4, 6))
  })

  test('a saved model is stateful, and begins anew', async () => {
    const model = plain()
    const first = await predict(model, parts[0]!.inputs)
    const { model: loaded } = loadModel(saveModel(model))
    expect(await predict(loaded, parts[0]!.inputs)).toEqual(first)
    expect(await predict(loaded, parts[1]!.inputs)).toEqual(await predict(model, parts[1]!.inputs))
  })
})

describe('fit', () => {
  const options = { ...squared, optimizer: adam({ learningRate: 0.01 }), seed: 1 }
  const trained = async (own: object, batches: readonly Batch[], more: Partial<FitOptions> = {}) => {
    const model = plain(own)
    await fit(model, batches, { ...options, ...more })
    return model
  }

  test('trains as truncation does that goes on, whatever batches say of reset', async () => {
    const truncate = { k1: 2, k2: 2 }
    const reference = await trained({}, windowsOf(whole, 2), { truncate })
    expect(numbersOf(await trained({ stateful }, parts))).toEqual(numbersOf(reference))
    expect(numbersOf(await trained({ stateful }, parts, { truncate }))).toEqual(numbersOf(reference))
    // Epochs go on too.
    const long = [0, 1].flatMap(() => windowsOf(whole, 2)).map((batch, i) => ({ ...batch, reset: i === 0 }))
    const twice = await trained({ stateful }, parts, { epochs: 2 })
    expect(numbersOf(twice)).toEqual(numbersOf(await trained({}, long, { truncate })))
  })

  test('begins where the model stands, and leaves behind where it ends; validation changes nothing of that', async () => {
    const [model, reference] = [plain(), plain({})]
    await predict(model, parts[0]!.inputs)
    const validation = { batches: [batchOf(5, 2, 4), batchOf(6, 2, 3)] }
    const { epochs } = await fit(model, parts.slice(1, 2), { ...squared, ...stillness, validation })
    const whole4 = await predict(reference, cut(whole.inputs, 0, 4))
    const errors = Array.from(cut(whole4, 2, 4).data, (value, i) => (value - parts[1]!.targets.data[i]!) ** 2)
    expect(epochs[0]!.loss).toBeCloseTo(errors.reduce((sum, each) => sum + each, 0) / errors.length, 6)
    expect(await predict(model, parts[2]!.inputs)).toEqual(cut(await predict(reference, whole.inputs), 4, 6))
    const fresh = await fit(plain(), parts.slice(1, 2), { ...squared, ...stillness, validation })
    expect(epochs[0]!.validationLoss).toBe(fresh.epochs[0]!.validationLoss)
  })

  test('a reset holds from the next step on, with other rows too', async () => {
    const model = plain()
    const step = new TrainingStep(model, { ...squared, optimizer: sgd() })
    const lossOf = async (batch: Batch) => (await step.run(batch, 0)).loss
    const first = await lossOf(parts[0]!)
    expect(await lossOf(parts[0]!)).not.toBe(first)
    resetState(model)
    expect(await lossOf(parts[0]!)).toBe(first)
    resetState(model)
    await step.sync()
    expect(await lossOf(batchOf(3, 2, 2))).toBe(
      (await stepsOf(fit(plain(), [batchOf(3, 2, 2)], { ...squared, ...stillness })))[0]![0],
    )
  })

  test.each([[false], [true]])('is resumed bit for bit; after a reset: %s', async (reset) => {
    const [reference, model] = [plain(), plain()]
    const go = async (net: typeof model, state?: FitOptions['resume']) => {
      const step = new TrainingStep(net, { ...squared, optimizer: sgd(), ...(state && { resume: state }) })
      return step
    }
    const before = await go(reference)
    for (const batch of parts.slice(0, 2)) await before.run(batch, 0.1)
    if (reset) resetState(reference)
    const after = await go(model, await before.state())
    for (const step of [before, after]) {
      await step.run(parts[2]!, 0.1)
      await step.sync()
    }
    expect(numbersOf(model)).toEqual(numbersOf(reference))
    expect(await predict(model, parts[0]!.inputs)).toEqual(await predict(reference, parts[0]!.inputs))
  })

  test('lengths and masks: a row goes on from its own last step', async () => {
    const lengths = { data: Int32Array.of(2, 1, 2), shape: [3], dtype: 'i32' } as const
    const model = plain()
    await predict(model, parts[0]!.inputs, { lengths })
    const received = await predict(model, parts[1]!.inputs)
    const { states } = await predictWithStates(plain({}), parts[0]!.inputs, { lengths })
    expect(received).toEqual(await predict(plain({}), parts[1]!.inputs, { initialState: states }))
  })
})

test('state reuse: within a model, what is given is returned too; between models, by path', async () => {
  const source = input({ shape: [null, 2] })
  const [encoder, decoder] = [
    lstm({ units: 3, name: 'encoder' }),
    lstm({ units: 3, returnSequences, returnState: true, stateful, name: 'decoder' }),
  ]
  const encoded = source.to(encoder)
  const nets = [encoded, { h: encoded.get('h') }].map((initialState) =>
    model({ inputs: source, outputs: call(decoder, [source], { initialState }) }),
  )
  for (const [i, net] of nets.entries()) {
    const { states, output } = await predictWithStates(net, whole.inputs)
    expect(Object.keys(states).toSorted()).toEqual(['decoder/c', 'decoder/h'])
    const { data } = states['decoder/h']!
    expect(data).toEqual(cut(output, T - 1, T).data)
    const alone = netOf(lstm({ units: 3, returnSequences, name: 'decoder' }))
    const weights = [...net.weights()]
    alone.setWeights(new Map(weights.filter(([path]) => path.startsWith('decoder'))))
    const first = netOf(lstm({ units: 3, name: 'encoder' }))
    first.setWeights(new Map(weights.filter(([path]) => path.startsWith('encoder'))))
    const given = Object.entries((await predictWithStates(first, whole.inputs)).states)
    const initialState = Object.fromEntries(
      given
        .map(([path, each]) => [path.replace('encoder', 'decoder'), each] as const)
        .filter(([path]) => i === 0 || path === 'decoder/h'),
    )
    const reference = await predictWithStates(alone, whole.inputs, { initialState })
    expect({ output, states }).toEqual({ output: reference.output, states: reference.states })
  }
  // A state that another layer gives is given in each call; the other one goes on.
  expect(nets.map((net) => net.statefulStates())).toEqual([[], ['decoder/c']])
})

test('another batch size names layer, expected and received rows', async () => {
  const [two, model] = [batchOf(3, 2, 2), plain()]
  const message = /lstm: stateful with another batch size: .* 3 rows; received 2: call resetState\(model\)/
  await predict(model, parts[0]!.inputs)
  await expect(predict(model, two.inputs)).rejects.toThrow(message)
  await expect(evaluate(model, [two], squared)).rejects.toThrow(message)
  await expect(fit(model, [two], squared)).rejects.toThrow(message)
  await expect(fit(plain(), [parts[0]!, two], squared)).rejects.toThrow(message)
  resetState(model)
  await predict(model, two.inputs)
  await expect(fit(plain(), parts, { ...squared, truncate: { k1: 2, k2: 4 } })).rejects.toThrow(
    'give k1 = k2',
  )
  expect(() => timeDistributed(lstm({ units: 2, stateful }))).toThrow('leave its stateful out')
  expect(() =>
    bidirectional(lstm({ units: 2, stateful }), { backwardLayer: lstm({ units: 2, goBackwards: true }) }),
  ).toThrow('one stateful')
  expect(() => resetState(undefined as never)).toThrow('resetState: expected a model')
})
