/**
 * Recurra as a contender: the one file of this package, with cells.mjs, that knows Recurra's API.
 *
 * `recurraContender` compiles the model of workload.mjs once and prepares everything that a step needs (batch from
 * `makeBatch`, seed, optimizer state), so that a step is one training step, one call of predict or one of a stream, and
 * nothing else.
 *
 * - A backend or a number of threads that cannot be had here throws, saying why; nothing falls back to another, since
 *   the row would then name the wrong one.
 * - Closing has nothing to do: memory goes with the object.
 *
 * `memoryOf` asks what a training step needs and runs none; `createLanguageModel` is a second model, of which only costs
 * are measured.
 *
 * Recurra is imported from `../dist/`, dynamically, so that a missing build is an error that says
 * "npm run build" and `--help` works without one.
 */

import { layerOf } from './cells.mjs'
import { inProcess } from './measure.mjs'
import { CLASSES, CLIP, LEARNING_RATE, makeBatch, makeLengths } from './workload.mjs'

/** @typedef {import('./workload.mjs').Shape} Shape */
/** @typedef {import('./workload.mjs').Work} Work */
/** @typedef {'wasm' | 'native'} Backend */
/** @typedef {{ backend: Backend, threads?: number, ragged?: boolean }} How ragged: of lengths from `makeLengths`; threads: 1 unless said */

/** @type {readonly Backend[]} */
export const BACKENDS = ['wasm', 'native']

/**
 * @returns {Promise<typeof import('../dist/index.js') & typeof import('../dist/train/index.js')>}
 * @throws {Error} where it is not built
 */
export async function library() {
  try {
    return { ...(await import('../dist/index.js')), ...(await import('../dist/train/index.js')) }
  } catch (cause) {
    throw new Error('Recurra is not built: run `npm run build` first', { cause })
  }
}

/**
 * Hands over the option that says how many threads; this is the one place that does. Where there is no such option there
 * is one thread.
 *
 * @template R
 * @param {number} threads
 * @param {(option: { threads?: number }) => R | Promise<R>} create
 * @returns {Promise<R>}
 */
async function withThreads(threads, create) {
  try {
    return await create({ threads })
  } catch (error) {
    if (!(error instanceof Error && /no option threads/.test(error.message))) throw error
    if (threads > 1) throw new Error('there is no option threads yet')
    return create({})
  }
}

/** @param {Pick<Work, 'cell' | 'shape'>} work @returns the model of workload.mjs, and what it is trained with */
export async function createClassifier({ cell, shape }) {
  const recurra = await library()
  const net = recurra.sequential([layerOf(recurra, cell, shape.H), recurra.dense({ units: CLASSES })])
  const options = {
    loss: 'softmaxCrossEntropy',
    optimizer: recurra.adam({ epsilon: 1e-8 }),
    clipGlobalNorm: CLIP,
  }
  return { recurra, net, options }
}

/** @param {Pick<Work, 'cell' | 'shape'>} work @param {How} how @returns its training, and its batch */
export async function createTraining(work, { backend, threads = 1, ragged = false }) {
  const { recurra, net, options } = await createClassifier(work)
  const training = await withThreads(
    threads,
    (option) => new recurra.TrainingStep(net, { ...options, ...option, backend }),
  )
  const { T, B, I } = work.shape
  const { x, labels } = makeBatch(work.shape)
  const batch = {
    inputs: recurra.tensor(x, [B, T, I]),
    targets: recurra.tensor(labels, [B]),
    ...(ragged && { lengths: recurra.tensor(makeLengths(work.shape), [B]) }),
    reset: true,
  }
  return { net, training, batch }
}

/** What a step is, by kind of work: each gives a function of one step, having run it once. */
const STEPS = {
  /** @param {Work} work @param {How} how @returns {Promise<() => Promise<void>>} */
  async train(work, how) {
    const { training, batch } = await createTraining(work, how)
    return async () => {
      await training.run(batch, LEARNING_RATE)
    }
  },

  /** @param {Work} work @param {How} how @returns {Promise<() => Promise<void>>} */
  async infer(work, { backend, threads = 1 }) {
    const { recurra, net } = await createClassifier(work)
    const { T, B, I } = work.shape
    const x = recurra.tensor(makeBatch(work.shape).x, [B, T, I])
    const option = await withThreads(threads, async (option) => {
      await recurra.predict(net, x, { ...option, backend })
      return option
    })
    return async () => {
      await recurra.predict(net, x, { ...option, backend })
    }
  },

  /** @param {Work} work @param {How} how @returns {Promise<() => void>} */
  async stream(work, { backend, threads = 1 }) {
    const { recurra, net } = await createClassifier(work)
    if (!('stream' in net)) throw new Error('model.stream() is not there yet')
    const { x } = makeBatch(work.shape)
    await recurra.predict(net, recurra.tensor(x, [1, 1, work.shape.I])) // so that the model is built
    const stream = await withThreads(threads, (option) => net.stream({ ...option, backend }))
    return () => {
      stream.step(x)
    }
  },
}

/**
 * @param {Work} work
 * @param {How} how
 * @returns {Promise<import('./measure.mjs').Contender>} having run one step
 */
export async function recurraContender(work, how) {
  const step = await STEPS[work.kind](work, how)
  await step()
  const { backend, threads = 1, ragged = false } = how
  const name = `recurra-${work.cell}${ragged ? '-ragged' : ''}`
  return inProcess({ name, backend, threads }, { step, close() {} })
}

/**
 * @param {Shape} shape
 * @param {Backend} backend
 * @returns {Promise<{ bytes: number, batch: number, parameters: number }>} what one step needs; of which numbers (4 bytes
 *   each) are the batch, and how many parameters there are
 */
export async function memoryOf(shape, backend) {
  const { net, training, batch } = await createTraining({ cell: 'lstm', shape }, { backend })
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
  const { TrainingStep, adam, dense, embedding, lstm, sequential, tensor } = await library()
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
