/** Echo state networks: a solved readout against NumPy's, running on, and what is kept and what is refused. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { echoStateCell } from '../../src/cells/echo-state.ts'
import { mackeyGlass } from '../../src/data/mackey-glass.ts'
import { sequences } from '../../src/data/sequences.ts'
import { loadModel, saveModel } from '../../src/io/index.ts'
import { dense } from '../../src/layers/dense.ts'
import { echoState } from '../../src/layers/echo-state.ts'
import type { Model } from '../../src/layers/model.ts'
import { lstm, recurrent } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { type NestedNumbers, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { fit } from '../../src/train/fit.ts'
import { freeRun } from '../../src/train/free-run.ts'
import { adamW } from '../../src/train/optimizers.ts'
import { predict } from '../../src/train/predict.ts'
import { fitReadout, type ReadoutOptions } from '../../src/train/readout.ts'
import { outside } from './support.ts'

interface Case {
  readonly options: Parameters<typeof echoState>[0]
  readonly ridge: number
  readonly washout: number
  readonly weights: Readonly<Record<'U' | 'W' | 'b', readonly NestedNumbers[]>>
  readonly inputs: readonly (readonly NestedNumbers[])[]
  readonly targets: readonly (readonly NestedNumbers[])[]
  readonly V: readonly NestedNumbers[]
  readonly c: readonly NestedNumbers[]
  readonly drive: readonly NestedNumbers[]
  readonly ahead: readonly NestedNumbers[]
}
const golden: Case = JSON.parse(
  readFileSync(new URL('../golden/readout/readout.json', import.meta.url), 'utf8'),
)
const flat = (values: readonly NestedNumbers[]) => values.flat(9) as number[]
const bits = (model: Model) => [...model.weights()].map(([path, { data }]) => [path, [...data]])

test('states, ridge regression and running on with a drive, as NumPy has them', async () => {
  const { options, ridge, washout, weights, inputs, targets } = golden
  const net = echoState(options).build({ shape: [null, 2], dtype: 'f32' })
  const own = Object.entries(weights).map(([name, values]) => [`echoState/${name}`, tensor(values)] as const)
  net.setWeights(new Map([...net.weights(), ...own]))
  await fitReadout(net, inputs, targets, { ridge, washout })
  const drive = [golden.drive] as readonly NestedNumbers[]
  const ahead = await freeRun(net, [inputs[0]!], { steps: golden.ahead.length, drive })
  const received = { V: net.weights().get('dense/V')!.data, c: net.weights().get('dense/c')!.data }
  const expected = { V: flat(golden.V), c: flat(golden.c), ahead: flat(golden.ahead) }
  expect(outside('f32', { ...received, ahead: ahead.data }, expected)).toEqual([])
})

describe('the next value of Mackey and Glass', () => {
  const [known, future] = [1000, 300]
  const series = mackeyGlass({ steps: known + future, seed: 1 })
  const part = (from: number, to: number) => tensor(series.data.slice(from, to), [1, to - from, 1])
  const trained = async (options: ReadoutOptions = {}) => {
    const net = echoState({ units: 150, outputs: 1, spectralRadius: 1.2, leakRate: 0.6, connectivity: 0.2 })
    await fitReadout(net, part(0, known - 1), part(1, known), {
      ridge: 1e-8,
      washout: 100,
      seed: 1,
      ...options,
    })
    return net
  }

  test('free running for 300 steps: an RMSE below 0.02 where the deviation is 0.2; saved, it says the same', async () => {
    const net = await trained()
    const ahead = await freeRun(net, part(0, known), { steps: future })
    const error = (said: Tensor, from: number) => {
      const errors = Array.from(said.data, (value, i) => value - series.data[from + i]!)
      const own = errors.slice(-future)
      return Math.sqrt(own.reduce((sum, each) => sum + each ** 2, 0) / own.length)
    }
    expect(error(ahead, known)).toBeLessThan(0.02)
    const { model } = loadModel(saveModel(net))
    expect(await freeRun(model, part(0, known), { steps: future })).toEqual(ahead)
    expect(error(await predict(model, part(0, known - 1)), 1)).toBeLessThan(2e-3)
  })

  test('the same seed gives the same bits, noise included; another does not', async () => {
    const noisy = { noise: 1e-3 }
    const [first, again, other] = [
      await trained(noisy),
      await trained(noisy),
      await trained({ ...noisy, seed: 2 }),
    ]
    expect(bits(again)).toEqual(bits(first))
    expect(bits(other)).not.toEqual(bits(first))
    expect(bits(await trained())).not.toEqual(bits(first))
  })

  test('training changes the readout alone, and a window in two parts does not mind fixed weights', async () => {
    const net = await trained()
    const before = bits(net)
    const batch = { inputs: part(0, 20), targets: part(1, 21), reset: true }
    const optimizer = adamW({ weightDecay: 0.1 })
    await fit(net, [batch], { loss: 'meanSquaredError', optimizer, truncate: { k1: 20, k2: 30 } })
    const changed = bits(net).filter(([, values], i) => String(values) !== String(before[i]![1]))
    expect(changed.map(([path]) => path)).toEqual(['dense/V', 'dense/c'])
  })

  test('of a mask, or of rows that end early, only what is there counts', async () => {
    const whole = Float32Array.from(part(0, 50).data)
    const odd = whole.slice()
    odd.fill(Number.NaN, 40)
    const solve = async (x: Float32Array, options: ReadoutOptions) => {
      const net = echoState({ units: 8, outputs: 1, connectivity: 0.9 })
      const y = x.map((value) => 2 * value)
      await fitReadout(net, tensor(x, [1, x.length, 1]), tensor(y, [1, x.length, 1]), {
        washout: 5,
        ...options,
      })
      return bits(net)
    }
    const expected = await solve(whole.slice(0, 40), {})
    const mask = tensor(
      Int32Array.from(odd, (value) => Number(!Number.isNaN(value))),
      [1, 50],
      'bool',
    )
    expect(await solve(odd, { mask })).toEqual(expected)
    expect(await solve(odd, { lengths: [40] })).toEqual(expected)
  })
})

test('one target a row: the readout of the last state', async () => {
  const x = Array.from({ length: 30 }, (_, row) =>
    Array.from({ length: 6 }, (_, t) => [Math.sin(row * (t + 1))]),
  )
  const y = x.map((row) => [row[5]![0]! - row[4]![0]!])
  const net = echoState({
    units: 20,
    outputs: 1,
    returnSequences: false,
    spectralRadius: 0.3,
    inputScaling: 0.1,
  })
  await fitReadout(net, x, y, { ridge: 1e-9 })
  const { data } = await predict(net, x)
  expect(Math.max(...y.map(([value], row) => Math.abs(value! - data[row]!)))).toBeLessThan(0.01)
})

const f32 = (...shape: number[]): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i)),
    shape,
  )
const make = () => echoState({ units: 4, outputs: 1 })
const features = () => echoState({ units: 4, outputs: 1, returnSequences: false })
test.each<[string, () => Promise<unknown>, RegExp]>([
  [
    'no readout',
    () => fitReadout(sequential([lstm({ units: 2 })]), f32(1, 3, 1), f32(1, 2)),
    /ends in a dense layer .* received lstm/,
  ],
  [
    'an activation',
    () =>
      fitReadout(
        sequential([lstm({ units: 2 }), dense({ units: 1, activation: 'tanh' })]),
        f32(1, 3, 1),
        f32(1, 1),
      ),
    /without activation/,
  ],
  [
    'targets of another shape',
    () => fitReadout(make(), f32(2, 9, 1), f32(2, 8, 1)),
    /targets f32 \[2, 9, 1\].* received f32 \[2, 8, 1\]/,
  ],
  [
    'a target that is not a number',
    () => fitReadout(make(), f32(1, 9, 1), tensor(new Float32Array(9).fill(Number.NaN), [1, 9, 1])),
    /a number is not finite/,
  ],
  [
    'fewer steps than features',
    () => fitReadout(make(), f32(1, 3, 1), f32(1, 3, 1), { ridge: 0 }),
    /4 features over 3 steps .*larger ridge; received 0/,
  ],
  [
    'a long washout',
    () => fitReadout(make(), f32(1, 9, 1), f32(1, 9, 1), { washout: 9 }),
    /9 steps leaves none of the 9/,
  ],
  [
    'a washout of one state',
    () => fitReadout(features(), f32(1, 9, 1), f32(1, 1), { washout: 1 }),
    /washout expects a model with an output for every step/,
  ],
  [
    'a ridge below 0',
    () => fitReadout(make(), f32(1, 9, 1), f32(1, 9, 1), { ridge: -1 }),
    /ridge must be .*; received -1/,
  ],
  [
    'no drive',
    () => freeRun(make(), f32(1, 9, 2), { steps: 4 }),
    /drive must be f32 \[1, 3, 1\]; received none/,
  ],
  [
    'more outputs than inputs',
    () => freeRun(echoState({ units: 4, outputs: 2 }), f32(1, 9, 1), { steps: 4 }),
    /received f32\[B, T, 1\] → 2 outputs/,
  ],
  ['rows of unlike length', () => freeRun(make(), [f32(3, 1), f32(2, 1)], { steps: 4 }), /equally long/],
  [
    'nothing to train',
    async () =>
      fit(
        sequential([recurrent(echoStateCell({ units: 2 }))]),
        sequences(f32(1, 3, 1), f32(1, 2), { batch: 1 }),
        { loss: 'meanSquaredError' },
      ),
    /no parameters to train/,
  ],
  ['no steps', () => freeRun(make(), f32(1, 9, 1), { steps: 0 }), /steps must be .*; received 0/],
])('refused: %s', async (_, act, said) => {
  await expect(act()).rejects.toThrow(said)
  await expect(act()).rejects.toHaveProperty('code')
})
