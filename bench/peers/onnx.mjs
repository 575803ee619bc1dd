/**
 * ONNX Runtime, of its own file format's model (onnx-model.mjs): the whole sequence in a call, or one step a call with the
 * states handed from each call to the next. It wants time first, and is given it so.
 */

import ort from 'onnxruntime-node'
import { inProcess } from '../measure.mjs'
import { makeBatch } from '../workload.mjs'
import { lstmModel } from './onnx-model.mjs'

/**
 * @param {import('../workload.mjs').Work} work inference of an LSTM
 * @param {number} threads
 * @returns {Promise<import('../measure.mjs').Contender>}
 */
export async function createOnnx({ kind, shape }, threads) {
  const { T, B, I, H } = shape
  const session = await ort.InferenceSession.create(lstmModel({ I, H }), {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  })
  const zeros = () => new ort.Tensor('float32', new Float32Array(B * H), [1, B, H])
  const feeds = { x: new ort.Tensor('float32', makeBatch(shape).x, [T, B, I]), h: zeros(), c: zeros() }
  const step = async () => {
    if (kind === 'infer') {
      await session.run(feeds, ['logits'])
      return
    }
    const { hNext, cNext } = await session.run(feeds)
    feeds.h = hNext
    feeds.c = cNext
  }
  await step()
  return inProcess(
    { name: 'onnxruntime', backend: 'native', threads },
    { step, close: () => session.release() },
  )
}
