/** Parallel scans give what the loop gives, and so do their gradients: cells of the library, and cells drawn at random. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { indRnnCell } from '../../src/cells/ind-rnn.ts'
import { lruCell } from '../../src/cells/lru.ts'
import { lstmCell } from '../../src/cells/lstm.ts'
import { minGruCell } from '../../src/cells/min-gru.ts'
import { minLstmCell } from '../../src/cells/min-lstm.ts'
import { qrnnCell } from '../../src/cells/qrnn.ts'
import { stacked } from '../../src/cells/stacked.ts'
import { gradient } from '../../src/graph/grad.ts'
import { isKind, topological } from '../../src/graph/node.ts'
import { parallelScans } from '../../src/graph/parallel-scan.ts'
import { scan } from '../../src/graph/scan.ts'
import { type Value, where } from '../../src/graph/value.ts'
import { recurrent } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { changed } from '../../src/train/checkpoint.ts'
import { fit } from '../../src/train/fit.ts'
import { WHOLE } from '../../src/train/leaves.ts'
import { adam } from '../../src/train/optimizers.ts'
import { type NamedGraph, traceNamed } from '../../src/train/session.ts'
import { batchOf, numbersOf, sequenceOf, squared } from './models.ts'
import { amplifiesRounding, openWasm, optimized, outside, random, runOracle, traceLoss } from './support.ts'

const runs = process.env['RECURRA_LONG'] === '1' ? 100 : 12
const drawn = fc.record({
  T: fc.integer({ min: 1, max: 14 }),
  B: fc.integer({ min: 1, max: 3 }),
  seed: fc.nat(),
})

/** Every number by its input, from the seed. */
function valuesOf({ graph, inputs }: NamedGraph, sizes: ReadonlyMap<string, number>, seed: number) {
  const { numbers, integers } = random(seed)
  const T = sizes.get('T')!
  return Object.fromEntries(
    inputs.map((name, i) => {
      const { shape, dtype } = graph.params[i]!
      const length = shape.reduce((product, { key }) => product * (sizes.get(key) ?? Number(key)), 1)
      // Each row has a step.
      const mask = () => integers(length, 0, 1).map((there, at) => (at % T === seed % T ? 1 : there))
      return [name, dtype === 'f32' ? numbers(length) : mask()]
    }),
  )
}

/** Compares the loop with its parallel form: in f64, and in f32 with the f64 loop. */
async function holds(loop: NamedGraph, parallel: readonly NamedGraph[], numRuns = runs) {
  const own = await Promise.all(parallel.map(async (named) => ({ named, run: await openWasm(named) })))
  const property = fc.asyncProperty(drawn, fc.nat(), async ({ T, B, seed }, pick) => {
    const sizes = new Map(Object.entries({ T, B }))
    const { named, run } = own[pick % own.length]!
    const values = valuesOf(loop, sizes, seed)
    const expected = runOracle(loop, values, sizes)
    expect(outside('f64', runOracle(named, values, sizes), expected)).toEqual([])
    const far = outside('f32', await run(values, sizes), expected)
    if (far.length > 0 && !amplifiesRounding(loop, values, sizes, expected)) expect(far).toEqual([])
  })
  await fc.assert(property, { numRuns })
}

/** States that some loop of the compiled graph still carries through T steps one after the other. */
const carriedThroughT = ({ graph }: NamedGraph) =>
  topological(optimized(graph).outputs).flatMap((node) =>
    isKind(node, 'scan') && node.op.steps.key === 'T' ? node.inputs.slice(0, node.op.carries) : [],
  ).length

const CELLS = {
  minGru: () => minGruCell({ units: 3 }),
  minLstm: () => minLstmCell({ units: 3 }),
  lru: () => lruCell({ units: 3 }),
  qrnn: () => qrnnCell({ units: 3 }),
  'linear indRnn': () => indRnnCell({ units: 3, activation: 'linear' }),
  'minGru below qrnn': () => stacked([minGruCell({ units: 3 }), qrnnCell({ units: 2 })]),
  'minGru below lstm': () => stacked([minGruCell({ units: 3 }), lstmCell({ units: 2 })]),
} as const

/** What is no parallel scan: the LSTM's own states, there and back; sums for the gradient of λ. */
const LEFT: Readonly<Record<string, number>> = { 'minGru below lstm': 4, lru: 2 }

describe.each(Object.entries(CELLS))('%s', (name, cellOf) => {
  test.each([
    { returnSequences: true },
    { returnSequences: true, goBackwards: true },
    { returnSequences: true, masked: true },
  ])('%j', async ({ masked = false, ...options }) => {
    const model = sequential([recurrent(cellOf(), options)], { input: sequenceOf })
    const traced = (chunks?: number) => {
      const reading = changed(WHOLE, (values) => parallelScans(values, chunks))
      return traceLoss(model, 'meanSquaredError', false, masked, [], [], chunks === 0 ? WHOLE : reading)
    }
    const [loop, ...parallel] = [0, 1, 3, 5, undefined].map(traced) as [NamedGraph, ...NamedGraph[]]
    const left = LEFT[name] ?? 0
    expect(carriedThroughT(loop)).toBeGreaterThan(left)
    // One chunk is the loop.
    expect(parallel.slice(1).map(carriedThroughT)).toEqual([left, left, left])
    await holds(loop, parallel)
  })
})

test('states drawn at random: coupled or not, linear or not, one reading the other, either way', async () => {
  const property = fc.asyncProperty(fc.nat(), async (seed) => {
    const [loop, parallel] = [false, true].map((apart) => drawnGraph(seed, apart))
    await holds(loop!, [parallel!], 2)
  })
  await fc.assert(property, { numRuns: runs })
})

test('chunks that are none are refused', () => {
  expect(() => parallelScans([], 0.5)).toThrow(
    /parallelScans: chunks must be an integer of at least 1; received 0.5/,
  )
})

/** Four states of sums of products; the same draws each time it is traced. */
function drawnGraph(seed: number, apart: boolean): NamedGraph {
  const { integers } = random(seed)
  const draw = (below: number) => integers(1, 0, below - 1)[0]!
  const reverse = draw(2) === 0
  const specs = [
    { name: 'x', shape: ['T', 'B', 3] },
    { name: 'start', shape: ['B', 3] },
    { name: 'M', shape: [3, 3] },
  ]
  return traceNamed(specs, (get) => {
    const begin = Object.fromEntries(
      ['p', 'q', 'r', 's'].map((name, i) => [name, get('start').mul(1 - 0.4 * i)]),
    )
    const { carry, ys } = scan({ carry: begin, xs: { x: get('x') }, reverse }, ({ carry, x: { x } }) => {
      const free = [x!, x!.sigmoid(), get('M').slice(0, 0, 1).mul(x!), x!.matmul(get('M')).tanh()]
      const states = Object.values(carry) as Value[]
      const term = (): Value => {
        const [factor, state] = [free[draw(4)]!.mul(0.6), states[draw(4)]!]
        const rules = [
          () => state.mul(factor),
          () => state.neg().div(factor.abs().add(1.5)),
          () => where(factor.less(0.1), state.mul(0.5), factor.sub(state.mul(factor))),
          () => factor,
          () => factor.matmul(get('M')),
          () => state.matmul(get('M')).mul(0.3),
          () => state.mul(factor).tanh(),
        ]
        // Mostly linear, element by element.
        return rules[draw(draw(3) === 0 ? 7 : 5)]!()
      }
      const next = Object.fromEntries(
        Object.keys(carry).map((name) => [name, draw(3) === 0 ? term() : term().add(term())]),
      )
      return { carry: next, y: { a: next['p']!.mul(states[3]!), b: next['r']!.matmul(get('M')) } }
    })
    const all = [...Object.values(carry), ...Object.values(ys)] as Value[]
    const outputs = apart ? parallelScans(all, 1 + draw(5)) : all
    const loss = outputs.map((each) => each.tanh().sum()).reduce((sum, each) => sum.add(each))
    const gradients = gradient(
      loss,
      specs.map(({ name }) => get(name)),
    )
    return { outputs: Object.fromEntries([loss, ...outputs, ...gradients].map((each, i) => [`${i}`, each])) }
  })
}

test('fit with parallelScan: the losses are the loop’s, a resumed run goes on with it, and not in segments too', async () => {
  const make = () =>
    sequential([recurrent(minGruCell({ units: 2 }), { returnSequences: true })], { input: sequenceOf })
  const batches = [batchOf(1, 1, 256)]
  const options = { ...squared, optimizer: adam({ learningRate: 0.01 }), seed: 3 }
  const losses = async (more: object) =>
    (await fit(make(), batches, { ...options, ...more, epochs: 4 })).epochs.map(({ loss }) => loss)
  const [loop, scans] = [await losses({}), await losses({ parallelScan: true })]
  for (const [i, loss] of scans.entries()) expect(loss).toBeCloseTo(loop[i]!, 5)

  const [whole, parts] = [make(), make()]
  await fit(whole, batches, { ...options, parallelScan: true, epochs: 4 })
  const run = fit(parts, batches, { ...options, parallelScan: true, epochs: 2 })
  await run
  const resume = await run.state()
  expect(resume.get('training parallel')!.data[0]).toBe(1)
  await fit(parts, batches, { ...options, epochs: 4, resume })
  expect(numbersOf(parts)).toEqual(numbersOf(whole))
  expect(() => fit(make(), batches, { ...options, parallelScan: true, checkpoint: true })).toThrow(
    /received both/,
  )
})
