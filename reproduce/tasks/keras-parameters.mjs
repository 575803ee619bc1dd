/** Parameter counts of the models in Keras's guide. */

import {
  bidirectional,
  call,
  dense,
  elman,
  embedding,
  gru,
  input,
  lstm,
  model,
  sequential,
} from '../recurra.mjs'
import { always } from '../task.mjs'

const TOKENS = { input: { shape: [null], dtype: 'i32' } }

const models = {
  'embedding-lstm': () =>
    sequential(
      [embedding({ inputDim: 1000, outputDim: 64 }), lstm({ units: 128 }), dense({ units: 10 })],
      TOKENS,
    ),
  'embedding-gru-rnn': () =>
    sequential(
      [
        embedding({ inputDim: 1000, outputDim: 64 }),
        gru({ units: 256, returnSequences: true }),
        elman({ units: 128 }),
        dense({ units: 10 }),
      ],
      TOKENS,
    ),
  'encoder-decoder': () => {
    const [source, target] = [
      input({ shape: ['Tsource'], dtype: 'i32' }),
      input({ shape: ['Ttarget'], dtype: 'i32' }),
    ]
    const encoded = source.to(embedding({ inputDim: 1000, outputDim: 64 })).to(lstm({ units: 64 }))
    const embedded = target.to(embedding({ inputDim: 2000, outputDim: 64 }))
    const decoded = call(lstm({ units: 64 }), [embedded], { initialState: encoded })
    return model({ inputs: { source, target }, outputs: decoded.to(dense({ units: 10 })) })
  },
  bidirectional: () =>
    sequential(
      [
        bidirectional(lstm({ units: 64, returnSequences: true })),
        bidirectional(lstm({ units: 32 })),
        dense({ units: 10 }),
      ],
      { input: { shape: [null, 10], dtype: 'f32' } },
    ),
}

/** @param {keyof typeof models} name @param {string} start of the paths that count @returns {number} */
function count(name, start) {
  let sum = 0
  for (const [path, { shape }] of models[name]().built.params) {
    if (path.startsWith(start)) sum += shape.reduce((product, size) => product * size, 1)
  }
  return sum
}

/** @returns {import('../task.mjs').Figure} */
const figure = (name, published, model, layer = '') => ({
  name,
  metric: 'parameters',
  published,
  direction: 'exactly',
  seedless: true,
  budgets: always({ seconds: 0.1 }),
  run: async () => count(model, layer),
})

/** @type {import('../task.mjs').Task} */
export const kerasParameters = {
  name: 'keras-parameters',
  title: "Parameter counts of the Keras guide's models",
  version: 2,
  source: 'the Keras guide "Working with RNNs", as its summaries print them.',
  note: 'Nothing is left open.',
  figures: [
    figure('embedding-lstm', '164106', 'embedding-lstm'),
    figure('lstm-128', '98816', 'embedding-lstm', 'lstm/'),
    figure('embedding-gru-rnn', '361866', 'embedding-gru-rnn'),
    figure('gru-256', '247296', 'embedding-gru-rnn', 'gru/'),
    figure('rnn-128', '49280', 'embedding-gru-rnn', 'elman/'),
    figure('encoder-decoder', '258698', 'encoder-decoder'),
    figure('bidirectional', '80266', 'bidirectional'),
  ],
}
