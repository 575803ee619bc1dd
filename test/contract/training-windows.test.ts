/** Truncated back-propagation with k1 ≤ k2 against its definition in plain numbers, gradients by central differences. */
import { describe, expect, test } from 'vitest'
import { type Cell, defineCell } from '../../src/cells/define.ts'
import { elmanCell } from '../../src/cells/elman.ts'
import type { Batch } from '../../src/data/batches.ts'
import { glorotUniform } from '../../src/init/initializers.ts'
import { dense } from '../../src/layers/dense.ts'
import { elman, lstm, recurrent } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { fit } from '../../src/train/fit.ts'
import { sgd } from '../../src/train/optimizers.ts'
import { batchOf, cut, f32, i32, sequenceOf, squared, stepsOf, stillness, windowsOf } from './models.ts'

const [B, H, O, RATE] = [2, 3, 2, 0.2]
type Weights = Record<string, number[]>
type Rows = readonly number[][]

const network = () =>
  sequential([elman({ units: H, returnSequences: true, initialState: 'trainable' }), dense({ units: O })], {
    input: sequenceOf,
  })

/** Row `row` at step t. */
const at = ({ data, shape }: Tensor, row: number, t: number) => {
  const [, steps, width] = shape as [number, number, number]
  return Array.from(data.subarray((row * steps + t) * width, (row * steps + t + 1) * width))
}
const times = (x: readonly number[], matrix: readonly number[], out: number) =>
  Array.from({ length: out }, (_, j) => x.reduce((sum, value, i) => sum + value * matrix[i * out + j]!, 0))

/** States before steps `from` … `end`, and Σ (o − y)² / O of the steps from `counted` on. */
function unrolled(
  w: Weights,
  begin: Rows | undefined,
  document: Batch,
  from: number,
  end: number,
  counted: number,
) {
  const states: Rows[] = [begin ?? Array.from({ length: B }, () => w['elman/initial h']!)]
  let sum = 0
  for (let t = from; t < end; t++) {
    const next = states.at(-1)!.map((h, row) => {
      const [xU, hW] = [times(at(document.inputs, row, t), w['elman/U']!, H), times(h, w['elman/W']!, H)]
      return xU.map((value, j) => Math.tanh(value + hW[j]! + w['elman/b']![j]!))
    })
    states.push(next)
    if (t < counted) continue
    for (const [row, h] of next.entries()) {
      const target = at(document.targets, row, t)
      for (const [j, o] of times(h, w['dense/V']!, O).entries())
        sum += (o + w['dense/c']![j]! - target[j]!) ** 2 / O
    }
  }
  return { states, loss: sum / (B * (end - counted)) }
}

/** The definition, with SGD: the losses before each update and the weights at the end. */
function reference(weights: Weights, documents: readonly Batch[], k1: number, k2: number) {
  const losses: number[] = []
  for (const document of documents) {
    const T = document.inputs.shape[1]!
    let [start, begin]: [number, Rows | undefined] = [0, undefined]
    for (let first = 0; first < T; first += k1) {
      const end = Math.min(first + k1, T)
      const lossAt = () => unrolled(weights, begin, document, start, end, first).loss
      const { states, loss } = unrolled(weights, begin, document, start, end, first)
      losses.push(loss)
      const gradients = Object.values(weights).map((numbers) =>
        numbers.map((value, i) => {
          const [low, high] = [-1e-6, 1e-6].map((change) => {
            numbers[i] = value + change
            return lossAt()
          })
          numbers[i] = value
          return (high! - low!) / 2e-6
        }),
      )
      for (const [k, numbers] of Object.values(weights).entries()) {
        for (const i of numbers.keys()) numbers[i]! -= RATE * gradients[k]![i]!
      }
      // The next update ends at most k1 steps further and begins k2 before that.
      const next = Math.max(0, end + k1 - k2)
      if (next > start) [start, begin] = [next, states[next - start]]
    }
  }
  return { losses, weights }
}

describe('every k1 steps an update that goes back k2', () => {
  const documents = [batchOf(1, B, 9), batchOf(2, B, 6)]
  test.each([
    [1, 4],
    [2, 3],
    [2, 5],
    [3, 3],
    [3, 20],
  ])('k1 = %i, k2 = %i', async (k1, k2) => {
    const model = network()
    const before = Object.fromEntries(
      [...model.weights()].map(([path, { data }]) => [path, Array.from(data)]),
    )
    const expected = reference(before, documents, k1, k2)
    const batches = documents.flatMap((document) => windowsOf(document, k1))
    const options = { ...squared, optimizer: sgd({ learningRate: RATE }), truncate: { k1, k2 } }
    const steps = await stepsOf(fit(model, batches, options))
    for (const [i, [loss]] of steps.entries()) expect(loss).toBeCloseTo(expected.losses[i]!, 5)
    expect(steps.length).toBe(expected.losses.length)
    for (const [path, { data }] of model.weights()) {
      for (const [i, value] of data.entries()) expect(value, path).toBeCloseTo(expected.weights[path]![i]!, 5)
    }
  })
})

test('with k1 < k2 states go on exactly through stacked layers, also where rows end', async () => {
  const layers = [lstm({ units: 4, returnSequences: true }), lstm({ units: 3, returnSequences: true })]
  const model = sequential([...layers, dense({ units: 2 })], { input: sequenceOf })
  const [first, second, third] = windowsOf(batchOf(3, 2, 6), 2)
  const batches = [first!, second!, { ...third!, lengths: i32([1, 2], 2) }, first!]
  const lossesOf = async (k2: number) =>
    (await stepsOf(fit(model, batches, { ...squared, ...stillness, truncate: { k1: 2, k2 } }))).map(
      ([loss]) => loss,
    )
  expect(await lossesOf(5)).toEqual(await lossesOf(2))
  const going = [...batches.slice(0, 3), second!]
  const run = fit(model, going, { ...squared, truncate: { k1: 2, k2: 5 } })
  await expect(run).rejects.toMatchObject({ code: 'data', message: expect.stringContaining('reset') })
})

describe('windows that share steps, of rows with gaps or an end', () => {
  /** Its output stands in no state. */
  const apart = defineCell<object>()({
    name: 'apart',
    state: () => ({ h: H }),
    params: ({ inputs }) => ({ U: glorotUniform(inputs, H), V: glorotUniform(H, H) }),
  }).step(({ x, state: { h }, params: { U, V } }) => {
    const next = h.mul(0.5).add(x.matmul(U)).tanh()
    return { output: next.matmul(V), state: { h: next } }
  })
  const T = 8
  const { inputs, targets } = batchOf(4, B, T)
  const lastTargets = f32(Array.from(targets.data.slice(0, B * O)), B, O)
  const there = Array.from('1101001001111010', Number)
  const filled = (garbage: number) => ({
    ...inputs,
    data: inputs.data.map((value, i) => (there[Math.floor(i / 2)] === 1 ? value : garbage)),
  })
  const mask = i32(there, B, T)
  const prefix = (end: number): Batch => ({
    ...{ inputs: cut(filled(0), 0, end), targets: lastTargets, reset: true },
    mask: part(0, end),
  })
  const part = (start: number, end: number) => {
    const { data, shape } = cut({ ...mask, shape: [B, T, 1] }, start, end)
    return { data, shape: shape.slice(0, 2), dtype: 'bool' as const }
  }
  const windows = (k1: number, garbage: number, sequence: boolean): Batch[] =>
    windowsOf({ inputs: filled(garbage), targets, reset: true }, k1).map((batch, i) => ({
      ...{ ...batch, mask: part(i * k1, (i + 1) * k1) },
      ...(sequence ? {} : { targets: lastTargets }),
    }))
  const net = (cell: Cell, returnSequences: boolean) =>
    sequential([recurrent(cell, { returnSequences }), dense({ units: O })], { input: sequenceOf })

  test.each([
    ['a cell that has its output in a state', elmanCell({ units: H })],
    ['a cell that has not', apart({})],
  ])('%s', async (_, cell) => {
    for (const returnSequences of [true, false]) {
      const model = net(cell, returnSequences)
      const run = (batches: readonly Batch[], truncate?: { k1: number; k2: number }) =>
        stepsOf(fit(model, batches, { ...squared, ...stillness, ...(truncate && { truncate }) }))
      const apart = await run(windows(4, 0, returnSequences), { k1: 4, k2: 4 })
      for (const k2 of [5, 7, 8]) {
        const steps = await run(windows(4, 0, returnSequences), { k1: 4, k2 })
        expect(await run(windows(4, Number.NaN, returnSequences), { k1: 4, k2 })).toEqual(steps)
        for (const [i, [loss]] of steps.entries()) expect(loss).toBeCloseTo(apart[i]![0], 6)
        if (k2 < 8 || returnSequences) continue
        // The whole past is in the window: it is a step over all that came before.
        const whole = (await Promise.all([prefix(4), prefix(8)].map((batch) => run([batch])))).flat()
        for (const [i, step] of steps.flat().entries()) expect(step).toBeCloseTo(whole.flat()[i]!, 5)
      }
    }
  })

  test('a row that ended before the carry has its last output there', async () => {
    const [first, second] = windows(4, 0, false).map(({ mask: _, ...batch }) => batch)
    const going = [first!, { ...second!, lengths: i32([1, 4], 2) }]
    const lossesOf = async (k2: number) =>
      (
        await stepsOf(
          fit(net(apart({}), false), going, { ...squared, ...stillness, truncate: { k1: 4, k2 } }),
        )
      ).map(([loss]) => loss)
    const [received, expected] = [await lossesOf(5), await lossesOf(4)]
    for (const [i, loss] of expected.entries()) expect(received[i]).toBeCloseTo(loss, 6)
  })
})
