/** Adam of the rows that are read: which those are, what becomes of them, and that the others stay bit for bit. */
import { describe, expect, test } from 'vitest'
import type { Batch } from '../../src/data/batches.ts'
import type { Value } from '../../src/graph/value.ts'
import { l2 } from '../../src/init/regularizers.ts'
import { dense } from '../../src/layers/dense.ts'
import { type EmbeddingOptions, embedding } from '../../src/layers/embedding.ts'
import { call, input, model } from '../../src/layers/functional.ts'
import { add } from '../../src/layers/merge.ts'
import type { Model } from '../../src/layers/model.ts'
import { sequential } from '../../src/layers/sequential.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { type FitOptions, fit } from '../../src/train/fit.ts'
import { lazyAdam } from '../../src/train/lazy-adam.ts'
import { movingAverage } from '../../src/train/moving-average.ts'
import { adam, type Optimizer } from '../../src/train/optimizers.ts'
import { batchOf, classes, f32, i32, lstmNet, numbersOf, rnn, squared, tokenNet, tokensOf } from './models.ts'
import { outside, random } from './support.ts'

const [V, D, B, T] = [7, 3, 2, 4]
/** Tokens of one row after the other; 6 is in none, 0 in the second alone. */
const TOKENS = [
  [1, 2, 2, 1, 3, 2, 2, 2],
  [0, 4, 4, 1, 4, 4, 0, 4],
  [3, 5, 3, 3, 5, 3, 5, 5],
  [2, 2, 1, 3, 2, 1, 1, 5],
]
const batches: readonly Batch[] = TOKENS.map((tokens, seed) => ({
  inputs: i32(tokens, B, T),
  targets: f32(random(seed).numbers(B * T * D), B, T, D),
  reset: true,
}))
const table = (more: Partial<EmbeddingOptions> = {}) =>
  sequential([embedding({ inputDim: V, outputDim: D, ...more })], { input: tokensOf })
/** Its gradient for a row is the mean of its targets over all steps, 0 for those of other rows. */
const loss = (output: Value, target: Value) => output.mul(target).sum(-1)

/** θ, m and v of the table after every number of batches. */
async function states(make: () => Model, options: Partial<FitOptions> = {}) {
  const made = []
  for (let count = 1; count <= batches.length; count++) {
    const net = make()
    const run = fit(net, batches.slice(0, count), { loss, optimizer: lazyAdam(), ...options })
    await run
    const state = await run.state()
    const of = (slot: string) => [...state].find(([name]) => name.includes(slot))![1].data
    made.push({
      E: net.weights().get('embedding/E')!.data,
      m: of('m of embedding/E'),
      v: of('v of embedding/E'),
    })
  }
  return made
}
const rowOf = (data: ArrayLike<number>, row: number) => Array.from(data).slice(row * D, (row + 1) * D)

/** LazyAdam as a loop over rows, in f64. */
function expected(rate: number, bound = Infinity) {
  const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-7]
  const E = Float64Array.from(table().weights().get('embedding/E')!.data)
  const [m, v] = [new Float64Array(V * D), new Float64Array(V * D)]
  return TOKENS.map((tokens, at) => {
    const gradient = new Float64Array(V * D)
    for (const [i, token] of tokens.entries())
      for (let d = 0; d < D; d++) gradient[token * D + d]! += batches[at]!.targets.data[i * D + d]! / (B * T)
    const norm = Math.hypot(...gradient)
    const scale = norm > bound ? bound / norm : 1
    for (const row of new Set(tokens)) {
      for (let i = row * D; i < (row + 1) * D; i++) {
        const g = gradient[i]! * scale
        m[i] = beta1 * m[i]! + (1 - beta1) * g
        v[i] = beta2 * v[i]! + (1 - beta2) * g * g
        const step = m[i]! / (1 - beta1 ** (at + 1))
        E[i]! -= (rate * step) / (Math.sqrt(v[i]! / (1 - beta2 ** (at + 1))) + epsilon)
      }
    }
    return { E: E.slice(), m: m.slice(), v: v.slice() }
  })
}

describe('rows that a batch reads', () => {
  test.each<[string, Partial<FitOptions>, number?]>([
    ['on WASM', { backend: 'wasm' }],
    ['interpreted', { backend: 'interpret' }],
    ['clipped by the norm', { clipGlobalNorm: 0.05 }, 0.05],
  ])(
    'are Adam’s, tokens summed before they are squared, by the number of all updates: %s',
    async (_, more, bound) => {
      const optimizer = lazyAdam({ learningRate: 0.02 })
      const [made, reference] = [await states(table, { optimizer, ...more }), expected(0.02, bound)]
      for (const [at, each] of made.entries())
        expect(outside('f32', each, reference[at]!), `${at}`).toEqual([])
    },
  )

  test.each<[string, Partial<FitOptions>, () => Model]>([
    ['a table alone', {}, table],
    ['clipped by the norm', { clipGlobalNorm: 1e-3 }, table],
    ['clipped by value', { clipValue: 1e-3 }, table],
    ['on two threads', { backend: 'wasm', threads: 2 }, table],
    [
      'before a recurrence, that is checkpointed',
      { ...classes, checkpoint: true },
      () =>
        sequential([embedding({ inputDim: V, outputDim: D }), rnn(), dense({ units: V })], {
          input: tokensOf,
        }),
    ],
  ])('are the only ones to change: %s', async (_, more, model) => {
    const own = more.loss === undefined ? batches : batches.map((each) => ({ ...each, targets: each.inputs }))
    const run = async (count: number) => {
      const net = model()
      const training = fit(net, own.slice(0, count), { loss, optimizer: lazyAdam(), ...more })
      await training
      const state = await training.state()
      const slot = (name: string) =>
        [...state].find(([path]) => path.includes(`${name} of embedding/E`))![1].data
      return [net.weights().get('embedding/E')!.data, slot('m'), slot('v')]
    }
    for (let count = 1; count < batches.length; count++) {
      const [before, after] = [await run(count), await run(count + 1)]
      for (let row = 0; row < V; row++) {
        const read = TOKENS[count]!.includes(row)
        for (const [i, data] of after.entries()) {
          const same = [rowOf(data, row), rowOf(before[i]!, row)]
          if (read) expect(same[0], `row ${row} of batch ${count}`).not.toEqual(same[1])
          else expect(same[0], `row ${row} of batch ${count}`).toEqual(same[1])
        }
      }
    }
  })

  test('are those of all batches of an update', async () => {
    const net = table()
    const before = net.weights().get('embedding/E')!.data.slice()
    await fit(net, batches.slice(0, 2), { loss, optimizer: lazyAdam(), accumulate: 2, epochs: 1 })
    const after = net.weights().get('embedding/E')!.data
    const changed = Array.from({ length: V }, (_, row) =>
      rowOf(after, row).every((x, d) => x !== rowOf(before, row)[d]),
    )
    expect(changed).toEqual([true, true, true, true, true, false, false])
  })

  test('with maskZero do not hold token 0', async () => {
    const made = await states(() => table({ maskZero: true }))
    expect(rowOf(made.at(-1)!.m, 0)).toEqual([0, 0, 0])
    expect(rowOf(made.at(-1)!.m, 4)).not.toEqual([0, 0, 0])
  })

  test('are those of all calls of a layer', async () => {
    const rows = embedding({ inputDim: V, outputDim: D })
    const [a, b] = [input({ shape: [null], dtype: 'i32' }), input({ shape: [null], dtype: 'i32' })]
    const net = model({ inputs: { a, b }, outputs: call(add(), [a.to(rows), b.to(rows)]) })
    const own = batches.slice(0, 3).map((each, at) => {
      const other = i32(TOKENS[at === 0 ? 1 : 0]!, B, T)
      return { ...each, inputs: { a: each.inputs as Tensor, b: other } }
    })
    const run = fit(net, own, { loss, optimizer: lazyAdam() })
    await run
    const m = [...(await run.state())].find(([name]) => name.includes('m of '))![1].data
    const untouched = Array.from({ length: V }, (_, row) => rowOf(m, row).every((x) => x === 0))
    expect(untouched).toEqual([false, false, false, false, false, false, true])
  })
})

describe('Adam’s bits', () => {
  const tokens = batches.map((each) => ({ ...each, targets: each.inputs }))
  const trained = async (model: Model, own: readonly Batch[], options: FitOptions) => {
    await fit(model, own, { epochs: 3, ...options })
    return numbersOf(model)
  }
  const both = async (model: () => Model, own: readonly Batch[], options: Pick<FitOptions, 'loss'>) => {
    const run = (optimizer: Optimizer) =>
      trained(model(), own, { clipGlobalNorm: 0.1, ...options, optimizer })
    return [await run(lazyAdam({ learningRate: 0.01 })), await run(adam({ learningRate: 0.01 }))] as const
  }

  test('for what is no embedding', async () => {
    const [lazy, plain] = await both(lstmNet, [batchOf(1, 3, 4), batchOf(2, 2, 5)], squared)
    expect(lazy).toEqual(plain)
  })

  test('for a table that is an output’s too, or that a regularizer holds small', async () => {
    const tied = () =>
      sequential(
        [embedding({ inputDim: V, outputDim: 5 }), rnn(), dense({ units: V, tiedTo: 'embedding' })],
        {
          input: tokensOf,
        },
      )
    const held = () => table({ embeddingsRegularizer: l2({ l2: 0.1 }) })
    for (const [lazy, plain] of [await both(tied, tokens, classes), await both(held, batches, { loss })])
      expect(lazy).toEqual(plain)
  })

  test('not for an embedding', async () => {
    const [lazy, plain] = await both(table, batches, { loss })
    expect(lazy).not.toEqual(plain)
  })

  test('after one update from nothing, of every row', async () => {
    const run = (optimizer: Optimizer) => trained(tokenNet(), [short], { ...classes, epochs: 1, optimizer })
    const short: Batch = { inputs: i32([1, 2, 2, 4], 1, 4), targets: i32([2, 2, 4, 5], 1, 4), reset: true }
    expect(await run(lazyAdam())).toEqual(await run(adam()))
  })
})

test.each<[string, Partial<FitOptions>]>([
  ['alone', {}],
  ['with averages', { optimizer: movingAverage(lazyAdam({ learningRate: 0.05 })) }],
  ['between the batches of an update', { accumulate: 3 }],
])('a run goes on from a state, bit for bit: %s', async (_, more) => {
  const options = { loss, optimizer: lazyAdam({ learningRate: 0.05 }), ...more }
  const reference = table()
  await fit(reference, batches, { ...options, epochs: 4 })
  for (const epochs of [1, 2, 3]) {
    const run = fit(table(), batches, { ...options, epochs })
    await run
    const resumed = table()
    await fit(resumed, batches, { ...options, epochs: 4, resume: await run.state() })
    expect(numbersOf(resumed)).toEqual(numbersOf(reference))
  }
})
