/** What recurrent layers draw in training: dropout inside cells, one mask for all of time, and zoneout, anew at every step. */
import { describe, expect, test } from 'vitest'
import { defineCell } from '../../src/cells/define.ts'
import { gruCell } from '../../src/cells/gru.ts'
import { lstmCell } from '../../src/cells/lstm.ts'
import { lower } from '../../src/codegen/lower.ts'
import { MOVES } from '../../src/codegen/moves.ts'
import { printProgram } from '../../src/codegen/print.ts'
import { concat, constant } from '../../src/graph/value.ts'
import { gradientFlow } from '../../src/inspect/gradient-flow.ts'
import { loadModel, saveModel } from '../../src/io/model.ts'
import { bidirectional } from '../../src/layers/bidirectional.ts'
import { dense } from '../../src/layers/dense.ts'
import type { Layer } from '../../src/layers/layer.ts'
import type { Model } from '../../src/layers/model.ts'
import { noiseOf } from '../../src/layers/noise.ts'
import * as packing from '../../src/layers/packing.ts'
import { elman, gru, jordan, lstm, type RecurrentOptions, recurrent } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { outside as batchFirst } from '../../src/layers/signals.ts'
import { fit } from '../../src/train/fit.ts'
import { adam } from '../../src/train/optimizers.ts'
import { evaluate, predict, predictWithStates } from '../../src/train/predict.ts'
import { traceNamed } from '../../src/train/session.ts'
import { forwardWindow, windowSpecs } from '../../src/train/window-graph.ts'
import { centralDifferences } from './gradients.ts'
import { batchOf, f32, numbersOf, sequenceOf, squared, stepsOf, windowsOf } from './models.ts'
import { type Named, openWasm, optimized, outside, random, runOracle, traceLoss } from './support.ts'

const counters = { seed: [3], update: [5] }
const [B, T, I, H] = [5, 6, 2, 3]
const lengths = [2, 6, 1, 6, 4]
const sizes = (more = {}) => new Map(Object.entries({ B, T, ...more }))
const fill = (length: number, value: number) => new Array<number>(length).fill(value)

/** Shows its masks: of I inputs, and of H numbers. */
const masks = defineCell<{ readonly rate: number }>()({
  name: 'shown',
  state: () => ({ h: H }),
  params: () => ({}),
  noise: ({ inputs, rate }) => ({ x: { shape: inputs, rate }, h: { shape: H, rate } }),
}).step(({ x, state: { h }, noise }) => ({
  output: concat([noise.x(x.mul(0).add(1)), noise.h(h.mul(0).add(1))], 1),
  state: { h },
}))
/** Counts steps in two states: with zoneout those at which they do not hold. */
const counts = defineCell<object>()({
  name: 'shown',
  state: () => ({ h: H, c: H }),
  params: () => ({}),
}).step(({ state: { h, c } }) => {
  const next = { h: h.add(1), c: c.add(1) }
  return { output: concat([next.h, next.c], 1).mul(1), state: next }
})
const counting = (options: RecurrentOptions) => recurrent(counts({}), { returnSequences: true, ...options })

/** What a layer gives for a batch, [row][step][feature], in training. */
function shownBy(layer: Layer, more: Named = {}, kind: 'whole' | 'lengths' | 'mask' = 'whole') {
  const model = sequential([layer], { input: sequenceOf })
  const named = traceLoss(model, 'meanSquaredError', kind === 'lengths', kind === 'mask')
  const width = Number(model.output.shape.at(-1)!.key)
  const values = { ...counters, lengths, x: fill(B * T * I, 0), y: fill(B * T * width, 0), ...more }
  const { output } = runOracle(named, values, sizes())
  return Array.from({ length: B }, (_, b) =>
    Array.from({ length: T }, (_, t) => [...output!.subarray((b * T + t) * width, (b * T + t + 1) * width)]),
  )
}
const showing = (rate: number, options: RecurrentOptions = {}) =>
  recurrent(masks({ rate }), { returnSequences: true, ...options })
/** Whether each number of both states holds at each step: [row][step][h, then c]. */
function held(options: RecurrentOptions, more?: Named) {
  const probe = recurrent(
    defineCell<object>()({ name: 'shown', state: () => ({ h: H, c: H }), params: () => ({}) }).step(
      ({ state: { h, c } }) => ({ output: concat([h, c], 1), state: { h: h.add(1), c: c.add(1) } }),
    )({}),
    { returnSequences: true, ...options },
  )
  // The output of a step is what states were before it: one more step shows the last one.
  const model = sequential([probe], { input: sequenceOf })
  const named = traceLoss(model, 'meanSquaredError', false)
  const values = { ...counters, x: fill(B * (T + 1) * I, 0), y: fill(B * (T + 1) * 2 * H, 0), ...more }
  const { output } = runOracle(named, values, new Map(Object.entries({ B, T: T + 1 })))
  const at = (b: number, t: number, k: number) => output![(b * (T + 1) + t) * 2 * H + k]!
  return Array.from({ length: B }, (_, b) =>
    Array.from({ length: T }, (_, t) =>
      Array.from({ length: 2 * H }, (_, k) => at(b, t + 1, k) === at(b, t, k)),
    ),
  )
}

describe('dropout inside a cell', () => {
  test('one mask a row for all steps, 0 or 1 / (1 − rate); rows and names have masks of their own', () => {
    const shown = shownBy(showing(0.5))
    for (const row of shown) for (const step of row) expect(step).toEqual(row[0])
    expect(new Set(shown.flat(2))).toEqual(new Set([0, 2]))
    expect(new Set(shown.map(String)).size).toBeGreaterThan(2)
  })

  test.each([0.1, 0.4, 0.8])('a share of %d is dropped', (rate) => {
    const wide = defineCell<object>()({
      name: 'wide',
      state: () => ({ h: 1 }),
      params: () => ({}),
      noise: () => ({ n: { shape: [40, 50], rate } }),
    }).step(({ state: { h }, noise }) => ({
      output: noise.n(constant(1, ['B', 40, 50])).mean([2]),
      state: { h },
    }))
    const model = sequential([recurrent(wide({}))], { input: sequenceOf })
    const { output } = runOracle(
      traceLoss(model, 'meanSquaredError', false),
      { ...counters, x: fill(B * T * I, 0), y: fill(B * 40, 0) },
      sizes(),
    )
    const mean = output!.reduce((sum, each) => sum + each, 0) / output!.length
    // Four deviations of a mean over 10,000.
    expect(Math.abs(mean - 1)).toBeLessThan((4 * Math.sqrt(rate / (1 - rate))) / 100)
  })

  test('a mask is a function of seed, layer, name, update and row', () => {
    const texts = [
      shownBy(showing(0.5)),
      shownBy(showing(0.5), { update: [6] }),
      shownBy(showing(0.5), { seed: [4] }),
      shownBy(showing(0.5, { name: 'b' })),
      shownBy(showing(0.5, { seed: 9 })),
    ].map(String)
    expect(new Set(texts).size).toBe(5)
    expect(String(shownBy(showing(0.5, { seed: 9 }), { seed: [8] }))).toBe(texts[4])
    const [both] = shownBy(bidirectional(showing(0.5)))
    expect(both![0]!.slice(0, I + H)).not.toEqual(both![0]!.slice(I + H))
  })
})

describe('zoneout', () => {
  test('each number of a state holds with its rate, anew at every step', () => {
    const all = Array.from({ length: 40 }, (_, update) =>
      held({ zoneout: { h: 0.2, c: 0.7 } }, { update: [update] }),
    ).flat(2)
    for (const [first, rate] of [
      [0, 0.2],
      [H, 0.7],
    ] as const) {
      const share =
        all.flatMap((step) => step.slice(first, first + H)).filter(Boolean).length / all.length / H
      expect(Math.abs(share - rate)).toBeLessThan(4 * Math.sqrt((rate * (1 - rate)) / all.length / H))
    }
    const rows = held({ zoneout: 0.5 })
    for (const row of rows) expect(new Set(row.map(String)).size).toBeGreaterThan(1)
    expect(new Set(rows.map(String)).size).toBe(B)
  })

  test('a number is the rate of all states but those that always begin with zeros', () => {
    const cell = defineCell<object>()({
      name: 'clock',
      state: () => ({ h: 1, n: 1 }),
      params: () => ({}),
      untrained: ['n'],
    }).step(({ state: { h, n } }) => ({ output: n.add(1), state: { h: h.add(1), n: n.add(1) } }))
    const shown = shownBy(recurrent(cell({}), { returnSequences: true, zoneout: 0.9 }))
    for (const row of shown) expect(row.flat()).toEqual([1, 2, 3, 4, 5, 6])
  })
})

const layers: readonly (readonly [string, (more?: RecurrentOptions) => Layer])[] = [
  ['masks', (more) => showing(0.5, more)],
  ['zoneout', (more) => counting({ zoneout: 0.4, ...more })],
]
const there = lengths.map((length) => Array.from({ length: T }, (_, t) => Number(t < length)))

test.each(layers)('%s: packed rows, masks and either direction draw what whole rows draw', (name, make) => {
  for (const goBackwards of [false, true]) {
    const layer = () => make({ goBackwards })
    const [whole, packed, masked] = (['whole', 'lengths', 'mask'] as const).map((kind) =>
      shownBy(layer(), { mask: there.flat() }, kind),
    )
    for (const [b, length] of lengths.entries()) {
      expect(packed![b]!.slice(0, length)).toEqual(masked![b]!.slice(0, length))
      // Backwards a shorter row has counted fewer steps.
      if (goBackwards && name === 'zoneout') continue
      expect(packed![b]!.slice(0, length)).toEqual(whole![b]!.slice(0, length))
    }
  }
})

test.each(layers)('%s: a window in two parts draws what one pass would', (_, make) => {
  const [P, own] = [4, T - 4]
  const model = sequential([make()], { input: sequenceOf })
  const width = Number(model.output.shape.at(-1)!.key)
  const whole = shownBy(make())
  for (const ragged of [false, true]) {
    const leaves = { training: true, carry: [], packing: ragged ? packing : undefined, noise: noiseOf }
    const windows = traceNamed(windowSpecs(model, leaves), (get) => ({
      outputs: { output: batchFirst(forwardWindow(model, get, leaves).outputs.get('output')!) },
    }))
    const ends = Int32Array.of(1, 2, 2, 1, 2)
    for (const C of [2, 4]) {
      const parts = [
        packing.packingInputs(
          ends.map((end) => Math.min(P + end, C)),
          C,
          'before',
        ),
        packing.packingInputs(
          ends.map((end) => Math.max(P + end - C, 0)),
          T - C,
          'after',
        ),
      ]
      const inputs = Object.fromEntries(parts.flatMap((part) => part.inputs))
      const bindings = new Map([...sizes({ T: own, P, C }), ...(ragged ? parts.map(({ size }) => size) : [])])
      const values = { ...counters, x: fill(B * T * I, 0), lengths: ends, ...(ragged && inputs) }
      const { output } = runOracle(windows, values, bindings)
      for (const [i, value] of output!.entries()) {
        const [b, t] = [Math.floor(i / width / own), Math.floor(i / width) % own]
        expect(value).toBe(ragged && t >= ends[b]! ? 0 : whole[b]![P + t]![i % width])
      }
    }
  }
})

type Weights = (name: string, row: number, column: number) => number
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))
interface Step {
  readonly x: readonly number[]
  readonly h: readonly number[]
  readonly c: readonly number[]
  /** As the products read them. */
  readonly dropped: { readonly x: readonly number[]; readonly h: readonly number[] }
  readonly w: Weights
}
const dot = (vector: readonly number[], w: Weights, name: string, column: number) =>
  vector.reduce((sum, each, row) => sum + each * w(name, row, column), 0)
/** One unit's next state, by plain equations. */
const EQUATIONS = {
  elman: ({ dropped, w }: Step, k: number) => [
    Math.tanh(dot(dropped.x, w, 'U', k) + dot(dropped.h, w, 'W', k) + w('b', 0, k)),
  ],
  lstm: ({ dropped, c, w }: Step, k: number) => {
    const [i, f, g, o] = [0, 1, 2, 3].map((gate) => {
      const column = gate * H + k
      return dot(dropped.x, w, 'U', column) + dot(dropped.h, w, 'W', column) + w('b', 0, column)
    }) as [number, number, number, number]
    const next = sigmoid(f) * c[k]! + sigmoid(i) * Math.tanh(g)
    return [sigmoid(o) * Math.tanh(next), next]
  },
  gru: ({ h, dropped, w }: Step, k: number) => {
    const part = (gate: number) => [
      dot(dropped.x, w, 'U', gate * H + k) + w('b', 0, gate * H + k),
      dot(dropped.h, w, 'W', gate * H + k) + w('b', 1, gate * H + k),
    ]
    const gate = (at: number) => sigmoid(part(at)[0]! + part(at)[1]!)
    const candidate = Math.tanh(part(2)[0]! + gate(1) * part(2)[1]!)
    return [gate(0) * h[k]! + (1 - gate(0)) * candidate]
  },
  'gru, reset before the product': ({ h, dropped, w }: Step, k: number) => {
    const gate = (at: number, unit: number) => {
      const column = at * H + unit
      return sigmoid(dot(dropped.x, w, 'U', column) + dot(dropped.h, w, 'W', column) + w('b', 0, column))
    }
    const recalled = dropped.h.map((each, unit) => gate(1, unit) * each)
    const column = 2 * H + k
    const candidate = Math.tanh(
      dot(dropped.x, w, 'U', column) + w('b', 0, column) + dot(recalled, w, 'W', column),
    )
    return [gate(0, k) * h[k]! + (1 - gate(0, k)) * candidate]
  },
} as const
type CellName = keyof typeof EQUATIONS
const MAKERS = {
  ...{ elman, lstm, gru },
  'gru, reset before the product': (options: Parameters<typeof gru>[0]) =>
    gru({ ...options, resetAfter: false }),
}
const dropping = { units: H, dropout: 0.3, recurrentDropout: 0.5 }

/** States after each step, by the equations; `drop` and `holds` say what is drawn. */
function replayed(
  kind: CellName,
  values: Named,
  drop: (row: number) => readonly number[],
  hold: (row: number, t: number, k: number, old: number, made: number) => number,
) {
  const columns = { elman: H, lstm: 4 * H }[kind as string] ?? 3 * H
  const w: Weights = (name, row, column) => values[`shown/${name}`]![row * columns + column]!
  return Array.from({ length: B }, (_, b) => {
    let [h, c] = [fill(H, 0), fill(H, 0)]
    const mask = drop(b)
    return Array.from({ length: T }, (_, t) => {
      const x = Array.from({ length: I }, (_, i) => values['x']![(b * T + t) * I + i]!)
      const dropped = { x: x.map((each, i) => each * mask[i]!), h: h.map((each, i) => each * mask[I + i]!) }
      const made = h.map((_, k) => EQUATIONS[kind]({ x, h, c, dropped, w }, k))
      const next = (old: number[], at: number) =>
        old.map((each, k) => hold(b, t, at * H + k, each, made[k]![at]!))
      ;[h, c] = [next(h, 0), kind === 'lstm' ? next(c, 1) : c]
      return h
    })
  })
}
const far = (
  received: ArrayLike<number>,
  expected: readonly (readonly (readonly number[])[])[],
  bound: number,
) => Math.max(...expected.flat(2).map((each, i) => Math.abs(each - received[i]!))) > bound

describe.each(Object.keys(EQUATIONS) as CellName[])('%s', (kind) => {
  const make = (more: object) =>
    sequential([MAKERS[kind]({ units: H, returnSequences: true, name: 'shown', ...more })], {
      input: sequenceOf,
    })
  const valuesOf = (model: Model) => {
    const { numbers, weights } = random(4)
    return { ...counters, ...weights(model), x: numbers(B * T * I), y: numbers(B * T * H) }
  }

  test('dropout and recurrentDropout: the equations, over the masks', () => {
    const model = make(dropping)
    const [mx, mh] = [0.3, 0.5].map((rate) => shownBy(showing(rate, { name: 'shown' })))
    const values = valuesOf(model)
    const { output } = runOracle(traceLoss(model, 'meanSquaredError', false), values, sizes())
    const expected = replayed(
      kind,
      values,
      (b) => [...mx![b]![0]!.slice(0, I), ...mh![b]![0]!.slice(I)],
      (_, __, ___, ____, made) => made,
    )
    expect(far(output!, expected, 1e-9)).toBe(false)
  })

  test('zoneout: the equations, over the draws; at inference over the rates', async () => {
    const zoneout = kind === 'lstm' ? { h: 0.3, c: 0.6 } : { h: 0.3 }
    const model = make({ zoneout })
    const values = valuesOf(model)
    const { output } = runOracle(traceLoss(model, 'meanSquaredError', false), values, sizes())
    const holds = held({ zoneout: { c: 0, ...zoneout }, name: 'shown' })
    const expected = replayed(
      kind,
      values,
      () => fill(I + H, 1),
      (b, t, k, old, made) => (holds[b]![t]![k] ? old : made),
    )
    expect(far(output!, expected, 1e-9)).toBe(false)
    model.setWeights(
      new Map(
        [...model.weights()].map(([path, each]) => [
          path,
          f32((values as Named)[path] as number[], ...each.shape),
        ]),
      ),
    )
    const rate = (k: number) => (k < H ? 0.3 : 0.6)
    const expectation = replayed(
      kind,
      values,
      () => fill(I + H, 1),
      (_, __, k, old, made) => rate(k) * old + (1 - rate(k)) * made,
    )
    const { output: predicted, states } = await predictWithStates(model, f32(values.x, B, T, I))
    expect(far(predicted.data, expectation, 1e-5)).toBe(false)
    expect(states['shown/h']!.data).toEqual(
      Float32Array.from(
        Array.from(
          { length: B * H },
          (_, i) => predicted.data[(Math.floor(i / H) * T + T - 1) * H + (i % H)]!,
        ),
      ),
    )
  })

  test.each([
    ['whole', {}],
    ['lengths', { goBackwards: true }],
    ['mask', { returnSequences: false }],
  ] as const)('gradients as differences say, and WASM: %s', async (padding, more) => {
    const model = sequential(
      [MAKERS[kind]({ ...dropping, zoneout: 0.3, returnSequences: true, ...more }), dense({ units: 2 })],
      { input: sequenceOf },
    )
    const { numbers, weights } = random(6)
    const y = numbers(B * 2 * ('returnSequences' in more ? 1 : T))
    const mask = there.flat()
    const values = { ...counters, ...weights(model), x: numbers(B * T * I), y, lengths, mask }
    const named = traceLoss(model, 'meanSquaredError', padding === 'lengths', padding === 'mask')
    const oracle = runOracle(named, values, sizes())
    const numeric = centralDifferences(named, [...model.built.params.keys()], values, sizes())
    expect(outside('f64', oracle, numeric)).toEqual([])
    const wasm = await openWasm(named)
    expect(outside('f32', await wasm(values, sizes()), oracle)).toEqual([])
  })
})

const net = () =>
  sequential(
    [
      recurrent([gruCell({ units: 3, dropout: 0.2 }), lstmCell({ units: 4, recurrentDropout: 0.4 })], {
        returnSequences: true,
        zoneout: 0.1,
      }),
      bidirectional(
        lstm({ units: 2, dropout: 0.3, returnSequences: true, seed: 3, zoneout: { c: 0.5, h: 0.1 } }),
      ),
      dense({ units: 2 }),
    ],
    { input: sequenceOf },
  )

test('a file keeps what is drawn: training goes on from it bit for bit', async () => {
  const batch = batchOf(1, 3, 6)
  const options = { ...squared, optimizer: adam({ learningRate: 0.01 }), seed: 8 }
  const [reference, model] = [net(), net()]
  const run = fit(model, [batch, batchOf(2, 3, 6)], { ...options, epochs: 2 })
  await run
  const bytes = saveModel(model, { state: await run.state() })
  const loaded = loadModel(bytes)
  expect(saveModel(loaded.model, { state: loaded.state! })).toEqual(bytes)
  expect(await predict(loaded.model, batch.inputs)).toEqual(await predict(model, batch.inputs))
  await fit(loaded.model, [batch, batchOf(2, 3, 6)], { ...options, epochs: 4, resume: loaded.state! })
  await fit(reference, [batch, batchOf(2, 3, 6)], { ...options, epochs: 4 })
  expect(numbersOf(loaded.model)).toEqual(numbersOf(reference))
})

test('packed rows train as masked ones do; windows that overlap train', async () => {
  const make = () =>
    sequential([lstm({ ...dropping, returnSequences: true, zoneout: 0.2 }), dense({ units: 2 })], {
      input: sequenceOf,
    })
  const batch = batchOf(1, 3, 6)
  const ends = [6, 2, 4]
  const byLengths = { ...batch, lengths: { data: Int32Array.from(ends), shape: [3], dtype: 'i32' as const } }
  const mask = Int32Array.from({ length: 18 }, (_, i) => Number(i % 6 < ends[Math.floor(i / 6)]!))
  const byMask = { ...batch, mask: { data: mask, shape: [3, 6], dtype: 'i32' as const } }
  const [packed, masked] = await Promise.all(
    [byLengths, byMask].map(async (own) => {
      const model = make()
      await fit(model, [own], { ...squared, epochs: 3 })
      return numbersOf(model)
    }),
  )
  for (const [i, numbers] of packed!.entries())
    for (const [k, each] of numbers.entries()) expect(each).toBeCloseTo(masked![i]![k]!, 5)
  const { steps } = await fit(make(), windowsOf(batch, 2), { ...squared, truncate: { k1: 2, k2: 4 } })
  expect(steps).toBe(3)
})

test('over packed rows the product with x leaves the loop, mask and all', () => {
  const model = sequential([lstm({ ...dropping, zoneout: 0.2 })], { input: sequenceOf })
  const graph = optimized(traceLoss(model, 'meanSquaredError', true).graph)
  const program = printProgram(lower(graph, { moves: MOVES }))
  expect(program).toMatch(new RegExp(`^matmul N × ${4 * H} × ${I}`, 'm'))
  expect(program).toMatch(new RegExp(`^matmul ${I} × ${4 * H} × N`, 'm'))
  expect(program.match(/^ {2}matmul .*/gm)).toHaveLength(2)
})

test('gradientFlow draws what the first step of a training draws', async () => {
  const [model, batch] = [net(), batchOf(1, 3, 6)]
  const { loss } = await gradientFlow(model, batch, { ...squared, seed: 8 })
  const [step] = await stepsOf(fit(model, [batch], { ...squared, seed: 8 }))
  expect(step![0]).toBeCloseTo(loss, 6)
})

test('evaluate and predict drop nothing; a rate of 0 draws nothing and leaves the graphs as they are', async () => {
  const [dropped, without] = [lstm(dropping), lstm({ units: H })]
  expect(dropped.cell.trace(I).inference.key).toBe(without.cell.trace(I).inference.key)
  expect(lstm({ units: H, dropout: 0 }).cell.trace(I).training.key).toBe(without.cell.trace(I).training.key)
  const models = [dropped, without].map((layer) =>
    sequential([layer, dense({ units: 2 })], { input: sequenceOf }),
  )
  models[1]!.setWeights(models[0]!.weights())
  expect(models.map(({ built }) => built.draws)).toEqual([true, false])
  const { inputs } = batchOf(1, 3, 4)
  const batch = { inputs, targets: f32(random(1).numbers(6), 3, 2), reset: true }
  const [a, b] = await Promise.all(models.map((model) => evaluate(model, [batch], squared)))
  expect(a).toEqual(b)
  const stack = recurrent([gruCell({ units: 2 }), lstmCell({ units: 2 })])
  expect(sequential([stack], { input: sequenceOf }).built.draws).toBe(false)
  expect(sequential([lstm({ units: 2, zoneout: 0 })], { input: sequenceOf }).built.draws).toBe(false)
})

test('teacher forcing: a state that targets replace holds what the target was', async () => {
  const model = sequential([jordan({ units: 3, outputs: 2, returnSequences: true, zoneout: 0.5 })], {
    input: sequenceOf,
  })
  const { steps } = await fit(model, [batchOf(1, 3, 4)], { ...squared, teacherForcing: true, epochs: 2 })
  expect(steps).toBe(2)
})

const odd = (value: unknown) => value as never
const ownNoise = (noise: unknown) => {
  const declared = defineCell<object>()({
    name: 'own',
    state: () => ({ h: 1 }),
    params: () => ({}),
    noise: odd(() => noise),
  })
  const cell = declared.step(({ state: { h } }) => ({ output: h, state: { h } }))({})
  return () => sequential([recurrent(cell)], { input: sequenceOf })
}
test.each<[string, () => unknown, RegExp]>([
  [
    'a rate of dropout',
    () => lstm({ units: 2, dropout: 1 }),
    /lstm: dropout must be a number of at least 0 and below 1; received 1/,
  ],
  [
    'recurrentDropout',
    () => gru({ units: 2, recurrentDropout: -0.1 }),
    /gru: recurrentDropout .* received -0.1/,
  ],
  [
    'zoneout',
    () => elman({ units: 2, zoneout: 1 }),
    /elman: zoneout must be a number of at least 0 and below 1; received 1/,
  ],
  ['zoneout of a state', () => lstm({ units: 2, zoneout: { c: 2 } }), /lstm: zoneout must .* received 2/],
  [
    'a state that is not there',
    () => sequential([gru({ units: 2, zoneout: { c: 0.5 } })], { input: sequenceOf }),
    /gru: zoneout is of states, h; received c/,
  ],
  ['a seed', () => lstm({ units: 2, seed: 0.5 }), /lstm: seed must be an integer within ±2⁵³; received 0.5/],
  [
    'a rate of an own cell',
    ownNoise({ x: { shape: 2, rate: 1 } }),
    /cell own: noise x: rate must be a number of at least 0 and below 1; received 1/,
  ],
  [
    'a size of an own cell',
    ownNoise({ x: { shape: 0, rate: 0.5 } }),
    /cell own: noise x needs sizes that are integers of at least 1; received 0/,
  ],
  [
    'a name of an own cell',
    ownNoise({ 'a/b': { shape: 1, rate: 0.5 } }),
    /cell own: .* named by words; received "a\/b"/,
  ],
  ['no noise', ownNoise({ x: 0.5 }), /cell own: noise x: rate must be .* received undefined/],
  [
    'what is no object',
    ownNoise(0.5),
    /cell own: noise must give an object, something for each name; received 0.5/,
  ],
])('%s is refused', (_, act, message) => {
  expect(act).toThrow(message)
})
