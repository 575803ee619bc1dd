import { expect, test } from 'vitest'
import { ArgumentError } from '../tensor/errors.ts'
import { type Initializer, joined, normal, parameter, requireInitializer, uniform } from './initializers.ts'
import { brought, initialize } from './numbers.ts'
import { fillReservoir } from './reservoir.ts'

const shape = [300, 200]
const numbersOf = (init: Initializer, seed = 1, path = 'a/U') =>
  Array.from(initialize(parameter(shape, init), seed, path))
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value) / values.length

test.each<[Initializer['kind'], variance: number, largest: number]>([
  ['glorotUniform', 2 / 500, Math.sqrt(6 / 500)],
  ['heUniform', 2 / 300, Math.sqrt(6 / 300)],
  ['lecunUniform', 1 / 300, Math.sqrt(3 / 300)],
  // Two deviations of the distribution before it is cut.
  ['glorotNormal', 2 / 500, (2 * Math.sqrt(2 / 500)) / 0.87962566103423978],
  ['heNormal', 2 / 300, (2 * Math.sqrt(2 / 300)) / 0.87962566103423978],
  ['lecunNormal', 1 / 300, (2 * Math.sqrt(1 / 300)) / 0.87962566103423978],
  ['truncatedNormal', (0.3 * 0.87962566103423978) ** 2, 0.6],
])('%s has its variance and its bounds', (kind, variance, largest) => {
  const deviation = kind === 'truncatedNormal' ? { deviation: 0.3 } : {}
  const values = numbersOf({ kind, ...deviation } as Initializer)
  expect(mean(values.map((value) => value * value)) / variance).toBeCloseTo(1, 1.7)
  expect(Math.abs(mean(values))).toBeLessThan(0.02 * largest)
  const reached = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / largest
  expect([reached > 0.99, reached < 1 + 1e-6]).toEqual([true, true])
})

test('eigenvalues lie on their ring, as dense everywhere', () => {
  const [N, minRadius, maxRadius, maxPhase] = [2000, 0.4, 0.9, 2]
  const init = { kind: 'ring', minRadius, maxRadius, maxPhase } as const
  const values = initialize(parameter([3, N], init), 1, 'a/lambda')
  const row = (place: number) => Array.from(values.subarray(place * N, (place + 1) * N), Math.exp)
  const [radii, phases] = [row(0).map((nu) => Math.exp(-nu)), row(1)]
  const shares = [
    radii.map((radius) => (radius ** 2 - minRadius ** 2) / (maxRadius ** 2 - minRadius ** 2)),
    phases.map((phase) => phase / maxPhase),
  ]
  for (const share of shares) {
    for (const power of [1, 2]) expect(mean(share.map((u) => u ** power))).toBeCloseTo(1 / (power + 1), 1.5)
    expect([Math.min(...share) > -1e-6, Math.max(...share) < 1 + 1e-6]).toEqual([true, true])
  }
  for (const [i, gamma] of row(2).entries()) expect(gamma ** 2 + radii[i]! ** 2).toBeCloseTo(1, 5)
})

test('a reservoir comes with its cell', () => {
  const init = { kind: 'reservoir', spectralRadius: 1, connectivity: 1 } as const
  expect(() => initialize(parameter([2, 2], init), 0, 'a/W')).toThrow(/a\/W: a reservoir needs echoStateCell/)
  brought.reservoir = fillReservoir
  expect(initialize(parameter([2, 2], init), 0, 'a/W').every((value) => value !== 0)).toBe(true)
})

test.each([
  [1, 1, 0.7],
  [2, 1, 1.5],
  [5, 0.6, 0.9],
  [60, 1, 1.5],
  [100, 0.05, 0.3],
])(
  'a reservoir of %i units, %f of its weights there, has the spectral radius %f',
  (units, connectivity, spectralRadius) => {
    const init = { kind: 'reservoir', spectralRadius, connectivity } as const
    const W = initialize(parameter([units, units], init), 3, 'a/W')
    const there = W.filter((value) => value !== 0).length / W.length
    expect(Math.abs(there - connectivity)).toBeLessThan(2 / units)
    // Powers of a matrix vanish below 1 and grow without bound above: here, the 2²⁰-th.
    const grown = (scale: number) => {
      let power = Float64Array.from(W, (value) => value / scale)
      for (let k = 0; k < 20 && power.every((value) => Math.abs(value) < 1e100); k++) {
        const old = power
        power = old.map((_, at) => {
          const [row, column] = [Math.floor(at / units), at % units]
          return old
            .subarray(0, units)
            .reduce((sum, _, i) => sum + old[row * units + i]! * old[i * units + column]!, 0)
        })
      }
      return power.some((value) => Math.abs(value) > 1)
    }
    expect([grown(spectralRadius * 0.9998), grown(spectralRadius * 1.0002)]).toEqual([true, false])
  },
)

test('numbers depend on seed and path alone', () => {
  for (const kind of ['heUniform', 'lecunNormal'] as const) {
    expect(numbersOf({ kind })).toEqual(numbersOf({ kind }))
    expect(numbersOf({ kind }, 2)).not.toEqual(numbersOf({ kind }))
    expect(numbersOf({ kind }, 1, 'b/U')).not.toEqual(numbersOf({ kind }))
  }
})

test.each<[string, () => unknown, RegExp]>([
  ['no size', () => parameter([2, 0], { kind: 'heNormal' }), /at least 1; received \[2, 0\]/],
  ['a vector', () => parameter([4], { kind: 'orthogonal', gain: 1 }), /orthogonal does not make \[4\]/],
  [
    'parts of another size',
    () => parameter([3], { kind: 'joined', parts: [parameter([2], { kind: 'constant', value: 0 })] }),
    /joined does not make \[3\]/,
  ],
  ['endless', () => parameter([4], { kind: 'constant', value: Infinity }), /number value; received Infinity/],
  ['a deviation below 0', () => normal(-1, 4), /number of at least 0 deviation; received -1/],
  [
    'a ring beyond the unit circle',
    () => parameter([3, 4], { kind: 'ring', minRadius: 0, maxRadius: 1.1, maxPhase: 1 }),
    /0 ≤ minRadius < maxRadius ≤ 1 and maxPhase > 0; received {.*1.1/,
  ],
  [
    'a ring in two rows',
    () => parameter([2, 4], { kind: 'ring', minRadius: 0, maxRadius: 1, maxPhase: 1 }),
    /ring does not make \[2, 4\]/,
  ],
  [
    'a reservoir that is not square',
    () => parameter([2, 4], { kind: 'reservoir', spectralRadius: 1, connectivity: 1 }),
    /reservoir does not make \[2, 4\]/,
  ],
  [
    'a reservoir without a cycle',
    () =>
      initialize(parameter([3, 3], { kind: 'reservoir', spectralRadius: 1, connectivity: 0.01 }), 0, 'a/W'),
    /a\/W: the reservoir of 3 units has no cycle to scale/,
  ],
  ['bounds the wrong way', () => uniform(1, 0, 4), /low ≤ high; received 1 and 0/],
  ['sizes in no list', () => parameter(4 as never, { kind: 'heNormal' }), /list of sizes; received 4/],
  ['no parameters to join', () => joined(7 as never), /joined: part 0 must be a parameter.*received number/],
  [
    'parts in no list',
    () => parameter([4], { kind: 'joined', parts: 7 as never }),
    /list of parts; received number/,
  ],
  [
    'an unknown kind',
    () => requireInitializer('lstm', 'kernelInitializer', { kind: 'toString' } as never),
    /lstm: kernelInitializer must be an object with a kind of constant.* received {"kind":"toString"}/,
  ],
  ['a name', () => requireInitializer('a', 'b', 'heNormal' as never), /a: b must be .* received "heNormal"/],
  [
    'a number left out',
    () => requireInitializer('a', 'b', { kind: 'uniform', low: 0 } as never),
    /a: b of kind uniform needs the number high; received undefined/,
  ],
])('refused: %s', (_, act, said) => {
  expect(act).toThrow(ArgumentError)
  expect(act).toThrow(said)
})
