/**
 * Against what Keras 2 predicted: the files of keras-js, a case each for sequences, directions, statefulness and
 * activations, outputs rounded to six digits. Read from the folder that RECURRA_TEST_DATA names.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  defineCell,
  elmanCell,
  glorotUniform,
  lstmCell,
  orthogonal,
  predict,
  recurrent,
  sequential,
  tanh,
  tensor,
  type Value,
  zeros,
} from '../../src/index.ts'

interface Numbers {
  readonly data: number[]
  readonly shape: number[]
}
interface File {
  readonly [name: string]: {
    readonly input: Numbers
    readonly weights: Numbers[]
    readonly expected: Numbers
  }
}

/** An LSTM whose gates are those of Keras 1 and 2: x / 5 + 1/2 within 0 … 1. */
const oldLstmCell = defineCell<{ units: number }>()({
  name: 'oldLstm',
  state: ({ units }) => ({ h: units, c: units }),
  params: ({ inputs, units }) => ({
    U: glorotUniform(inputs, 4 * units),
    W: orthogonal(units, 4 * units),
    b: zeros(4 * units),
  }),
}).step(({ x, state: { h, c }, params: { U, W, b }, options: { units } }) => {
  const gates = x.matmul(U).add(h.matmul(W)).add(b)
  const part = (k: number) => gates.slice(1, k * units, (k + 1) * units)
  const gate = (z: Value) => z.mul(0.2).add(0.5).max(0).min(1)
  const next = gate(part(1))
    .mul(c)
    .add(gate(part(0)).mul(tanh(part(2))))
  const output = gate(part(3)).mul(tanh(next))
  return { output, state: { h: output, c: next } }
})

const sigmoid = { activation: 'sigmoid', recurrentActivation: 'sigmoid' } as const
const CELLS = {
  LSTM: ({ k, units }: { k: number; units: number }) =>
    k === 1 ? lstmCell({ units, ...sigmoid }) : oldLstmCell({ units }),
  SimpleRNN: ({ k, units }: { k: number; units: number }) =>
    elmanCell({ units, useBias: k !== 8, activation: k === 1 ? 'sigmoid' : 'tanh' }),
}

/** Sequences, backwards, calls. */
const CASES: readonly (readonly [boolean, boolean, number])[] = [
  [false, false, 1],
  [false, false, 1],
  [true, false, 1],
  [false, true, 1],
  [true, true, 1],
  [false, false, 2],
  [true, false, 2],
  [false, true, 2],
  [true, true, 2],
]

const folder = process.env['RECURRA_TEST_DATA'] ?? ''

test.for(
  (['LSTM', 'SimpleRNN'] as const).flatMap((kind) => CASES.map((options, k) => ({ kind, k, options }))),
)('keras-js, $kind $k', async ({ kind, k, options: [returnSequences, goBackwards, calls] }, { skip }) => {
  const path = join(folder, `keras-js-${kind}.json`)
  skip(folder === '' || !existsSync(path), `RECURRA_TEST_DATA names no folder with keras-js-${kind}.json`)
  const file = JSON.parse(readFileSync(path, 'utf8')) as File
  const { input, weights, expected } = file[`recurrent.${kind}.${k}`]!
  const cell = CELLS[kind]({ k, units: weights[1]!.shape[0]! })
  const options = { name: 'rnn', returnSequences, goBackwards, stateful: calls > 1 }
  const model = sequential([recurrent(cell, options)], {
    input: { shape: [null, input.shape[1]!], dtype: 'f32' },
  })
  const names = ['U', 'W', 'b'].slice(0, weights.length)
  model.setWeights(
    new Map(names.map((name, i) => [`rnn/${name}`, tensor(weights[i]!.data, weights[i]!.shape)])),
  )
  const x = tensor(input.data, [1, ...input.shape])
  let output = x
  for (let call = 0; call < calls; call++) output = await predict(model, x)
  // Keras gives outputs in the order in which they came, Recurra that of step t at t.
  const width = expected.shape.at(-1)!
  const steps = Array.from({ length: expected.data.length / width }, (_, t) =>
    expected.data.slice(t * width, (t + 1) * width),
  )
  const keras = (goBackwards ? steps.toReversed() : steps).flat()
  expect(output.shape).toEqual([1, ...expected.shape])
  const furthest = Math.max(...keras.map((value, i) => Math.abs(value - output.data[i]!)))
  // Inputs and weights are rounded too: by half a unit of their last digit each, which moves outputs by up to 3e-6.
  expect(furthest).toBeLessThan(4e-6)
})
