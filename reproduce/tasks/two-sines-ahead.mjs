/** The next ten values of two sines and noise, as one vector after the last step, or after every step. */

import {
  adam,
  defineCell,
  dense,
  elman,
  evaluate,
  glorotUniform,
  gru,
  lstm,
  naiveForecast,
  ones,
  orthogonal,
  predict,
  recurrent,
  sequences,
  sequential,
  tanh,
  zeros,
} from '../recurra.mjs'
import { always } from '../task.mjs'
import { meanSquaredError, shuffled, train } from '../training.mjs'
import { BATCH, EPOCHS, flat, LOSS, STEPS_SEEN, sines } from './two-sines.mjs'

const AHEAD = 10
const WINDOW = { length: STEPS_SEEN, horizon: AHEAD }

/** The book's own cell: h(t) = tanh(N(x U + h(t−1) W + b) ⊙ g + c), with N as layer normalization has it, ε = 1e-3. */
const normedElman = defineCell()({
  name: 'normedElman',
  state: ({ units }) => ({ h: units }),
  params: ({ inputs, units }) => ({
    U: glorotUniform(inputs, units),
    W: orthogonal(units, units),
    b: zeros(units),
    g: ones(units),
    c: zeros(units),
  }),
}).step(({ x, state: { h }, params: { U, W, b, g, c } }) => {
  const sum = x.matmul(U).add(h.matmul(W)).add(b)
  const centered = sum.sub(sum.mean(-1, { keepDims: true }))
  const deviation = centered.square().mean(-1, { keepDims: true }).add(1e-3).sqrt()
  const next = tanh(centered.div(deviation).mul(g).add(c))
  return { output: next, state: { h: next } }
})

/** @param {import('../task.mjs').Context} context @returns the model, trained */
async function trained(layers, { inputs, targets }, context) {
  const model = sequential(layers)
  const batches = shuffled(inputs, targets, { batch: BATCH, seed: context.seed })
  await train(model, batches, { loss: LOSS, optimizer: adam(), epochs: context.budget.epochs }, context)
  return model
}

/** @param {import('../task.mjs').Context} context @returns {Promise<number>} */
async function vectorError(layers, context, read = (inputs) => inputs) {
  const parts = sines(WINDOW)
  const [some, held] = [parts.train, parts.validation].map((part) => ({ ...part, inputs: read(part.inputs) }))
  const model = await trained(layers, some, context)
  const batches = sequences(held.inputs, held.targets, { batch: 500 })
  return (await evaluate(model, batches, { loss: LOSS })).loss
}

/** @param {import('../task.mjs').Context} context @returns {Promise<number>} of the forecast after the last step alone */
async function lastStepError(layerOf, context) {
  const parts = sines({ ...WINDOW, everyStep: true })
  const layers = [layerOf(), layerOf(), dense({ units: AHEAD })]
  const model = await trained(layers, parts.train, context)
  const { inputs, targets } = parts.validation
  const last = ({ data }) => data.filter((_, i) => Math.floor(i / AHEAD) % STEPS_SEEN === STEPS_SEEN - 1)
  return meanSquaredError(last(await predict(model, inputs)), last(targets))
}

const figure = (name, published, seconds, run) => ({
  name,
  metric: 'validation MSE',
  published,
  direction: 'at most',
  budgets: always({ seconds, epochs: EPOCHS }),
  run,
})
const everyStep = (name, published, seconds, layerOf) => ({
  ...figure(name, published, seconds, (context) => lastStepError(layerOf, context)),
  metric: 'validation MSE, last step',
})
const sequence = { units: 20, returnSequences: true }

/** @type {import('../task.mjs').Task} */
export const twoSinesAhead = {
  name: 'two-sines-ahead',
  title: 'Two sines and noise, 7,000 series of 50 steps: the next ten values',
  version: 3,
  source:
    'Géron, "Hands-On Machine Learning", 2nd edition, chapter 15: Adam at its default rate, batches of 32, 20 epochs.',
  note:
    "The series are the notebook's own, as in two-sines-next; naive repeats the last value seen. Those with every-step learn " +
    'the ten values after each step and are measured after the last; their LSTM, GRU and layer-normed RNN are two layers ' +
    'of 20 units. Left open: the seeds of weights and order.',
  figures: [
    {
      ...figure('naive', '0.257', 0.2, async () => {
        const { inputs, targets } = sines(WINDOW).validation
        return meanSquaredError(naiveForecast(inputs, { horizon: AHEAD }).data, targets.data)
      }),
      direction: 'near',
      seedless: true,
    },
    figure('linear', '0.0187', 0.7, (context) => vectorError([dense({ units: AHEAD })], context, flat)),
    figure('rnn', '0.0085', 3, (context) =>
      vectorError([elman(sequence), elman({ units: 20 }), dense({ units: AHEAD })], context),
    ),
    everyStep('every-step-lstm', '0.0086', 8, () => lstm(sequence)),
    everyStep('every-step-gru', '0.0103', 8, () => gru(sequence)),
    everyStep('every-step-normed', '0.0121', 8, () =>
      recurrent(normedElman({ units: 20 }), { returnSequences: true }),
    ),
  ],
}
