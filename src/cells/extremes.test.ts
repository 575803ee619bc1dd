/** What cells promise of numbers that are very large: they stay finite, and states that decay do so whatever is learnt. */
import { expect, test } from 'vitest'
import { openWasm, random, runOracle, traceLoss } from '../../test/contract/support.ts'
import { recurrent } from '../layers/recurrent.ts'
import { sequential } from '../layers/sequential.ts'
import { stateInput } from '../train/leaves.ts'
import type { Cell } from './define.ts'
import { lruCell } from './lru.ts'
import { minLstmCell } from './min-lstm.ts'
import { slstmCell } from './slstm.ts'

const [T, B, I] = [60, 2, 3]
const sizes = new Map(Object.entries({ T, B }))
const layerOf = (cell: Cell) =>
  sequential([recurrent(cell, { returnSequences: true, name: 'r' })], {
    input: { shape: [null, I], dtype: 'f32' },
  })

test.each<[string, Cell]>([
  ['slstm', slstmCell({ units: 5 })],
  ['slstm, exponential forget gate', slstmCell({ units: 5, forgetActivation: 'exponential' })],
  ['minLstm', minLstmCell({ units: 5 })],
])('%s: gates far beyond what exp can hold overflow nowhere, forwards or backwards', async (_, cell) => {
  const model = layerOf(cell)
  const named = traceLoss(model, 'meanSquaredError', false)
  const run = await openWasm(named)
  for (const [seed, largest] of [100, 1000, 1e4, 1e6].entries()) {
    const { numbers, weights } = random(seed)
    const drawn = weights(model)
    // What is written into the state stays small: only the gates are driven.
    const candidate = (path: string, i: number) => path === 'r/U' && cell.name === 'minLstm' && i % 15 >= 10
    const given = Object.fromEntries(
      Object.entries(drawn).map(([path, data]) => [
        path,
        data.map((value, i) => (candidate(path, i) ? value : value * largest)),
      ]),
    )
    const results = await run({ ...given, x: numbers(B * T * I), y: numbers(B * T * 5) }, sizes)
    for (const [name, values] of Object.entries(results)) {
      expect(Array.from(values).every(Number.isFinite), `${name}, weights up to ${largest}`).toBe(true)
    }
    if (cell.name === 'slstm') {
      expect(Math.max(...Array.from(results['output']!, Math.abs))).toBeLessThanOrEqual(1)
      expect(Math.min(...Array.from(results['final r/n']!))).toBeGreaterThanOrEqual(1)
    }
  }
})

test('lru: |λ| < 1 whatever is learnt: a state that nothing feeds shrinks', () => {
  const units = 40
  const model = layerOf(lruCell({ units, outputs: 1 }))
  const paths = ['r/re', 'r/im']
  const named = traceLoss(model, 'meanSquaredError', false, false, paths)
  const { numbers, weights } = random(1)
  const drawn = weights(model)
  const [re, im] = [numbers(B * units), numbers(B * units)]
  const given = {
    ...drawn,
    'r/lambda': drawn['r/lambda']!.map((value) => 20 * value),
    ...{ [stateInput('r/re')]: re, [stateInput('r/im')]: im, fresh: [0, 0] },
    ...{ x: new Array<number>(B * T * I).fill(0), y: numbers(B * T) },
  }
  const results = runOracle(named, given, sizes)
  for (const [i, real] of re.entries()) {
    const [before, after] = [
      Math.hypot(real, im[i]!),
      Math.hypot(...paths.map((p) => results[`final ${p}`]![i]!)),
    ]
    const decay = Math.exp(-T * Math.exp(given['r/lambda'][i % units]!))
    expect(after).toBeLessThan(before)
    expect(Math.abs(after - decay * before)).toBeLessThan(1e-12)
  }
})
