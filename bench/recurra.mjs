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

/** @returns {Promise<typeof import('../dist/index.js')>} */
async function library() {
  try {
    return await import('../dist/index.js')
  } catch (cause) {
    throw new Error('Recurra is not built: run `npm run build` first', { cause })
  }
}

/**
 * @param {Shape & { cell: Cell, backend: Backend }} options
 * @returns {Promise<{ step(): Promise<void>, close(): void }>}
 */
export async function createRecurra({ cell, backend, T, B, I, H }) {
  if (backend !== 'wasm') throw new Error(`there is no backend ${backend} yet`)
  const recurra = await library()
  const { TrainingStep } = await import('../dist/train/index.js')
  const recurrence =
    cell === 'lstm' ? recurra.lstm({ units: H }) : recurra.recurrent(userLstm(recurra)({ units: H }))
  const net = recurra.sequential([recurrence, recurra.dense({ units: CLASSES })])
  const training = new TrainingStep(net, {
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
  const step = async () => {
    await training.run(batch, LEARNING_RATE)
  }
  await step()
  return { step, close: () => {} }
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
