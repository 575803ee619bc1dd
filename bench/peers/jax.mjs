/**
 * jax-js on its WASM backend, which has one thread in Node. It has neither a loop over time nor layers: the step of
 * workload.mjs is written in its operations, the loop unrolled, and all of it, Adam included, goes through one `jit`.
 * Arrays are counted: an operation takes its operands away, and `.ref` keeps one.
 */

import { blockUntilReady, init, jit, nn, numpy as np, tree, valueAndGrad } from '@jax-js/jax'
import { inProcess } from '../measure.mjs'
import { CLASSES, CLIP, GATES, LEARNING_RATE, makeBatch } from '../workload.mjs'

/** @typedef {import('@jax-js/jax').numpy.Array} Array */

const [BETA1, BETA2, EPSILON] = [0.9, 0.999, 1e-8]

/**
 * Cells: `sum` = x U + b and `product` = h W are [B, gates·H] and taken away, as h and c are.
 *
 * @type {Record<string, (sum: Array, product: Array, h: Array, c: Array) => [h: Array, c: Array]>}
 */
const CELLS = {
  lstm(sum, product, h, c) {
    h.dispose()
    const [i, f, g, o] = np.split(sum.add(product), 4, 1)
    const next = nn
      .sigmoid(f)
      .mul(c)
      .add(nn.sigmoid(i).mul(np.tanh(g)))
    return [nn.sigmoid(o).mul(np.tanh(next.ref)), next]
  },
  gru(sum, product, h, c) {
    const [xz, xr, xn] = np.split(sum, 3, 1)
    const [hz, hr, hn] = np.split(product, 3, 1)
    const z = nn.sigmoid(xz.add(hz))
    const candidate = np.tanh(xn.add(nn.sigmoid(xr.add(hr)).mul(hn)))
    return [candidate.ref.add(z.mul(h.sub(candidate))), c]
  },
  elman(sum, product, h, c) {
    h.dispose()
    return [np.tanh(sum.add(product)), c]
  },
}

/**
 * @param {import('../workload.mjs').Work} work a training of one of CELLS
 * @returns {Promise<import('../measure.mjs').Contender>}
 */
export async function createJax({ cell, shape }) {
  const { T, B, I, H } = shape
  if (!(await init('wasm')).includes('wasm')) throw new Error('its WASM backend does not start')
  const batch = makeBatch(shape)
  const x = np.array(batch.x, { shape: [B, T, I], dtype: np.float32 })
  const y = nn.oneHot(np.array(batch.labels, { shape: [B], dtype: np.int32 }), CLASSES)
  const columns = GATES[cell] * H

  const lossOf = (weights, x, y) => {
    const { U, W, b, V, d } = weights
    const sums = np
      .matmul(x.reshape([B * T, I]), U)
      .add(b)
      .reshape([B, T, columns])
    let [h, c] = [np.zeros([B, H]), np.zeros([B, H])]
    for (const sum of np.unstack(sums, 1)) {
      ;[h, c] = CELLS[cell](sum, np.matmul(h.ref, W.ref), h, c)
    }
    W.dispose()
    c.dispose()
    return nn
      .logSoftmax(np.matmul(h, V).add(d), -1)
      .mul(y)
      .sum()
      .mul(-1 / B)
  }
  const train = jit((state, x, y) => {
    const [loss, grads] = valueAndGrad(lossOf)(
      tree.map((each) => each.ref, state.weights),
      x,
      y,
    )
    const squares = Object.values(grads).map((grad) => np.square(grad.ref).sum())
    const norm = np.sqrt(squares.reduce((sum, each) => sum.add(each)))
    const scale = np.minimum(np.array(CLIP).div(norm.add(1e-6)), 1)
    const t = state.t.add(1)
    const [fix1, fix2] = [BETA1, BETA2].map((beta) => np.array(1).sub(np.exp(t.ref.mul(Math.log(beta)))))
    const next = { weights: {}, m: {}, v: {}, t }
    for (const name of Object.keys(grads)) {
      const grad = grads[name].mul(scale.ref)
      next.m[name] = state.m[name].mul(BETA1).add(grad.ref.mul(1 - BETA1))
      next.v[name] = state.v[name].mul(BETA2).add(np.square(grad).mul(1 - BETA2))
      const root = np.sqrt(next.v[name].ref.div(fix2.ref)).add(EPSILON)
      const update = next.m[name].ref.div(fix1.ref).div(root).mul(LEARNING_RATE)
      next.weights[name] = state.weights[name].sub(update)
    }
    for (const each of [scale, fix1, fix2]) each.dispose()
    return [loss, next]
  })

  let state = begin({ U: [I, columns], W: [H, columns], b: [columns], V: [H, CLASSES], d: [CLASSES] }, H)
  const step = async () => {
    const [loss, next] = train(state, x.ref, y.ref)
    state = next
    await blockUntilReady(state)
    loss.dispose()
  }
  const close = () => {
    tree.dispose(state)
    for (const each of [x, y, train]) each.dispose()
  }
  return inProcess({ name: 'jax-js', backend: 'wasm', threads: 1 }, { step, close })
}

/** @param {Record<string, number[]>} shapes @param {number} units @returns weights, and Adam's moments */
function begin(shapes, units) {
  const limit = 1 / Math.sqrt(units)
  const weight = (shape) => {
    const count = shape.reduce((product, size) => product * size, 1)
    const numbers = Float32Array.from({ length: count }, () => limit * (2 * Math.random() - 1))
    return np.array(numbers, { shape, dtype: np.float32 })
  }
  const each = (create) =>
    Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, create(shape)]))
  return {
    weights: each(weight),
    m: each((shape) => np.zeros(shape)),
    v: each((shape) => np.zeros(shape)),
    t: np.zeros([]),
  }
}
