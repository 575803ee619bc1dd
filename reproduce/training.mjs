/** What tasks train with. */

import { fit, sequences } from './recurra.mjs'

/** @typedef {import('../dist/index.js').Model} Model */
/** @typedef {import('../dist/index.js').FitOptions} FitOptions */
/** @typedef {import('../dist/index.js').History} History */
/** @typedef {import('../dist/data/index.js').Batch} Batch */
/** @typedef {import('./task.mjs').Context} Context */
/** @typedef {Iterable<Batch> & { readonly count: number }} Batches `count`: batches in an epoch */

/**
 * Trains a model and tells how far it is.
 *
 * @param {Model} model
 * @param {Batches} batches
 * @param {FitOptions} options
 * @param {Context} context
 * @returns {Promise<History>}
 * @throws the signal's reason when it is aborted, and what `fit` throws
 */
export async function train(model, batches, options, { seed, signal, progress }) {
  const steps = batches.count * (options.epochs ?? 1)
  const run = fit(model, batches, { seed, signal, backend: 'wasm', ...options })
  for await (const event of run) {
    if (event.kind === 'step') progress(event.step / steps)
  }
  signal.throwIfAborted()
  return run
}

/**
 * Batches of examples in an order that is another in every epoch, as Keras's `fit` has it.
 *
 * @param {Parameters<typeof sequences>[0]} inputs
 * @param {Parameters<typeof sequences>[1]} targets
 * @param {{ batch: number, seed: number }} options
 * @returns {Batches}
 */
export function shuffled(inputs, targets, options) {
  return sequences(inputs, targets, { ...options, shuffle: true })
}

/** @param {ArrayLike<number>} forecast @param {ArrayLike<number>} targets @returns {number} */
export function meanSquaredError(forecast, targets) {
  let sum = 0
  for (let i = 0; i < targets.length; i++) sum += (forecast[i] - targets[i]) ** 2
  return sum / targets.length
}

/** @param {History} history of a training with validation @param {number} most @returns {number} the mean of its last losses */
export function lastEpochs({ epochs }, most) {
  const last = epochs.slice(-most)
  return last.reduce((sum, { validationLoss }) => sum + validationLoss, 0) / last.length
}
