/** Small models and batches that several suites train. */
import { defineCell } from '../../src/cells/define.ts'
import type { Batch } from '../../src/data/batches.ts'
import { concat } from '../../src/graph/value.ts'
import { glorotUniform, orthogonal } from '../../src/init/initializers.ts'
import { dense } from '../../src/layers/dense.ts'
import { embedding } from '../../src/layers/embedding.ts'
import type { Model } from '../../src/layers/model.ts'
import { lstm, type RecurrentOptions } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { sgd } from '../../src/train/optimizers.ts'
import type { Run } from '../../src/train/run.ts'
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

/** Nothing is learnt, so that losses of several steps can be compared. */
export const stillness = { optimizer: sgd({ learningRate: () => 0 }) }

export const numbersOf = (model: Model) => [...model.weights().values()].map(({ data }) => data)

/** Loss and gradient norm of each step. */
export async function stepsOf(run: Run) {
  const steps = []
  for await (const event of run)
    if (event.kind === 'step') steps.push([event.loss, event.gradientNorm] as const)
  return steps
}

/** Steps first … end − 1 of every row. */
export function cut({ data, shape, dtype }: Tensor, first: number, end: number): Tensor {
  const [B, T, width] = shape as [number, number, number]
  const kept = data.filter((_, at) => Math.floor(at / width) % T >= first && Math.floor(at / width) % T < end)
  return { data: kept, shape: [B, end - first, width], dtype }
}

/** A batch in windows of `size` steps, the last perhaps shorter. */
export function windowsOf({ inputs, targets }: Batch, size: number): Batch[] {
  const T = inputs.shape[1]!
  return Array.from({ length: Math.ceil(T / size) }, (_, i) => {
    const part = (x: Tensor) => cut(x, i * size, Math.min((i + 1) * size, T))
    return { inputs: part(inputs), targets: part(targets), reset: i === 0 }
  })
}

/**
 * Two inputs, a vector and a matrix as states: what is heard writes what is seen into weights that fade, and reads them
 * (fast weights: Schmidhuber 1992; Ba et al. 2016).
 */
export const nested = defineCell<{ units: number }>()({
  name: 'nested',
  inputs: { video: 3, audio: 1 },
  state: ({ units }) => ({ heard: units, seen: [units, 2] }),
  params: ({ inputs: { video, audio }, units }) => ({
    U: glorotUniform(audio[0], units),
    W: orthogonal(units, units),
    V: glorotUniform(video[0] * video[1] * video[2], 2),
  }),
}).step(({ x: { video, audio }, state: { heard, seen }, params: { U, W, V } }) => {
  const h = audio.matmul(U).add(heard.matmul(W)).tanh()
  const value = video.reshape([video.shape[0]!, V.shape[0]!]).matmul(V)
  const fast = seen.mul(0.8).add(h.expandDims(2).mul(value.expandDims(1)))
  const read = h.expandDims(1).matmul(fast).sum(1).tanh()
  return { output: concat([h, read], 1), state: { heard: h, seen: fast } }
})
