/**
 * One to many: the image of a digit is spelled as a word. A dense layer makes one vector of the image, the context, and a
 * GRU writes letters from it, each after the letter before. The context may be what the GRU's state begins with, an
 * input at every step, or both.
 *
 *     npm run build && node examples/digit-words.mjs --context both
 *
 * Images are drawn here; with `--data mnist` they are written by hand, once `npm ci` was run in reproduce/.
 */

import { adam, call, concatenate, decode, dense, embedding, fit, gru, input, model, tensor } from 'recurra'
import { sequences, Vocabulary } from 'recurra/data'
import { drawnDigits, writtenDigits } from './shared/digits.mjs'
import { readOptions } from './shared/options.mjs'

const { context, data, units, images, epochs, seed } = readOptions('Spells digits that it is shown.', {
  context: ['both', 'where the image goes', ['state', 'input', 'both']],
  data: ['drawn', 'which images', ['drawn', 'mnist']],
  units: [64, 'H, of the GRU and of the context'],
  images: [2000, 'images to learn from'],
  epochs: [10, 'times that all are seen'],
  seed: [1, 'of images, weights and order'],
})

const WORDS = 'zero one two three four five six seven eight nine'.split(' ')
const HELD = 200
const [some, held] =
  data === 'mnist'
    ? [await writtenDigits(images, 'train'), await writtenDigits(HELD, 't10k')]
    : [drawnDigits(images, seed, 0), drawnDigits(HELD, seed, 1)]
const pixels = some.images.shape[1]

// A word as it is read, '^seven', and as it is to be written, 'seven$'.
const letters = Vocabulary.of(`^$${WORDS.join('')}`)
const [GO, STOP] = letters.encode('^$')
const idsOf = (text) => tensor(letters.encode(text), [text.length])

const image = input({ shape: [pixels] }) // [B, pixels], without time
const before = input({ shape: [null], dtype: 'i32' }) // [B, T]
const seen = image.to(dense({ units, activation: 'tanh' })) // [B, H]
const letter = before.to(embedding({ inputDim: letters.size, outputDim: 8 })) // [B, T, 8]
const read = context === 'state' ? letter : call(concatenate(), [letter, seen]) // [B, T, 8 + H]: seen at every step
const begin = context === 'input' ? {} : { initialState: { h: seen } }
const written = read.to(gru({ units, returnSequences: true }), begin) // [B, T, H]
const speller = model({
  inputs: { image, before },
  outputs: written.to(dense({ units: letters.size })), // logits [B, T, letters]
})

const batches = sequences(
  { image: some.images, before: some.digits.map((digit) => idsOf(`^${WORDS[digit]}`)) },
  some.digits.map((digit) => idsOf(`${WORDS[digit]}$`)),
  { batch: 32, shuffle: true, seed },
)
const options = { loss: 'softmaxCrossEntropy', optimizer: adam({ learningRate: 5e-3 }), epochs, seed }
const history = await fit(speller, batches, options)
console.log(
  `context: ${context}; ${some.digits.length} images, loss ${history.epochs.at(-1).loss.toFixed(4)}`,
)

const { tokens, lengths } = await decode(
  speller,
  { image: held.images },
  { start: GO, end: STOP, steps: 8, feedback: 'before' },
)
const spelled = held.digits.map((_, row) =>
  letters.decode(tokens.data.subarray(8 * row, 8 * row + lengths.data[row])).replace('$', ''),
)

const shown = [0, 1, 2]
const shade = (value) => (value > 0.75 ? '#' : value > 0.25 ? '+' : ' ')
for (let y = 0; y < pixels / held.width; y++) {
  const rows = shown.map((n) => held.images.data.subarray(n * pixels).subarray(held.width * y))
  console.log(rows.map((row) => Array.from(row.subarray(0, held.width), shade).join('')).join('   '))
}
console.log(shown.map((n) => spelled[n].padEnd(held.width)).join('   '))
const right = spelled.filter((word, n) => word === WORDS[held.digits[n]]).length
console.log(`\n${right} of ${spelled.length} images that it has not seen are spelled right`)
