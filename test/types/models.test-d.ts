/**
 * Cells, layers and files as the compiler sees them; nothing here runs. What users may write stands plainly; where
 * they must be stopped stands `@ts-expect-error`, and `npm run types` fails where no error comes.
 */
import {
  bidirectional,
  type Cell,
  convLstm1d,
  convLstm2d,
  defineCell,
  dense,
  elman,
  embedding,
  filled,
  glorotUniform,
  gru,
  jordan,
  layerNorm,
  lstm,
  lstmCell,
  type Model,
  recurrent,
  sequential,
  stacked,
  type Tensor,
  tensor,
  type Value,
  zeros,
} from '../../src/index.ts'
import { loadModel, saveModel } from '../../src/io/index.ts'

export function cells(): Cell {
  const declared = defineCell<{ units: number; bias?: number }>()({
    name: 'typed',
    state: ({ units }) => ({ h: units, memory: [units, 2] }),
    params: ({ inputs, units, bias = 0 }) => ({ U: glorotUniform(inputs, units), b: filled(bias, units) }),
    feedback: 'h',
    noise: ({ units }) => ({ h: { shape: units, rate: 0.2 } }),
  })
  const typed = declared.step(({ x, state: { h, memory }, params: { U, b }, noise, options, training }) => {
    const next: Value = x.matmul(U).add(b).add(noise.h(h))
    const output = training ? next.mul(options.units) : next
    return { output, state: { h: next, memory } }
  })

  // @ts-expect-error a state that was not declared
  declared.step(({ state: { h, memory, c } }) => ({ output: c, state: { h, memory } }))
  // @ts-expect-error a parameter that was not declared
  declared.step(({ x, state, params: { W } }) => ({ output: x.matmul(W), state }))
  // @ts-expect-error a mask that was not declared
  declared.step(({ x, state, noise }) => ({ output: noise.x(x), state }))
  // @ts-expect-error an option that was not declared
  declared.step(({ x, state, options }) => ({ output: x.mul(options.rate), state }))
  // @ts-expect-error a next state is missing
  declared.step(({ x, state: { h } }) => ({ output: x, state: { h } }))
  // @ts-expect-error the name of a next state is misspelt
  declared.step(({ x, state: { h, memory } }) => ({ output: x, state: { h, memroy: memory } }))
  // @ts-expect-error no output
  declared.step(({ state }) => ({ state }))
  // @ts-expect-error a number is not a value of the graph
  declared.step(({ state }) => ({ output: 0, state }))
  // @ts-expect-error JavaScript's operators do not apply to values
  declared.step(({ x, state: { h, memory } }) => ({ output: x * h, state: { h, memory } }))
  // @ts-expect-error options of another type
  typed({ units: '8' })
  // @ts-expect-error an option is missing
  typed({})
  // @ts-expect-error an option that was not declared
  typed({ units: 8, rate: 0.1 })

  // @ts-expect-error a parameter is a shape and an initializer
  defineCell<{ units: number }>()({ state: ({ units }) => ({ h: units }), params: () => ({ b: 1 }) })
  // @ts-expect-error a state is a size or a shape
  defineCell<{ units: number }>()({ state: () => ({ h: 'units' }), params: () => ({ b: zeros(1) }) })
  defineCell<{ units: number }>()({
    state: ({ inputs }) => ({ previous: inputs, n: 1 }),
    params: () => ({}),
    untrained: ['n'],
  })
  // @ts-expect-error untrained names states
  defineCell<{ units: number }>()({ state: () => ({ h: 1 }), params: () => ({}), untrained: ['c'] })
  // @ts-expect-error fixed names parameters
  defineCell<{ units: number }>()({ state: () => ({ h: 1 }), params: () => ({}), fixed: ['h'] })
  // @ts-expect-error feedback names a state
  defineCell<{ units: number }>()({ state: () => ({ h: 1 }), params: () => ({}), feedback: 'c' })

  defineCell<{ filters: number }>()({
    inputs: 3,
    state: ({ inputs: [rows, columns], filters }) => ({ h: [rows, columns, filters] }),
    params: ({ inputs: [, , channels], filters }) => ({ U: glorotUniform(channels, filters) }),
  }).step(({ x, state: { h }, params: { U } }) => ({ output: h, state: { h: x.matmul(U).add(h) } }))
  const both = defineCell<{ units: number }>()({
    inputs: { video: 3, audio: 1 },
    state: ({ inputs: { audio }, units }) => ({ heard: [units, audio[0]] }),
    params: ({ inputs: { video } }) => ({ U: glorotUniform(video[2], 1) }),
    feedback: 'heard',
  })
  both.step(({ x: { video, audio }, state: { heard }, params: { U } }) => {
    const next: Value = heard.add(video.matmul(U).sum([1, 2]).mul(audio).expandDims(1))
    return { output: next, state: { heard: next } }
  })
  // @ts-expect-error a row of features is a number of them
  defineCell<object>()({ state: ({ inputs }) => ({ h: inputs[0] }), params: () => ({}) })
  // @ts-expect-error three axes have three sizes
  defineCell<object>()({ inputs: 3, state: ({ inputs }) => ({ h: inputs[3] }), params: () => ({}) })
  // @ts-expect-error an input that was not declared
  both.step(({ x: { text }, state: { heard } }) => ({ output: text, state: { heard } }))
  // @ts-expect-error several inputs are not one value
  both.step(({ x, state: { heard } }) => ({ output: x, state: { heard } }))
  // @ts-expect-error axes are numbers
  defineCell<object>()({ inputs: ['video'], state: () => ({ h: 1 }), params: () => ({}) })

  // @ts-expect-error a declared cell becomes one when its options are given
  recurrent(typed)
  return stacked([typed({ units: 8 }), lstmCell({ units: 8, unitForgetBias: false })])
}

export function layers(): Model {
  const own = { name: 'reader', returnSequences: true, returnState: true } as const
  const kernelInitializer = { kind: 'truncatedNormal', deviation: 0.1 } as const
  const model: Model = sequential(
    [
      embedding({ inputDim: 11, outputDim: 4, embeddingsInitializer: { kind: 'heNormal' } }),
      lstm({ ...own, units: 4, activation: 'relu', recurrentActivation: 'hardSigmoid', kernelInitializer }),
      bidirectional(gru({ units: 4, resetAfter: false }), { mergeMode: 'ave' }),
      layerNorm({ epsilon: 1e-5, center: false }),
      dense({ units: 11, useBias: false, tiedTo: 'embedding' }),
    ],
    { input: { shape: [null], dtype: 'i32' } },
  )
  recurrent([lstmCell({ units: 2 }), lstmCell({ units: 2 })], {
    goBackwards: true,
    initialState: 'trainable',
  })

  convLstm2d({ filters: 4, kernelSize: [3, 1], strides: 2, padding: 'same', returnSequences: true })

  // @ts-expect-error rows and columns alone
  convLstm2d({ filters: 4, kernelSize: [3, 1, 1] })
  // @ts-expect-error one axis
  convLstm1d({ filters: 4, kernelSize: [3, 1] })
  // @ts-expect-error what comes later cannot be left out of an image
  convLstm1d({ filters: 4, kernelSize: 3, padding: 'causal' })
  // @ts-expect-error an unknown option
  lstm({ units: 4, returnSequence: true })
  // @ts-expect-error units are missing
  lstm({ returnSequences: true })
  // @ts-expect-error an activation that is not there
  lstm({ units: 4, activation: 'softplus' })
  // @ts-expect-error an initializer that is not there
  lstm({ units: 4, kernelInitializer: { kind: 'xavier' } })
  // @ts-expect-error an initializer without its number
  lstm({ units: 4, recurrentInitializer: { kind: 'normal' } })
  // @ts-expect-error an initial state that is not there
  recurrent(lstmCell({ units: 4 }), { initialState: 'ones' })
  // @ts-expect-error resetAfter is the GRU's
  lstm({ units: 4, resetAfter: true })
  // @ts-expect-error unitForgetBias is the LSTM's
  gru({ units: 4, unitForgetBias: true })
  // @ts-expect-error an unknown option
  elman({ units: 4, recurrentActivation: 'sigmoid' })
  // @ts-expect-error units are a number
  jordan({ units: [4] })
  // @ts-expect-error a way of merging that is not there
  bidirectional(lstm({ units: 4 }), { mergeMode: 'max' })
  // @ts-expect-error only a recurrent layer goes both ways
  bidirectional(dense({ units: 4 }))
  // @ts-expect-error an unknown option
  dense({ units: 4, activity: 'relu' })
  // @ts-expect-error the length of a vector is missing
  embedding({ inputDim: 11 })
  // @ts-expect-error Keras's name for it is epsilon
  layerNorm({ eps: 1e-5 })
  // @ts-expect-error a cell is not a layer
  sequential([lstmCell({ units: 4 })])
  // @ts-expect-error a dtype that is not there
  sequential([dense({ units: 4 })], { input: { shape: [null, 4], dtype: 'f16' } })
  return model
}

export function files(model: Model): Tensor {
  const bytes: Uint8Array = saveModel(model, { extra: { vocabulary: 'abc' } })
  const loaded = loadModel(bytes)
  const own: Model = loaded.model
  const note: string | undefined = loaded.extra['vocabulary']
  saveModel(own, note === undefined ? {} : { extra: { note } })

  // @ts-expect-error what is kept beside a model is text
  saveModel(model, { extra: { version: 1 } })
  // @ts-expect-error a model has no name in its file
  loaded.name
  // @ts-expect-error what was loaded stays as it is
  loaded.model = own
  // @ts-expect-error what was kept beside a model is text
  const version: number | undefined = loaded.extra['version']
  // @ts-expect-error bytes, not the name of a file
  loadModel('model.safetensors')
  // @ts-expect-error bytes, not their buffer
  loadModel(bytes.buffer)

  // @ts-expect-error numbers, not texts
  tensor([['1']])
  // @ts-expect-error a dtype that is not there
  tensor([1], [1], 'f64')
  return version === undefined ? tensor([[1, 2]]) : tensor(Int32Array.of(version), [1], 'i32')
}
