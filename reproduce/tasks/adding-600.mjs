/** The adding problem over 600 steps: networks of about 70,000 parameters. */

import { adam, addingProblem, dense, elman, gru, lstm, sequences, sequential } from '../recurra.mjs'
import { lastEpochs, train } from '../training.mjs'

const STEPS = 600
const TRAINED = 50_000
const TESTED = 1000
const BATCH = 32

const examples = (count, seed, stream) =>
  addingProblem({ count, steps: STEPS, markers: 'anywhere', seed, stream })
const inOrder = ({ inputs, targets }) => sequences(inputs, targets, { batch: BATCH })

/** @param {import('../task.mjs').Context} context @returns {Promise<number>} */
async function error(layer, context) {
  const { seed, budget } = context
  const model = sequential([layer, dense({ units: 1 })])
  const history = await train(
    model,
    inOrder(examples(TRAINED, seed, 0)),
    {
      loss: 'meanSquaredError',
      optimizer: adam({ learningRate: 4e-3, epsilon: 1e-8 }),
      clipGlobalNorm: 1,
      epochs: budget.epochs,
      validation: { batches: inOrder(examples(TESTED, seed, 1)) },
    },
    context,
  )
  return lastEpochs(history, 3)
}

const figure = (name, published, seconds, layerOf) => ({
  name,
  metric: 'test MSE',
  published,
  direction: 'at most',
  budgets: { standard: { seconds, epochs: 1 }, full: { seconds: 10 * seconds, epochs: 10 } },
  run: (context) => error(layerOf(), context),
})

/** @type {import('../task.mjs').Task} */
export const adding600 = {
  name: 'adding-600',
  title: 'Adding problem over 600 steps, about 70,000 parameters',
  version: 1,
  source:
    'Bai, Kolter and Koltun 2018, table 1, and their scripts (locuslab/TCN): 50,000 sequences, 1,000 to test, batches of ' +
    '32 in order, Adam at 0.004, 10 epochs, the mean of the test errors after the last three (their issue 40).',
  note:
    'The scripts hold the convolutional network alone. Left open: layers and units, here one layer of LSTM(130), GRU(150) ' +
    'or RNN(262), whose parameters come to the 70,000 of the table; clipping, here to the norm 1; how weights begin, here ' +
    "as Keras's. Without --full it is one epoch of the ten.",
  figures: [
    figure('lstm', '0.164', 320, () => lstm({ units: 130 })),
    figure('gru', '5.3e-5', 290, () => gru({ units: 150 })),
    figure('rnn', '0.177', 250, () => elman({ units: 262 })),
  ],
}
