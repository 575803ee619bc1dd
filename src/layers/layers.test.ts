import { expect, test } from 'vitest'
import { centralDifferences } from '../../test/contract/gradients.ts'
import { outside, random, runOracle, traceLoss } from '../../test/contract/support.ts'
import { gruCell } from '../cells/gru.ts'
import { jordanCell } from '../cells/jordan.ts'
import { predict } from '../train/predict.ts'
import { bidirectional } from './bidirectional.ts'
import { dense } from './dense.ts'
import { embedding } from './embedding.ts'
import type { Layer } from './layer.ts'
import { layerNorm } from './layer-norm.ts'
import { elman, gru, lstm, recurrent } from './recurrent.ts'
import { sequential } from './sequential.ts'

const [T, B, I] = [4, 3, 2]
const input = { shape: [null, I], dtype: 'f32' } as const
const tokens = { shape: [null], dtype: 'i32' } as const
const sizes = new Map(Object.entries({ T, B }))
const pathsOf = (...layers: Layer[]) => [...sequential(layers, { input }).built.params.keys()]

test.each([
  ['concat', (a: number[], b: number[]) => [...a, ...b]],
  ['sum', (a: number[], b: number[]) => a.map((value, i) => Math.fround(value + b[i]!))],
  ['mul', (a: number[], b: number[]) => a.map((value, i) => Math.fround(value * b[i]!))],
  ['ave', (a: number[], b: number[]) => a.map((value, i) => Math.fround(value + b[i]!) / 2)],
] as const)('both directions are two layers, merged: %s', async (mergeMode, merge) => {
  const x = Array.from({ length: B }, (_, b) =>
    Array.from({ length: T }, (_, t) => random(9 * b + t).numbers(I)),
  )
  for (const returnSequences of [false, true]) {
    const mask = ['0110', '1111', '1001'].map((row) => Array.from(row, Number))
    for (const padding of [{}, { lengths: [4, 1, 3] }, { mask }]) {
      const both = sequential([bidirectional(lstm({ units: 3, returnSequences }), { mergeMode })], { input })
      const width = mergeMode === 'concat' ? 6 : 3
      const rowsOf = async (model: typeof both, size: number) => {
        const { data } = await predict(model, x, padding)
        return Array.from({ length: data.length / size }, (_, i) =>
          Array.from(data.subarray(i * size, (i + 1) * size)),
        )
      }
      const directions = ['forward', 'backward'].map((way) => {
        const one = sequential([lstm({ units: 3, returnSequences, goBackwards: way === 'backward' })], {
          input,
        })
        const own = [...both.weights(1)].filter(([path]) => path.includes(way))
        one.setWeights(
          new Map(own.map(([path, data]) => [path.replace(`bidirectional/${way} `, 'lstm/'), data])),
        )
        return rowsOf(one, 3)
      })
      const [forward, backward] = await Promise.all(directions)
      expect(await rowsOf(both, width)).toEqual(forward!.map((row, i) => merge(row, backward![i]!)))
    }
  }
})

test('layers over both directions and lists of cells: names, and gradients against central differences', () => {
  const model = sequential(
    [
      bidirectional(gru({ units: 2, returnSequences: true, initialState: 'trainable' })),
      layerNorm(),
      recurrent([gruCell({ units: 2 }), jordanCell({ units: 2, outputs: 1 })], { initialState: 'trainable' }),
      dense({ units: 2, useBias: false }),
    ],
    { input },
  )
  const paths = [...model.built.params.keys()]
  expect(paths).toEqual([
    ...['U', 'W', 'b', 'initial h'].map((name) => `bidirectional/forward ${name}`),
    ...['U', 'W', 'b', 'initial h'].map((name) => `bidirectional/backward ${name}`),
    ...['layerNorm/g', 'layerNorm/b'],
    ...['0 U', '0 W', '0 b', '1 U', '1 W', '1 V', '1 b', '1 c'].map((name) => `stacked/${name}`),
    ...['stacked/initial 0 h', 'stacked/initial 1 o', 'dense/V'],
  ])
  expect([...model.built.states.keys()]).toEqual([
    ...['bidirectional/forward h', 'bidirectional/backward h', 'stacked/0 h', 'stacked/1 o'],
  ])
  const { numbers, weights } = random(5)
  const values = { ...weights(model), x: numbers(B * T * I), y: numbers(B * 2), lengths: [2, 4, 1] }
  const named = traceLoss(model, 'meanSquaredError', true)
  const numeric = centralDifferences(named, paths, values, sizes)
  expect(outside('f64', runOracle(named, values, sizes), numeric)).toEqual([])
})

test('a list of cells is layers on each other', () => {
  const { numbers, weights } = random(6)
  const options = { units: 3, returnSequences: true }
  const layers = sequential([gru(options), gru(options)], { input })
  const cells = sequential(
    [recurrent([gruCell({ units: 3 }), gruCell({ units: 3 })], { returnSequences: true })],
    {
      input,
    },
  )
  const given = Object.values(weights(layers))
  const data = { x: numbers(B * T * I), y: numbers(B * T * 3), lengths: [2, 4, 1] }
  const [first, second] = [layers, cells].map((model) => {
    const own = Object.fromEntries([...model.built.params.keys()].map((path, i) => [path, given[i]!]))
    return Object.values(runOracle(traceLoss(model, 'meanSquaredError', true), { ...own, ...data }, sizes))
  })
  expect(second).toEqual(first)
})

test('layer norm over features: mean 0, variance 1 but for ε, then gain and bias', () => {
  const shape = { shape: [3], dtype: 'f32' } as const
  const model = sequential([layerNorm({ epsilon: 0.5 })], { input: shape })
  const x = [1, 2, 6, 4, 4, 4]
  const [g, b] = [
    [2, 1, -1],
    [0, 10, 20],
  ]
  const named = traceLoss(model, 'meanSquaredError', false)
  const given = { x, y: x, 'layerNorm/g': g!, 'layerNorm/b': b! }
  const { output } = runOracle(named, given, new Map([['B', 2]]))
  // Mean 3 and variance (4 + 1 + 9) / 3; then mean 4 and variance 0.
  const deviation = Math.sqrt(14 / 3 + 0.5)
  const expected = [-4 / deviation, 10 - 1 / deviation, 20 - 3 / deviation, 0, 10, 20]
  expect(outside('f64', { output: output! }, { output: expected })).toEqual([])
  expect(pathsOf(layerNorm({ center: false }))).toEqual(['layerNorm/g'])
  expect(pathsOf(layerNorm({ scale: false }))).toEqual(['layerNorm/b'])
})

test('a tied kernel is the table: one parameter, whose gradient is that of both uses', () => {
  const [V, D] = [5, 3]
  const net = (tiedTo?: string) => {
    const layers = [
      embedding({ inputDim: V, outputDim: D }),
      elman({ units: D, returnSequences: true }),
      dense({ units: V, tiedTo }),
    ]
    return sequential(layers, { input: tokens })
  }
  const [tied, apart] = [net('embedding'), net()]
  expect([...tied.built.params.keys()]).toEqual(
    [...apart.built.params.keys()].filter((path) => path !== 'dense/V'),
  )
  const { integers, weights } = random(7)
  const given = weights(tied)
  const table = given['embedding/E']!
  const turned = Array.from(table, (_, i) => table[(i % V) * D + Math.floor(i / V)]!)
  const [x, y] = [integers(B * T, 0, V - 1), integers(B * T, 0, V - 1)]
  const run = (model: typeof tied) =>
    runOracle(traceLoss(model, 'softmaxCrossEntropy', false), { ...given, 'dense/V': turned, x, y }, sizes)
  const [one, two] = [run(tied), run(apart)]
  const [read, written] = [two['d embedding/E']!, two['d dense/V']!]
  const sum = Array.from(read, (value, i) => value + written[(i % D) * V + Math.floor(i / D)]!)
  expect(outside('f64', one, { loss: two['loss']!, output: two['output']!, 'd embedding/E': sum })).toEqual(
    [],
  )
})
