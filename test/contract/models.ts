/** Small models and batches that several suites train. */
import type { Batch } from '../../src/data/batches.ts'
import { dense } from '../../src/layers/dense.ts'
import { embedding } from '../../src/layers/embedding.ts'
import { lstm, type RecurrentOptions } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { random } from './support.ts'

export const f32 = (numbers: readonly number[], ...shape: number[]) =>
  tensor(Float32Array.from(numbers), shape)
export const i32 = (numbers: readonly number[], ...shape: number[]) => tensor(Int32Array.from(numbers), shape)
export const sequenceOf = { shape: [null, 2], dtype: 'f32' } as const
export const tokensOf = { shape: [null], dtype: 'i32' } as const
export const squared = { loss: 'meanSquaredError' } as const
export const classes = { loss: 'softmaxCrossEntropy' } as const
export const rnn = (more: RecurrentOptions = {}) => lstm({ units: 5, returnSequences: true, ...more })
export const lstmNet = () =>
  sequential([rnn({ initialState: 'trainable' }), dense({ units: 2 })], { input: sequenceOf })
export const tokenNet = () =>
  sequential([embedding({ inputDim: 6, outputDim: 4 }), rnn(), dense({ units: 6 })], { input: tokensOf })

export function batchOf(seed: number, B: number, T: number): Batch {
  const { numbers } = random(seed)
  return { inputs: f32(numbers(B * T * 2), B, T, 2), targets: f32(numbers(B * T * 2), B, T, 2), reset: true }
}
