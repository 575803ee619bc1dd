/** A training's state in a model's file: training goes on from it bit for bit, and no file makes more of it than it is. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { batchOf, f32, i32, lstmNet, numbersOf, squared, windowsOf } from '../../test/contract/models.ts'
import type { Model } from '../layers/model.ts'
import { ArgumentError, FormatError, RecurraError } from '../tensor/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type FitOptions, fit } from '../train/fit.ts'
import { rmsprop, sgd } from '../train/optimizers.ts'
import { NO_CHECKSUM, sealed } from './checksum.ts'
import { loadModel, saveModel } from './model.ts'
import { readSafetensors, writeSafetensors } from './safetensors.ts'

const document = batchOf(1, 2, 6)
const batches = windowsOf(document, 2)
const windows = { ...squared, truncate: { k1: 2, k2: 3 } }

const hashOf = (model: Model) =>
  numbersOf(model)
    .reduce((hash, { buffer, byteOffset, byteLength }) => hash.update(new Uint8Array(buffer, byteOffset, byteLength)), createHash('sha256')) // biome-ignore format: one line
    .digest('hex')

async function trained(options: FitOptions = windows) {
  const model = lstmNet()
  const run = fit(model, batches, options)
  await run
  return { model, state: await run.state() }
}
const first = await trained()
const file = saveModel(first.model, { state: first.state })

const built = existsSync(fileURLToPath(new URL('../../dist/io/index.js', import.meta.url)))
test.skipIf(!built)(
  `three epochs are one, a file, and two in another process${built ? '' : ' (skipped: not built)'}`,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'recurra-state-'))
    const data = ({ inputs, targets, reset }: (typeof batches)[number]) =>
      JSON.stringify({ x: [...inputs.data], y: [...targets.data], shape: inputs.shape, reset })
    const script = (body: string) => `
      import { readFileSync, writeFileSync } from 'node:fs'
      import { adam, dense, fit, lstm, sequential, tensor } from '${new URL('../../dist/index.js', import.meta.url)}'
      import { loadModel, saveModel } from '${new URL('../../dist/io/index.js', import.meta.url)}'
      const of = (numbers, shape) => tensor(Float32Array.from(numbers), shape)
      const batches = [${batches.map(data)}].map(({ x, y, shape, reset }) =>
        ({ inputs: of(x, shape), targets: of(y, shape), reset }))
      const path = process.argv[1]
      const train = (model, more) => fit(model, batches, { loss: 'meanSquaredError', optimizer: adam(),
        truncate: { k1: 2, k2: 3 }, ...more })
      ${body}`
    const run = (body: string) =>
      promisify(execFile)(process.execPath, [
        '--input-type=module',
        '-e',
        script(body),
        join(folder, 'model'),
      ])
    try {
      await run(`
        const model = sequential([lstm({ units: 5, returnSequences: true, initialState: 'trainable' }), dense({ units: 2 })])
        const run = train(model, { epochs: 1 })
        await run
        writeFileSync(path, saveModel(model, { state: await run.state() }))`)
      await run(`
        const { model, state } = loadModel(readFileSync(path))
        await train(model, { epochs: 3, resume: state })
        writeFileSync(path, saveModel(model))`)
      const { model } = loadModel(new Uint8Array(await readFile(join(folder, 'model'))))
      expect(hashOf(model)).toBe(hashOf((await trained({ ...windows, epochs: 3 })).model))
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
)

test.each<[string, Partial<FitOptions>]>([
  ['that the model shares', {}],
  ['and slots of momentum', { optimizer: rmsprop({ momentum: 0.9 }) }],
  [
    'of which early stopping has better',
    {
      optimizer: sgd({ learningRate: (step) => (step < 4 ? 0.05 : 3) }),
      epochs: 4,
      earlyStopping: { patience: 3 },
    },
  ],
])('a state comes back as it was, parameters %s', async (_, more) => {
  const { model, state } = await trained({ ...windows, ...more })
  const bytes = saveModel(model, { state, extra: { a: 'b' } })
  const loaded = loadModel(bytes)
  expect(new Map([...loaded.state!].sort())).toEqual(new Map([...state].sort()))
  expect(numbersOf(loaded.model)).toEqual(numbersOf(model))
  const { extra, state: again } = loaded
  expect(saveModel(loaded.model, { extra, state: again! })).toEqual(bytes)
})

test('without a state the file is what it was; with one, shared parameters stand in it once', () => {
  const bare = saveModel(first.model)
  expect(saveModel(first.model, {})).toEqual(bare)
  expect(loadModel(bare).state).toBeUndefined()
  const [weights, all] = [bare, file].map((bytes) => [...readSafetensors(bytes).tensors.keys()])
  const others = [...first.state.keys()].filter((name) => !weights!.includes(name))
  expect(all!.sort()).toEqual([...weights!, ...others.map((name) => `state//${name}`)].sort())
})

const changed = (change: (state: Map<string, unknown>) => unknown) => {
  const state = new Map<string, unknown>(first.state)
  change(state)
  return state as unknown as Map<string, Tensor>
}
test.each<[string, ReadonlyMap<string, Tensor>, RegExp]>([
  ['no map', {} as never, /state must be the Map that state\(\) of a run gave; received object/],
  ['no tensors', changed((state) => state.set('x', 7)), /state holds tensors; received number for "x"/],
  ['another shape', changed((state) => state.set('dense/V', f32([1], 1))), /another model: .*"dense\/V"/],
  ['a parameter less', changed((state) => state.delete('dense/V')), /another model: .*"dense\/V"/],
  [
    'a number too large',
    changed((state) => state.set('dense/c', f32([1, Infinity], 2))),
    /"dense\/c" holds Infinity/,
  ],
])('what no training could go on from is not saved: %s', (_, state, message) => {
  expect(() => saveModel(first.model, { state })).toThrow(ArgumentError)
  expect(() => saveModel(first.model, { state })).toThrow(message)
})

const { tensors, metadata } = readSafetensors(file)
const altered = (change: (tensors: Map<string, Tensor>) => unknown) => {
  const own = new Map(tensors)
  change(own)
  return sealed(writeSafetensors(own, { ...metadata, checksum: NO_CHECKSUM }))
}

test.each<[string, Uint8Array, RegExp]>([
  [
    'a parameter of another shape',
    altered((all) => all.set('state//dense/V', f32([1], 1))),
    /state: parameter "dense\/V"/,
  ],
  [
    'a parameter of another type',
    altered((all) => all.set('state//dense/c', i32([1, 2], 2))),
    /state: parameter "dense\/c"/,
  ],
  [
    'a parameter of NaN',
    altered((all) => all.set('state//dense/c', f32([1, Number.NaN], 2))),
    /"dense\/c" holds NaN/,
  ],
  [
    'a tensor beside it',
    altered((all) => all.set('state/dense/V', f32([1], 1))),
    /no parameter state\/dense\/V/,
  ],
  ['no weights', altered((all) => all.delete('dense/V')), /no numbers were given for parameter dense\/V/],
])('a hostile file is refused: %s', (_, bytes, message) => {
  expect(() => loadModel(bytes)).toThrow(FormatError)
  expect(() => loadModel(bytes)).toThrow(message)
})

test.each<[string, (all: Map<string, Tensor>) => unknown, RegExp]>([
  [
    'a slot of another shape',
    (all) => all.set('state//m of dense/V', f32([1], 1)),
    /m of dense\/V is f32\[5, 2\]/,
  ],
  ['a slot less', (all) => all.delete('state//m of dense/V'), /lacks m of dense\/V/],
  ['what no training has', (all) => all.set('state//code', f32([1], 1)), /has code/],
  [
    'a number of rows',
    (all) => all.set('state//training rows', i32([2 ** 31 - 1])),
    /state lstm\/h is f32\[2147483647, 5\]/,
  ],
  [
    'steps below 0',
    (all) => all.set('state//training steps', i32([-1])),
    /training steps must be at least 0/,
  ],
])('a state that fits no training is refused before it begins: %s', async (_, change, message) => {
  const { model, state } = loadModel(altered(change))
  expect(() => fit(model, batches, { ...windows, resume: state! })).toThrow(RecurraError)
  expect(() => fit(model, batches, { ...windows, resume: state! })).toThrow(message)
})

test('a past of other rows is refused before the first step', async () => {
  const { model, state } = loadModel(altered((all) => all.set('state//training past', f32([1, 2], 1, 1, 2))))
  const before = numbersOf(model)
  const run = fit(model, batches, { ...windows, epochs: 2, resume: state! })
  await expect(run).rejects.toThrow(/training past is f32\[2, 1, 2\]/)
  expect(numbersOf(model)).toEqual(before)
})

test('every flipped bit of a file with a state is noticed; sealed again, it is refused or trains on', async () => {
  const at = fc.nat(file.length - 1)
  const property = fc.asyncProperty(at, fc.integer({ min: 1, max: 255 }), async (place, bits) => {
    const damaged = file.with(place, file[place]! ^ bits)
    expect(() => loadModel(damaged)).toThrow(FormatError)
    try {
      const { model, state } = loadModel(sealed(damaged))
      if (state !== undefined) await fit(model, batches, { ...windows, epochs: 2, resume: state })
    } catch (error) {
      expect(error).toBeInstanceOf(RecurraError)
    }
  })
  await fc.assert(property, { numRuns: process.env['RECURRA_LONG'] === '1' ? 3000 : 100 })
}, 600_000)
