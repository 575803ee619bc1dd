/** The built-in cells against their equations: plain loops in f64 that share nothing with the graph. */
import { expect, test } from 'vitest'
import { outside, random, runOracle, traceLoss } from '../../test/contract/support.ts'
import { gradient } from '../graph/grad.ts'
import { interpret } from '../graph/interpret.ts'
import { trace } from '../graph/trace.ts'
import { recurrent } from '../layers/recurrent.ts'
import { sequential } from '../layers/sequential.ts'
import { ACTIVATIONS, type NamedActivation } from './activations.ts'
import { type Cell, defineCell } from './define.ts'
import { elmanCell } from './elman.ts'
import { gruCell } from './gru.ts'
import { jordanCell } from './jordan.ts'
import { lstmCell } from './lstm.ts'
import { stacked } from './stacked.ts'

type Row = readonly number[]
type Scalar = (x: number) => number
/** Output and next states from one row's input and states. */
type Step = (x: Row, states: readonly Row[], w: Weights) => readonly Row[]

/** By name, row-major; a bias that is not there is 0. */
class Weights {
  readonly columns: number
  readonly named: Readonly<Record<string, Row>>
  constructor(named: Readonly<Record<string, Row>>, units: number, gates: number) {
    this.named = named
    this.columns = units * gates
  }
  product(x: Row, name: string, j: number, columns = this.columns): number {
    return x.reduce((sum, value, i) => sum + value * this.named[name]![i * columns + j]!, 0)
  }
  bias(name: string, j: number): number {
    return this.named[name]?.[j] ?? 0
  }
}

const [T, B, I, H, O] = [4, 2, 3, 3, 2]
const PHI: Readonly<Record<Exclude<NamedActivation, 'softmax'>, Scalar>> = {
  linear: (x) => x,
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  relu: (x) => Math.max(x, 0),
  hardSigmoid: (x) => (x < -3 ? 0 : x > 3 ? 1 : x / 6 + 0.5),
}
const units = (make: Scalar) => Array.from({ length: H }, (_, j) => make(j))
const [tanh, sigmoid] = [PHI.tanh, PHI.sigmoid]

const elman =
  (phi: Scalar): Step =>
  (x, [h], w) => {
    const next = units((j) => phi(w.product(x, 'U', j) + w.product(h!, 'W', j) + w.bias('b', j)))
    return [next, next]
  }
const lstm =
  (phi: Scalar, gate: Scalar): Step =>
  (x, [h, c], w) => {
    const sum = (k: number, j: number) =>
      w.product(x, 'U', k * H + j) + w.product(h!, 'W', k * H + j) + w.bias('b', k * H + j)
    const cell = units((j) => gate(sum(1, j)) * c![j]! + gate(sum(0, j)) * phi(sum(2, j)))
    const next = units((j) => gate(sum(3, j)) * phi(cell[j]!))
    return [next, next, cell]
  }
const gru =
  (after: boolean, phi = tanh, gate = sigmoid): Step =>
  (x, [h], w) => {
    const input = (k: number, j: number) => w.product(x, 'U', k * H + j) + w.bias('b', k * H + j)
    const own = (of: Row, k: number, j: number) =>
      w.product(of, 'W', k * H + j) + (after ? w.bias('b', 3 * H + k * H + j) : 0)
    const [z, r] = [0, 1].map((k) => units((j) => gate(input(k, j) + own(h!, k, j))))
    const reset = units((j) => r![j]! * h![j]!)
    const candidate = units((j) => phi(input(2, j) + (after ? r![j]! * own(h!, 2, j) : own(reset, 2, j))))
    const next = units((j) => z![j]! * h![j]! + (1 - z![j]!) * candidate[j]!)
    return [next, next]
  }
const jordan: Step = (x, [o], w) => {
  const h = units((j) => tanh(w.product(x, 'U', j) + w.product(o!, 'W', j) + w.bias('b', j)))
  const next = Array.from({ length: O }, (_, j) => w.product(h, 'V', j, O) + w.bias('c', j))
  return [next, next]
}

const [activation, recurrentActivation, useBias, resetAfter] = ['relu', 'hardSigmoid', false, false] as const
test.each<[string, Cell, Step, states: Row, gates: number]>([
  ['elman', elmanCell({ units: H }), elman(tanh), [H], 1],
  ['elman, sigmoid', elmanCell({ units: H, activation: 'sigmoid' }), elman(sigmoid), [H], 1],
  [
    'elman, linear, no bias',
    elmanCell({ units: H, activation: 'linear', useBias }),
    elman(PHI.linear),
    [H],
    1,
  ],
  ['lstm', lstmCell({ units: H }), lstm(tanh, sigmoid), [H, H], 4],
  [
    'lstm, other functions, no bias',
    lstmCell({ units: H, activation, recurrentActivation, useBias }),
    lstm(PHI.relu, PHI.hardSigmoid),
    [H, H],
    4,
  ],
  ['gru', gruCell({ units: H }), gru(true), [H], 3],
  ['gru, reset before the product', gruCell({ units: H, resetAfter }), gru(false), [H], 3],
  [
    'gru, reset before the product, other functions',
    gruCell({ units: H, resetAfter, activation, recurrentActivation }),
    gru(false, PHI.relu, PHI.hardSigmoid),
    [H],
    3,
  ],
  ['gru, no biases', gruCell({ units: H, useBias, resetAfter: true }), gru(true), [H], 3],
  ['jordan', jordanCell({ units: H, outputs: O }), jordan, [O], 1],
  ['jordan, no biases', jordanCell({ units: H, outputs: O, useBias }), jordan, [O], 1],
])('%s', (name, cell, step, sizes, gates) => {
  const input = { shape: [null, I], dtype: 'f32' } as const
  const model = sequential([recurrent(cell, { returnSequences: true, name: 'r' })], { input })
  const { numbers, weights } = random(name.length)
  const given = weights(model)
  const own = new Weights(
    Object.fromEntries(Object.entries(given).map(([path, data]) => [path.slice(2), data])),
    H,
    gates,
  )
  const x = numbers(B * T * I)
  const outputs = Array.from({ length: B }, (_, b) => {
    let states: readonly Row[] = sizes.map((size) => new Array<number>(size).fill(0))
    return Array.from({ length: T }, (_, t) => {
      const [output, ...next] = step(x.slice((b * T + t) * I, (b * T + t + 1) * I), states, own)
      states = next
      return output!
    })
  }).flat(2)
  const named = traceLoss(model, 'meanSquaredError', false)
  const results = runOracle(
    named,
    { ...given, x, y: numbers(outputs.length) },
    new Map(Object.entries({ T, B })),
  )
  expect(outside('f64', results, { output: outputs })).toEqual([])
})

test('activations and their slopes', () => {
  const x = [-7, -3.5, -2.5, -0.5, 0.25, 1, 2.9, 3.1, 6]
  const slopes: Readonly<Record<keyof typeof PHI, Scalar>> = {
    linear: () => 1,
    tanh: (at) => 1 - Math.tanh(at) ** 2,
    sigmoid: (at) => sigmoid(at) * (1 - sigmoid(at)),
    relu: (at) => (at > 0 ? 1 : 0),
    hardSigmoid: (at) => (Math.abs(at) < 3 ? 1 / 6 : 0),
  }
  for (const name of Object.keys(PHI) as (keyof typeof PHI)[]) {
    const graph = trace([{ name: 'x', shape: [x.length] }], (at) => {
      const y = ACTIVATIONS[name](at!)
      return [y, ...gradient(y.sum(), [at!])]
    })
    const [y, slope] = interpret(graph, [{ data: Float64Array.from(x), shape: [x.length] }], new Map())
    const expected = { y: x.map(PHI[name]), slope: x.map(slopes[name]) }
    expect(outside('f64', { y: y!.data, slope: slope!.data }, expected), name).toEqual([])
  }
})

test('a cell with feedback says which state is its output', () => {
  const top = jordanCell({ units: H, outputs: O })
  expect(top.trace(I).feedback).toBe('o')
  expect(stacked([gruCell({ units: H }), top]).trace(I)).toMatchObject({
    feedback: '1 o',
    states: { '0 h': [H], '1 o': [O] },
  })
  const other = defineCell<object>()({
    name: 'other',
    state: () => ({ h: I, o: I }),
    params: () => ({}),
    feedback: 'h',
  }).step(({ x, state: { o } }) => ({ output: x, state: { h: o, o: x } }))
  expect(() => other({}).trace(I)).toThrow(/feedback names the state that holds the output; received h/)
})
