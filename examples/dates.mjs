/**
 * Encoder–decoder: 'April 22, 2019' → '2019-04-22'. An LSTM reads the date and hands its states over to a second one,
 * which writes the other form character by character. At each step attention (Luong et al. 2015) says which characters
 * of the date count.
 *
 *     npm run build && node examples/dates.mjs
 */

import {
  adam,
  attention,
  call,
  concatenate,
  decode,
  dense,
  embedding,
  fit,
  input,
  lstm,
  model,
  tensor,
} from 'recurra'
import { datePairs, sequences, Vocabulary } from 'recurra/data'
import { readOptions } from './shared/options.mjs'

const { units, dates, epochs, beams, seed } = readOptions('Translates dates.', {
  units: [64, 'H'],
  dates: [3000, 'dates to learn from'],
  epochs: [10, 'times that all are seen'],
  beams: [4, 'W, beginnings of a date that beam search keeps'],
  seed: [1, 'of dates, weights and order'],
})

const some = datePairs({ count: dates, seed })
const held = datePairs({ count: 200, seed, stream: 1 })
const characters = Vocabulary.of(some.inputs.join(''))
const digits = Vocabulary.of('^$-0123456789') // ^ stands before what is written, $ behind it
const [GO, STOP] = digits.encode('^$')
const idsOf = (vocabulary) => (text) => tensor(vocabulary.encode(text), [text.length])

const source = input({ shape: ['S'], dtype: 'i32' }) // [B, S]
const target = input({ shape: ['T'], dtype: 'i32' }) // [B, T]: what is written so far
const encoded = source
  .to(embedding({ inputDim: characters.size, outputDim: 32 })) // [B, S, 32]
  .to(lstm({ units, returnSequences: true })) // [B, S, H], and states h and c [B, H]
const decoded = target
  .to(embedding({ inputDim: digits.size, outputDim: 32 })) // [B, T, 32]
  .to(lstm({ units, returnSequences: true }), { initialState: encoded }) // [B, T, H]
const seen = call(attention({ score: 'general' }), [decoded, encoded]) // [B, T, H]
const translator = model({
  inputs: { source, target },
  outputs: call(concatenate(), [decoded, seen]).to(dense({ units: digits.size })), // logits [B, T, 13]
})

const batches = sequences(
  {
    source: some.inputs.map(idsOf(characters)),
    target: some.targets.map((text) => idsOf(digits)(`^${text}`)),
  },
  some.targets.map((text) => idsOf(digits)(`${text}$`)),
  { batch: 32, shuffle: true, seed },
)
const optimizer = adam({ learningRate: 5e-3 })
const history = await fit(translator, batches, {
  loss: 'softmaxCrossEntropy',
  optimizer,
  clipGlobalNorm: 1,
  epochs,
  seed,
})
console.log(`${dates} dates, loss ${history.epochs.at(-1).loss.toFixed(4)}`)

/**
 * @param {readonly string[]} texts
 * @param {number} beamWidth 1 is greedy
 * @returns {Promise<{ written: string[], scores: Float32Array }>} with log p of each
 */
async function translate(texts, beamWidth) {
  const steps = 12
  const read = texts.map(idsOf(characters))
  const { tokens, lengths, scores } = await decode(
    translator,
    { source: read },
    { start: GO, end: STOP, steps, beamWidth },
  )
  const written = texts.map((_, n) =>
    digits.decode(tokens.data.subarray(n * steps, n * steps + lengths.data[n])).replace('$', ''),
  )
  return { written, scores: scores.data }
}

for (const beamWidth of [1, beams]) {
  const { written } = await translate(held.inputs, beamWidth)
  const right = written.filter((text, n) => text === held.targets[n]).length
  console.log(`beams ${beamWidth}: ${right} of ${written.length} dates that it has not seen are right`)
}
console.log('')
const own = ['April 22, 2019', 'July 14, 1789', 'September 30, 2000', 'May 01, 1066']
const [greedy, beam] = [await translate(own, 1), await translate(own, beams)]
for (const [n, text] of own.entries()) {
  const cells = [greedy, beam].map(({ written, scores }) => `${written[n]} (log p ${scores[n].toFixed(3)})`)
  console.log(`${text.padEnd(20)}${cells[0].padEnd(30)}${cells[1]}`)
}
