/**
 * TensorFlow.js on its WASM backend (SIMD) or in plain JavaScript (cpu), on one thread, in two forms that do the same
 * work:
 *
 * - `layers`: the LSTM, GRU or simple RNN layer of tfjs-layers and automatic gradients, as its documentation teaches. Not
 *   `trainOnBatch`, which cannot clip by the global norm and does more around the step.
 * - `tuned`: the LSTM written in core operations, and matrix products whose gradients transpose their
 *   operands first. The WASM backend runs only untransposed products on its fast path; the gradients it
 *   derives by itself are transposed ones and fall to a plain loop. It is the fastest form we found.
 */

import '@tensorflow/tfjs-backend-cpu'
import { setThreadsCount } from '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
import * as layers from '@tensorflow/tfjs-layers'
import { inProcess } from '../measure.mjs'
import { CLASSES, CLIP, LEARNING_RATE, makeBatch } from '../workload.mjs'

/** @typedef {{ logits(x: tf.Tensor3D): tf.Tensor, variables: tf.Variable[] }} Model */

/** By the cells' names here: how tfjs-layers calls them. */
const LAYERS = /** @type {const} */ ({ lstm: 'lstm', gru: 'gru', elman: 'simpleRNN' })

/**
 * A recurrent layer and a dense layer. The recurrent initializer is not the default (orthogonal) because that
 * one needs operations that the package's Node build leaves out; it matters only before the first step.
 *
 * @param {import('../workload.mjs').Work} work
 * @returns {Model}
 */
function layersModel({ cell, shape: { T, I, H } }) {
  const recurrence = layers.layers[LAYERS[cell]]({
    units: H,
    inputShape: [T, I],
    ...(cell !== 'elman' && { recurrentActivation: 'sigmoid' }),
    recurrentInitializer: 'glorotUniform',
  })
  const model = layers.sequential({ layers: [recurrence, layers.layers.dense({ units: CLASSES })] })
  return {
    logits: (x) => /** @type {tf.Tensor} */ (model.apply(x, { training: true })),
    // `val`, the variable behind a layer's weight, is protected in the types; there is no other way to it.
    variables: model.trainableWeights.map((weight) => /** @type {any} */ (weight).val),
  }
}

/** a [M, K] · b [K, N], with gradients dy·bᵀ and aᵀ·dy that stay on the backend's fast path. */
const product = /** @type {(a: tf.Tensor, b: tf.Tensor) => tf.Tensor2D} */ (
  tf.customGrad((...inputs) => {
    const [a, b, save] = /** @type {[tf.Tensor2D, tf.Tensor2D, tf.GradSaveFunc]} */ (inputs)
    save([a, b])
    return {
      value: tf.matMul(a, b),
      gradFunc: (dy, [savedA, savedB]) => [
        tf.matMul(/** @type {tf.Tensor2D} */ (dy), tf.transpose(savedB)),
        tf.matMul(tf.transpose(savedA), /** @type {tf.Tensor2D} */ (dy)),
      ],
    }
  })
)

/** @param {import('../workload.mjs').Work} work @returns {Model} the LSTM in core operations, gates in the order i f g o */
function tunedModel({ shape: { T, B, I, H } }) {
  const limit = 1 / Math.sqrt(H)
  /** @param {number[]} size */
  const weight = (...size) => tf.variable(tf.randomUniform(size, -limit, limit))
  const [U, W, b, V, c] = [
    weight(I, 4 * H),
    weight(H, 4 * H),
    weight(4 * H),
    weight(H, CLASSES),
    weight(CLASSES),
  ]
  return {
    logits(x) {
      const steps = tf.unstack(x, 1)
      /** @type {tf.Tensor} */
      let h = tf.zeros([B, H])
      /** @type {tf.Tensor} */
      let state = tf.zeros([B, H])
      for (let t = 0; t < T; t++) {
        const [i, f, g, o] = tf.split(tf.add(tf.add(product(steps[t], U), product(h, W)), b), 4, 1)
        state = tf.add(tf.mul(tf.sigmoid(f), state), tf.mul(tf.sigmoid(i), tf.tanh(g)))
        h = tf.mul(tf.sigmoid(o), tf.tanh(state))
      }
      return tf.add(product(h, V), c)
    },
    variables: [U, W, b, V, c],
  }
}

/** @type {Record<'layers' | 'tuned', (work: import('../workload.mjs').Work) => Model>} */
const FORMS = { layers: layersModel, tuned: tunedModel }

/** @param {tf.NamedTensorMap} grads @returns {tf.NamedTensorMap} scaled so that their global norm is at most CLIP */
function clipGlobalNorm(grads) {
  const squares = Object.values(grads).map((grad) => tf.sum(tf.square(grad)))
  const scale = tf.minimum(1, tf.div(CLIP, tf.add(tf.sqrt(tf.addN(squares)), 1e-6)))
  return Object.fromEntries(Object.entries(grads).map(([name, grad]) => [name, tf.mul(grad, scale)]))
}

/** @param {'wasm' | 'cpu'} backend makes it the one that runs what follows */
async function choose(backend) {
  if (!(await tf.setBackend(backend))) throw new Error(`its backend ${backend} does not start`)
  if (backend === 'wasm' && !(await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT')))
    throw new Error('its WASM backend finds no SIMD')
}

/**
 * @param {'layers' | 'tuned'} form
 * @param {'wasm' | 'cpu'} backend
 * @param {import('../workload.mjs').Work} work a training of a cell that the form has
 * @returns {Promise<import('../measure.mjs').Contender>}
 */
export async function createTfjs(form, backend, work) {
  tf.enableProdMode()
  setThreadsCount(1)
  await choose(backend)
  const { shape } = work
  const batch = makeBatch(shape)
  const x = tf.tensor3d(batch.x, [shape.B, shape.T, shape.I])
  const y = /** @type {tf.Tensor2D} */ (
    tf.oneHot(tf.tensor1d(batch.labels, 'int32'), CLASSES, 1, 0, 'float32')
  )
  const model = FORMS[form](work)
  const optimizer = tf.train.adam(LEARNING_RATE, 0.9, 0.999, 1e-8)
  const loss = () => /** @type {tf.Scalar} */ (tf.losses.softmaxCrossEntropy(y, model.logits(x)))

  const step = () =>
    tf.tidy(() => {
      const { grads } = tf.variableGrads(loss, model.variables)
      optimizer.applyGradients(clipGlobalNorm(grads))
    })
  const close = () => {
    tf.dispose([x, y, ...model.variables])
    optimizer.dispose()
  }
  const name = `tfjs-${backend}${form === 'tuned' ? '-tuned' : ''}`
  const contender = inProcess({ name, backend, threads: 1 }, { step, close })
  return {
    ...contender,
    async step(n) {
      await choose(backend) // the other backend may have had its turn
      return contender.step(n)
    },
  }
}
