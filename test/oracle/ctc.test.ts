/** Connectionist temporal classification against PyTorch in double precision: each row's loss, and the gradient of all logits. */
import { describe, expect, test } from 'vitest'
import { gradient } from '../../src/graph/grad.ts'
import { ctcTerms } from '../../src/train/ctc.ts'
import { traceNamed } from '../../src/train/session.ts'
import { openWasm, outside, random, runOracle } from '../contract/support.ts'
import { askPyTorch, skipped } from './python.ts'

const SIZES = [
  { T: 1, B: 1, V: 2, S: 1, blank: 0 },
  { T: 12, B: 4, V: 5, S: 4, blank: 4 },
  { T: 30, B: 3, V: 28, S: 12, blank: 0 },
  // Rows of few steps for their labels: some have no path.
  { T: 6, B: 24, V: 3, S: 5, blank: 1 },
] as const

const cases = SIZES.map((sizes, seed) => {
  const { T, B, V, S, blank } = sizes
  const { numbers, integers } = random(seed)
  const others = Array.from({ length: V }, (_, label) => label).filter((label) => label !== blank)
  const labels = integers(B, 0, S).flatMap((length) => {
    const own = integers(S, 0, V - 2)
    return own.map((i, s) => (s < length ? others[i]! : -1))
  })
  const logits = numbers(T * B * V).map((value) => 3 * value)
  return { kind: 'ctc', ...sizes, zeroInfinity: true, logits, labels, lengths: integers(B, 1, T) }
})

describe.skipIf(skipped)('against PyTorch', () => {
  const answers = askPyTorch('pytorch.py', cases)

  test.each(cases.map((each, i) => [each.T, each.B, each.V, each, answers[i]!] as const))(
    'CTC over %i steps of %i rows, %i classes',
    async (_T, _B, _V, { T, B, V, S, blank, logits, labels, lengths }, expected) => {
      const specs = [
        { name: 'logits', shape: ['T', 'B', V] },
        { name: 'labels', shape: ['B', 'S'], dtype: 'i32' },
        { name: 'lengths', shape: ['B'], dtype: 'i32' },
      ] as const
      const named = traceNamed(specs, (get) => {
        const own = { lengths: get('lengths') }
        const terms = ctcTerms(get('logits'), get('labels'), { blank, zeroInfinity: true }, own)
        return { outputs: { terms, 'd logits': gradient(terms.sum(), [get('logits')])[0]! } }
      })
      const [values, sizes] = [{ logits, labels, lengths }, new Map(Object.entries({ T, B, S }))]
      expect(outside('f64', runOracle(named, values, sizes), expected)).toEqual([])
      expect(outside('f32', await (await openWasm(named))(values, sizes), expected)).toEqual([])
    },
  )

  test('some of those rows have no path', () => {
    const zeros = (at: number) => Array.from(answers[at]!['terms']!).filter((term) => term === 0).length
    expect([zeros(2), zeros(3) > 2]).toEqual([0, true])
  })
})
