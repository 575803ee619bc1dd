/**
 * Answers cases of tfjs.test.ts: node tfjs.mjs CASES.json ANSWERS.json. Layers of tfjs-layers and its automatic
 * gradients, in f32 on the plain CPU backend, from the packages of bench/.
 *
 * A case holds a model's layers as Recurra describes them, its weights by path, and a batch. TF.js has Recurra's layout
 * of weights and its order of gates. Where its conventions differ, what it gives is turned into Recurra's here:
 * goBackwards stacks outputs in the order in which they came, Recurra leaves step t at t; a masked step repeats the output
 * before it, Recurra gives 0.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(new URL('../../bench/package.json', import.meta.url))
const tf = require('@tensorflow/tfjs-core')
require('@tensorflow/tfjs-backend-cpu')
const { layers: keras } = require('@tensorflow/tfjs-layers')
tf.enableProdMode()

const RECURRENT = { elman: keras.simpleRNN, gru: keras.gru, lstm: keras.lstm }
const STATES = { elman: ['h'], gru: ['h'], lstm: ['h', 'c'] }
const PARAMETERS = { dense: ['V', 'c'], embedding: ['E'] }

/** Its own initializers are never used, and that for recurrent weights needs an op that its Node build lacks. */
const ANY = { kernelInitializer: 'zeros', recurrentInitializer: 'zeros' }

/** The layer of TF.js that a layer of Recurra describes. Its hardSigmoid is Keras 2's. */
function layerOf({ kind, options, cell }) {
  if (kind === 'embedding') {
    return keras.embedding({ inputDim: options.inputDim, outputDim: options.outputDim, maskZero: false })
  }
  const { units, activation, recurrentActivation, useBias, resetAfter } = cell?.options ?? options
  if ([activation, recurrentActivation].includes('hardSigmoid')) throw new Error('hardSigmoid is another one')
  if (kind === 'dense') return keras.dense({ units, activation, useBias })
  const { returnSequences, goBackwards } = options
  const own = { units, activation, recurrentActivation, useBias, ...(kind === 'gru' && { resetAfter }) }
  return RECURRENT[kind]({ ...ANY, ...own, returnSequences, goBackwards, returnState: true })
}

function answer({ T, B, inputs, lengths, layers, loss, leaves, x, y }) {
  const [variables, finals] = [{}, {}]
  const given = (path) => tf.tensor(leaves[path].data, leaves[path].shape)
  const there = tf.tensor2d(
    Array.from({ length: B }, (_, b) => Array.from({ length: T }, (_, t) => +(t < (lengths?.[b] ?? T)))),
  )
  const built = layers.map(({ name, layer }) => {
    const own = layerOf(layer)
    const parameters = (PARAMETERS[layer.kind] ?? ['U', 'W', 'b']).filter((key) => `${name}/${key}` in leaves)
    const [first] = leaves[`${name}/${parameters[0]}`].shape
    own.apply(layer.kind === 'embedding' ? tf.zeros([1, 1], 'int32') : tf.zeros([1, 1, first]))
    own.setWeights(parameters.map((key) => given(`${name}/${key}`)))
    // `val`, the variable behind a layer's weight; there is no public way to it.
    for (const [i, key] of parameters.entries()) variables[`${name}/${key}`] = own.trainableWeights[i].val
    const initial = (STATES[layer.kind] ?? []).flatMap((state) => {
      const path = [`state ${name}/${state}`, `${name}/initial ${state}`].find((each) => each in leaves)
      if (path === undefined) return []
      variables[path] = tf.variable(given(path))
      return [variables[path]]
    })
    return { name, layer, own, initial }
  })

  let sequence = true
  function forward(value, mask) {
    for (const { name, layer, own, initial } of built) {
      if (STATES[layer.kind] === undefined) {
        value = own.apply(value)
        continue
      }
      const initialState = initial.map((state) =>
        state.rank === 2 ? state : tf.tile(tf.expandDims(state, 0), [B, 1]),
      )
      const [output, ...states] = own.apply(value, { mask, ...(initial.length > 0 && { initialState }) })
      for (const [i, state] of STATES[layer.kind].entries())
        finals[`final ${name}/${state}`] = tf.keep(states[i])
      const { returnSequences, goBackwards } = layer.options
      sequence = returnSequences
      value = goBackwards && sequence ? tf.reverse(output, 1) : output
      if (sequence && mask !== undefined) value = tf.mul(value, tf.expandDims(there, 2))
    }
    return value
  }

  const masking = keras.masking({ maskValue: 0 })
  const { value, grads } = tf.variableGrads(() => {
    let read = tf.tensor(x, [B, T, ...inputs], inputs.length === 0 ? 'int32' : 'float32')
    let mask
    if (lengths !== null) {
      read = tf.mul(read, tf.expandDims(there, 2))
      mask = masking.computeMask(read)
      read = masking.apply(read)
    }
    const output = forward(read, mask)
    finals.output = tf.keep(output.clone())
    const counted = sequence ? there : tf.ones([B])
    if (loss === 'softmaxCrossEntropy') {
      const classes = output.shape[output.shape.length - 1]
      const targets = tf.oneHot(tf.tensor(y, counted.shape, 'int32'), classes)
      return tf.losses.softmaxCrossEntropy(targets, output, counted)
    }
    const target = tf.tensor(y, output.shape)
    return tf.losses.meanSquaredError(target, output, tf.expandDims(counted, -1))
  }, Object.values(variables))
  const numbers = (tensor) => Array.from(tensor.dataSync())
  return {
    loss: numbers(value),
    ...Object.fromEntries(Object.entries(finals).map(([path, tensor]) => [path, numbers(tensor)])),
    ...Object.fromEntries(
      Object.entries(variables).map(([path, variable]) => [`d ${path}`, numbers(grads[variable.name])]),
    ),
  }
}

const [, , asked, answered] = process.argv
const cases = JSON.parse(readFileSync(asked, 'utf8'))
writeFileSync(answered, JSON.stringify(cases.map(answer)))
