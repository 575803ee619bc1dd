/** Losses, own ones too, at every mask; and learning rates step by step. Their values against PyTorch: test/oracle. */
import { describe, expect, test, vi } from 'vitest'
import { iota, logSoftmax, type Value, where } from '../../src/graph/value.ts'
import { dense } from '../../src/layers/dense.ts'
import { lstm } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { fit } from '../../src/train/fit.ts'
import { huber, type Loss, type LossOption } from '../../src/train/losses.ts'
import { evaluate } from '../../src/train/predict.ts'
import {
  constantRate,
  cosineDecay,
  exponentialDecay,
  linearDecay,
  stepDecay,
  warmup,
} from '../../src/train/schedules.ts'
import { batchOf, f32, i32, lstmNet, numbersOf, sequenceOf, stepsOf, tokenNet } from './models.ts'
import { random } from './support.ts'

const { inputs, targets } = batchOf(1, 3, 4)
const lengths = i32([4, 1, 2], 3)
const signs = f32(Array.from(targets.data, Math.sign), 3, 4, 2)
const shares = f32(Array.from(targets.data, Math.abs), 3, 4, 2)
const ownSquares = (output: Value, target: Value) => output.sub(target).square()

async function outcome(loss: LossOption, y = targets, padding = 0) {
  const beyond = (i: number) => Math.floor(i / 2) % 4 >= lengths.data[Math.floor(i / 8)]!
  const data = y.data.map((value, i) => (beyond(i) ? padding : value))
  const [model, batch] = [lstmNet(), { inputs, targets: { ...y, data }, lengths, reset: true }]
  const steps = await stepsOf(fit(model, [batch], { loss, epochs: 3 }))
  return { steps, weights: numbersOf(model), after: await evaluate(model, [batch], { loss }) }
}

test.each<readonly [string, LossOption, typeof targets]>([
  ['mean squared error', 'meanSquaredError', targets],
  ['mean absolute error', 'meanAbsoluteError', targets],
  ['Huber', huber({ delta: 0.3 }), targets],
  ['hinge', 'hinge', signs],
  ['binary cross entropy', 'binaryCrossEntropy', shares],
  [
    'a function of one’s own that is infinite at the mask',
    (o, y) => o.sub(y).square().add(y.abs().log()),
    targets,
  ],
])('%s: what is masked changes no bit', async (_, loss, y) => {
  const reference = await outcome(loss, y)
  expect(reference.steps.flat().every(Number.isFinite)).toBe(true)
  for (const padding of [3, Number.NaN]) expect(await outcome(loss, y, padding)).toEqual(reference)
})

describe('a loss of one’s own', () => {
  test('is the built-in one where it says the same, term by feature or by step', async () => {
    const expected = await outcome('meanSquaredError')
    expect(await outcome(ownSquares)).toEqual(expected)
    expect(await outcome((output, target) => ownSquares(output, target).mean(-1))).toEqual(expected)
    expect(await outcome(huber({ delta: 0.25 }))).not.toEqual(await outcome('huber'))
  })

  test('may take classes', async () => {
    const own: Loss = {
      name: 'mine',
      targets: 'classes',
      terms: (logits, y) =>
        where(iota(logits.shape, 2).equal(y.expandDims(-1)), logSoftmax(logits), 0)
          .sum(-1)
          .neg(),
    }
    const { integers } = random(3)
    const batch = { inputs: i32(integers(8, 0, 5), 2, 4), targets: i32(integers(8, 0, 5), 2, 4), reset: true }
    const losses = (loss: LossOption) => stepsOf(fit(tokenNet(), [batch], { loss, epochs: 2 }))
    expect(await losses(own)).toEqual(await losses('softmaxCrossEntropy'))
  })
})

test('binary cross entropy at a logit of 0 has the gradient σ(0) − y, and no logit overflows it', async () => {
  const model = sequential([dense({ units: 1 })], { input: { shape: [1], dtype: 'f32' } })
  const at = async (logit: number, y: number) => {
    model.setWeights(
      new Map([
        ['dense/V', f32([logit], 1, 1)],
        ['dense/c', f32([0], 1)],
      ]),
    )
    const batch = { inputs: f32([1], 1, 1), targets: f32([y], 1, 1), reset: true }
    return (await stepsOf(fit(model, [batch], { loss: 'binaryCrossEntropy' })))[0]!
  }
  const [loss, norm] = await at(0, 0.25)
  expect(loss).toBeCloseTo(Math.LN2, 6)
  // V and c have the same gradient, 0.5 − 0.25.
  expect(norm).toBeCloseTo(0.25 * Math.SQRT2, 6)
  expect(await at(1000, 1)).toEqual([0, 0])
  expect((await at(-1000, 1))[0]).toBe(1000)
})

test('a softmax before a loss on logits warns, once a model', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const layers = [lstm({ units: 3 }), dense({ units: 2, activation: 'softmax' as const })]
  const model = sequential(layers, { input: sequenceOf })
  const classes = { inputs, targets: i32([0, 1, 1], 3), reset: true }
  for (let i = 0; i < 2; i++) await fit(model, [classes], { loss: 'softmaxCrossEntropy' })
  expect(warn.mock.calls).toEqual([[expect.stringContaining('layer dense ends in softmax')]])
  await fit(model, [{ ...classes, targets: f32([0, 1, 1, 0, 0, 1], 3, 2) }], { loss: 'meanSquaredError' })
  await fit(lstmNet(), [{ inputs, targets: signs, reset: true }], { loss: 'hinge' })
  expect(warn).toHaveBeenCalledTimes(1)
  warn.mockRestore()
})

test.each([
  ['constant', constantRate(0.5), [0.5, 0.5, 0.5]],
  ['linear', linearDecay(2, 4, 0.5), [2, 1.75, 1.5, 1.25, 1, 1]],
  ['cosine', cosineDecay(2, 4, { end: 0.5 }), [2, 1.5 + Math.SQRT1_2 / 2, 1.5, 1.5 - Math.SQRT1_2 / 2, 1, 1]],
  ['cosine, warmed up', cosineDecay(3, 2, { warmup: 2 }), [1, 2, 3, 1.5, 0, 0]],
  ['steps', stepDecay(1, 2), [1, 1, 0.1, 0.1, 0.01]],
  ['exponential', exponentialDecay(8, 2, 0.25), [8, 4, 2, 1]],
  ['a warm-up of a number', warmup(3, 4), [1, 2, 3, 4, 4]],
])('learning rates: %s', (_, schedule, expected) => {
  for (const [step, rate] of expected.entries()) expect(schedule(step), `step ${step}`).toBeCloseTo(rate, 12)
})
