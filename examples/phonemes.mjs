/**
 * Words → phonemes: how is a word said that nobody has said before? An encoder reads the letters in both directions; a
 * decoder writes phonemes of English (ARPAbet), looking back at the letters by attention. Beam search keeps several
 * beginnings of each word and takes the likeliest whole. The words are of the CMU Pronouncing Dictionary, without stress.
 *
 *     npm run build && node examples/phonemes.mjs --words 20000 --epochs 10
 *
 * That takes about half a minute; the defaults take some seconds and are wrong more often.
 */

import { dictionary } from 'cmu-pronouncing-dictionary'
import {
  adam,
  attention,
  bidirectional,
  call,
  concatenate,
  decode,
  dense,
  embedding,
  fit,
  gru,
  input,
  labelErrorRate,
  model,
  tensor,
} from 'recurra'
import { sequences, Vocabulary, WordVocabulary } from 'recurra/data'
import { readOptions } from './shared/options.mjs'
import { randomOf } from './shared/random.mjs'

const { words, units, epochs, beams, seed } = readOptions('Says words letter by letter.', {
  words: [4000, 'words to learn from, drawn from 84,000 of three to eight letters'],
  units: [64, 'H'],
  epochs: [8, 'times that all are seen'],
  beams: [4, 'W, beginnings of a word that beam search keeps'],
  seed: [1, 'of the draw, weights and order'],
})

/** Of the words held out, those that are shown. */
const SHOWN = ['window', 'planet', 'thunder', 'station', 'knight', 'bicycle', 'cheese', 'question']
const HELD = 300
const random = randomOf(seed)
/** @type {[word: string, said: string[]][]} in an order that is drawn */
const entries = Object.entries(dictionary)
  .filter(([word]) => /^[a-z]{3,8}$/.test(word))
  .map(([word, said]) => [
    random() - Number(SHOWN.includes(word)),
    word,
    said.replace(/ #.*/, '').replace(/\d/g, '').split(' '),
  ])
  .sort(([a], [b]) => a - b)
  .map(([, word, said]) => [word, said])
const held = entries.slice(0, HELD)
const some = entries.slice(HELD, HELD + words)

const letters = Vocabulary.of('abcdefghijklmnopqrstuvwxyz')
const [GO, STOP] = ['<go>', '<stop>']
const phonemes = WordVocabulary.from([GO, STOP, ...new Set(entries.flatMap(([, said]) => said))].sort())
const [go, stop] = phonemes.encode([GO, STOP])
const lettersOf = ([word]) => tensor(letters.encode(word), [word.length])
const phonemesOf = (said) => tensor(phonemes.encode(said), [said.length])

const source = input({ shape: ['S'], dtype: 'i32' }) // [B, S], letters
const target = input({ shape: ['T'], dtype: 'i32' }) // [B, T], phonemes before
const read = source
  .to(embedding({ inputDim: letters.size, outputDim: 32 })) // [B, S, 32]
  .to(bidirectional(gru({ units, returnSequences: true }))) // [B, S, 2 H]
const said = target
  .to(embedding({ inputDim: phonemes.size, outputDim: 32 })) // [B, T, 32]
  .to(gru({ units, returnSequences: true }), { initialState: { h: read.get('backward h') } }) // [B, T, H]
const seen = call(attention({ score: 'general' }), [said, read]) // [B, T, 2 H]: the letters that count now
const speaker = model({
  inputs: { source, target },
  outputs: call(concatenate(), [said, seen]).to(dense({ units: phonemes.size })), // logits [B, T, phonemes]
})

const batches = sequences(
  { source: some.map(lettersOf), target: some.map(([, said]) => phonemesOf([GO, ...said])) },
  some.map(([, said]) => phonemesOf([...said, STOP])),
  { batch: 64, shuffle: true, seed },
)
const optimizer = adam({ learningRate: 5e-3 })
const history = await fit(speaker, batches, {
  loss: 'softmaxCrossEntropy',
  optimizer,
  clipGlobalNorm: 1,
  epochs,
  seed,
})
console.log(`${some.length} words, loss ${history.epochs.at(-1).loss.toFixed(3)}`)

/** @param {number} beamWidth @returns {Promise<{ texts: number[][], scores: Float32Array }>} phonemes of the words held out, log p */
async function say(beamWidth) {
  const steps = 20
  const { tokens, lengths, scores } = await decode(
    speaker,
    { source: held.map(lettersOf) },
    { start: go, end: stop, steps, beamWidth },
  )
  const texts = held.map((_, n) =>
    Array.from(tokens.data.subarray(n * steps, n * steps + lengths.data[n])).filter((id) => id !== stop),
  )
  return { texts, scores: scores.data }
}

const right = held.map(([, said]) => Array.from(phonemes.encode(said)))
const found = new Map()
for (const beamWidth of [1, beams]) {
  const { texts, scores } = await say(beamWidth)
  found.set(beamWidth, texts)
  const whole = texts.filter((text, n) => String(text) === String(right[n])).length
  const mean = scores.reduce((sum, score) => sum + score, 0) / HELD
  console.log(
    `beams ${beamWidth}: ${(100 * labelErrorRate(texts, right)).toFixed(1)}% of phonemes wrong, ` +
      `${whole} of ${HELD} words right, mean log p ${mean.toFixed(3)}`,
  )
}
console.log('')
for (const [n, [word, said]] of held.slice(0, SHOWN.length).entries()) {
  const text = found.get(beams)[n].map((id) => phonemes.words[id])
  console.log(`${word.padEnd(10)}${text.join(' ').padEnd(28)}(${said.join(' ')})`)
}
