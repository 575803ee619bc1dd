/**
 * 50 training steps from one seed, in Node or in a page: the SHA-256 of all weights.
 *
 * @param {typeof import('../../dist/index.js')} recurra
 * @returns {Promise<string>} hexadecimal
 */
export async function trainAndHash(recurra) {
  const { adam, dense, embedding, fit, lstm, sequential, tensor } = recurra
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
  })
  const parts = [...net.weights().values()].map(({ data }) => new Uint8Array(data.buffer))
  const digest = await crypto.subtle.digest('SHA-256', await new Blob(parts).arrayBuffer())
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
