/** The next value of two sines and noise. */

import { adam, dense, elman, evaluate, naiveForecast, sequences, sequential } from '../recurra.mjs'
import { always } from '../task.mjs'
import { meanSquaredError, shuffled, train } from '../training.mjs'
import { BATCH, EPOCHS, flat, LOSS, STEPS_SEEN, sines } from './two-sines.mjs'

/** @param {import('../task.mjs').Context} context @returns {Promise<number>} validation error after training */
async function trained(layers, context, { timeless = false, learningRate = 1e-3 } = {}) {
  const { train: some, validation } = sines({ length: STEPS_SEEN })
  const read = (inputs) => (timeless ? flat(inputs) : inputs)
  const model = sequential(layers)
  const batches = shuffled(read(some.inputs), some.targets, { batch: BATCH, seed: context.seed })
  const options = { loss: LOSS, optimizer: adam({ learningRate }), epochs: context.budget.epochs }
  await train(model, batches, options, context)
  const held = sequences(read(validation.inputs), validation.targets, { batch: 500 })
  return (await evaluate(model, held, { loss: LOSS })).loss
}

const figure = (name, published, seconds, run) => ({
  name,
  metric: 'validation MSE',
  published,
  direction: 'at most',
  budgets: always({ seconds, epochs: EPOCHS }),
  run,
})

/** @type {import('../task.mjs').Task} */
export const twoSinesNext = {
  name: 'two-sines-next',
  title: 'Two sines and noise, 7,000 series of 50 steps: the next value',
  version: 3,
  source: 'Géron, "Hands-On Machine Learning", 2nd edition, chapter 15: Adam, batches of 32, 20 epochs.',
  note:
    "The series are those of the book's notebook, drawn as NumPy draws them from the seed 42. As in the " +
    'notebook, RNN(1) has the rate 0.005, all others 0.001; linear is one dense layer on all 50 values. Deep RNN is the ' +
    'form with a dense layer at its end. Left open: the seeds of weights and order.',
  figures: [
    {
      ...figure('naive', '0.0202', 0.1, async () => {
        const { inputs, targets } = sines({ length: STEPS_SEEN }).validation
        return meanSquaredError(naiveForecast(inputs).data, targets.data)
      }),
      direction: 'near',
      seedless: true,
    },
    figure('linear', '0.0042', 0.6, (context) => trained([dense({ units: 1 })], context, { timeless: true })),
    figure('rnn-1', '0.0109', 0.6, (context) =>
      trained([elman({ units: 1 })], context, { learningRate: 5e-3 }),
    ),
    figure('deep-rnn', '0.0026', 2.5, (context) =>
      trained(
        [elman({ units: 20, returnSequences: true }), elman({ units: 20 }), dense({ units: 1 })],
        context,
      ),
    ),
  ],
}
