import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import {
  linearForecast,
  minMax,
  naiveForecast,
  sequences,
  splitInOrder,
  standardize,
  twoSines,
  windows,
} from './index.ts'

const small = fc.integer({ min: 1, max: 4 })
const squaredError = (a: Tensor, b: Tensor) =>
  Array.from(a.data).reduce((sum, x, i) => sum + (x - b.data[i]!) ** 2 / a.data.length, 0)

test('windows are what their definition says, number by number', () => {
  const sizes = fc.record({ N: small, F: small, L: small, H: small, stride: small, more: fc.nat(9) })
  fc.assert(
    fc.property(sizes, fc.boolean(), fc.nat(), ({ N, F, L, H, stride, more }, everyStep, pick) => {
      const T = L + H + more
      // A number says where it stands.
      const series = Array.from({ length: N }, (_, n) =>
        Array.from({ length: T }, (_, t) => Array.from({ length: F }, (_, f) => (n * T + t) * F + f)),
      )
      const target = [pick % F]
      const { inputs, targets } = windows(series, { length: L, horizon: H, stride, target, everyStep })
      const starts = Array.from({ length: Math.floor(more / stride) + 1 }, (_, i) => i * stride)
      const all = series.flatMap((one) => starts.map((s) => ({ one, s })))
      const after = (one: number[][], t: number) => one.slice(t, t + H).map((row) => row[target[0]!]!)
      expect(inputs).toEqual(tensor(all.map(({ one, s }) => one.slice(s, s + L))))
      expect(targets).toEqual(
        tensor(
          all.map(({ one, s }) =>
            everyStep ? Array.from({ length: L }, (_, t) => after(one, s + t + 1)) : after(one, s + L),
          ),
        ),
      )
    }),
  )
})

test('one series, one feature, all targets: the example of the docs; batches of it', () => {
  const { inputs, targets } = windows(Float64Array.of(1, 2, 3, 4, 5), { length: 3 })
  expect({ inputs, targets }).toEqual({
    inputs: tensor([[[1], [2], [3]], [[2], [3], [4]]]), // biome-ignore format: one line
    targets: tensor([[4], [5]]),
  })
  expect(windows([[1, 2], [3, 4], [5, 6]], { length: 1, horizon: 2 }).targets).toEqual(tensor([[3, 4, 5, 6]])) // biome-ignore format: one line
  expect([...sequences(inputs, targets, { batch: 2 })]).toEqual([{ inputs, targets, reset: true }])
  const ids = tensor(Int32Array.of(1, 2, 3, 4), [2, 2])
  const all = sequences(ids, ids, { batch: 1 })
  expect([all.tokens, all.count, [...all][1]!.targets]).toEqual([4, 2, tensor(Int32Array.of(3, 4), [1, 2])])
})

test('scalers: moments and bounds of the training part, and back; far from 0 nothing is lost', () => {
  const values = fc.array(fc.tuple(fc.integer({ min: -99, max: 99 }), fc.constant(0.1)), { minLength: 2 })
  fc.assert(
    fc.property(values, fc.integer({ min: -1e6, max: 1e6 }), (rows, offset) => {
      const train = rows.map(([a, b]) => [offset + a / 100, b])
      const column = train.map(([a]) => a!)
      const changes = Math.max(...column) > Math.min(...column)
      const standard = standardize(train)
      const z = Array.from(standard.transform(train).data).filter((_, i) => i % 2 === 0)
      const mean = z.reduce((sum, x) => sum + x / z.length, 0)
      const variance = z.reduce((sum, x) => sum + (x - mean) ** 2 / z.length, 0)
      expect(Math.abs(mean)).toBeLessThan(1e-4)
      expect(Math.abs(variance - (changes ? 1 : 0))).toBeLessThan(1e-4)

      const bounded = minMax(train, { range: [-1, 3] })
      const scaled = bounded.transform(train)
      const first = Array.from(scaled.data).filter((_, i) => i % 2 === 0)
      expect(Math.abs(Math.min(...first) + 1)).toBeLessThan(1e-4)
      expect(Math.abs(Math.max(...first) - (changes ? 3 : -1))).toBeLessThan(1e-4)
      for (const scaler of [standard, bounded]) {
        const whole = scaler.inverse(scaler.transform(train))
        const alone = scaler.select([0]).inverse(scaler.select([0]).transform(column))
        const near = ({ data }: Tensor, expected: readonly number[]) => {
          const error = Math.max(...expected.map((x, i) => Math.abs(data[i]! - x) / Math.max(1, Math.abs(x))))
          expect(error).toBeLessThan(2 ** -23)
        }
        near(whole, train.flat() as number[])
        near(alone, column)
        expect(whole.shape).toEqual([rows.length, 2])
      }
    }),
  )
})

test('parts keep the order and lose nothing', () => {
  fc.assert(
    fc.property(fc.integer({ min: 10, max: 60 }), fc.constantFrom(0, 0.1, 0.25), (count, validation) => {
      const list = Array.from({ length: count }, (_, i) => i)
      const shares = { validation, test: 0.2 }
      const parts = splitInOrder(list, shares)
      expect([parts.train, parts.validation, parts.test].flat()).toEqual(list)
      expect([parts.validation.length, parts.test.length]).toEqual([
        Math.round(count * validation),
        Math.round(count * 0.2),
      ])
      const rows = splitInOrder(tensor(list.map((i) => [i, -i])), shares)
      expect(rows.test).toEqual(tensor(parts.test.map((i) => [i, -i])))
      expect(splitInOrder(Int32Array.from(list), shares).train).toEqual(Int32Array.from(parts.train))
    }),
  )
})

test('the value of a season before, and weights that are found again', () => {
  const inputs = tensor([[[1, 10], [2, 20], [3, 30]]]) // biome-ignore format: one line
  expect(naiveForecast(inputs, { horizon: 2 })).toEqual(tensor([[3, 30, 3, 30]]))
  expect(naiveForecast(inputs, { horizon: 5, season: 3, target: [1] })).toEqual(
    tensor([[10, 20, 30, 10, 20]]),
  )

  const x = twoSines({ count: 40, steps: 6 })
  const rows = Array.from({ length: 40 }, (_, n) => x.data.slice(6 * n, 6 * n + 6))
  const dot = (row: ArrayLike<number>, w: number[]) => w.reduce((sum, each, d) => sum + each * row[d]!, 0.5)
  const weights = [[3, -1, 4, 1, -5, 9], [2, 7, 1, -8, 2, 8]] // biome-ignore format: one line
  const targets = tensor(rows.map((row) => weights.map((w) => dot(row, w))))
  const fitted = linearForecast({ inputs: x, targets })
  weights.forEach((w, o) => {
    for (const [d, each] of w.entries()) expect(fitted.weights[2 * d + o]).toBeCloseTo(each, 4)
    expect(fitted.bias[o]).toBeCloseTo(0.5, 4)
  })
  expect(squaredError(fitted.predict(x), targets)).toBeLessThan(1e-10)
})

test('the published baselines of the two sines: naive 0.020, linear 0.004; ten ahead 0.26 and 0.019', () => {
  for (const [horizon, naive, linear] of [
    [1, 0.0202, 0.0042],
    [10, 0.257, 0.0187],
  ] as const) {
    // biome-ignore format: one line
    const series = splitInOrder(twoSines({ count: 10000, steps: 50 + horizon, seed: 42 }), {
      validation: 0.2,
      test: 0.1,
    })
    const train = windows(series.train, { length: 50, horizon })
    const { inputs, targets } = windows(series.validation, { length: 50, horizon })
    const errors = [
      squaredError(naiveForecast(inputs, { horizon }), targets),
      squaredError(linearForecast(train).predict(inputs), targets),
    ]
    console.log(`${horizon} ahead: naive ${errors[0]!.toFixed(4)}, linear ${errors[1]!.toFixed(4)}`)
    expect(Math.abs(errors[0]! - naive)).toBeLessThan(0.2 * naive)
    // The source stops after 20 epochs of Adam; these are the least squares themselves.
    expect(errors[1]!).toBeLessThan(linear)
    expect(errors[1]!).toBeGreaterThan(0.5 * linear)
  }
})
