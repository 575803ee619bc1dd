/**
 * DNA: is the box TATAAT in a sequence, on either strand? One network reads both strands, each the other's reverse complement,
 * with one set of weights, and the larger answer counts: so a sequence and its reverse complement have the same answer, bit
 * for bit, which is measured as well.
 *
 *     npm run build && node examples/motif.mjs
 */

import {
  adam,
  call,
  conv1d,
  dense,
  evaluate,
  fit,
  globalMaxPooling1d,
  gru,
  input,
  maximum,
  model,
  predict,
  tensor,
} from 'recurra'
import { oneHotDna, plantedMotif, reverseComplement, sequences } from 'recurra/data'
import { readOptions } from './shared/options.mjs'

const { length, count, units, epochs, seed } = readOptions(
  'Learns whether a motif is in DNA, on either strand.',
  {
    length: [60, 'letters of a sequence'],
    count: [3000, 'sequences to learn from'],
    units: [16, 'H, and filters'],
    epochs: [12, 'times that all are seen'],
    seed: [1, 'of sequences, weights and order'],
  },
)

const [forward, backward] = [input({ shape: ['T', 5] }), input({ shape: ['T', 5] })] // [B, T, ACGTN]
const layers = [
  conv1d({ filters: units, kernelSize: 6, padding: 'same', activation: 'relu' }), // [B, T, H]
  gru({ units, returnSequences: true }),
  globalMaxPooling1d(), // [B, H]: what was found anywhere
  dense({ units: 1 }),
]
const strand = (read) => layers.reduce((flow, layer) => flow.to(layer), read)
const finder = model({
  inputs: { forward, backward },
  outputs: call(maximum(), [strand(forward), strand(backward)]), // logits [B, 1]
})

/** @param {string[]} strands */
const bothOf = (strands) => ({
  forward: strands.map(oneHotDna),
  backward: strands.map((letters) => oneHotDna(reverseComplement(letters))),
})
/** @param {number} rows @param {number} stream */
function draw(rows, stream) {
  const { sequences: strands, contains } = plantedMotif({
    count: rows,
    length,
    bothStrands: true,
    seed,
    stream,
  })
  return { strands, targets: tensor(Array.from(contains, (value) => [value])) }
}

const loss = 'binaryCrossEntropy'
const learnt = draw(count, 0)
const run = fit(
  finder,
  sequences(bothOf(learnt.strands), learnt.targets, { batch: 32, shuffle: true, seed }),
  {
    loss,
    optimizer: adam({ learningRate: 3e-3 }),
    clipGlobalNorm: 1,
    epochs,
    seed,
  },
)
for await (const event of run) {
  if (event.kind === 'epoch') console.log(`epoch ${event.epoch}  loss ${event.loss.toFixed(3)}`)
}

const held = draw(1000, 1)
const batches = sequences(bothOf(held.strands), held.targets, { batch: 100 })
const { metrics } = await evaluate(finder, batches, { loss, metrics: ['accuracy'] })
console.log(`\n${(100 * metrics.accuracy).toFixed(1)}% of 1000 sequences that it has not seen are told right`)

const answers = await predict(finder, bothOf(held.strands))
const others = await predict(finder, bothOf(held.strands.map(reverseComplement)))
const same = answers.data.filter((answer, n) => answer === others.data[n]).length
console.log(`${same} of 1000 have the same answer as their reverse complement`)
