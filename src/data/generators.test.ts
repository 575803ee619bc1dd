/** The generators of published tasks: their definitions recomputed another way, and facts known of them. */
import { expect, test } from 'vitest'
import { uniform } from '../tensor/random.ts'
import {
  ADDITION_CHARACTERS,
  addingProblem,
  additionSums,
  copyMemory,
  datePairs,
  isReber,
  mackeyGlass,
  movingDots,
  narma10,
  plantedMotif,
  REBER_LETTERS,
  reberStrings,
  twoSines,
} from './index.ts'

const mean = (values: ArrayLike<number>) =>
  Array.from(values).reduce((sum, value) => sum + value / values.length, 0)

test.each<[string, (seeded: { seed?: number; stream?: number }) => unknown]>([
  ['addingProblem', (seeded) => addingProblem({ count: 3, steps: 8, ...seeded })],
  ['additionSums', (seeded) => additionSums({ count: 5, ...seeded })],
  ['copyMemory', (seeded) => copyMemory({ count: 3, delay: 4, ...seeded })],
  ['datePairs', (seeded) => datePairs({ count: 5, ...seeded })],
  ['mackeyGlass', (seeded) => mackeyGlass({ steps: 5, ...seeded })],
  ['movingDots', (seeded) => movingDots({ clips: 3, frames: 3, height: 9, width: 9, ...seeded })],
  ['narma10', (seeded) => narma10({ steps: 20, ...seeded })],
  ['plantedMotif', (seeded) => plantedMotif({ count: 3, length: 30, ...seeded })],
  ['reberStrings', (seeded) => reberStrings({ count: 9, ...seeded })],
  ['twoSines', (seeded) => twoSines({ count: 2, steps: 5, ...seeded })],
])('%s: the same seed, the same bits; another seed or stream, others', (_, make) => {
  expect(make({})).toEqual(make({ seed: 0, stream: 0 }))
  expect(make({ seed: 5, stream: 6 })).toEqual(make({ seed: 5, stream: 6 }))
  expect(make({ seed: 1 })).not.toEqual(make({}))
  expect(make({ stream: 1 })).not.toEqual(make({}))
})

test('two sines by the plain formula, and the power of two sines and the noise', () => {
  const [count, steps, seed] = [2000, 51, 2]
  const { data, shape } = twoSines({ count, steps, noise: 0.4, seed })
  expect(shape).toEqual([count, steps, 1])
  for (let n = 0; n < 20; n++) {
    const draw = (i: number) => uniform(seed, 0, n * (4 + steps) + i)
    const [f, g, p, q] = [draw(0), draw(1), draw(2), draw(3)]
    for (let t = 0; t < steps; t++) {
      const waves =
        0.5 * Math.sin((t / 50 - p) * (10 * f + 10)) + 0.2 * Math.sin((t / 50 - q) * (20 * g + 20))
      expect(data[n * steps + t]).toBeCloseTo(waves + 0.4 * (draw(4 + t) - 0.5), 6)
    }
  }
  const power = 0.5 ** 2 / 2 + 0.2 ** 2 / 2 + 0.4 ** 2 / 12
  expect(Math.abs(mean(data.map((x) => x * x)) - power)).toBeLessThan(0.005)
})

test('sums are right, distinct, padded; backwards on demand; all there are if asked', () => {
  const { questions, answers } = additionSums({ count: 2000, reverse: false, seed: 1 })
  const pairs = questions.map((question, n) => {
    expect(question).toMatch(/^\d{1,3}\+\d{1,3} *$/)
    expect([question.length, answers[n]!.length]).toEqual([7, 4])
    const [a, b] = question.split('+').map(Number) as [number, number]
    expect(Number(answers[n])).toBe(a + b)
    return String([Math.min(a, b), Math.max(a, b)])
  })
  expect(new Set(pairs).size).toBe(2000)
  expect([...new Set([...questions, ...answers].join(''))].sort()).toEqual(ADDITION_CHARACTERS)
  const backwards = additionSums({ count: 2000, seed: 1 })
  expect(backwards.questions.map((each) => [...each].reverse().join(''))).toEqual(questions)
  expect(
    additionSums({ count: 55, digits: 1 })
      .answers.map(Number)
      .sort((a, b) => a - b)
      .at(-1),
  ).toBe(18)
})

test('strings of Reber: half of the grammar, by another recognizer; the rest one letter away', () => {
  // From the state after X, "XT*VP" leads back to it.
  const after = '(?:XT*VP)*(?:S|XT*VV)'
  const plain = `B(?:TS*X${after}|PT*V(?:P${after}|V))E`
  expect([isReber('BTBTXSETE'), isReber('BTBTXSEPE'), isReber('BTBTXSET'), isReber('')]).toEqual([
    ...[true, false, false, false],
  ])
  for (const embedded of [true, false]) {
    const all = new RegExp(embedded ? `^B(?:T${plain}T|P${plain}P)E$` : `^${plain}$`)
    const judge = (text: string) => all.test(text)
    const { strings, grammatical } = reberStrings({ count: 2001, embedded, seed: 4 })
    expect(Array.from(strings, judge)).toEqual(Array.from(grammatical, (one) => one === 1))
    expect(Array.from(strings, (text) => isReber(text, { embedded }))).toEqual(strings.map(judge))
    expect(grammatical.reduce((sum, one) => sum + one, 0)).toBe(1001)
    for (const [n, text] of strings.entries()) {
      if (grammatical[n] === 1) continue
      const near = [...text].flatMap((_, at) =>
        REBER_LETTERS.map((letter) => text.slice(0, at) + letter + text.slice(at + 1)),
      )
      expect(near.some(judge)).toBe(true)
    }
  }
})

test('dates in both forms are the same day, over all months and the whole span', () => {
  const { inputs, targets } = datePairs({ count: 3000, seed: 1 })
  for (const [n, input] of inputs.entries()) {
    expect(input).toMatch(/^[A-Z][a-z]+ \d\d, \d{4}$/)
    expect(new Date(`${input} UTC`).toISOString().slice(0, 10)).toBe(targets[n])
  }
  expect(new Set(targets.map((target) => target.slice(5, 7))).size).toBe(12)
  const years = targets.map((target) => Number(target.slice(0, 4)))
  expect(Math.abs(mean(years) - 5499.5)).toBeLessThan(200)
  expect(Math.min(...years)).toBeLessThan(1100)
  expect(Math.max(...years)).toBeGreaterThan(9900)
})

test.each(['halves', 'anywhere'] as const)(
  'adding, markers in %s: two of them, their values added',
  (markers) => {
    const [count, steps] = [2000, 11]
    const { inputs, targets } = addingProblem({ count, steps, markers })
    const places = Array.from(targets.data, (target, n) => {
      const row = Array.from({ length: steps }, (_, t) =>
        inputs.data.subarray(2 * (n * steps + t), 2 * (n * steps + t) + 2),
      )
      const marked = row.flatMap(([, marker], t) => (marker === 1 ? [t] : []))
      expect(
        row.every(([value, marker]) => value! >= 0 && value! <= 1 && (marker === 0 || marker === 1)),
      ).toBe(true)
      expect(target).toBeCloseTo(row[marked[0]!]![0]! + row[marked[1]!]![0]!, 6)
      expect(marked.length).toBe(2)
      if (markers === 'halves') expect([marked[0]! < 5, marked[1]! >= 5]).toEqual([true, true])
      return marked
    })
    expect(new Set(places.flat()).size).toBe(steps)
    expect(new Set(places.map(String)).size).toBe(markers === 'halves' ? 30 : 55)
    expect(Math.abs(mean(Array.from(targets.data, (y) => (y - 1) ** 2)) - 1 / 6)).toBeLessThan(0.01)
  },
)

test('copying: symbols, blanks, marks; blanks, symbols', () => {
  const [N, D] = [300, 6]
  const { inputs, targets } = copyMemory({ count: N, delay: D })
  const steps = D + 20
  for (let n = 0; n < N; n++) {
    const [x, y] = [inputs, targets].map(({ data }) => Array.from(data.slice(n * steps, (n + 1) * steps)).join('')) as [string, string] // biome-ignore format: one line
    const [, symbols] = /^([1-8]{10})0{5}9{11}$/.exec(x)!
    expect(y).toBe('0'.repeat(16) + symbols)
  }
  expect(Math.abs(mean(targets.data.filter((id) => id > 0) as Int32Array) - 4.5)).toBeLessThan(0.1)
})

test('Mackey and Glass: the equation, the known range, squashed', () => {
  const x = mackeyGlass({ steps: 4000, stepsPerUnit: 1, squash: false, seed: 3 }).data
  for (let t = 17; t < 3999; t++) {
    const delayed = x[t - 17]!
    expect(x[t + 1]).toBeCloseTo(x[t]! + (0.2 * delayed) / (1 + delayed ** 10) - 0.1 * x[t]!, 5)
  }
  // For a delay of 17, x is known to stay in about 0.4 … 1.33.
  const squashed = mackeyGlass({ steps: 4000 }).data
  expect(Math.min(...squashed).toFixed(2)).toBe('-0.53')
  expect(Math.max(...squashed).toFixed(2)).toBe('0.31')
  for (const [t, value] of mackeyGlass({ steps: 50, squash: false }).data.entries()) {
    expect(squashed[t]).toBeCloseTo(Math.tanh(value - 1), 6)
  }
})

test('NARMA10: the recurrence, and a bounded output', () => {
  const steps = 20000
  const { inputs, targets } = narma10({ steps, seed: 2 })
  const [u, y] = [inputs.data, [0, ...targets.data]]
  for (let t = 9; t < steps; t++) {
    const recent = y.slice(t - 9, t + 1).reduce((sum, value) => sum + value, 0)
    expect(y[t + 1]).toBeCloseTo(0.3 * y[t]! + 0.05 * y[t]! * recent + 1.5 * u[t - 9]! * u[t]! + 0.1, 5)
  }
  expect([Math.min(...u) >= 0, Math.max(...u) <= 0.5, Math.max(...y) <= 1]).toEqual([true, true, true])
  expect(Math.abs(mean(u) - 0.25)).toBeLessThan(0.005)
  expect(y.slice(1, 3).map((value) => value.toFixed(4))).toEqual(['0.1000', '0.1305'])
})
