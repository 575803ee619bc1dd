import { expect, test } from 'vitest'
import { ArgumentError } from './errors.ts'
import { cos, exp, log, pow, sigmoid, sin, tanh } from './math.ts'

// Exact values are integers in units of 2⁻²⁵⁶.
const places = 256n
const one = 1n << places
const fixed = (x: number) => BigInt(x * 2 ** 203) << (places - 203n)
const times = (a: bigint, b: bigint) => (a * b) >> places
const over = (a: bigint, b: bigint) => (a << places) / b

/** The sum of `first`, which stands for x^k / k!, and of every step-th term after it, each times `sign` again. */
function series(x: bigint, first: bigint, k: number, step: number, sign: bigint): bigint {
  let sum = 0n
  for (let term = first, n = k; term !== 0n && term !== -1n; n += step) {
    sum += term
    for (let j = 1; j <= step; j++) term = times(term, x) / BigInt(n + j)
    term *= sign
  }
  return sum
}

function exactExp(x: bigint): bigint {
  let power = series(x >> 16n, one, 0, 1, 1n)
  for (let k = 0; k < 16; k++) power = times(power, power)
  return power
}

/** One step of Halley's method: 53 good bits become 150. */
function exactLog(x: number): bigint {
  const guess = fixed(Math.log(x))
  const power = exactExp(guess)
  return guess + 2n * over(fixed(x) - power, fixed(x) + power)
}

const ulpOf = (x: number) => 2 ** (Math.max(-1022, Math.floor(Math.log2(Math.abs(x)))) - 52)
const distance = (result: number, exact: bigint) => {
  const difference = Number(((fixed(result) - exact) << 20n) / fixed(ulpOf(result)))
  return Math.abs(difference) / 2 ** 20
}

const even = (from: number, to: number, count: number) =>
  Array.from({ length: count }, (_, i) => from + ((to - from) * (i + Math.SQRT1_2)) / count)

const table: [string, (x: number) => number, (x: number) => bigint, number, number, number][] = [
  ['exp', exp, (x) => exactExp(fixed(x)), 0.7, -40, 40],
  ['log', log, exactLog, 0.55, 0, 4],
  ['log, wide', (x) => log(2 ** x), (x) => exactLog(2 ** x), 0.55, -40, 40],
  ['sin', sin, (x) => series(fixed(x), fixed(x), 1, 2, -1n), 0.9, -20, 20],
  ['cos', cos, (x) => series(fixed(x), one, 0, 2, -1n), 0.9, -20, 20],
  ['tanh', tanh, (x) => one - over(2n * one, exactExp(fixed(2 * x)) + one), 1.5, -3, 3],
  ['sigmoid', sigmoid, (x) => over(one, one + exactExp(fixed(-x))), 2.4, -40, 40],
  ['pow(1.7, y)', (y) => pow(1.7, y), (y) => exactExp(times(fixed(y), exactLog(1.7))), 1.3, -70, 70],
  ['pow(x, 9.3)', (x) => pow(x, 9.3), (x) => exactExp(times(fixed(9.3), exactLog(x))), 1.3, 0.02, 60],
]

test.each(table)('%s: as near as stated', (_, of, exact, bound, from, to) => {
  const worst = even(from, to, 2000).map((x) => ({ x, error: distance(of(x), exact(x)) }))
  worst.sort((a, b) => b.error - a.error)
  expect(worst[0]!.error, `at ${worst[0]!.x}`).toBeLessThanOrEqual(bound)
})

test('within 2 ULP of Math over the whole range', () => {
  const near = (result: number, known: number, what: string) =>
    expect(Object.is(result, known) ? 0 : Math.abs(result - known) / ulpOf(known), what).toBeLessThanOrEqual(
      2,
    )
  for (const x of even(-746, 710, 5000)) near(exp(x), Math.exp(x), `exp(${x})`)
  for (const x of even(-1075, 1024, 5000)) near(log(2 ** x), Math.log(2 ** x), `log(2^${x})`)
  for (const x of even(-(2 ** 20), 2 ** 20, 5000)) {
    near(sin(x), Math.sin(x), `sin(${x})`)
    near(cos(x), Math.cos(x), `cos(${x})`)
    const multiple = Math.round(x / 2) * (Math.PI / 2)
    near(sin(multiple), Math.sin(multiple), `sin(${multiple})`)
    near(tanh(x / 2 ** 16), Math.tanh(x / 2 ** 16), `tanh(${x / 2 ** 16})`)
  }
})

test('special values are those of Math', () => {
  const special = [0, -0, 1, -1, 5e-324, -5e-324, Infinity, -Infinity, NaN]
  for (const x of [...special, 1e-300, 1e-9]) {
    expect(exp(x), `exp(${x})`).toBe(Math.exp(x))
    expect(log(x), `log(${x})`).toBe(Math.log(x))
    expect(tanh(x), `tanh(${x})`).toBe(Math.tanh(x))
    expect(sin(x), `sin(${x})`).toBe(Math.sin(x))
    expect(cos(x), `cos(${x})`).toBe(Math.cos(x))
  }
  for (const x of [...special, 4, -4, 0.25]) {
    for (const y of [0, -0, 1, -1, 2, 3, -3, 0.5, 1e300, -1e300, Infinity, -Infinity, NaN]) {
      expect(pow(x, y), `pow(${x}, ${y})`).toBe(x ** y)
    }
  }
  expect([-Infinity, -746, -0, 40, Infinity, NaN].map(sigmoid)).toEqual([0, 0, 0.5, 1, 1, NaN])
})

test('a sine too far out throws', () => {
  expect(() => sin(1.1e6)).toThrow(ArgumentError)
  expect(() => cos(-1e300)).toThrow('at most 2^20 radians; received -1e+300')
})

test('small powers of integers are exact', () => {
  for (let x = 1; x <= 10; x++) for (let y = 0; y <= 15; y++) expect(pow(x, y)).toBe(x ** y)
})

/** These hashes are of results' bits: whoever runs this, in whatever engine, must see the same. */
test('same bits everywhere', () => {
  const hash = (of: (x: number) => number, from: number, to: number) => {
    const words = new Uint32Array(Float64Array.from(even(from, to, 5000), of).buffer)
    return words.reduce((sum, word) => Math.imul(sum ^ word, 0x01000193), 0) >>> 0
  }
  const hashes = {
    exp: hash(exp, -745, 709),
    log: hash(log, 0, 1e3),
    pow: hash((x) => pow(x, -2.5), 0, 9),
    sin: hash(sin, -1e6, 1e6),
    cos: hash(cos, -1e6, 1e6),
    tanh: hash(tanh, -20, 20),
    sigmoid: hash(sigmoid, -700, 40),
  }
  expect(hashes).toEqual({
    exp: 1857517765,
    log: 3410718085,
    pow: 1012545345,
    sin: 2883940776,
    cos: 1114414742,
    tanh: 1122796910,
    sigmoid: 2687259080,
  })
})
