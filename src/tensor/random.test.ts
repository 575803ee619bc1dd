import { expect, test } from 'vitest'
import { ArgumentError } from './errors.ts'
import { fillNormal, fillUniform, normal, philox, shuffle, streamOf, uniform } from './random.ts'

test('the published known answers of philox4x32-10', () => {
  // Random123 1.14.0, tests/kat_vectors
  const ones = 0xffffffff
  expect(philox([0, 0, 0, 0], [0, 0])).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8])
  expect(philox([ones, ones, ones, ones], [ones, ones])).toEqual([
    0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd,
  ])
  expect(philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])).toEqual([
    0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1,
  ])
})

test('seed, stream and index stand in key and counter as the header says', () => {
  const [seed, stream, block] = [-5 * 2 ** 32 + 7, 0xfedcba98, 2 ** 33 + 5]
  const words = philox([5, 2, stream, 0], [7, -5 >>> 0])
  expect([0, 1, 2, 3].map((k) => uniform(seed, stream, 4 * block + k) * 2 ** 32)).toEqual(words)
})

test('a fill is its elements, whatever its length', () => {
  for (const length of [0, 1, 3, 4, 10]) {
    const uniforms = new Float32Array(length)
    const normals = new Float32Array(length)
    fillUniform(uniforms, 9, 4, -2, 3)
    fillNormal(normals, 9, 4, 1, 0.5)
    expect(uniforms).toEqual(Float32Array.from(uniforms, (_, i) => -2 + 5 * uniform(9, 4, i)))
    expect(normals).toEqual(Float32Array.from(normals, (_, i) => 1 + 0.5 * normal(9, 4, i)))
  }
})

/** Means of x, x², x³, x⁴ and of neighbors' products. */
function moments(data: Float32Array): number[] {
  const sums = [0, 0, 0, 0, 0]
  data.forEach((x, i) => {
    for (let power = 0, value = x; power < 4; power++, value *= x) sums[power]! += value
    sums[4]! += x * (data[i + 1] ?? 0)
  })
  return sums.map((sum) => sum / data.length)
}

test('moments of the distributions', () => {
  const data = new Float32Array(400_000)
  const near = (expected: number[], deviations: number[]) =>
    moments(data).forEach((moment, k) => {
      expect(Math.abs(moment - expected[k]!)).toBeLessThan((4 * deviations[k]!) / Math.sqrt(data.length))
    })
  // A mean's deviation is √(E x^2k − (E x^k)²) / √count.
  fillUniform(data, 1, 2, -1, 1)
  near([0, 1 / 3, 0, 1 / 5, 0], [0.578, 0.299, 0.378, 0.267, 0.334])
  fillNormal(data, 1, 2, 0, 1)
  near([0, 1, 0, 3, 0], [1, Math.sqrt(2), Math.sqrt(15), Math.sqrt(96), 1])
  expect(data.filter((x) => Math.abs(x) > 3).length / data.length).toBeCloseTo(0.0027, 3)
})

test('a shuffle is a permutation, and all are equally likely', () => {
  expect([...shuffle(1000, 3, 0)].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i))
  expect([shuffle(0, 1, 1), shuffle(1, 1, 1)]).toEqual([Int32Array.of(), Int32Array.of(0)])
  const counts = new Map<string, number>()
  for (let seed = 0; seed < 24_000; seed++) {
    const order = shuffle(4, seed, 0).join()
    counts.set(order, (counts.get(order) ?? 0) + 1)
  }
  const chiSquared = [...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0)
  expect(counts.size).toBe(24)
  expect(chiSquared).toBeLessThan(49.7) // 23 degrees of freedom: exceeded by one seed in a thousand
})

test('streams of names', () => {
  // draft-eastlake-fnv, appendix C
  expect(['', 'a', 'foobar'].map(streamOf)).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968])
  expect(streamOf('é')).not.toBe(streamOf('e'))
})

test('arguments out of range', () => {
  for (const seed of [0.5, NaN, Infinity, 2 ** 53]) {
    expect(() => uniform(seed, 0, 0)).toThrow(ArgumentError)
    expect(() => fillNormal(new Float32Array(1), seed, 0, 0, 1)).toThrow('seed must be an integer')
  }
  for (const stream of [-1, 2 ** 32, 0.5]) expect(() => shuffle(3, 0, stream)).toThrow(ArgumentError)
  for (const i of [-1, 0.5, 2 ** 53]) expect(() => normal(0, 0, i)).toThrow(ArgumentError)
  for (const count of [-1, 0.5, 2 ** 31]) expect(() => shuffle(count, 0, 0)).toThrow(ArgumentError)
})
