/** What tasks train with. */

import { fit, sequences, tensor } from './recurra.mjs'

/** @typedef {import('../dist/index.js').Tensor} Tensor */
/** @typedef {import('../dist/index.js').Sequential} Sequential */
/** @typedef {import('../dist/index.js').FitOptions} FitOptions */
/** @typedef {import('../dist/index.js').History} History */
/** @typedef {import('../dist/data/index.js').Batch} Batch */
/** @typedef {import('./task.mjs').Context} Context */
/** @typedef {Iterable<Batch> & { readonly count: number }} Batches `count`: batches in an epoch */

/**
 * Trains a model and tells how far it is.
 *
 * @param {Sequential} model
 * @param {Batches} batches
 * @param {FitOptions} options
 * @param {Context} context
 * @returns {Promise<History>}
 * @throws the signal's reason when it is aborted, and what `fit` throws
 */
export async function train(model, batches, options, { seed, signal, progress }) {
  const steps = batches.count * (options.epochs ?? 1)
  const run = fit(model, batches, { seed, signal, ...options })
  for await (const event of run) {
    if (event.kind === 'step') progress(event.step / steps)
  }
  signal.throwIfAborted()
  return run
}

/** @template T @param {T[] | Tensor} rows @returns {number} */
const countOf = (rows) => (Array.isArray(rows) ? rows.length : rows.shape[0])

/**
 * Batches of examples in an order that is another in every epoch, as Keras's `fit` has it.
 *
 * @param {Tensor[] | Tensor} inputs as `sequences` takes them
 * @param {Tensor[] | Tensor} targets
 * @param {{ batch: number, seed: number }} options
 * @returns {Batches}
 */
export function shuffled(inputs, targets, { batch, seed }) {
  const count = countOf(inputs)
  const draw = randomOf(seed)
  return {
    count: Math.ceil(count / batch),
    *[Symbol.iterator]() {
      const order = permutation(count, draw)
      for (let start = 0; start < count; start += batch) {
        const some = order.subarray(start, start + batch)
        yield* sequences(rowsAt(inputs, some), rowsAt(targets, some), { batch })
      }
    },
  }
}

/**
 * @template {unknown[] | Tensor} Rows
 * @param {Rows} rows
 * @param {Int32Array} places
 * @returns {Rows}
 */
function rowsAt(rows, places) {
  if (Array.isArray(rows)) return /** @type {Rows} */ (Array.from(places, (place) => rows[place]))
  const { data, shape, dtype } = rows
  const width = data.length / shape[0]
  const picked = new data.constructor(places.length * width)
  for (const [i, place] of places.entries()) {
    picked.set(data.subarray(place * width, (place + 1) * width), i * width)
  }
  return /** @type {Rows} */ (tensor(picked, [places.length, ...shape.slice(1)], dtype))
}

/** Fisher and Yates. */
function permutation(count, draw) {
  const order = Int32Array.from({ length: count }, (_, i) => i)
  for (let i = count - 1; i > 0; i--) {
    const other = Math.floor(draw() * (i + 1))
    const kept = order[i]
    order[i] = order[other]
    order[other] = kept
  }
  return order
}

/** @param {number} seed @returns {() => number} in [0, 1): the generator mulberry32 */
function randomOf(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
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
