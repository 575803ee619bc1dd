import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CASES } from '../../test/contract/cases.ts'
import { clockworkCell } from '../cells/clockwork.ts'
import { defineCell } from '../cells/define.ts'
import { jordanCell } from '../cells/jordan.ts'
import { lruCell } from '../cells/lru.ts'
import { lstmCell } from '../cells/lstm.ts'
import { slstmCell } from '../cells/slstm.ts'
import { gradient } from '../graph/grad.ts'
import { scan } from '../graph/scan.ts'
import { trace } from '../graph/trace.ts'
import { concat, where } from '../graph/value.ts'
import { glorotUniform, joined, ones, orthogonal, zeros } from '../init/initializers.ts'
import { batchNorm } from '../layers/batch-norm.ts'
import { bidirectional } from '../layers/bidirectional.ts'
import { dense } from '../layers/dense.ts'
import { dropout } from '../layers/dropout.ts'
import { embedding } from '../layers/embedding.ts'
import type { Signal } from '../layers/layer.ts'
import { layerNorm } from '../layers/layer-norm.ts'
import type { Model } from '../layers/model.ts'
import { elman, gru, lstm, recurrent } from '../layers/recurrent.ts'
import { sequential } from '../layers/sequential.ts'
import { ArgumentError, FormatError, ShapeError } from '../tensor/errors.ts'
import { tensor } from '../tensor/tensor.ts'
import { predict } from '../train/predict.ts'
import { sealed } from './checksum.ts'
import { parseJson } from './fields.ts'
import { GraphWriter, graphsReader, rootReader } from './graph-data.ts'
import { loadModel, saveModel } from './model.ts'

/** Branches on `training`, folds a scan of its own, and holds numbers that JSON does not have. */
const own = defineCell<{ units: number; squash: (x: number) => number }>()({
  name: 'own',
  state: ({ units }) => ({ h: units, sum: 1 }),
  params: ({ inputs, units }) => ({
    U: glorotUniform(inputs, units),
    W: orthogonal(units, units),
    b: joined(zeros(1), ones(units - 1)),
  }),
}).step(({ x, state: { h, sum }, params: { U, W, b }, training }) => {
  const input = x.matmul(U).add(b)
  const { carry } = scan({ carry: { g: h }, steps: 3 }, ({ carry: { g }, t }) => ({
    carry: { g: g.matmul(W).mul(t.toF32().add(0.5)).add(input).tanh() },
  }))
  const next = where(carry.g.less(-0.25), -0, carry.g).min(Number.POSITIVE_INFINITY)
  const output = concat([training ? next.mul(0.9) : next, sum], 1)
  return { output, state: { h: next, sum: sum.add(next.sum(1, { keepDims: true })) } }
})

const MODELS: Readonly<Record<string, () => Model>> = {
  lstm: () =>
    sequential([
      embedding({ inputDim: 7, outputDim: 3 }),
      lstm({ units: 4, returnSequences: true, initialState: 'trainable' }),
      lstm({ units: 4, returnSequences: true, goBackwards: true, unitForgetBias: false }),
      dense({ units: 7, activation: 'softmax', name: 'answer' }),
    ]).build({ shape: [null], dtype: 'i32' }),
  elman: () =>
    sequential([
      elman({ units: 5, activation: 'relu', returnSequences: true, returnState: true }),
      elman({ units: 3 }),
    ]).build({ shape: [null, 2], dtype: 'f32' }),
  'gru, both ways, tied': () =>
    sequential([
      embedding({ inputDim: 7, outputDim: 4, embeddingsInitializer: { kind: 'heNormal' } }),
      bidirectional(gru({ units: 4, returnSequences: true, initialState: 'trainable' }), {
        mergeMode: 'ave',
        backwardLayer: gru({ units: 4, returnSequences: true, goBackwards: true, resetAfter: false }),
      }),
      batchNorm({ momentum: 0.5, movingVarianceInitializer: { kind: 'constant', value: 2 } }),
      layerNorm({ epsilon: 1e-5, center: false }),
      dropout({ rate: 0.1, noiseShape: [null, 1, 4], seed: -7 }),
      dropout({ rate: 0.1 }),
      dense({ units: 7, tiedTo: 'embedding', useBias: false }),
    ]).build({ shape: [null], dtype: 'i32' }),
  'cells on each other, output fed back': () =>
    sequential([
      layerNorm({ scale: false }),
      recurrent([lstmCell({ units: 3, useBias: false }), jordanCell({ units: 3, outputs: 2 })], {
        returnSequences: true,
        returnState: true,
      }),
      dense({
        units: 2,
        kernelInitializer: { kind: 'identity', gain: 2 },
        biasInitializer: { kind: 'lecunUniform' },
      }),
    ]).build({ shape: [null, 2], dtype: 'f32' }),
  'states that always begin with zeros, eigenvalues on a ring': () =>
    sequential([
      recurrent([clockworkCell({ units: 4 }), slstmCell({ units: 2 }), lruCell({ units: 3 })], {
        initialState: 'trainable',
      }),
      dense({ units: 2 }),
    ]).build({ shape: [null, 2], dtype: 'f32' }),
  'a cell of the user': () =>
    sequential([
      recurrent(own({ units: 4, squash: Math.abs }), { returnSequences: true }),
      recurrent(own({ units: 2, squash: Math.abs }), { name: 'last' }),
      dense({ units: 2 }),
    ]).build({ shape: [null, 3], dtype: 'f32' }),
}

function inputOf(model: Model) {
  const { shape, dtype } = model.input
  const sizes = [3, ...shape.map((size) => (typeof size === 'number' ? size : 5))]
  const length = sizes.reduce((product, size) => product * size, 1)
  const data = dtype === 'i32' ? new Int32Array(length) : new Float32Array(length)
  return tensor(
    data.map((_, i) => (dtype === 'i32' ? (i * 5) % 7 : ((i * 7) % 11) / 8 - 0.5)),
    sizes,
  )
}

async function hashOf(model: Model): Promise<string> {
  const { data } = await predict(model, inputOf(model))
  return createHash('sha256')
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest('hex')
}

describe.each(Object.entries(MODELS))('%s', (_, make) => {
  test('predicts the same when loaded, and is saved as the same bytes', async () => {
    const extra = { vocabulary: 'abc\n"ß', ['__proto__']: 'a name', '': '' }
    const model = make()
    const bytes = saveModel(model, { extra })
    const loaded = loadModel(bytes)
    expect(Object.entries(loaded.extra).sort()).toEqual(Object.entries(extra).sort())
    expect(await hashOf(loaded.model)).toBe(await hashOf(model))
    expect(saveModel(loaded.model, { extra: loaded.extra })).toEqual(bytes)
    expect(loaded.model.built).toEqual(model.built)
  })

  const built = existsSync(fileURLToPath(new URL('../../dist/io/index.js', import.meta.url)))
  test.skipIf(!built)(
    `predicts the same in another process${built ? '' : ' (skipped: not built)'}`,
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'recurra-model-'))
      try {
        const model = make()
        const input = inputOf(model)
        await writeFile(join(folder, 'model'), saveModel(model))
        const script = `
        import { createHash } from 'node:crypto'
        import { readFileSync } from 'node:fs'
        import { predict, tensor } from '${new URL('../../dist/index.js', import.meta.url)}'
        import { loadModel } from '${new URL('../../dist/io/index.js', import.meta.url)}'
        const { model } = loadModel(readFileSync(process.argv[1]))
        const data = ${input.dtype === 'i32' ? 'Int32Array' : 'Float32Array'}.from(${JSON.stringify([...input.data])})
        const { data: result } = await predict(model, tensor(data, ${JSON.stringify(input.shape)}))
        console.log(createHash('sha256').update(new Uint8Array(result.buffer, result.byteOffset, result.byteLength)).digest('hex'))`
        const args = ['--input-type=module', '-e', script, join(folder, 'model')]
        const { stdout, stderr } = await promisify(execFile)(process.execPath, args)
        expect(stderr).toBe('')
        expect(stdout.trim()).toBe(await hashOf(model))
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    },
  )
})

test.each(Object.entries(CASES).filter(([, { made }]) => !made))(
  'a graph and its gradients are read as the same nodes: %s',
  (_, { inputs, build }) => {
    const graph = trace(inputs, (...values) => {
      const result = build(...values)
      return [
        result,
        ...gradient(
          result.sum(),
          values.filter((value) => value.dtype === 'f32'),
        ),
      ]
    })
    const writer = new GraphWriter()
    const root = writer.root(graph)
    const symbols = ['T', 'B', 'D', 'N']
    const json = parseJson(JSON.stringify({ root, graphs: writer.graphs }), '') as Record<string, unknown>
    const read = rootReader(symbols, graphsReader(symbols)(json['graphs'], 'graphs'))(json['root'], 'root')
    expect(read).toEqual(graph)
  },
)

/** Its product is defined only for two rows. */
const pairs = () => {
  const declared = defineCell<object>()({ name: 'pairs', state: () => ({ h: 2 }), params: () => ({}) })
  const cell = declared.step(({ x, state: { h } }) => ({ output: h.matmul(x), state: { h: x } }))
  return sequential([recurrent(cell({}))]).build({ shape: [null, 2], dtype: 'f32' })
}

test('what stays unproved of sizes is checked as it was', async () => {
  const { model } = loadModel(saveModel(pairs()))
  const x = [
    [1, 2],
    [3, 4],
  ]
  expect(await predict(model, [x, x])).toEqual(await predict(pairs(), [x, x]))
  await expect(predict(model, [x, x, x])).rejects.toThrow(ShapeError)
})

test('a layer that files cannot hold is named', () => {
  const layer = { kind: 'twice', apply: ({ value, sequence }: Signal) => ({ value: value.mul(2), sequence }) }
  const model = sequential([layer]).build({ shape: [2], dtype: 'f32' })
  expect(() => saveModel(model)).toThrow(/layer twice cannot be saved/)
})

test.each<[string, unknown, RegExp]>([
  ['a buffer', saveModel(pairs()).buffer, /received ArrayBuffer: write new Uint8Array/],
  ['nothing', undefined, /received Undefined/],
  ['a text', 'model.safetensors', /received String/],
])('loading %s says what is expected', (_, bytes, message) => {
  expect(() => loadModel(bytes as Uint8Array)).toThrow(ArgumentError)
  expect(() => loadModel(bytes as Uint8Array)).toThrow(message)
})

test('what no file could give back is not saved', () => {
  const save = (extra: object) => () => saveModel(pairs(), { extra: extra as Record<string, string> })
  expect(save({ epochs: 3 })).toThrow(ArgumentError)
  expect(save({ epochs: 3 })).toThrow(/received number for "epochs"/)
  const model = MODELS['elman']!()
  model.weights().get('elman/b')!.data[1] = Number.NaN
  expect(() => saveModel(model)).toThrow(/parameter "elman\/b" holds NaN at element 1/)
})

const long = process.env['RECURRA_LONG'] === '1'

test('every flipped bit and every cut of a file is noticed', () => {
  // Controls are written as escapes, which readers of JSON take in either case.
  const bytes = saveModel(pairs(), { extra: { vocabulary: 'a\u001bß' } })
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const flipped = bytes.with(bit >> 3, bytes[bit >> 3]! ^ (1 << (bit & 7)))
    expect(() => loadModel(flipped), `bit ${bit}`).toThrow(FormatError)
  }
  for (let length = 0; length < bytes.length; length++) {
    expect(() => loadModel(bytes.subarray(0, length)), `${length} bytes`).toThrow(FormatError)
  }
})

test.each(Object.entries(MODELS))(
  'a damaged file is refused: %s',
  (_, make) => {
    const bytes = saveModel(make())
    const at = fc.nat(bytes.length - 1)
    const flips = fc.array(fc.tuple(at, fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 })
    const property = fc.property(flips, at, fc.boolean(), (changes, length, cut) => {
      const damaged = bytes.slice(0, cut ? length : undefined)
      for (const [place, bits] of cut ? [] : changes) damaged[place]! ^= bits
      fc.pre(cut || damaged.some((byte, i) => byte !== bytes[i]))
      expect(() => loadModel(damaged)).toThrow(FormatError)
    })
    fc.assert(property, { numRuns: long ? 20_000 : 150 })
  },
  600_000,
)

test.each(Object.entries(MODELS))(
  'a file that is altered and sealed again is refused, or its model runs: %s',
  async (_, make) => {
    const bytes = saveModel(make())
    const at = fc.nat(bytes.length - 1)
    const change = fc.oneof(
      { weight: 3, arbitrary: fc.tuple(at, fc.integer({ min: 32, max: 126 })) },
      { weight: 1, arbitrary: fc.tuple(at, fc.nat(255)) },
    )
    const property = fc.asyncProperty(change, async ([place, byte]) => {
      let model: Model
      try {
        model = loadModel(sealed(bytes.with(place, byte))).model
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError)
        return
      }
      await predict(model, inputOf(model))
    })
    await fc.assert(property, { numRuns: long ? 20_000 : 150 })
  },
  600_000,
)
