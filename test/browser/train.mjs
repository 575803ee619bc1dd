/** @typedef {typeof import('../../dist/index.js')} Recurra */

/**
 * Twice 50 training steps from one seed, in Node or in a page: the SHA-256 of all weights.
 *
 * @param {Recurra} recurra
 * @param {{ threads?: number }} place where `fit` runs
 * @returns {Promise<string>} hexadecimal
 */
export async function trainAndHash(recurra, place = {}) {
  const nets = [await characters(recurra, place), await ragged(recurra, place)]
  const parts = nets.flatMap((net) =>
    [...net.weights().values()].map(({ data }) => new Uint8Array(data.buffer)),
  )
  const digest = await crypto.subtle.digest('SHA-256', await new Blob(parts).arrayBuffer())
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

/**
 * Tokens, states that go on from window to window.
 *
 * @param {Recurra} recurra
 * @param {{ threads?: number }} place
 */
async function characters({ adam, dense, embedding, fit, lstm, sequential, tensor }, place) {
  const net = sequential([
    embedding({ inputDim: 11, outputDim: 7 }),
    lstm({ units: 13, returnSequences: true }),
    lstm({ units: 5, returnSequences: true, initialState: 'trainable' }),
    dense({ units: 11 }),
  ])
  const batches = Array.from({ length: 10 }, (_, batch) => {
    const ids = Int32Array.from({ length: 6 * 21 }, (_, i) => (i * i + 3 * batch * i + batch) % 11)
    const part = (/** @type {number} */ from) =>
      Int32Array.from({ length: 6 * 20 }, (_, i) => ids[Math.floor(i / 20) * 21 + (i % 20) + from])
    return { inputs: tensor(part(0), [6, 20]), targets: tensor(part(1), [6, 20]), reset: batch === 0 }
  })
  await fit(net, batches, {
    loss: 'softmaxCrossEntropy',
    optimizer: adam({ learningRate: 0.01 }),
    clipGlobalNorm: 1,
    truncate: { k1: 20, k2: 20 },
    epochs: 5,
    seed: 7,
    ...place,
  })
  return net
}

/**
 * Rows of unlike lengths, both directions, numbers that are dropped at random.
 *
 * @param {Recurra} recurra
 * @param {{ threads?: number }} place
 */
async function ragged(
  { adamW, bidirectional, dense, dropout, fit, gru, layerNorm, sequential, tensor },
  place,
) {
  const net = sequential([
    bidirectional(gru({ units: 9, returnSequences: true })),
    layerNorm(),
    dropout({ rate: 0.3 }),
    gru({ units: 6 }),
    dense({ units: 2 }),
  ])
  const batches = Array.from({ length: 10 }, (_, batch) => {
    const x = Float32Array.from({ length: 7 * 12 * 3 }, (_, i) => ((i * i + 5 * batch) % 17) / 16 - 0.5)
    const y = Float32Array.from({ length: 7 * 2 }, (_, i) => ((i + batch) % 5) / 4)
    const lengths = Int32Array.from({ length: 7 }, (_, row) => 1 + ((row * 5 + batch) % 12))
    return {
      inputs: tensor(x, [7, 12, 3]),
      targets: tensor(y, [7, 2]),
      lengths: tensor(lengths),
      reset: true,
    }
  })
  const optimizer = adamW({ learningRate: 0.01, weightDecay: 0.01 })
  await fit(net, batches, { loss: 'huber', optimizer, clipGlobalNorm: 1, epochs: 5, seed: 3, ...place })
  return net
}
