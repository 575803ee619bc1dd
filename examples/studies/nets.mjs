/** The networks of the study, with recurrent weights of a chosen spectral radius, and the data they read. */

import {
  defineCell,
  dense,
  elman,
  glorotUniform,
  gru,
  lstm,
  normal,
  recurrent,
  sequential,
  tensor,
  zeros,
} from 'recurra'
import { spectralRadius } from './spectral-radius.mjs'

/** @typedef {import('recurra').Tensor} Tensor */
/** @typedef {import('recurra').Model} Model */

/**
 * @typedef {object} Net
 * @property {string} name
 * @property {(units: number, returnSequences: boolean) => ReturnType<typeof elman>} layer
 * @property {number} blocks square matrices side by side in W, one a gate
 * @property {boolean} [identity] W begins as the identity, times the radius
 * @property {number} [forgetBias]
 */

export const INPUTS = 4
/** Where the clipped ReLU ends. */
export const CAP = 1

const clippedRelu = defineCell()({
  name: 'clippedRelu',
  state: ({ units }) => ({ h: units }),
  params: ({ inputs, units }) => ({
    U: glorotUniform(inputs, units),
    W: normal(1, units, units),
    b: zeros(units),
  }),
}).step(({ x, state: { h }, params: { U, W, b } }) => {
  const next = x.matmul(U).add(h.matmul(W)).add(b).max(0).min(CAP)
  return { output: next, state: { h: next } }
})

/** W is drawn from a normal distribution: an orthogonal one would have all eigenvalues on one circle. */
const random = { recurrentInitializer: { kind: 'normal', deviation: 1 } }

/** @param {string} activation @returns {Net['layer']} */
const vanilla = (activation) => (units, returnSequences) =>
  elman({ units, returnSequences, activation, name: 'net', ...random })

/** @type {Net['layer']} */
const longShort = (units, returnSequences) => lstm({ units, returnSequences, name: 'net', ...random })

/** @type {readonly Net[]} */
export const NETS = [
  { name: 'Elman, tanh', layer: vanilla('tanh'), blocks: 1 },
  { name: 'Elman, sigmoid', layer: vanilla('sigmoid'), blocks: 1 },
  { name: 'Elman, ReLU', layer: vanilla('relu'), blocks: 1 },
  {
    name: 'Elman, clipped ReLU',
    layer: (units, returnSequences) => recurrent(clippedRelu({ units }), { returnSequences, name: 'net' }),
    blocks: 1,
  },
  { name: 'Elman, ReLU, identity', layer: vanilla('relu'), blocks: 1, identity: true },
  {
    name: 'GRU',
    layer: (units, returnSequences) => gru({ units, returnSequences, name: 'net', ...random }),
    blocks: 3,
  },
  { name: 'LSTM', layer: longShort, blocks: 4 },
  { name: 'LSTM, gates open', layer: longShort, blocks: 4, forgetBias: 6 },
]

/** @param {string} name @returns {Net} */
export const netOf = (name) => NETS.find((net) => net.name === name)

/**
 * A network that reads a sequence and gives one number at its end.
 *
 * @param {Net} net
 * @param {{ units: number, radius: number, seed: number }} sizes
 * @returns {Model}
 */
export function modelOf(net, { units, radius, seed }) {
  const model = sequential([net.layer(units, false), dense({ units: 1, name: 'readout' })], {
    input: { shape: [null, INPUTS], dtype: 'f32' },
  })
  const weights = new Map(model.weights(seed))
  const { data, shape } = weights.get('net/W')
  weights.set(
    'net/W',
    tensor(net.identity ? identity(units, radius) : scaled(data, units, net.blocks, radius), shape),
  )
  if (net.forgetBias !== undefined) {
    const b = weights.get('net/b')
    weights.set(
      'net/b',
      tensor(
        b.data.map((value, i) => (Math.floor(i / units) === 1 ? net.forgetBias : value)),
        b.shape,
      ),
    )
  }
  model.setWeights(weights)
  return model
}

/**
 * Its hidden states at every step.
 *
 * @param {Net} net
 * @param {Model} model
 * @param {number} units
 * @returns {Model}
 */
export function statesOf(net, model, units) {
  const states = sequential([net.layer(units, true)], { input: { shape: [null, INPUTS], dtype: 'f32' } })
  states.setWeights(new Map([...model.weights()].filter(([path]) => path.startsWith('net/'))))
  return states
}

/** @param {number} units @param {number} radius @returns {Float32Array} */
function identity(units, radius) {
  return Float32Array.from({ length: units * units }, (_, i) => (i % (units + 1) === 0 ? radius : 0))
}

/**
 * Each block of W times what brings its spectral radius, the largest |eigenvalue|, to `radius`.
 *
 * @param {Float32Array} W [H, blocks · H]
 * @param {number} units
 * @param {number} blocks
 * @param {number} radius
 * @returns {Float32Array}
 */
function scaled(W, units, blocks, radius) {
  const factors = Array.from({ length: blocks }, (_, block) => {
    const own = Float64Array.from(W.filter((_, i) => Math.floor(i / units) % blocks === block))
    return radius / spectralRadius(own, units)
  })
  return W.map((value, i) => value * factors[Math.floor(i / units) % blocks])
}

/**
 * Uniform numbers −1 … 1, and as target the mean of each row's first ones.
 *
 * @param {{ rows: number, steps: number, seed: number }} sizes
 * @returns {import('recurra/data').Batch}
 */
export function batchOf({ rows, steps, seed }) {
  const next = numbers(seed)
  const x = Float32Array.from({ length: rows * steps * INPUTS }, () => 2 * next() - 1)
  const y = Float32Array.from({ length: rows }, (_, row) => {
    let sum = 0
    for (let t = 0; t < steps; t++) sum += x[(row * steps + t) * INPUTS]
    return sum / steps
  })
  return { inputs: tensor(x, [rows, steps, INPUTS]), targets: tensor(y, [rows, 1]), reset: true }
}

/** Marsaglia's xorshift. @param {number} seed @returns {() => number} from 0 to 1 */
function numbers(seed) {
  let state = (Math.imul(seed + 1, 0x9e3779b1) ^ 0x5bd1e995) | 1
  const draw = () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
  for (let i = 0; i < 16; i++) draw()
  return draw
}
