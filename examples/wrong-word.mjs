/**
 * The word that went wrong. An Elman network learns a few sentences word by word; then "she sang a …" ends in a word
 * that it did not expect. The error of that one word goes back through the words before it: what reaches each state,
 * ‖∂L/∂h(t)‖, and what each step gives to U (word to state), W (state to state) and V (state to next word). The sums of
 * those are the gradients, and one step down them mends the word.
 *
 *     npm run build && node examples/wrong-word.mjs
 */

import { adam, dense, elman, fit, predict, sequential, tensor } from 'recurra'
import { sequences } from 'recurra/data'
import { gradientFlow } from 'recurra/inspect'

/** @typedef {import('recurra').Tensor} Tensor */

const LEARNT = [
  'she gave a speech .',
  'he gave a speech .',
  'she wrote a speech .',
  'they wrote a speech .',
  'he heard a song .',
  'they sang for her .',
].map((sentence) => sentence.split(' '))
const SENTENCE = ['she', 'sang', 'a']
const [EXPECTED, LEARNING_RATE] = ['song', 0.02]

const words = [...new Set(LEARNT.flat())]

/** @param {string[]} sentence @returns {number[][]} each word as a row of zeros and a one: x U is a row of U */
const oneHot = (sentence) => sentence.map((word) => words.map((each) => Number(each === word)))

/** @param {string[]} sentence @returns {Tensor} */
const idsOf = (sentence) =>
  tensor(
    sentence.map((word) => words.indexOf(word)),
    [sentence.length],
    'i32',
  )

const model = sequential([
  elman({ units: 12, useBias: false, returnSequences: true, name: 'words' }),
  dense({ units: words.length, useBias: false, name: 'next' }),
])
const batches = sequences(
  LEARNT.map((sentence) => oneHot(sentence.slice(0, -1))),
  LEARNT.map((sentence) => idsOf(sentence.slice(1))),
  { batch: LEARNT.length },
)
const loss = 'softmaxCrossEntropy'
const { epochs } = await fit(model, batches, {
  loss,
  optimizer: adam({ learningRate: 0.02 }),
  epochs: 80,
  seed: 2,
})
console.log(
  `${LEARNT.length} sentences learnt in ${epochs.length} epochs: loss ${epochs.at(-1).loss.toFixed(3)}\n`,
)

/** @returns {Promise<{ word: string, p: number }[]>} what the model expects after the sentence, the likeliest first */
async function expectations() {
  const { data } = await predict(model, [oneHot(SENTENCE)])
  const odds = Array.from(data.slice(-words.length), Math.exp)
  const total = odds.reduce((sum, each) => sum + each)
  return words.map((word, i) => ({ word, p: odds[i] / total })).sort((a, b) => b.p - a.p)
}

/** @param {{ word: string, p: number }[]} expected @returns {string} */
const shown = (expected) =>
  expected
    .slice(0, 3)
    .map(({ word, p }) => `${word} ${(100 * p).toFixed(1)}%`)
    .join(', ')

const before = await expectations()
console.log(`${SENTENCE.join(' ')} …   expected: ${shown(before)}; it was: ${EXPECTED}`)

// The loss of the last step alone. The targets of the others do not count.
const last = SENTENCE.length - 1
const wrong = {
  inputs: tensor([oneHot(SENTENCE)]),
  targets: tensor([[...SENTENCE.slice(1), EXPECTED].map((word) => words.indexOf(word))], undefined, 'i32'),
  reset: true,
}
const flow = await gradientFlow(model, wrong, { loss, at: last, contributions: true })
console.log(`L = −ln p(${EXPECTED}) = ${flow.loss.toFixed(3)}\n`)

const paths = ['words/U', 'words/W', 'next/V']
const { mean: reached } = flow.states['words/h']

/** @param {string} path @returns {Float64Array} Σ over t of what the steps give: ∂L/∂ of that weight */
function gradientOf(path) {
  const { data, shape } = flow.contributions[path].steps
  const sum = new Float64Array(data.length / shape[0])
  for (const [i, value] of data.entries()) sum[i % sum.length] += value
  return sum
}
const gradients = new Map(paths.map((path) => [path, gradientOf(path)]))

/** @param {string[]} cells */
const line = (cells) =>
  console.log(cells.map((cell, i) => (i < 2 ? cell.padEnd(i ? 6 : 9) : cell.padStart(11))).join('  '))
line(['', 'word', '‖∂L/∂h(t)‖', ...paths.map((path) => `to ${path.slice(-1)}`)])
for (let t = last; t >= 0; t--) {
  const given = paths.map((path) => flow.contributions[path].norms.data[t])
  line([`t = ${t}`, SENTENCE[t], ...[reached.data[t], ...given].map((norm) => norm.toFixed(4))])
}
line(['gradient', '', '', ...paths.map((path) => Math.hypot(...gradients.get(path)).toFixed(4))])
console.log(`
The last row has the norms of the sums. V reads the last state alone, so it learns from the last step alone;
W gets nothing at t = 0, where the state before is zero.
`)

const weights = new Map(model.weights())
for (const [path, gradient] of gradients) {
  const { data, shape } = weights.get(path)
  weights.set(
    path,
    tensor(
      data.map((value, i) => value - LEARNING_RATE * gradient[i]),
      shape,
    ),
  )
}
model.setWeights(weights)
console.log(`One step down these gradients, learning rate ${LEARNING_RATE}:`)
console.log(`${SENTENCE.join(' ')} …   expected: ${shown(await expectations())}`)
