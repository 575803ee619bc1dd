/**
 * A pointer network puts numbers in order (Vinyals et al. 2015): what it writes are not tokens but places of its input, of
 * which there are as many as the row is long. At each step attention over the encoder's steps says which number is next,
 * and the decoder reads the number that was pointed at.
 *
 *     npm run build && node examples/sorting.mjs --numbers 5
 */

import { adam, bidirectional, call, decode, fit, gru, input, model, pointer, tensor } from 'recurra'
import { sequences } from 'recurra/data'
import { readOptions } from './shared/options.mjs'
import { randomOf } from './shared/random.mjs'

const { numbers, units, rows, epochs, seed } = readOptions('Learns to put numbers in order.', {
  numbers: [5, 'most numbers in a row; the least is two'],
  units: [64, 'H'],
  rows: [8000, 'rows to learn from'],
  epochs: [10, 'times that all are seen'],
  seed: [1, 'of numbers, weights and order'],
})

const START = -1

/** @param {number} count @param {number} stream @returns rows of unlike lengths, and the places of their numbers in order */
function draw(count, stream) {
  const random = randomOf(seed, stream)
  const drawn = Array.from({ length: count }, () =>
    Array.from({ length: Math.min(numbers, 2 + Math.floor((numbers - 1) * random())) }, random),
  )
  const places = drawn.map((row) => row.map((_, i) => i).sort((a, b) => row[a] - row[b]))
  return { drawn, places }
}
const column = (row) => tensor(row, [row.length, 1])

const source = input({ shape: ['S', 1] }) // [B, S, 1]
const target = input({ shape: ['T', 1] }) // [B, T, 1]: the numbers that were pointed at before
const encoded = source.to(bidirectional(gru({ units, returnSequences: true }))) // [B, S, 2 H]
const decoded = target.to(gru({ units, returnSequences: true }), {
  initialState: { h: encoded.get('backward h') }, // it has read from the last number to the first
})
const sorter = model({
  inputs: { source, target },
  outputs: call(pointer({ score: 'additive', units }), [decoded, encoded]), // logits [B, T, S]
})

const { drawn, places } = draw(rows, 0)
const batches = sequences(
  {
    source: drawn.map(column),
    target: drawn.map((row, n) => column([START, ...places[n].slice(0, -1).map((place) => row[place])])),
  },
  places.map((order) => tensor(order, [order.length], 'i32')),
  { batch: 64, shuffle: true, seed },
)
const options = {
  loss: 'softmaxCrossEntropy',
  optimizer: adam({ learningRate: 5e-3 }),
  clipGlobalNorm: 1,
  epochs,
  seed,
}
const history = await fit(sorter, batches, options)
console.log(`loss ${history.epochs.at(-1).loss.toFixed(4)}`)

const held = draw(500, 1)
const { tokens } = await decode(
  sorter,
  { source: held.drawn.map(column) },
  { start: START, steps: numbers, points: 'source' },
)
let right = 0
for (const [n, row] of held.drawn.entries()) {
  // Rows differ in length; behind its last number a row has nothing left to point at.
  const order = Array.from(tokens.data.subarray(n * numbers, n * numbers + row.length))
  if (String(order) === String(held.places[n])) right++
  if (n >= 5) continue
  const shown = (places) => places.map((place) => row[place]?.toFixed(2) ?? '–').join(' ')
  console.log(`${shown(row.map((_, i) => i)).padEnd(5 * numbers)} → ${shown(order)}`)
}
console.log(`\n${right} of ${held.drawn.length} rows that it has not seen are in order`)
