/**
 * Answers cases of tfjs.test.ts: node tfjs.mjs CASES.json ANSWERS.json. Layers of tfjs-layers and its automatic
 * gradients, in f32 on the plain CPU backend, from the packages of bench/.
 *
 * A case holds a model's layers as Recurra describes them, its weights by path, and a batch. TF.js has Recurra's layout
 * of weights and its order of gates. Where its conventions differ, what it gives is turned into Recurra's here:
 * goBackwards stacks outputs in the order in which they came, Recurra leaves step t at t; beyond a row's length it
 * repeats the output before, Recurra gives 0.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(new URL('../../bench/package.json', import.meta.url))
const tf = require('@tensorflow/tfjs-core')
require('@tensorflow/tfjs-backend-cpu')
const { layers: keras } = require('@tensorflow/tfjs-layers')
tf.enableProdMode()

/** Its own initializers are never used, and that for recurrent weights needs an op that its Node build lacks. */
const ANY = { kernelInitializer: 'zeros', recurrentInitializer: 'zeros' }

/** A layer that folds a cell; returnState, so that final states can be asked for. */
const recurrent = (make, states) => ({
  states,
  params: ['U', 'W', 'b'],
  make: ({ options: { returnSequences, goBackwards }, cell }, { stateful }) => {
    const { resetAfter, kernelInitializer, recurrentInitializer, biasInitializer, ...rest } = cell.options
    const own = { ...rest, ...(resetAfter === false && { resetAfter }) }
    return make({ ...ANY, ...own, returnSequences, goBackwards, stateful, returnState: true })
  },
})

/**
 * For each kind of layer: the layer of TF.js that one of Recurra describes, and the names of its parameters, variables
 * and states in the order in which TF.js has them.
 */
const KINDS = {
  conv1d: {
    params: ['K', 'b'],
    make: ({ options: { filters, kernelSize, strides, padding, dilationRate, activation, useBias } }) =>
      keras.conv1d({ filters, kernelSize, strides, padding, dilationRate, activation, useBias }),
  },
  dense: {
    params: ['V', 'c'],
    make: ({ options: { units, activation, useBias } }) => keras.dense({ units, activation, useBias }),
  },
  embedding: {
    params: ['E'],
    make: ({ options: { inputDim, outputDim } }, { maskZero }) =>
      keras.embedding({ inputDim, outputDim, maskZero }),
  },
  layerNorm: {
    params: ['g', 'b'],
    make: ({ options: { epsilon, center, scale } }) => keras.layerNormalization({ epsilon, center, scale }),
  },
  masking: { params: [], make: ({ options: { maskValue } }) => keras.masking({ maskValue }) },
  repeatVector: { params: [], make: ({ options: { n } }) => keras.repeatVector({ n }) },
  batchNorm: {
    params: ['g', 'b'],
    variables: ['movingMean', 'movingVariance'],
    make: ({ options: { epsilon, center, scale, momentum } }) =>
      keras.batchNormalization({ epsilon, center, scale, momentum }),
  },
  convLstm2d: recurrent(keras.convLstm2d, ['h', 'c']),
  elman: recurrent(keras.simpleRNN, ['h']),
  gru: recurrent(keras.gru, ['h']),
  lstm: recurrent(keras.lstm, ['h', 'c']),
}

/** A layer of Recurra as TF.js has it. Its hardSigmoid is Keras 2's. */
function kindOf(layer) {
  if (JSON.stringify(layer).includes('hardSigmoid')) throw new Error('hardSigmoid is another one')
  if (layer.kind === 'timeDistributed') {
    const { make, ...kind } = kindOf(layer.layer)
    return { ...kind, make: (_, peer) => keras.timeDistributed({ layer: make(layer.layer, peer) }) }
  }
  if (layer.kind !== 'bidirectional') return { variables: [], states: [], ...KINDS[layer.kind] }
  const { params, states, make } = KINDS[layer.forward.kind]
  const both = (names) => ['forward ', 'backward '].flatMap((way) => names.map((name) => way + name))
  const { mergeMode } = layer.options
  return {
    ...{ params: both(params), variables: [], states: both(states) },
    make: (_, peer) => keras.bidirectional({ layer: make(layer.forward, peer), mergeMode }),
  }
}

/** What a trainable first state is called: 'initial h', 'forward initial h'. */
const initialName = (state) => state.replace(/(?=\w+$)/, 'initial ')
const numbers = (tensor) => Array.from(tensor.dataSync())
const allNumbers = (tensors) =>
  Object.fromEntries(Object.entries(tensors).map(([path, tensor]) => [path, numbers(tensor)]))

/** Layers with their weights; by path, the variables that have gradients and those that a training step changes. */
function build({ B, layers, leaves, calls, peer }) {
  const given = (path) => tf.tensor(leaves[path].data, leaves[path].shape)
  const [trainable, moving] = [{}, {}]
  const built = layers.map(({ name, layer, reads }) => {
    const kind = kindOf(layer)
    const own = kind.make(layer, { ...peer, stateful: calls > 1 })
    const there = (names) => names.map((key) => `${name}/${key}`).filter((path) => path in leaves)
    const [params, variables] = [there(kind.params), there(kind.variables)]
    own.apply(tf.zeros(reads, layer.kind === 'embedding' ? 'int32' : 'float32'))
    own.setWeights([...params, ...variables].map(given))
    // `val`, the variable behind a layer's weight; there is no public way to it.
    for (const [i, path] of params.entries()) trainable[path] = own.trainableWeights[i].val
    for (const [i, path] of variables.entries()) moving[path] = own.nonTrainableWeights[i].val
    const begin = kind.states.flatMap((state) => {
      const paths = [`state ${name}/${state}`, `${name}/${initialName(state)}`]
      return paths.filter((path) => path in leaves)
    })
    if (calls > 1 && begin.length > 0) own.resetStates(begin.map(given))
    else for (const path of begin) trainable[path] = tf.variable(given(path))
    const initial = () =>
      begin.map((path) => {
        const state = trainable[path]
        if (path.startsWith('state ')) return state
        return tf.tile(tf.expandDims(state, 0), [B, ...state.shape.map(() => 1)])
      })
    return { name, layer, own, states: kind.states, initial: calls > 1 ? () => [] : initial }
  })
  return { built, trainable, moving }
}

function answer(told) {
  const { T, B, inputs, lengths, mask, calls, training, peer = {}, loss, x, y } = told
  const { built, trainable, moving } = build({ ...told, peer })
  const finals = {}
  const isThere = (b, t) => (mask === null ? +(t < (lengths?.[b] ?? T)) : mask[b * T + t])
  const there = tf.tensor2d(
    Array.from({ length: B }, (_, b) => Array.from({ length: T }, (_, t) => isThere(b, t))),
  )
  /** One number a step and row, to stand beside a value's. */
  const beside = (each, value) => tf.reshape(each, [...each.shape, ...value.shape.slice(each.rank).fill(1)])
  const present = (value) => tf.mul(value, beside(there, value))
  const padded = (lengths !== null || mask !== null) && !peer.maskZero
  let read = tf.tensor(x, [B, T, ...inputs], inputs.length === 0 ? 'int32' : 'float32')
  // Found before: the layer has an op without a gradient.
  const found = padded ? keras.masking({ maskValue: 0 }).computeMask(present(read)) : undefined
  if (inputs.length > 0) trainable.x = read = tf.variable(read)

  /** The output and whether it is a sequence. */
  function forward() {
    let [value, sequence, mask] = [padded ? present(read) : read, true, found]
    for (const { name, layer, own, states, initial } of built) {
      // What it masks is found already, and 0.
      if (layer.kind === 'masking') continue
      if (states.length === 0) {
        if (peer.maskZero && layer.kind === 'embedding') mask = own.computeMask(value)
        value = own.apply(value, { training })
        sequence ||= layer.kind === 'repeatVector'
        continue
      }
      const initialState = initial()
      const [output, ...after] = own.apply(value, {
        mask,
        ...(initialState.length > 0 && { initialState }),
      })
      for (const [i, state] of states.entries()) finals[`final ${name}/${state}`] = tf.keep(after[i])
      const { returnSequences, goBackwards } = (layer.forward ?? layer).options
      sequence = returnSequences
      value = goBackwards && sequence && !layer.forward ? tf.reverse(output, 1) : output
      if (sequence && lengths !== null) value = present(value)
    }
    finals.output = tf.keep(value.clone())
    return { output: value, sequence }
  }

  function lossOf({ output, sequence }) {
    const counted = sequence && (lengths ?? mask) ? there : tf.ones(output.shape.slice(0, sequence ? 2 : 1))
    if (loss === 'softmaxCrossEntropy') {
      const classes = output.shape[output.shape.length - 1]
      const targets = tf.oneHot(tf.tensor(y, counted.shape, 'int32'), classes)
      return tf.losses.softmaxCrossEntropy(targets, output, counted)
    }
    return tf.losses.meanSquaredError(tf.tensor(y, output.shape), output, beside(counted, output))
  }

  for (let i = 1; i < calls; i++) forward()
  if (!training) {
    forward()
    return allNumbers(finals)
  }
  const { value, grads } = tf.variableGrads(() => lossOf(forward()), Object.values(trainable))
  const gradients = Object.entries(trainable).map(([path, { name }]) => [`d ${path}`, grads[name]])
  const next = Object.entries(moving).map(([path, variable]) => [`next ${path}`, variable])
  return allNumbers({ loss: value, ...finals, ...Object.fromEntries([...gradients, ...next]) })
}

const [, , asked, answered] = process.argv
const cases = JSON.parse(readFileSync(asked, 'utf8'))
writeFileSync(answered, JSON.stringify(cases.map(answer)))
