import { expect, test } from 'vitest'
import { wittenBell } from './index.ts'

test('the recursion by hand: "abab" with V = 2', () => {
  const [a, b] = [0, 1]
  const model = wittenBell(Int32Array.of(a, b, a, b), 1, 2)
  // Nothing known: (2 + 2 · 1/2) / (4 + 2) = 1/2. After a: b twice, one type: (2 + 1/2) / 3 = 5/6.
  // After b: a once, one type: (1 + 1/2) / 2 = 3/4.
  expect(2 ** -model.bitsPerToken(Int32Array.of(b), 0)).toBeCloseTo(1 / 2, 12)
  expect(2 ** -model.bitsPerToken(Int32Array.of(a, b))).toBeCloseTo(5 / 6, 12)
  expect(2 ** -model.bitsPerToken(Int32Array.of(b, a))).toBeCloseTo(3 / 4, 12)
  expect(model.bitsPerToken(Int32Array.of(a, b, a))).toBeCloseTo(-Math.log2((5 / 6) * (3 / 4)) / 2, 12)
})

test.each([0, 1, 2, 3])('with %i preceding tokens, probabilities after any context sum to 1', (order) => {
  const V = 5
  // 4 never occurs; contexts below are seen, partly seen and unseen.
  const model = wittenBell(Int32Array.of(0, 1, 2, 3, 0, 1, 2, 0, 0, 1, 3, 3, 2), order, V)
  for (const context of [[], [0], [0, 1], [1, 2, 0], [4, 0, 1], [3, 2], [4, 4, 4, 4], [0, 1, 2, 3, 0]]) {
    let sum = 0
    for (let next = 0; next < V; next++) {
      sum += 2 ** -model.bitsPerToken(Int32Array.of(...context, next), context.length)
    }
    expect(sum).toBeCloseTo(1, 12)
  }
})

test('an empty training part leaves the uniform distribution', () => {
  expect(wittenBell(new Int32Array(0), 3, 8).bitsPerToken(Int32Array.of(1, 2, 3))).toBe(3)
})
