/**
 * Layers against a few lines of plain loops, in f64 and in WASM; gradients against central differences; what is beyond a
 * row's length or masked changes no bit; a file gives the same layer back.
 */
import { describe, expect, test } from 'vitest'
import { gelu, mish, silu, softplus } from '../../src/cells/activation-functions.ts'
import { defineCell } from '../../src/cells/define.ts'
import { loadModel, saveModel } from '../../src/io/model.ts'
import { attention, pointer } from '../../src/layers/attention.ts'
import { bidirectional } from '../../src/layers/bidirectional.ts'
import { conv1d } from '../../src/layers/conv1d.ts'
import { dense } from '../../src/layers/dense.ts'
import { embedding } from '../../src/layers/embedding.ts'
import { flatten } from '../../src/layers/flatten.ts'
import { call, type Flow, input, model } from '../../src/layers/functional.ts'
import { globalAveragePooling1d, globalMaxPooling1d } from '../../src/layers/global-pooling.ts'
import { highway } from '../../src/layers/highway.ts'
import type { Layer } from '../../src/layers/layer.ts'
import { masking } from '../../src/layers/masking.ts'
import { add, average, concatenate, maximum, multiply, subtract } from '../../src/layers/merge.ts'
import type { Model } from '../../src/layers/model.ts'
import type { InputSpec } from '../../src/layers/parts.ts'
import { averagePooling1d, maxPooling1d } from '../../src/layers/pooling.ts'
import { elman, lstm, type RecurrentOptions, recurrent } from '../../src/layers/recurrent.ts'
import { repeatVector } from '../../src/layers/repeat-vector.ts'
import { residual } from '../../src/layers/residual.ts'
import { timeDistributed } from '../../src/layers/time-distributed.ts'
import { evaluateSize } from '../../src/tensor/size.ts'
import { elementCount } from '../../src/tensor/tensor.ts'
import { centralDifferences } from './gradients.ts'
import { openWasm, outside, random, runOracle, traceLoss } from './support.ts'

const [B, T, S, F] = [3, 6, 3, 2]
const sizes = new Map(Object.entries({ B, T, S }))

/** A row's steps; undefined where none is. */
type Row = (number[] | undefined)[]
type Weights = Readonly<Record<string, number[]>>

const affine = (x: number[], kernel: number[], bias?: number[]) =>
  Array.from({ length: kernel.length / x.length }, (_, j) =>
    x.reduce((sum, each, i) => sum + each * kernel[i * (kernel.length / x.length) + j]!, bias?.[j] ?? 0),
  )
const zip = (f: (...numbers: number[]) => number, ...all: number[][]) =>
  all[0]!.map((_, i) => f(...all.map((each) => each[i]!)))
const plus = (...numbers: number[]) => numbers.reduce((a, b) => a + b)
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))
const each =
  (f: (x: number[], w: Weights) => number[]) =>
  (row: Row, w: Weights): Row =>
    row.map((x) => x && f(x, w))

/** h ← tanh(x U + h W + b) over what is there; the state at each of all steps. */
function elmanOf(row: Row, w: Weights, path = 'elman/', units = 2): number[][] {
  let h = new Array<number>(units).fill(0)
  return row.map((x) => {
    if (x) h = zip((a, b) => Math.tanh(a + b), affine(x, w[`${path}U`]!, w[`${path}b`]!), affine(h, w[`${path}W`]!)) // biome-ignore format: one line
    return h
  })
}
const there = (row: Row, made: number[][]): Row => made.map((y, t) => row[t] && y)
const chunks = (x: number[], width = F) =>
  Array.from({ length: x.length / width }, (_, i) => x.slice(i * width, (i + 1) * width))
const nonzero = (row: Row): Row => row.map((x) => (x?.some((value) => value !== 0) ? x : undefined))
const looked = (row: Row, w: Weights): Row => row.map((x) => (x?.[0] ? chunks(w['embedding/E']!)[x[0]] : undefined)) // biome-ignore format: one line
/** The last state of a network over what is there of a step; undefined for a step of nothing. */
const lastOf = (inside: Row, w: Weights) =>
  inside.some((x) => x) ? elmanOf(inside, w, 'timeDistributed/').at(-1) : undefined

interface Sight {
  size: number
  strides?: number
  dilation?: number
  before?: number
  after?: number
}
/** What windows of a row see. */
function sights(row: Row, { size, strides = 1, dilation = 1, before = 0, after = 0 }: Sight): Row[] {
  const count = Math.floor((row.length + before + after - (size - 1) * dilation - 1) / strides) + 1
  return Array.from({ length: count }, (_, p) =>
    Array.from({ length: size }, (_, j) => row[p * strides + j * dilation - before]),
  )
}
const convolved = (seen: Row, w: Weights) =>
  seen.reduce<number[]>((sum, x, j) => {
    const K = chunks(w['conv1d/K']!, w['conv1d/K']!.length / seen.length)[j]!
    return x ? zip(plus, sum, affine(x, K)) : sum
  }, w['conv1d/b']!)
/** The kernel [size, I / G, O] of G groups as one [size, I, O], 0 between groups. */
function apart(K: number[], size: number, inputs: number, outputs: number, groups: number): number[] {
  const [width, all] = [inputs * groups, outputs * groups]
  return Array.from({ length: size * width * all }, (_, at) => {
    const [j, i, o] = [Math.floor(at / all / width), Math.floor(at / all) % width, at % all]
    return Math.floor(i / inputs) === Math.floor(o / outputs) ? K[(j * inputs + (i % inputs)) * all + o]! : 0
  })
}
const withDenseOf = (row: Row, w: Weights) => each((x) => affine(x, w['dense/V']!, w['dense/c']!))(row, w)
/** x Φ(x) by the integral of the density from 0 to x. */
const normalGate = (x: number) => {
  const steps = 2000
  const density = (at: number) => Math.exp((-at * at) / 2) / Math.sqrt(2 * Math.PI)
  const sum = plus(...Array.from({ length: steps }, (_, i) => density(((i + 0.5) * x) / steps)))
  return x * (0.5 + (sum * x) / steps)
}
/** The state h at each of all steps of a row, [i f g o] = x U + h W + b. */
function lstmOf(row: Row, w: Weights, phi: (x: number) => number, gate: (x: number) => number): number[][] {
  let [h, c] = [
    [0, 0],
    [0, 0],
  ]
  return row.map((x) => {
    if (x) {
      const sums = zip(plus, affine(x, w['lstm/U']!, w['lstm/b']!), affine(h, w['lstm/W']!))
      const [i, f, g, o] = chunks(sums, 2) as [number[], number[], number[], number[]]
      c = zip((a, b, d, e) => gate(a) * b + gate(d) * phi(e), f, c, i, g)
      h = zip((a, b) => gate(a) * phi(b), o, c)
    }
    return h
  })
}
/** Whether there is an output, by the row, by what window p sees. */
type Is = (row: Row, seen: Row, p: number) => boolean
const conv = (sight: Sight, is: Is) => (row: Row, w: Weights) =>
  sights(row, sight).map((seen, p) => (is(row, seen, p) ? convolved(seen, w) : undefined))
const all: Is = (_, seen) => seen.every((x) => x)
const own: Is = (row, _, p) => row[p] !== undefined
const pooled = (sight: Sight, f: (...numbers: number[]) => number, is = all) => (row: Row) =>
  sights(row, sight).map((seen, p) => (is(row, seen, p) ? zip(f, ...seen.filter((x) => x !== undefined)) : undefined)) // biome-ignore format: one line
const mean = (...numbers: number[]) => plus(...numbers) / numbers.length
const present = (row: Row) => row.filter((x) => x !== undefined)

type Score = (q: number[], k: number[], w: Weights) => number
const dot = (a: number[], b: number[]) => plus(...zip((x, y) => x * y, a, b))
/** Σ a v over what is there of the row, a the shares of e^score. */
const attended = (q: number[] | undefined, row: Row, w: Weights, score: Score) => {
  const e = row.map((k) => (q && k ? Math.exp(score(q, k, w)) : 0))
  const shares = row.map((v, s) => v?.map((value) => (value * e[s]!) / plus(...e)))
  return q && zip(plus, ...present(shares))
}
const attending = (score: Score) => (row: Row, w: Weights) => row.map((q) => attended(q, row, w, score))
const additive: Score = (q, k, w) =>
  dot(zip((a, b) => Math.tanh(a + b), affine(q, w['attention/W']!), affine(k, w['attention/U']!)), w['attention/v']!) // biome-ignore format: one line

/** h ← tanh(x + h), y = 2 h */
const twice = defineCell<object>()({ name: 'twice', state: () => ({ h: 2 }), params: () => ({}) }).step(
  ({ x, state: { h } }) => {
    const next = x.add(h).tanh()
    return { output: next.mul(2), state: { h: next } }
  },
)
const rnn = (more: RecurrentOptions = {}) => elman({ units: 2, returnSequences: true, ...more })
const merged = (merge: Layer) => (x: Flow) => call(merge, [x, x.to(dense({ units: F }))])
const withDense = (f: (...numbers: number[]) => number) =>
  each((x, w) => zip(f, x, affine(x, w['dense/V']!, w['dense/c']!)))
const highwayGate = (x: number[], w: Weights) =>
  affine(x, w['highway/transform W']!, w['highway/transform b']!).map(sigmoid)

interface Case {
  layers: Layer[] | ((x: Flow) => Flow)
  expected: (row: Row, w: Weights) => Row | number[]
  shape?: InputSpec['shape']
  dtype?: 'i32'
  /** No rows of unlike lengths, nor masks. */
  whole?: true
}

const CASES: Record<string, Case> = {
  repeatVector: {
    layers: [repeatVector({ n: 4 })],
    shape: [F],
    whole: true,
    expected: ([x]) => [x, x, x, x],
  },
  'a network over what repeatVector makes': {
    ...{
      layers: [
        rnn({ returnSequences: false }),
        repeatVector({ n: 3 }),
        elman({ units: 2, returnSequences: true }),
      ],
    },
    expected: (row, w) => {
      const last = elmanOf(row, w).at(-1)!
      return elmanOf([last, last, last], w, 'elman_1/')
    },
  },
  timeDistributed: {
    layers: [timeDistributed(dense({ units: 3 }))],
    expected: each((x, w) => affine(x, w['timeDistributed/V']!, w['timeDistributed/c']!)),
  },
  'timeDistributed around a network': {
    ...{ shape: [null, 'S', F], layers: [timeDistributed(elman({ units: 2 }))] },
    expected: each((x, w) => lastOf(chunks(x), w)!),
  },
  'timeDistributed around a sequence': {
    ...{ shape: [null, S, F], layers: [timeDistributed(rnn({ goBackwards: true }))] },
    expected: each((x, w) => elmanOf(chunks(x).reverse(), w, 'timeDistributed/').reverse().flat()),
  },
  'timeDistributed around a cell whose output is no state': {
    ...{
      shape: [null, S, 2],
      layers: [timeDistributed(recurrent(twice({}), { initialState: 'trainable' }))],
    },
    expected: each((x, w) => {
      const begin = w['timeDistributed/initial h']!
      return chunks(x)
        .reduce((h, step) => zip((a, b) => Math.tanh(a + b), step, h), begin)
        .map((h) => 2 * h)
    }),
  },
  'timeDistributed twice': {
    ...{
      shape: [null, 'S', 2, F],
      layers: [timeDistributed(timeDistributed(elman({ units: 2 }))), timeDistributed(dense({ units: 1 }))],
    },
    expected: each((x, w) =>
      chunks(x, 2 * F).flatMap((own) =>
        affine(lastOf(chunks(own), w)!, w['timeDistributed_1/V']!, w['timeDistributed_1/c']!),
      ),
    ),
  },
  'a network over a network over tokens': {
    ...{ shape: [null, 'S'], dtype: 'i32' },
    layers: [
      embedding({ inputDim: 5, outputDim: F, maskZero: true }),
      timeDistributed(elman({ units: 2 })),
      elman({ units: 2 }),
    ],
    expected: (row, w) =>
      elmanOf(
        row.map((x) => x && lastOf(looked(chunks(x, 1), w), w)),
        w,
      ).at(-1)!,
  },
  'a network over masked steps in steps': {
    ...{ shape: [null, S, F], layers: [masking(), timeDistributed(elman({ units: 2 })), rnn()] },
    expected: (row, w) => {
      const steps = row.map((x) => x && lastOf(nonzero(chunks(x)), w))
      return there(steps, elmanOf(steps, w))
    },
  },
  'flatten, of each step': {
    layers: [timeDistributed(conv1d({ filters: 1, kernelSize: 2, strides: 2 }), { name: 'conv1d' }), timeDistributed(flatten()), dense({ units: 1 })], // biome-ignore format: one line
    shape: [null, 2 * S, F],
    expected: each((x, w) => affine(conv({ size: 2, strides: 2 }, all)(chunks(x), w).flatMap((y) => y!), w['dense/V']!, w['dense/c']!)), // biome-ignore format: one line
  },
  'flatten, of a sequence whose length is known': {
    ...{ layers: [elman({ units: 2 }), repeatVector({ n: 2 }), flatten()], whole: true },
    expected: (row, w) => [0, 1].flatMap(() => elmanOf(row, w).at(-1)!),
  },
  masking: {
    layers: [masking(), rnn(), dense({ units: 1 })],
    expected: (row, w) =>
      each((h) => affine(h, w['dense/V']!, w['dense/c']!))(there(nonzero(row), elmanOf(nonzero(row), w)), w),
  },
  'masking, the last state': {
    layers: [dense({ units: 2, useBias: false }), masking(), elman({ units: 2 })],
    expected: (row, w) => elmanOf(each((x) => affine(x, w['dense/V']!))(nonzero(row), w), w).at(-1)!,
  },
  'embedding with maskZero': {
    ...{
      shape: [null],
      dtype: 'i32',
      layers: [embedding({ inputDim: 5, outputDim: F, maskZero: true }), rnn()],
    },
    expected: (row, w) => there(looked(row, w), elmanOf(looked(row, w), w)),
  },
  'conv1d valid': { layers: [conv1d({ filters: 3, kernelSize: 2 })], expected: conv({ size: 2 }, all) },
  'conv1d same': {
    layers: [conv1d({ filters: 3, kernelSize: 4, padding: 'same' })],
    expected: conv({ size: 4, before: 1, after: 2 }, own),
  },
  'conv1d causal, dilated': {
    layers: [conv1d({ filters: 1, kernelSize: 3, padding: 'causal', dilationRate: 2 })],
    expected: conv({ size: 3, dilation: 2, before: 4 }, own),
  },
  'conv1d causal with strides': {
    layers: [conv1d({ filters: 2, kernelSize: 3, padding: 'causal', strides: 2 })],
    expected: conv({ size: 3, strides: 2, before: 2 }, (row, _, p) => row[2 * p] !== undefined),
  },
  'conv1d valid with strides, and a network over it': {
    layers: [conv1d({ filters: 2, kernelSize: 2, strides: 2 }), elman({ units: 2 })],
    expected: (row, w) => elmanOf(conv({ size: 2, strides: 2 }, all)(row, w), w).at(-1)!,
  },
  'conv1d same with strides': {
    ...{ whole: true, layers: [conv1d({ filters: 2, kernelSize: 3, strides: 4, padding: 'same' })] },
    expected: conv({ size: 3, strides: 4, before: 0, after: 1 }, () => true),
  },
  'conv1d in groups': {
    layers: [dense({ units: 4 }), conv1d({ filters: 6, kernelSize: 3, padding: 'same', groups: 2 })],
    expected: (row, w) =>
      conv({ size: 3, before: 1, after: 1 }, own)(withDenseOf(row, w), { ...w, 'conv1d/K': apart(w['conv1d/K']!, 3, 2, 3, 2) }), // biome-ignore format: one line
  },
  'conv1d, a group for each feature, with strides': {
    layers: [conv1d({ filters: F, kernelSize: 2, strides: 2, groups: F })],
    expected: (row, w) =>
      conv({ size: 2, strides: 2 }, all)(row, { ...w, 'conv1d/K': apart(w['conv1d/K']!, 2, 1, 1, F) }),
  },
  'activations that are functions': {
    layers: [
      dense({ units: 3, activation: gelu }),
      conv1d({ filters: 2, kernelSize: 2, padding: 'causal', activation: (x) => x.mul(silu(x)) }),
      lstm({
        units: 2,
        returnSequences: true,
        activation: mish,
        recurrentActivation: softplus,
      }),
      // A function of all features of a step.
      dense({ units: 2, activation: (x) => x.div(x.abs().sum(-1, { keepDims: true }).add(1)) }),
    ],
    expected: (row, w) => {
      const first = each((x) => affine(x, w['dense/V']!, w['dense/c']!).map(normalGate))(row, w)
      const second = conv({ size: 2, before: 1 }, own)(first, w)
      const third = lstmOf(
        second.map((x) => x?.map((value) => value * value * sigmoid(value))),
        w,
        (x) => x * Math.tanh(Math.log1p(Math.exp(x))),
        (x) => Math.log1p(Math.exp(x)),
      )
      return each((h) => {
        const sums = affine(h, w['dense_1/V']!, w['dense_1/c']!)
        return sums.map((value) => value / (1 + plus(...sums.map(Math.abs))))
      })(there(row, third), w)
    },
  },
  maxPooling1d: { layers: [maxPooling1d()], expected: pooled({ size: 2, strides: 2 }, Math.max) },
  'maxPooling1d same': {
    layers: [maxPooling1d({ poolSize: 3, strides: 1, padding: 'same' })],
    expected: pooled({ size: 3, before: 1, after: 1 }, Math.max, own),
  },
  averagePooling1d: {
    layers: [averagePooling1d({ poolSize: 3, strides: 1 })],
    expected: pooled({ size: 3 }, mean),
  },
  'averagePooling1d same with strides': {
    ...{ whole: true, layers: [averagePooling1d({ poolSize: 4, padding: 'same' })] },
    expected: pooled({ size: 4, strides: 4, before: 1, after: 1 }, mean, () => true),
  },
  globalMaxPooling1d: { layers: [globalMaxPooling1d()], expected: (row) => zip(Math.max, ...present(row)) },
  globalAveragePooling1d: {
    layers: [globalAveragePooling1d({ keepDims: true })],
    expected: (row) => [zip(mean, ...present(row))],
  },
  concatenate: {
    layers: merged(concatenate()),
    expected: each((x, w) => [...x, ...affine(x, w['dense/V']!, w['dense/c']!)]),
  },
  'concatenate, of what has no time too': {
    layers: (x) => call(concatenate({ axis: 2 }), [x, x.to(elman({ units: 2 }))]),
    expected: (row, w) => each((x) => [...x, ...elmanOf(row, w).at(-1)!])(row, w),
  },
  'add, of what is masked too': {
    layers: (x) => call(add(), [x, x.to(masking({ maskValue: 0 })), x]),
    expected: (row) => each((x) => x.map((value) => 3 * value))(nonzero(row), {}),
  },
  subtract: { layers: merged(subtract()), expected: withDense((a, b) => a - b) },
  multiply: { layers: merged(multiply()), expected: withDense((a, b) => a * b) },
  average: { layers: merged(average()), expected: withDense(mean) },
  maximum: { layers: merged(maximum()), expected: withDense(Math.max) },
  'attention dot, scaled': {
    layers: (x) => call(attention({ scaled: true }), [x, x]),
    expected: attending((q, k) => dot(q, k) / Math.SQRT2),
  },
  'attention general, keys apart': {
    layers: (x) => call(attention({ score: 'general' }), [x, x.to(dense({ units: 3 })), x]),
    expected: (row, w) => {
      const values = each((v) => affine(v, w['dense/V']!, w['dense/c']!))(row, w)
      return row.map((q) => {
        if (q === undefined) return undefined
        const own = affine(q, w['attention/W']!)
        const e = row.map((k) => (k ? Math.exp(dot(own, k)) : 0))
        return zip(plus, ...present(values.map((v, s) => v?.map((value) => (value * e[s]!) / plus(...e)))))
      })
    },
  },
  'attention additive, of one query': {
    layers: (x) => call(attention({ score: 'additive', units: 3 }), [x.to(elman({ units: 2 })), x]),
    expected: (row, w) => attended(elmanOf(row, w).at(-1)!, row, w, additive)!,
  },
  pointer: {
    ...{ whole: true, layers: (x: Flow) => call(pointer({ score: 'dot' }), [x, x]) },
    expected: (row) => row.map((q) => row.map((k) => dot(q!, k!))),
  },
  residual: {
    layers: [
      residual(rnn()),
      residual(conv1d({ filters: 2, kernelSize: 3, padding: 'same' }), { name: 'conv1d' }),
    ],
    expected: (row, w) => {
      const first = there(row, elmanOf(row, w, 'residual/')).map((h, t) => h && zip(plus, h, row[t]!))
      const second = conv({ size: 3, before: 1, after: 1 }, own)(first, w)
      return second.map((y, t) => y && zip(plus, y, first[t]!))
    },
  },
  highway: {
    layers: [highway(rnn())],
    expected: (row, w) =>
      there(row, elmanOf(row, w, 'highway/layer ')).map(
        (h, t) => h && zip((gate, y, x) => gate * y + (1 - gate) * x, highwayGate(row[t]!, w), h, row[t]!),
      ),
  },
  'both directions apart': {
    layers: (x) => {
      const both = x.to(bidirectional(rnn(), { mergeMode: null }))
      return call(subtract(), [both, both.get('backward')])
    },
    expected: (row, w) => {
      const back = elmanOf([...row].reverse(), w, 'bidirectional/backward ').reverse()
      return there(
        row,
        zipRows((a, b) => a - b, elmanOf(row, w, 'bidirectional/forward '), back),
      )
    },
  },
}
const zipRows = (f: (...numbers: number[]) => number, ...rows: number[][][]) =>
  rows[0]!.map((_, t) => zip(f, ...rows.map((row) => row[t]!)))

const PADDINGS = {
  whole: '111111 111111 111111',
  lengths: '111111 110000 111100',
  mask: '111111 011011 110100',
}

function modelOf({ layers, shape = [null, F], dtype = 'f32' as never }: Case): Model {
  const x = input({ shape, dtype })
  const outputs = Array.isArray(layers) ? layers.reduce((flow, layer) => flow.to(layer), x) : layers(x)
  return model({ inputs: x, outputs })
}

const cases = Object.entries(CASES).flatMap(([name, each]) =>
  (Object.keys(PADDINGS) as (keyof typeof PADDINGS)[])
    .filter((padding) => padding === 'whole' || !each.whole)
    .map((padding) => [name, padding, each] as const),
)

describe.each(cases)('%s: %s', (_, padding, each) => {
  const net = modelOf(each)
  const { numbers, integers, weights } = random(7)
  const w = weights(net) as Record<string, number[]>
  const isThere = Array.from(PADDINGS[padding].replaceAll(' ', ''), (digit) => digit === '1')
  const { shape, dtype } = net.input
  const timed = shape[0] === null
  const width = elementCount(shape.slice(timed ? 1 : 0).map((size) => (typeof size === 'number' ? size : S)))
  const steps = timed ? T : 1
  const drawn = dtype === 'i32' ? integers(B * steps * width, 0, 4) : numbers(B * steps * width)
  // Some steps, some parts of steps and some single numbers are zeros, for layers that mask them.
  const x = drawn.map((value, i) =>
    Math.floor(i / F) % 5 === 2 || Math.floor(i / width) % T === 4 || i % 7 === 3 ? 0 : value,
  )
  const lengths = isThere.reduce<number[]>((sums, on, i) => sums.with(Math.floor(i / T), sums[Math.floor(i / T)]! + Number(on)), [0, 0, 0]) // biome-ignore format: one line
  const output = [B, ...net.output.shape.map((size) => evaluateSize(size, sizes))]
  const y = numbers(elementCount(output))
  const values = { ...w, x, y, lengths, mask: isThere.map(Number) }
  const named = traceLoss(net, 'meanSquaredError', padding === 'lengths', padding === 'mask')
  const rows = chunks(x, steps * width).map((row, b) =>
    chunks(row, width).map((step, t) => (isThere[b * T + t] ? step : undefined)),
  )
  const expected = rows.map((row) => each.expected(row, w))
  const flat = expected.flatMap((row) => (net.output.sequence ? (row as Row) : [row as number[]]))
  const features = elementCount(output) / flat.length
  const kept = <V>(all: ArrayLike<V>) => Array.from(all).filter((_, i) => flat[Math.floor(i / features)])

  test('values, in f64 and in WASM', async () => {
    const terms = flat.flatMap((row, i) => row?.map((value, j) => (value - y[i * features + j]!) ** 2) ?? [])
    const reference = { loss: [mean(...terms)], output: flat.flatMap((row) => row ?? []) }
    const [oracle, wasm] = [runOracle(named, values, sizes), await (await openWasm(named))(values, sizes)]
    expect(outside('f64', { ...oracle, output: kept(oracle['output']!) }, reference)).toEqual([])
    expect(outside('f32', { ...wasm, output: kept(wasm['output']!) }, reference)).toEqual([])
    expect(outside('f32', wasm, oracle)).toEqual([])
  })

  test('gradients are central differences’', () => {
    const numeric = centralDifferences(named, [...net.built.params.keys()], values, sizes)
    expect(outside('f64', runOracle(named, values, sizes), numeric)).toEqual([])
  })

  test.skipIf(padding === 'whole' || shape[0] !== null)('what is not there changes no bit', async () => {
    const wasm = await openWasm(named)
    const odd = dtype === 'i32' ? 3 : Number.NaN
    const E = w['embedding/E']
    const spoilt = {
      ...values,
      x: x.map((value, i) => (isThere[Math.floor(i / width)] ? value : odd)),
      y: y.map((value, i) => (flat[Math.floor(i / features)] ? value : Number.NaN)),
      ...(E && { 'embedding/E': E.map((value, i) => (i < F ? Number.NaN : value)) }),
    }
    const [plain, other] = [await wasm(values, sizes), await wasm(spoilt, sizes)]
    for (const name of Object.keys(plain)) {
      const same = name === 'output' ? kept : (all: ArrayLike<number>) => Array.from(all)
      expect(same(other[name]!), name).toEqual(same(plain[name]!))
      expect(plain[name], name).not.toContain(Number.NaN)
    }
  })

  test.skipIf(padding !== 'whole')('a file gives it back', () => {
    const bytes = saveModel(net)
    const loaded = loadModel(bytes).model
    expect(loaded.built).toEqual(net.built)
    expect(saveModel(loaded)).toEqual(bytes)
    const own = (each: Model) => runOracle(traceLoss(each, 'meanSquaredError', false), values, sizes)
    expect(own(loaded)).toEqual(own(net))
  })
})
