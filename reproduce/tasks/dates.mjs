/** Dates translated from one form to another, by three networks: 'April 22, 2019' → '2019-04-22'. */

import { nadam } from '../nadam.mjs'
import {
  attention,
  call,
  concatenate,
  datePairs,
  decode,
  dense,
  embedding,
  evaluate,
  input,
  lstm,
  model,
  repeatVector,
  sequences,
  sequential,
  tensor,
  Vocabulary,
} from '../recurra.mjs'
import { shuffled, train } from '../training.mjs'

const LOSS = 'softmaxCrossEntropy'
const [UNITS, EMBEDDING] = [128, 32]
/** What is read has 1 to 18 characters, and 0 behind them; it is not masked. */
const [READ, WRITTEN] = [18, 10]
const [INPUTS, OUTPUTS] = [' ,0123456789ADFJMNOSabceghilmnoprstuvy', '0123456789-'].map((text) =>
  Vocabulary.from([...text]),
)
/** Ids of outputs are 1 to 11; 0 is padding, which never comes, and 12 stands before what is written. */
const CLASSES = OUTPUTS.size + 1
const GO = CLASSES

/** @returns {import('../training.mjs').Tensor} i32 [N, steps]: ids from 1 on */
function idsOf(vocabulary, texts, steps) {
  const ids = new Int32Array(texts.length * steps)
  for (const [n, text] of texts.entries()) {
    ids.set(
      vocabulary.encode(text).map((id) => id + 1),
      n * steps,
    )
  }
  return tensor(ids, [texts.length, steps])
}

/** @returns dates, their translations, and those after a step of GO */
function dates(count, seed, stream) {
  const pairs = datePairs({ count, seed, stream })
  const targets = idsOf(OUTPUTS, pairs.targets, WRITTEN)
  const before = targets.data.map((_, i) => (i % WRITTEN === 0 ? GO : targets.data[i - 1]))
  return {
    source: idsOf(INPUTS, pairs.inputs, READ),
    target: tensor(before, targets.shape),
    targets,
  }
}

const embedded = (inputDim) => embedding({ inputDim, outputDim: EMBEDDING })
const read = () => embedded(INPUTS.size + 1)
const sequence = { units: UNITS, returnSequences: true }

const plain = () =>
  sequential([
    read(),
    lstm({ units: UNITS }),
    repeatVector({ n: WRITTEN }),
    lstm(sequence),
    dense({ units: CLASSES }),
  ])

/** An encoder whose states a decoder begins with, which reads the character before. */
function forced({ attends }) {
  const [source, target] = ['S', 'T'].map((time) => input({ shape: [time], dtype: 'i32' }))
  const encoded = source.to(read()).to(lstm(sequence))
  const decoded = target.to(embedded(CLASSES + 1)).to(lstm(sequence), { initialState: encoded })
  const seen = call(attention({ score: 'general' }), [decoded, encoded])
  const known = attends ? call(concatenate(), [decoded, seen]) : decoded
  return model({ inputs: { source, target }, outputs: known.to(dense({ units: CLASSES })) })
}

/**
 * @param {import('../training.mjs').Model} net
 * @param {(part: ReturnType<typeof dates>) => object} inputsOf
 * @param {import('../task.mjs').Context} context
 * @returns what it is to be tested on
 */
async function trained(net, inputsOf, context) {
  const { seed, budget } = context
  const [some, held] = [dates(10_000, seed, 0), dates(2000, seed, 1)]
  const batches = shuffled(inputsOf(some), some.targets, { batch: 32, seed })
  await train(net, batches, { loss: LOSS, optimizer: nadam(), epochs: budget.epochs }, context)
  return held
}

/** @returns {Promise<number>} of characters; where the net reads those before, it is given the right ones */
async function accuracy(net, inputsOf, context) {
  const held = await trained(net, inputsOf, context)
  const batches = sequences(inputsOf(held), held.targets, { batch: 500 })
  return (await evaluate(net, batches, { loss: LOSS, metrics: ['accuracy'] })).metrics.accuracy
}

/** @returns {Promise<number>} of characters, each written after those that the net has written itself */
async function freeAccuracy(net, inputsOf, context) {
  const { source, targets } = await trained(net, inputsOf, context)
  const { tokens } = await decode(net, { source }, { start: GO, steps: WRITTEN })
  return targets.data.filter((id, i) => id === tokens.data[i]).length / targets.data.length
}

const both = ({ source, target }) => ({ source, target })
const figure = (name, published, [epochs, epochSeconds], run) => {
  const budget = { seconds: epochs * epochSeconds, epochs }
  return {
    name,
    metric: 'validation accuracy',
    published,
    direction: 'at least',
    budgets: { ...(name === 'forced' && { quick: budget }), standard: budget, full: budget },
    run,
  }
}

/** @type {import('../task.mjs').Task} */
export const datesTask = {
  name: 'dates',
  title: "Dates from one form to another, 10,000 pairs: 'April 22, 2019' → '2019-04-22'",
  version: 1,
  source:
    'Géron, "Hands-On Machine Learning", 2nd edition, chapter 16, exercise 9, and its notebook: embeddings of 32, LSTM(128) ' +
    'to read and to write, Nadam at its default rate, batches of 32, 2,000 other dates to validate.',
  note:
    'plain repeats the vector of the date, 20 epochs; forced hands over states and reads the character before, 10 epochs, ' +
    'and so in its validation; attention, 25 epochs, writes freely in its validation. The notebook feeds what attention saw ' +
    'into the next step and writes from that alone; here it stands beside the output of the decoder (Luong et al. 2015, ' +
    'without input feeding). --quick measures forced alone. Left open: the seeds.',
  figures: [
    figure('plain', '1.000', [20, 3.3], (context) => accuracy(plain(), ({ source }) => source, context)),
    figure('forced', '1.000', [10, 3], (context) => accuracy(forced({ attends: false }), both, context)),
    figure('attention', '0.9992', [25, 3.2], (context) =>
      freeAccuracy(forced({ attends: true }), both, context),
    ),
  ],
}
