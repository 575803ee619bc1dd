/** The learning rate of a training that gets no better falls as Keras's ReduceLROnPlateau says. */
import { describe, expect, test } from 'vitest'
import { ArgumentError } from '../../src/tensor/errors.ts'
import { type FitOptions, fit } from '../../src/train/fit.ts'
import { adam, sgd } from '../../src/train/optimizers.ts'
import { Plateau } from '../../src/train/plateau.ts'
import type { Run } from '../../src/train/run.ts'
import { constantRate } from '../../src/train/schedules.ts'
import { batchOf, lstmNet, numbersOf, squared } from './models.ts'

describe('rates after each epoch', () => {
  test.each<[string, ConstructorParameters<typeof Plateau>[0], readonly number[], readonly number[]]>([
    ['waits for patience', { patience: 2, factor: 0.5 }, [3, 3, 3, 3, 3], [8, 8, 4, 4, 2]],
    ['better begins anew', { patience: 2, factor: 0.5 }, [3, 3, 2, 2, 2], [8, 8, 8, 8, 4]],
    ['patience 0 is as 1', { patience: 0, factor: 0.5 }, [3, 3, 3], [8, 4, 2]],
    ['less than minDelta is no better', { patience: 1, factor: 0.5, minDelta: 1 }, [3, 2.5, 2], [8, 4, 2]],
    ['exactly minDelta is no better', { patience: 1, factor: 0.5, minDelta: 1 }, [3, 2], [8, 4]],
    // The epoch in which a cooldown ends counts again, as in Keras.
    ['cooldown', { patience: 1, factor: 0.5, cooldown: 2 }, [3, 3, 3, 3, 3, 3], [8, 4, 4, 2, 2, 1]],
    [
      'never below minLearningRate',
      { patience: 1, factor: 0.5, minLearningRate: 3 },
      [3, 3, 3, 3],
      [8, 4, 3, 3],
    ],
    [
      'by default after 10 epochs, to a tenth',
      {},
      new Array(11).fill(1),
      [...new Array(10).fill(8), 8 * 0.1],
    ],
  ])('%s', (_, options, losses, rates) => {
    const plateau = new Plateau(options, 8)
    const received = losses.map((loss) => {
      plateau.watch(loss)
      return plateau.rate
    })
    expect(received).toEqual(rates)
  })
})

const batches = [batchOf(1, 2, 3), batchOf(2, 2, 3)]
const options = {
  ...squared,
  optimizer: sgd({ learningRate: 0.1 }),
  epochs: 8,
  reduceOnPlateau: { patience: 1, factor: 0.5, minDelta: 0.002, cooldown: 1 },
} as const

async function watched(run: Run) {
  const rates: number[] = []
  for await (const event of run) if (event.kind === 'step') rates.push(event.learningRate)
  return { rates, epochs: (await run).epochs }
}

test.each([
  ['the training', {}],
  ['the validation', { validation: { batches: [batchOf(3, 2, 3)], every: 2 } }],
])('fit lowers it by the loss of %s, and goes on from a state bit for bit', async (_, more) => {
  const reference = lstmNet()
  const { rates, epochs } = await watched(fit(reference, batches, { ...options, ...more }))
  const plateau = new Plateau(options.reduceOnPlateau, 0.1)
  const expected = epochs.flatMap(({ loss, validationLoss = 'validation' in more ? undefined : loss }) => {
    const { rate } = plateau
    if (validationLoss !== undefined) plateau.watch(validationLoss)
    return [rate, rate]
  })
  expect(rates).toEqual(expected)
  expect(new Set(rates).size).toBeGreaterThan(1)
  const first = fit(lstmNet(), batches, { ...options, ...more, epochs: 5 })
  await first
  const model = lstmNet()
  const resumed = fit(model, batches, { ...options, ...more, resume: await first.state() })
  expect((await watched(resumed)).rates).toEqual(rates.slice(10))
  expect(numbersOf(model)).toEqual(numbersOf(reference))
})

test('options outside their range, a schedule, and a state without it, are refused before the first step', async () => {
  const run = fit(lstmNet(), batches, { ...squared, optimizer: options.optimizer })
  await run
  const resume = await run.state()
  const wrong: readonly (readonly [Partial<FitOptions>, string])[] = [
    [{ reduceOnPlateau: { factor: 1 } }, 'factor must be a number of at least 0 and below 1; received 1'],
    [{ optimizer: adam({ learningRate: constantRate(0.1) }) }, 'received a schedule'],
    [{ resume }, 'the state lacks training plateau rate'],
  ]
  for (const [more, message] of wrong) {
    const events: string[] = []
    const watching = async () => {
      for await (const { kind } of fit(lstmNet(), batches, { ...options, ...more })) events.push(kind)
    }
    await expect(watching()).rejects.toThrow(ArgumentError)
    await expect(watching()).rejects.toThrow(message)
    expect(events).toEqual([])
  }
})
