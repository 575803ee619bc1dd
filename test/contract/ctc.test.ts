/** Connectionist temporal classification: its loss against all paths one by one, its gradient, decoding, and training. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sequences } from '../../src/data/sequences.ts'
import { gradient } from '../../src/graph/grad.ts'
import { gradientFlow } from '../../src/inspect/gradient-flow.ts'
import { dense } from '../../src/layers/dense.ts'
import { gru, lstm } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { ctc, ctcTerms } from '../../src/train/ctc.ts'
import { ctcDecode, labelErrorRate } from '../../src/train/ctc-decode.ts'
import { fit } from '../../src/train/fit.ts'
import { adam } from '../../src/train/optimizers.ts'
import { evaluate, predict, predictWithStates } from '../../src/train/predict.ts'
import { type NamedSpec, traceNamed } from '../../src/train/session.ts'
import { centralDifferences } from './gradients.ts'
import { openWasm, outside, random, runOracle, traceLoss } from './support.ts'

const V = 3
const merged = (path: readonly number[], blank: number) =>
  path.filter((label, t) => label !== blank && label !== path[t - 1])

/** The chance of each labeling, over all V^T paths. */
function chances(logits: readonly (readonly number[])[], blank: number): Map<string, number> {
  const all = new Map<string, number>()
  const walk = (path: number[], chance: number) => {
    const z = logits[path.length]
    if (z === undefined) {
      const labels = String(merged(path, blank))
      all.set(labels, (all.get(labels) ?? 0) + chance)
      return
    }
    const sum = z.reduce((total, each) => total + Math.exp(each), 0)
    for (const [label, each] of z.entries()) walk([...path, label], (chance * Math.exp(each)) / sum)
  }
  walk([], 1)
  return all
}

type Padding = 'none' | 'lengths' | 'mask'
function tracedTerms(padding: Padding, blank: number, zeroInfinity = false) {
  const specs: NamedSpec[] = [
    { name: 'z', shape: ['T', 'B', V] },
    { name: 'y', shape: ['B', 'S'], dtype: 'i32' },
    { name: 'lengths', shape: ['B'], dtype: 'i32' },
    { name: 'mask', shape: ['T', 'B'], dtype: 'bool' },
  ]
  return traceNamed(specs, (get) => {
    const steps = padding === 'none' ? {} : { [padding]: get(padding) }
    const terms = ctcTerms(get('z'), get('y'), { blank, zeroInfinity }, steps)
    const loss = terms.sum()
    return { outputs: { loss, terms, 'd z': gradient(loss, [get('z')])[0]! } }
  })
}

/** Numbers, and of each row the steps that are there and the labels. */
function drawn(
  seed: number,
  { T, B, S }: { T: number; B: number; S: number },
  padding: Padding,
  blank: number,
) {
  const { numbers, integers } = random(seed)
  const z = numbers(T * B * V).map((value) => 2 * value)
  const [lengths, mask] = [integers(B, 1, T), integers(T * B, 0, 1)]
  const others = Array.from({ length: V }, (_, label) => label).filter((label) => label !== blank)
  const labels = integers(B, 0, S).map((length) => integers(length, 0, V - 2).map((i) => others[i]!))
  const rows = labels.map((own, b) => {
    const steps = Array.from({ length: T }, (_, t) => t).filter((t) => {
      if (padding === 'lengths') return t < lengths[b]!
      return padding === 'none' || mask[t * B + b] === 1
    })
    const logits = steps.map((t) => z.slice((t * B + b) * V, (t * B + b + 1) * V))
    return { labels: own, logits }
  })
  const y = labels.flatMap((own) => Array.from({ length: S }, (_, s) => own[s] ?? -1))
  return { values: { z, y, lengths, mask }, rows, sizes: new Map(Object.entries({ T, B, S })) }
}

const sizes = (T: number, B: number, S: number) =>
  fc.record({
    ...{
      T: fc.integer({ min: 1, max: T }),
      B: fc.integer({ min: 1, max: B }),
      S: fc.integer({ min: 1, max: S }),
    },
    ...{ seed: fc.nat(), blank: fc.integer({ min: 0, max: V - 1 }) },
  })

describe.each<Padding>(['none', 'lengths', 'mask'])('steps that are there by: %s', (padding) => {
  test('the loss is −log of the sum over all paths, ∞ where there is none; its gradient as differences say', () => {
    const property = fc.property(sizes(5, 3, 3), ({ seed, blank, ...own }) => {
      const { values, rows, sizes } = drawn(seed, own, padding, blank)
      const expected = rows.map(
        ({ labels, logits }) => -Math.log(chances(logits, blank).get(String(labels)) ?? 0),
      )
      const received = runOracle(tracedTerms(padding, blank), values, sizes)
      const possible = (terms: ArrayLike<number>) => Array.from(terms, (term) => (term < Infinity ? term : 0))
      expect(Array.from(received['terms']!, (term) => term === Infinity)).toEqual(
        expected.map((term) => term === Infinity),
      )
      const named = tracedTerms(padding, blank, true)
      const finite = runOracle(named, values, sizes)
      expect(outside('f64', finite, { terms: possible(expected) })).toEqual([])
      expect([...finite['terms']!]).toEqual(possible(received['terms']!))
      expect(outside('f64', finite, centralDifferences(named, ['z'], values, sizes))).toEqual([])
    })
    fc.assert(property, { numRuns: 25 })
  })

  test('WASM agrees with the oracle, for any sizes', async () => {
    const [named, blank] = [tracedTerms(padding, 1, true), 1]
    const wasm = await openWasm(named)
    const property = fc.asyncProperty(sizes(20, 6, 7), async ({ seed, blank: _, ...own }) => {
      const { values, sizes } = drawn(seed, own, padding, blank)
      expect(outside('f32', await wasm(values, sizes), runOracle(named, values, sizes))).toEqual([])
    })
    await fc.assert(property, { numRuns: 25 })
  })
})

test('packed rows of a model have the loss and gradients of padded ones, in f64 and in WASM', async () => {
  const { numbers, weights } = random(5)
  const model = sequential([gru({ units: 4, returnSequences: true }), dense({ units: V })], {
    input: { shape: [null, 2], dtype: 'f32' },
  })
  const [T, B] = [6, 3]
  const lengths = [6, 2, 4]
  const mask = lengths.flatMap((length) => Array.from({ length: T }, (_, t) => Number(t < length)))
  const y = [1, 1, 2, 1, -1, -1, 2, -1, -1]
  const given = { x: numbers(T * B * 2), y, lengths, mask, ...weights(model) }
  const bindings = new Map(Object.entries({ T, B, S: 3 }))
  const padded = runOracle(traceLoss(model, ctc(), false, true), given, bindings)
  const named = traceLoss(model, ctc(), true)
  const { output: _, ...expected } = padded
  expect(outside('f64', runOracle(named, given, bindings), expected)).toEqual([])
  expect(outside('f32', await (await openWasm(named))(given, bindings), expected)).toEqual([])
})

test('the best path and the beam: all labelings considered, the likeliest of them', () => {
  let differ = 0
  for (let seed = 0; seed < 40; seed++) {
    const [T, blank] = [4, seed % V]
    const logits = Array.from({ length: T }, (_, t) => random(99 * seed + t).numbers(V))
    const z = tensor(logits.flat(), [1, T, V], 'f32')
    const [best] = ctcDecode(z, { blank })
    const path = logits.map((own) => own.indexOf(Math.max(...own)))
    expect([...best!]).toEqual(merged(path, blank))
    const all = [...chances(logits, blank)].sort((a, b) => b[1] - a[1])
    const [beam] = ctcDecode(z, { blank, beamWidth: 200 })
    expect(String(beam)).toBe(all[0]![0])
    if (String(beam) !== String(best)) differ++
    // Steps beyond a row's length are not read.
    const short = ctcDecode(z, { blank, lengths: [2], beamWidth: 200 })
    expect(String(short)).toBe([...chances(logits.slice(0, 2), blank)].sort((a, b) => b[1] - a[1])[0]![0])
  }
  expect(differ).toBeGreaterThan(0)
})

test('label error rate: edits over labels', () => {
  const cases = [
    [[1, 2, 3], [1, 2, 3], 0],
    [[], [1, 2], 1],
    [[1, 3], [1, 2, 3], 1 / 3],
    [[2, 1, 2, 3, 4], [1, 2, 3], 2 / 3],
    [[3, 2, 1], [1, 2, 3], 2 / 3],
  ] as const
  for (const [decoded, reference, rate] of cases)
    expect(labelErrorRate([decoded], [reference])).toBeCloseTo(rate, 12)
  expect(labelErrorRate([[1], []], [[1, 2, 3], [4]])).toBe(3 / 4)
})

/** Each label is a bump of its own shape, somewhere, of unknown width: what CTC is for. */
function bumps(count: number, seed: number) {
  const { integers } = random(seed)
  const x: number[][][] = []
  const labels: number[][] = []
  for (let i = 0; i < count; i++) {
    const own = integers(integers(1, 1, 3)[0]!, 1, 2)
    const steps = own.flatMap((label) => [
      ...integers(integers(1, 1, 2)[0]!, 0, 0).map(() => [0, 0]),
      ...integers(integers(1, 1, 3)[0]!, 0, 0).map(() => (label === 1 ? [1, 0] : [0, 1])),
    ])
    x.push([...steps, [0, 0]])
    labels.push(own)
  }
  return { x, labels }
}

test('a small network learns to read labels that no step was given, in batches of rows of unlike length', async () => {
  const { x, labels } = bumps(48, 3)
  const net = sequential([lstm({ units: 12, returnSequences: true }), dense({ units: V })])
  const batches = sequences(x, labels, { batch: 16, labels: true })
  const options = {
    loss: ctc(),
    optimizer: adam({ learningRate: 0.03 }),
    clipGlobalNorm: 1,
    epochs: 40,
    seed: 2,
  } as const
  const { epochs } = await fit(net, batches, options)
  expect(epochs[0]!.loss).toBeGreaterThan(1)
  const { loss, tokens } = await evaluate(net, batches, { loss: ctc() })
  expect([loss < 0.1, tokens]).toEqual([true, 48])
  const fresh = bumps(30, 4)
  const { output, lengths } = await predictWithStates(net, fresh.x)
  expect(labelErrorRate(ctcDecode(output, { lengths: lengths! }), fresh.labels)).toBeLessThan(0.1)
})

describe('in training', () => {
  const x = [
    [[1], [0], [2], [1]],
    [[2], [1]],
  ]
  const net = () => sequential([lstm({ units: 3, returnSequences: true }), dense({ units: V })])
  const batchesOf = (labels: number[][], options = {}) =>
    sequences(x, labels, { batch: 2, labels: true, ...options })
  const run = (labels: number[][], options = {}) => fit(net(), batchesOf(labels), { loss: ctc(), ...options })

  test('a row counts once, however long, and as much as its weight', async () => {
    const model = net()
    const loss = async (labels: number[][], options = {}) => {
      const own = await evaluate(model, batchesOf(labels, options), { loss: ctc() })
      return own.loss
    }
    await predict(model, x)
    const both = await loss([[1, 2], [1]])
    const alone = await loss([[1, 2], [1]], { weights: [1, 0] })
    const other = await loss([[1, 2], [1]], { weights: [0, 1] })
    expect(alone + other).toBeCloseTo(both, 5)
    const one = await evaluate(model, sequences([x[0]!], [[1, 2]], { batch: 1, labels: true }), {
      loss: ctc(),
    })
    expect(2 * alone).toBeCloseTo(one.loss, 5)
  })

  test('labels that do not fit into a row stop a training, unless they count as 0', async () => {
    const tight = [
      [1, 2],
      [1, 1],
    ]
    await expect(run(tight)).rejects.toThrow(/loss is Infinity.* at row 1/)
    const history = await run(tight, { loss: ctc({ zeroInfinity: true }) })
    expect(history.epochs[0]!.loss).toBeGreaterThan(0)
    const weighed = await fit(net(), batchesOf(tight, { weights: [1, 0] }), { loss: ctc() })
    expect(weighed.epochs[0]!.loss).toBeCloseTo(history.epochs[0]!.loss, 6)
  })

  test.each<[string, () => unknown, RegExp]>([
    [
      'the blank as a label',
      () => run([[1, 2], [0]]),
      /0 … 2 other than the blank, 0,.* received 0 in row 1, place 0/,
    ],
    ['a label beyond the classes', () => run([[1, 3], [1]]), /received 3 in row 0, place 1/],
    [
      'a negative label',
      () => batchesOf([[1, -2], [1]]),
      /integers of at least 0; received \[1,-2\] for sequence 0/,
    ],
    ['too few lists', () => batchesOf([[1]]), /for each of the 2 sequences; received 1/],
    [
      'a label behind the end',
      () =>
        fit(
          net(),
          [
            {
              ...[...batchesOf([[1], []])][0]!,
              targets: tensor(
                [
                  [-1, 1],
                  [1, 2],
                ],
                undefined,
                'i32',
              ),
            },
          ],
          { loss: ctc() },
        ),
      /nothing but −1 may follow it; received 1 in row 0, place 1/,
    ],
    [
      'classes a step',
      () =>
        fit(net(), [{ ...[...batchesOf([[1], []])][0]!, targets: tensor([[1, 2]], undefined, 'i32') }], {
          loss: ctc(),
        }),
      /labels i32\[2, S\].* received i32\[1, 2\]/,
    ],
    ['a blank beyond the classes', () => run([[1], [1]], { loss: ctc({ blank: 3 }) }), /V > 3.*\[B, T, 3\]/],
    [
      'one output a row',
      () => fit(sequential([lstm({ units: 3 })]), batchesOf([[1], [1]]), { loss: ctc() }),
      /every step \(returnSequences: true\).*\[B, 3\]/,
    ],
    [
      'weights of classes',
      () => run([[1], [1]], { classWeight: { 1: 2 } }),
      /classWeight expects a loss on classes; received ctc/,
    ],
    [
      'weights of steps',
      () =>
        fit(
          net(),
          batchesOf([[1], [1]], {
            weights: [
              [1, 1, 1, 1],
              [1, 1],
            ],
          }),
          { loss: ctc() },
        ),
      /weights are f32\[2\], one a row; received/,
    ],
    ['teacher forcing', () => run([[1], [1]], { teacherForcing: true }), /targets are labels/],
    [
      'accuracy',
      () => evaluate(net(), batchesOf([[1], [1]]), { loss: ctc(), metrics: ['f1'] }),
      /f1 expects/,
    ],
    [
      'one step of a flow',
      () => gradientFlow(net(), [...batchesOf([[1], [1]])][0]!, { loss: ctc(), at: 1 }),
      /ctc is of all steps/,
    ],
    ['logits without classes', () => ctcDecode(tensor([[1, 2]])), /logits f32 \[B, T, V\]/],
    ['a logit that is no number', () => ctcDecode(tensor([[[1, Number.NaN]]])), /NaN in row 0, step 0/],
    ['no references', () => labelErrorRate([[1]], [[]]), /1 for 1 with 0 labels/],
    ['a beam of none', () => ctcDecode(tensor([[[1, 2]]]), { beamWidth: 0 }), /beamWidth must be/],
  ])('refused: %s', async (_, act, said) => {
    await expect((async () => act())()).rejects.toThrow(said)
    await expect((async () => act())()).rejects.toHaveProperty('code')
  })
})
