/** Strings of the embedded Reber grammar, told from strings with one wrong letter. */

import {
  dense,
  embedding,
  evaluate,
  gru,
  REBER_LETTERS,
  reberStrings,
  sequences,
  sequential,
  sgd,
  tensor,
  Vocabulary,
} from '../recurra.mjs'
import { always } from '../task.mjs'
import { shuffled, train } from '../training.mjs'

const LOSS = 'binaryCrossEntropy'
const EMBEDDING = 5

/** @returns ids of each string, and f32 [N, 1] */
function examples(count, seed, stream) {
  const vocabulary = Vocabulary.from(REBER_LETTERS)
  const { strings, grammatical } = reberStrings({ count, seed, stream })
  return {
    inputs: strings.map((text) => tensor(vocabulary.encode(text), [text.length])),
    targets: tensor(Float32Array.from(grammatical), [count, 1]),
  }
}

/** @type {import('../task.mjs').Task} */
export const reber = {
  name: 'reber',
  title: 'Embedded Reber grammar, 10,000 strings: GRU(30) tells good from bad',
  version: 2,
  source:
    'Géron, "Hands-On Machine Learning", 2nd edition, chapter 16, exercise 8: embedding of 5, SGD at 0.02 with Nesterov ' +
    'momentum 0.95, batches of 32, 20 epochs; 2,000 other strings to validate.',
  note:
    "The book's bad strings have one random letter changed, and a few of them are good by chance; here none is. Left " +
    'open: the seeds.',
  figures: [
    {
      name: 'gru',
      metric: 'validation accuracy',
      published: '1.000',
      direction: 'at least',
      budgets: always({ seconds: 4, epochs: 20 }),
      async run(context) {
        const { seed, budget } = context
        const model = sequential([
          embedding({ inputDim: REBER_LETTERS.length, outputDim: EMBEDDING }),
          gru({ units: 30 }),
          dense({ units: 1 }),
        ])
        const { inputs, targets } = examples(10_000, seed, 0)
        const optimizer = sgd({ learningRate: 0.02, momentum: 0.95, nesterov: true })
        const batches = shuffled(inputs, targets, { batch: 32, seed })
        await train(model, batches, { loss: LOSS, optimizer, epochs: budget.epochs }, context)
        const held = examples(2000, seed, 1)
        const measured = await evaluate(model, sequences(held.inputs, held.targets, { batch: 500 }), {
          loss: LOSS,
          metrics: ['accuracy'],
        })
        return measured.metrics.accuracy
      },
    },
  ],
}
