/**
 * Video: where does a dot go that bounces off the edges, in noise? Labels stand at each frame (the direction of the move that
 * led to it; nobody can tell the first one's) or at each clip (the direction in which the dot set out, which has to be remembered). Frames are read by a
 * convolutional LSTM, or encoded one by one for a GRU.
 *
 *     npm run build && node examples/moving-dot.mjs --labels clips --network encoded
 */

import { adam, convLstm2d, dense, evaluate, fit, flatten, gru, sequential, timeDistributed } from 'recurra'
import { movingDots, sequences } from 'recurra/data'
import { readOptions } from './shared/options.mjs'

const options = readOptions('Learns where a dot goes, from frames.', {
  labels: ['frames', 'what has a label', ['frames', 'clips']],
  network: ['convolutional', 'how frames are read', ['convolutional', 'encoded']],
  clips: [2000, 'clips to learn from'],
  frames: [6, 'frames of a clip'],
  size: [7, 'height and width'],
  epochs: [12, 'times that all clips are seen'],
  seed: [1, 'of clips, weights and order'],
})
const { labels, network, frames, size, epochs, seed } = options
const everyFrame = labels === 'frames'

const networks = {
  convolutional: () => [
    convLstm2d({ filters: 8, kernelSize: 3, padding: 'same', returnSequences: true }), // [B, T, H, W, 8]
    timeDistributed(flatten()),
    gru({ units: 32, returnSequences: everyFrame }),
  ],
  encoded: () => [
    timeDistributed(flatten()), // [B, T, H · W]
    timeDistributed(dense({ units: 32, activation: 'tanh' })),
    gru({ units: 32, returnSequences: everyFrame }),
  ],
}
const watcher = sequential([...networks[network](), dense({ units: 8 })]) // a logit for each direction

/** @param {number} clips @param {number} stream */
function draw(clips, stream) {
  const dots = movingDots({ clips, frames, height: size, width: size, noise: 0.1, seed, stream })
  return { inputs: dots.inputs, targets: everyFrame ? dots.directions : dots.labels } // [B, T, H, W, 1]
}
const [learnt, held] = [draw(options.clips, 0), draw(300, 1)]
const loss = 'softmaxCrossEntropy'
const run = fit(watcher, sequences(learnt.inputs, learnt.targets, { batch: 16, shuffle: true, seed }), {
  loss,
  optimizer: adam({ learningRate: 5e-3 }),
  clipGlobalNorm: 1,
  epochs,
  seed,
})
for await (const event of run) {
  if (event.kind === 'epoch') console.log(`epoch ${event.epoch}  loss ${event.loss.toFixed(3)}`)
}
const batches = sequences(held.inputs, held.targets, { batch: 100 })
const { metrics } = await evaluate(watcher, batches, { loss, metrics: ['accuracy'] })
console.log(`\n${(100 * metrics.accuracy).toFixed(1)}% of the ${labels} of 300 clips that it has not seen`)
