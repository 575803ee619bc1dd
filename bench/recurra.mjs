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
 * - `close` frees the memory and stops whatever threads were started.
 *
 * Recurra is imported from `../dist/`, dynamically, so that a missing build is an error that says
 * "npm run build" and `--help` works without one.
 */

import { inProcess } from './measure.mjs'

/** @typedef {import('./workload.mjs').Shape} Shape */
/** @typedef {'lstm' | 'userLstm'} Cell */
/** @typedef {'wasm' | 'native'} Backend */

/** @type {readonly Backend[]} */
export const BACKENDS = ['wasm', 'native']

/**
 * @param {Shape & { cell: Cell, backend: Backend }} options
 * @returns {Promise<{ step(): void | Promise<void>, close(): void | Promise<void> }>}
 */
export async function createRecurra({ cell, backend }) {
  throw new Error(`cell ${cell} on backend ${backend} is not yet wired (bench/recurra.mjs)`)
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
