/**
 * Recurra as a contender: the one file of this package that knows Recurra's API.
 *
 * `createRecurra` compiles the model of workload.mjs once and prepares everything that a training step
 * needs (batch from `makeBatch`, seed, optimizer state), so that `step` is one training step and nothing
 * else: forward, BPTT, clip at CLIP, Adam. It runs on one thread.
 *
 * - `cell` is 'lstm' (the built-in one) or 'userLstm' (the same equations written through defineCell, as a
 *   user would write them, in this file).
 * - `backend` is 'wasm' or 'native'. One that this machine cannot run throws, saying why; it never falls
 *   back to another, since the row would then name the wrong one.
 * - `close` has nothing to do: memory goes with the object.
 *
 * `memoryOf` asks what such a step needs and runs none; `createLanguageModel` is a second model, of which only costs are
 * measured.
 *
 * Recurra is imported from `../dist/`, dynamically, so that a missing build is an error that says
 * "npm run build" and `--help` works without one.
 */

import { inProcess } from './measure.mjs'
import { CLASSES, CLIP, LEARNING_RATE, makeBatch } from './workload.mjs'

/** @typedef {import('./workload.mjs').Shape} Shape */
/** @typedef {'lstm' | 'userLstm'} Cell */
/** @typedef {'wasm' | 'native'} Backend */

/** @type {readonly Backend[]} */
export const BACKENDS = ['wasm', 'native']

/** @param {typeof import('../dist/index.js')} recurra @returns a cell with the LSTM's equations */
function userLstm({ defineCell, glorotUniform, joined, ones, orthogonal, zeros }) {
  return defineCell()({
    name: 'userLstm',
    state: ({ units }) => ({ h: units, c: units }),
    params: ({ inputs, units }) => ({
      U: glorotUniform(inputs, 4 * units),
      W: orthogonal(units, 4 * units),
      b: joined(zeros(units), ones(units), zeros(2 * units)),
    }),
  }).step(({ x, state: { h, c }, params: { U, W, b }, options: { units } }) => {
    const z = x.matmul(U).add(h.matmul(W)).add(b)
    const [i, f, g, o] = [0, 1, 2, 3].map((gate) => z.slice(1, gate * units, (gate + 1) * units))
    const next = f.sigmoid().mul(c).add(i.sigmoid().mul(g.tanh()))
    const output = o.sigmoid().mul(next.tanh())
    return { output, state: { h: output, c: next } }
  })
}

/**
 * @param {Backend} backend
 * @returns {Promise<typeof import('../dist/index.js') & typeof import('../dist/train/index.js')>}
 * @throws {Error} where it is not built, and for a backend that is not there
 */
async function library(backend) {
  if (backend !== 'wasm') throw new Error(`there is no backend ${backend} yet`)
  try {
    return { ...(await import('../dist/index.js')), ...(await import('../dist/train/index.js')) }
  } catch (cause) {
    throw new Error('Recurra is not built: run `npm run build` first', { cause })
  }
}

/** @param {Shape & { cell: Cell, backend: Backend }} options @returns a training of the model of workload.mjs, and its batch */
async function classifier({ cell, backend, T, B, I, H }) {
  const recurra = await library(backend)
  const recurrence =
    cell === 'lstm' ? recurra.lstm({ units: H }) : recurra.recurrent(userLstm(recurra)({ units: H }))
  const net = recurra.sequential([recurrence, recurra.dense({ units: CLASSES })])
  const training = new recurra.TrainingStep(net, {
    loss: 'softmaxCrossEntropy',
    optimizer: recurra.adam({ epsilon: 1e-8 }),
    clipGlobalNorm: CLIP,
    backend,
  })
  const { x, labels } = makeBatch({ T, B, I, H })
  const batch = {
    inputs: recurra.tensor(x, [B, T, I]),
    targets: recurra.tensor(labels, [B]),
    reset: true,
  }
  return { net, training, batch }
}

/**
 * @param {Shape & { cell: Cell, backend: Backend }} options
 * @returns {Promise<{ step(): Promise<void>, close(): void }>}
 */
export async function createRecurra(options) {
  const { training, batch } = await classifier(options)
  const step = async () => {
    await training.run(batch, LEARNING_RATE)
  }
  await step()
  return { step, close: () => {} }
}

/**
 * @param {Shape} shape
 * @param {Backend} backend
 * @returns {Promise<{ bytes: number, batch: number, parameters: number }>} what one step needs; of which numbers (4 bytes
 *   each) are the batch, and how many parameters there are
 */
export async function memoryOf(shape, backend) {
  const { net, training, batch } = await classifier({ ...shape, cell: 'lstm', backend })
  const bytes = await training.memoryBytes(batch)
  const count = (tensors) => tensors.reduce((sum, { data }) => sum + data.length, 0)
  return {
    bytes,
    batch: count([batch.inputs, batch.targets]),
    parameters: count([...net.weights().values()]),
  }
}

/**
 * A language model of two LSTMs of 128 units over 64 tokens: built and with weights, but not traced for training. Adam,
 * clipped by the global norm, windows of at most 32 steps.
 *
 * @param {Backend} backend
 * @returns {Promise<{ compile(): Promise<void>, stepAt(B: number, T: number): () => Promise<void> }>} `compile` goes from
 *   the traced call to an instantiated module; `stepAt` makes a batch of B rows and T ≤ 32 steps, and gives its step
 */
export async function createLanguageModel(backend) {
  const { TrainingStep, adam, dense, embedding, lstm, sequential, tensor } = await library(backend)
  const [tokens, units, window] = [64, 128, 32]
  const recurrence = () => lstm({ units, returnSequences: true })
  const net = sequential(
    [embedding({ inputDim: tokens, outputDim: units }), recurrence(), recurrence(), dense({ units: tokens })],
    { input: { shape: [null], dtype: 'i32' } },
  )
  net.weights()
  const training = new TrainingStep(net, {
    loss: 'softmaxCrossEntropy',
    optimizer: adam(),
    clipGlobalNorm: CLIP,
    truncate: { k1: window, k2: window },
    backend,
  })
  const batchOf = (B, T) => {
    const ids = (shift) =>
      tensor(
        Int32Array.from({ length: B * T }, (_, i) => ((i + shift) * 7) % tokens),
        [B, T],
      )
    return { inputs: ids(0), targets: ids(1), reset: true }
  }
  return {
    async compile() {
      await training.memoryBytes(batchOf(1, window))
    },
    stepAt(B, T) {
      const batch = batchOf(B, T)
      return async () => {
        await training.run(batch, LEARNING_RATE)
      }
    },
  }
}

/**
 * @param {Cell} cell
 * @param {Shape} shape
 * @param {Backend} backend
 * @returns {Promise<import('./measure.mjs').Contender>}
 */
export async function recurraContender(cell, shape, backend) {
  const trainer = await createRecurra({ ...shape, cell, backend })
  return inProcess({ name: `recurra-${cell}`, backend, threads: 1 }, trainer)
}
