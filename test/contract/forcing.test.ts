/** Teacher forcing against its equations in plain numbers, gradients by central differences of those. */
import { describe, expect, test } from 'vitest'
import { defineCell } from '../../src/cells/define.ts'
import { gruCell } from '../../src/cells/gru.ts'
import { jordanCell } from '../../src/cells/jordan.ts'
import { explain } from '../../src/codegen/explain.ts'
import type { Batch } from '../../src/data/batches.ts'
import { type Graph, isKind, topological } from '../../src/graph/node.ts'
import { glorotUniform, orthogonal } from '../../src/init/initializers.ts'
import { forcedBy } from '../../src/layers/forcing.ts'
import type { Layer } from '../../src/layers/layer.ts'
import * as packing from '../../src/layers/packing.ts'
import { jordan, lstm, recurrent } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { type FitOptions, fit } from '../../src/train/fit.ts'
import { sgd } from '../../src/train/optimizers.ts'
import { evaluate, predict } from '../../src/train/predict.ts'
import { type StepOptions, traceStep } from '../../src/train/step.ts'
import { trainingGraph } from '../../src/train/training-graph.ts'
import { batchOf, f32, i32, numbersOf, sequenceOf, squared, stepsOf, stillness, windowsOf } from './models.ts'
import { openWasm, optimized, outside, random, runOracle } from './support.ts'

const [B, T, I, H, O] = [3, 4, 2, 3, 2]
const sizes = new Map(Object.entries({ B, T }))
const forced = { ...squared, teacherForcing: true, optimizer: sgd({ learningRate: 0.1 }) }
type Row = readonly number[]
type Weights = Readonly<Record<string, Row>>

/** h(t) = tanh(x U + o(t−1) R + h(t−1) W), o(t) = h(t) V: a loop is left when o(t−1) is a target. */
const both = defineCell<object>()({
  name: 'both',
  state: () => ({ o: O, h: H }),
  feedback: 'o',
  params: () => ({
    U: glorotUniform(I, H),
    R: glorotUniform(O, H),
    W: orthogonal(H, H),
    V: glorotUniform(H, O),
  }),
}).step(({ x, state: { o, h }, params: { U, R, W, V } }) => {
  const next = x.matmul(U).add(o.matmul(R)).add(h.matmul(W)).tanh()
  const output = next.matmul(V)
  return { output, state: { o: output, h: next } }
})

const layerOf = {
  jordan: () => jordan({ units: H, outputs: O, returnSequences: true, initialState: 'trainable', name: 'r' }),
  both: () => recurrent(both({}), { returnSequences: true, initialState: 'trainable', name: 'r' }),
}
const netOf = (which: keyof typeof layerOf) => sequential([layerOf[which]()], { input: sequenceOf })
const times = (x: Row, matrix: Row, j: number) =>
  x.reduce((sum, value, i) => sum + value * matrix[i * (matrix.length / x.length) + j]!, 0)
const columns = (size: number, of: (j: number) => number) => Array.from({ length: size }, (_, j) => of(j))

const [FRESH, CARRIED] = [[1, 0, 1], random(1).numbers(B * Math.max(H, O))]

/** Σ (o − y)² / O over the steps that are there, over their number: y(t−1) in the place of o(t−1). */
function lossOf(w: Weights, x: Row, y: Row, lengths: Row): number {
  let sum = 0
  for (const [b, length] of lengths.entries()) {
    const begin = (name: string, width: number) =>
      FRESH[b] === 1 ? (w[`r/initial ${name}`] ?? []) : CARRIED.slice(b * width, (b + 1) * width)
    let h = begin('h', H)
    for (let t = 0; t < length; t++) {
      const input = x.slice((b * T + t) * I, (b * T + t + 1) * I)
      const target = (at: number) => y.slice((b * T + at) * O, (b * T + at + 1) * O)
      const before = t === 0 ? begin('o', O) : target(t - 1)
      const state = h
      h = columns(H, (j) => {
        const own = w['r/R']
          ? times(before, w['r/R'], j) + times(state, w['r/W']!, j)
          : times(before, w['r/W']!, j)
        return Math.tanh(times(input, w['r/U']!, j) + own + (w['r/b']?.[j] ?? 0))
      })
      for (const [j, value] of target(t).entries())
        sum += (times(h, w['r/V']!, j) + (w['r/c']?.[j] ?? 0) - value) ** 2 / O
    }
  }
  return sum / lengths.reduce((all, length) => all + length, 0)
}

describe.each(['jordan', 'both'] as const)('%s', (which) => {
  test.each([
    ['all rows whole', [T, T, T]],
    ['lengths, NaN beyond them', [T, 1, 2]],
  ])('loss and gradients are those of the equations: %s', async (_, lengths) => {
    const model = netOf(which)
    const { numbers, weights } = random(which.length)
    const beyond = (i: number, width: number) =>
      Math.floor(i / width) % T >= lengths[Math.floor(i / width / T)]!
    const [x, y] = [I, O].map((width) =>
      numbers(B * T * width).map((value, i) => (beyond(i, width) ? Number.NaN : value)),
    ) as [number[], number[]]
    const own = weights(model)
    const named = traceStep(
      model,
      { ...forced, truncate: { k1: T, k2: T } },
      { packing: lengths.includes(1) ? packing : undefined, forced: forcedBy },
    )
    const states = { 'state r/o': CARRIED.slice(0, B * O), 'state r/h': CARRIED }
    const values = { ...own, ...states, x, y, lengths, fresh: FRESH, learningRate: [1] }
    const received = runOracle(named, values, sizes)
    const expected = Object.fromEntries(
      Object.entries(own).map(([path, begin]) => {
        const slope = begin.map((value, i) => {
          const at = (step: number) => lossOf({ ...own, [path]: begin.with(i, value + step) }, x, y, lengths)
          return (8 * (at(1e-3) - at(-1e-3)) - (at(2e-3) - at(-2e-3))) / 12e-3
        })
        return [path, slope]
      }),
    )
    const gradients = Object.fromEntries(
      Object.entries(own).map(([path, begin]) => [
        path,
        begin.map((value, i) => value - received[path]![i]!),
      ]),
    )
    expect(outside('f64', gradients, expected)).toEqual([])
    expect(received['loss']![0]).toBeCloseTo(lossOf(own, x, y, lengths), 12)
    const last = lengths.flatMap((length, b) => y.slice((b * T + length - 1) * O, (b * T + length) * O))
    expect(Array.from(received['state r/o']!)).toEqual(last)
    const wasm = await openWasm(named)
    expect(outside('f32', await wasm(values, sizes), received)).toEqual([])
  })
})

/** The scans that are left after all passes. */
function recurrences(graph: Graph): string[] {
  const scans = topological(optimized(graph).outputs).filter((node) => isKind(node, 'scan'))
  return scans.map(({ op: { reverse } }) => (reverse ? 'back' : 'forward'))
}

test('the steps of a Jordan network decouple, every product leaves the loop; of others the rest stays', () => {
  const traced = (layers: readonly Layer[], options: StepOptions = forced, lengths = false) =>
    recurrences(
      traceStep(sequential(layers, { input: sequenceOf }), options, {
        packing: lengths ? packing : undefined,
        forced: options.teacherForcing === true ? forcedBy : undefined,
      }).graph,
    )
  const loops = ['forward', 'back']
  expect(traced([layerOf.jordan()], { ...forced, teacherForcing: false })).toEqual(loops)
  expect(traced([layerOf.both()])).toEqual(loops)
  expect(traced([lstm({ units: H, returnSequences: true }), layerOf.jordan()])).toEqual(loops)
  for (const k2 of [undefined, 2, 3]) {
    const options = k2 === undefined ? forced : { ...forced, truncate: { k1: 2, k2 } }
    for (const lengths of [false, true]) expect(traced([layerOf.jordan()], options, lengths)).toEqual([])
  }
  const text = explain(trainingGraph(netOf('jordan'), forced))
  expect(text.match(/simplify .*/g)!.at(-1)).not.toMatch(/a step/)
})

describe('windows: what goes on is the last target', () => {
  const stack = () =>
    sequential(
      [
        lstm({ units: 3, returnSequences: true }),
        recurrent([gruCell({ units: 2 }), jordanCell({ units: H, outputs: O })], { returnSequences: true }),
      ],
      { input: sequenceOf },
    )
  const document = batchOf(5, B, 8)
  const ends = [
    [2, 2, 2],
    [2, 2, 2],
    [2, 2, 2],
    [2, 1, 2],
  ] as const
  const windows: Batch[] = windowsOf(document, 2).map((batch, i) => ({ ...batch, lengths: i32(ends[i]!, B) }))
  const lossesOf = async (batches: readonly Batch[], options: Partial<FitOptions>) =>
    (await stepsOf(fit(stack(), batches, { ...forced, ...stillness, ...options }))).map(([loss]) => loss)

  test.each([2, 3, 5])('k1 = 2, k2 = %i: losses over windows are one pass over all', async (k2) => {
    const parts = await lossesOf(windows, { truncate: { k1: 2, k2 } })
    const [all] = await lossesOf([{ ...document, lengths: i32([8, 7, 8], B) }], {})
    const tokens = ends.map((lengths) => lengths.reduce<number>((sum, length) => sum + length, 0))
    const sum = parts.reduce((total, loss, i) => total + loss * tokens[i]!, 0)
    expect(sum / 23).toBeCloseTo(all!, 6)
  })

  test('gradients go through no o: for a Jordan network alone k2 changes nothing', async () => {
    const trained = async (k2: number) => {
      const model = netOf('jordan')
      await fit(model, windows, { ...forced, truncate: { k1: 2, k2 }, epochs: 2 })
      return Object.fromEntries([...model.weights()].map(([path, { data }]) => [path, data]))
    }
    const [reference, other] = [await trained(2), await trained(5)]
    expect(outside('f32', other, reference)).toEqual([])
  })

  test('a resumed run goes on bit for bit, the targets of its past among its state', async () => {
    const options = { ...forced, truncate: { k1: 2, k2: 5 }, epochs: 2 }
    const [reference, model] = [stack(), stack()]
    await fit(reference, windows, options)
    const run = fit(stack(), windows, options)
    for await (const event of run) if (event.kind === 'step' && event.step === 3) run.stop()
    const resume = await run.state()
    await fit(model, windows, { ...options, resume })
    expect(numbersOf(model)).toEqual(numbersOf(reference))
    resume.delete('training past targets')
    await expect(async () => fit(stack(), windows, { ...options, resume })).rejects.toThrow(
      'the state lacks training past targets',
    )
  })
})

test('what a mask hides is read by no step: the target before it goes on', async () => {
  const [batch, there] = [batchOf(8, 1, 6), [0, 1, 1, 0, 0, 1]]
  const kept = there.flatMap((isThere, t) => (isThere === 1 ? [t] : []))
  const cut = (data: ArrayLike<number>, width: number) =>
    kept.flatMap((t) => Array.from(data).slice(t * width, (t + 1) * width))
  const hidden = (data: ArrayLike<number>, width: number) =>
    Array.from(data, (value, i) => (there[Math.floor(i / width)] === 1 ? value : Number.NaN))
  const whole = {
    ...{
      inputs: f32(hidden(batch.inputs.data, I), 1, 6, I),
      targets: f32(hidden(batch.targets.data, O), 1, 6, O),
    },
    ...{ mask: i32(there, 1, 6), reset: true },
  }
  const short = {
    ...{ inputs: f32(cut(batch.inputs.data, I), 1, 3, I), targets: f32(cut(batch.targets.data, O), 1, 3, O) },
    reset: true,
  }
  const trained = async (each: Batch, truncate?: FitOptions['truncate']) => {
    const model = netOf('jordan')
    await fit(model, [each, { ...each, reset: false }], {
      ...forced,
      ...(truncate && { truncate }),
      epochs: 2,
    })
    return Object.fromEntries([...model.weights()].map(([path, { data }]) => [path, data]))
  }
  for (const truncate of [undefined, { k1: 6, k2: 6 }]) {
    expect(outside('f32', await trained(whole, truncate), await trained(short, truncate))).toEqual([])
  }
})

test('validation and evaluation run free, on the outputs themselves', async () => {
  const [batch, model] = [batchOf(6, B, T), netOf('jordan')]
  const options = { ...forced, ...stillness, validation: { batches: [batch] } }
  const { epochs } = await fit(model, [batch], options)
  const { loss } = await evaluate(model, [batch], squared)
  const { data } = await predict(model, batch.inputs)
  const errors = Array.from(data, (value, i) => (value - batch.targets.data[i]!) ** 2)
  const free = errors.reduce((sum, error) => sum + error, 0) / errors.length
  expect(epochs[0]!.validationLoss).toBe(loss)
  expect(loss).toBeCloseTo(free, 6)
  expect(Math.abs(epochs[0]!.loss - loss)).toBeGreaterThan(1e-3)
  // Where the outputs are the targets, both ways are one.
  const right = { ...batch, targets: f32(Array.from(data), B, T, O) }
  expect((await fit(model, [right], { ...forced, ...stillness })).epochs[0]!.loss).toBeLessThan(1e-12)
})
