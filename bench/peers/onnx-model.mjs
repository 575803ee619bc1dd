/** The model of workload.mjs as ONNX: an LSTM and a dense layer, with weights drawn anew. */

import proto from 'onnx-proto'
import { CLASSES } from '../workload.mjs'

const { onnx } = proto
const FLOAT = onnx.TensorProto.DataType.FLOAT
const IR_VERSION = 8
const OPSET = 14

/** @param {string} name @param {(number | string)[]} dims numbers, or names of sizes */
function value(name, dims) {
  const dim = dims.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }))
  return { name, type: { tensorType: { elemType: FLOAT, shape: { dim } } } }
}

/** @param {string} name @param {number[]} dims @param {number} limit */
function weight(name, dims, limit) {
  const count = dims.reduce((product, size) => product * size, 1)
  const floatData = Array.from({ length: count }, () => limit * (2 * Math.random() - 1))
  return { name, dims, dataType: FLOAT, floatData }
}

/**
 * x [T, B, I], h and c [1, B, H] → logits [B, CLASSES], hNext and cNext [1, B, H]. Time first: the one layout that ONNX
 * Runtime computes on a CPU.
 *
 * @param {{ I: number, H: number }} sizes
 * @returns {Uint8Array} the model's file
 */
export function lstmModel({ I, H }) {
  const limit = 1 / Math.sqrt(H)
  const state = [1, 'B', H]
  const INT = onnx.AttributeProto.AttributeType.INT
  const graph = {
    name: 'classifier',
    input: [value('x', ['T', 'B', I]), value('h', state), value('c', state)],
    output: [value('logits', ['B', CLASSES]), value('hNext', state), value('cNext', state)],
    initializer: [
      weight('U', [1, 4 * H, I], limit),
      weight('W', [1, 4 * H, H], limit),
      weight('b', [1, 8 * H], limit),
      weight('V', [H, CLASSES], limit),
      weight('d', [CLASSES], limit),
      { name: 'axes', dims: [1], dataType: onnx.TensorProto.DataType.INT64, int64Data: [0] },
    ],
    node: [
      {
        opType: 'LSTM',
        input: ['x', 'U', 'W', 'b', '', 'h', 'c'],
        output: ['', 'hNext', 'cNext'],
        attribute: [{ name: 'hidden_size', type: INT, i: H }],
      },
      { opType: 'Squeeze', input: ['hNext', 'axes'], output: ['last'] },
      { opType: 'Gemm', input: ['last', 'V', 'd'], output: ['logits'] },
    ],
  }
  const model = { irVersion: IR_VERSION, opsetImport: [{ domain: '', version: OPSET }], graph }
  return onnx.ModelProto.encode(onnx.ModelProto.create(model)).finish()
}
