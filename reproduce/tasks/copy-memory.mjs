/** Copying memory: ten symbols that are to be repeated after T blanks. */

import { copyMemory, dense, elman, gru, lstm, rmsprop, sequences, sequential, tensor } from '../recurra.mjs'
import { lastEpochs, train } from '../training.mjs'

const TRAINED = 10_000
const TESTED = 1000
const BATCH = 32
const CLASSES = 10
const SHORT = 200
const LONG = 1000

/** Ids are read as numbers, one a step, as the source has it. */
function batchesOf(count, delay, seed, stream) {
  const { inputs, targets } = copyMemory({ count, delay, seed, stream })
  const values = tensor(Float32Array.from(inputs.data), [...inputs.shape, 1])
  return sequences(values, targets, { batch: BATCH })
}

/** @param {import('../task.mjs').Context} context @returns {Promise<number>} */
async function loss(layer, delay, context) {
  const { seed, budget } = context
  const history = await train(
    sequential([layer, dense({ units: CLASSES })]),
    batchesOf(TRAINED, delay, seed, 0),
    {
      loss: 'softmaxCrossEntropy',
      optimizer: rmsprop({ learningRate: 5e-4, rho: 0.99, epsilon: 1e-8 }),
      clipGlobalNorm: 1,
      epochs: budget.epochs,
      validation: { batches: batchesOf(TESTED, delay, seed, 1) },
    },
    context,
  )
  return lastEpochs(history, 3)
}

/** What is best for who remembers nothing: 10 ln 8 / (T + 20). */
const memoryless = (delay) => ((10 * Math.log(8)) / (delay + 20)).toPrecision(3)

const kinds = [
  {
    name: 'lstm',
    published: '0.0204',
    epochSeconds: [7, 38],
    layerOf: () => lstm({ units: 62, returnSequences: true }),
  },
  {
    name: 'gru',
    published: '0.0197',
    epochSeconds: [6, 27],
    layerOf: () => gru({ units: 71, returnSequences: true }),
  },
  {
    name: 'rnn',
    published: '0.0202',
    epochSeconds: [4.5, 23],
    layerOf: () => elman({ units: 122, returnSequences: true }),
  },
]

const figure = (delay, { name, published, epochSeconds: [short, long], layerOf }) => {
  const budget = (epochs) => ({ seconds: epochs * (delay === SHORT ? short : long), epochs })
  return {
    name: `${name}-${delay}`,
    metric: 'test cross entropy',
    published: delay === SHORT ? memoryless(SHORT) : published,
    direction: 'at most',
    budgets:
      delay === SHORT ? { quick: budget(5), standard: budget(20), full: budget(20) } : { full: budget(50) },
    run: (context) => loss(layerOf(), delay, context),
  }
}

/** @type {import('../task.mjs').Task} */
export const copyMemoryTask = {
  name: 'copy-memory',
  title: 'Copying memory over T blanks, about 16,000 parameters',
  version: 1,
  source:
    'Bai, Kolter and Koltun 2018, table 1, T = 1000, and their scripts (locuslab/TCN): 10,000 sequences, 1,000 to test, ' +
    'batches of 32 in order, RMSprop at 0.0005, clipping to the norm 1, 50 epochs; the mean after the last three.',
  note:
    'The scripts hold the convolutional network alone. Left open: layers and units, here one layer of LSTM(62), GRU(71) or ' +
    "RNN(122), whose parameters come to the 16,000 of the table; how weights begin, here as Keras's. T = 1000 is only for " +
    '--full. For T = 200 no figure is published: there it is the cross entropy of who remembers nothing, 10 ln 8 / (T + ' +
    '20), in 20 epochs, 5 with --quick: a trial of 2 had not settled.',
  figures: [SHORT, LONG].flatMap((delay) => kinds.map((kind) => figure(delay, kind))),
}
