/**
 * Many to one: is a review good or bad? Words become vectors, a GRU reads them in both directions, and one number stands
 * at the end. The reviews are 3,000 sentences about products, films and restaurants (Kotzias et al. 2015), which come with
 * the package sentiment; every tenth is held out.
 *
 *     npm run build && node examples/sentiment.mjs
 */

import { createRequire } from 'node:module'
import {
  adam,
  bidirectional,
  dense,
  dropout,
  embedding,
  evaluate,
  fit,
  gru,
  predict,
  sequential,
  tensor,
} from 'recurra'
import { segmentWords, sequences, WordVocabulary } from 'recurra/data'
import { readOptions } from './shared/options.mjs'

const { units, epochs, seed } = readOptions('Learns whether a review is good or bad.', {
  units: [16, 'H, in each direction'],
  epochs: [4, 'times that all reviews are seen'],
  seed: [1, 'of weights, order and dropout'],
})

/** @typedef {{ text: string, class: 0 | 1 }} Review */

const require = createRequire(import.meta.url)
/** @type {Review[]} */
const reviews = [
  ...require('sentiment/test/fixtures/amazon.json'),
  ...require('sentiment/test/fixtures/imdb.json'),
  ...require('sentiment/test/fixtures/yelp.json'),
].filter(({ text }) => text !== '')
const held = reviews.filter((_, n) => n % 10 === 9)
const some = reviews.filter((_, n) => n % 10 !== 9)

const wordsOf = (text) => segmentWords(text.toLowerCase())
// Words that stand only once become [UNK], as words that come later do.
const vocabulary = WordVocabulary.of(
  some.flatMap(({ text }) => wordsOf(text)),
  { minCount: 2 },
)
const idsOf = (text) => {
  const ids = vocabulary.encode(wordsOf(text))
  return tensor(ids, [ids.length])
}
/** @param {Review[]} part @param {boolean} shuffle @returns ids i32 [B, T] with lengths, targets f32 [B, 1] */
const batchesOf = (part, shuffle) =>
  sequences(
    part.map(({ text }) => idsOf(text)),
    tensor(part.map((review) => [review.class])),
    { batch: 32, shuffle, seed },
  )

const reader = sequential([
  embedding({ inputDim: vocabulary.size, outputDim: 32 }), // [B, T, 32]
  dropout({ rate: 0.5 }),
  bidirectional(gru({ units })), // [B, 2 H]: the last state of each direction
  dropout({ rate: 0.5 }),
  dense({ units: 1 }), // [B, 1]: above 0 is good
])
const loss = 'binaryCrossEntropy'
await fit(reader, batchesOf(some, true), { loss, optimizer: adam({ learningRate: 3e-3 }), epochs, seed })

const { metrics } = await evaluate(reader, batchesOf(held, false), { loss, metrics: ['accuracy'] })
console.log(
  `${(100 * metrics.accuracy).toFixed(1)}% of ${held.length} reviews that it has not seen are told right\n`,
)

const own = [
  'The food was good.',
  'The food was not good.',
  'I love this phone!',
  'The worst film of the year.',
  'It does not work.',
  'It works great, and I would buy it again.',
]
const { data } = await predict(reader, own.map(idsOf))
for (const [n, text] of own.entries()) {
  const good = 100 / (1 + Math.exp(-data[n]))
  console.log(`${text.padEnd(44)}${good.toFixed(0).padStart(3)}% good`)
}
