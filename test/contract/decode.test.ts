/** Decoding as a compiled loop, against the same done by hand with predict. */
import { describe, expect, test } from 'vitest'
import { attention, pointer } from '../../src/layers/attention.ts'
import { bidirectional } from '../../src/layers/bidirectional.ts'
import { conv1d } from '../../src/layers/conv1d.ts'
import { dense } from '../../src/layers/dense.ts'
import { embedding } from '../../src/layers/embedding.ts'
import { call, input, model } from '../../src/layers/functional.ts'
import type { Model } from '../../src/layers/model.ts'
import { gru, lstm } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { type DecodeOptions, decode } from '../../src/train/decode.ts'
import { traceDecoding } from '../../src/train/decode-graph.ts'
import { generate } from '../../src/train/generate.ts'
import { predict } from '../../src/train/predict.ts'
import { f32, i32 } from './models.ts'
import { random } from './support.ts'

const V = 4
const END = 1

/** An encoder, and a decoder that looks back at it, with numbers far from each other. */
function translator(seed: number): Model {
  const source = input({ shape: ['Tsource'], dtype: 'i32' })
  const target = input({ shape: ['Ttarget'], dtype: 'i32' })
  const words = embedding({ inputDim: V, outputDim: 3 })
  const read = source.to(words).to(lstm({ units: 3, returnSequences: true }))
  const written = target.to(words).to(lstm({ units: 3, returnSequences: true }), { initialState: read })
  const seen = call(attention({ score: 'general' }), [written, read])
  return drawn(model({ inputs: { source, target }, outputs: seen.to(dense({ units: V })) }), seed)
}

function drawn(net: Model, seed: number): Model {
  const { numbers } = random(seed)
  const weights = [...net.built.params].map(([path, { shape }]) => {
    const count = shape.reduce((product, size) => product * size, 1)
    return [
      path,
      f32(
        numbers(count).map((number) => 3 * number),
        ...shape,
      ),
    ] as const
  })
  net.setWeights(new Map(weights))
  return net
}

const sources = [[0, 1, 2], [3], [2, 2, 0, 1]].map((row) => i32(row, row.length))

/** log p of each token that may follow what a row has written. */
async function chances(net: Model, source: Tensor, written: readonly number[]): Promise<number[]> {
  const { data } = await predict(net, { source: [source], target: [i32(written, written.length)] })
  const logits = Array.from(data.slice(-V))
  const total = Math.log(logits.reduce((sum, each) => sum + Math.exp(each), 0))
  return logits.map((each) => each - total)
}

/** All rows of at most so many tokens, each with its log p. */
async function every(net: Model, source: Tensor, steps: number) {
  const done: { tokens: number[]; score: number }[] = []
  const open = [{ tokens: [] as number[], score: 0 }]
  while (open.length > 0) {
    const { tokens, score } = open.pop()!
    for (const [token, chance] of (await chances(net, source, [0, ...tokens])).entries()) {
      const longer = { tokens: [...tokens, token], score: score + chance }
      ;(token === END || longer.tokens.length === steps ? done : open).push(longer)
    }
  }
  return done.sort((a, b) => b.score - a.score)
}

const rowsOf = ({ data, shape }: Tensor, lengths: Tensor) =>
  Array.from(lengths.data, (length, b) => Array.from(data.slice(b * shape[1]!, b * shape[1]! + length)))

describe.each(['wasm', 'interpret'] as const)('%s', (backend) => {
  test.each([1, 2, 3])(
    'the likeliest token after the other is what predict says step by step: %d',
    async (seed) => {
      const net = translator(seed)
      const { tokens, lengths, scores } = await decode(
        net,
        { source: sources },
        { start: 0, end: END, steps: 6, backend },
      )
      for (const [b, row] of rowsOf(tokens, lengths).entries()) {
        const written: number[] = []
        let score = 0
        while (written.length < 6 && written.at(-1) !== END) {
          const all = await chances(net, sources[b]!, [0, ...written])
          written.push(all.indexOf(Math.max(...all)))
          score += Math.max(...all)
        }
        expect(row).toEqual(written)
        expect(scores.data[b]).toBeCloseTo(score, 4)
        expect(new Set(tokens.data.slice(b * 6 + row.length, (b + 1) * 6))).toEqual(
          new Set(row.length < 6 ? [END] : []),
        )
      }
    },
  )

  test('enough beams find the likeliest of all rows, and of lengths that are weighed', async () => {
    // The last two are such that (6 + n) / 6 in the place of (5 + n) / 6 would choose another row.
    for (const [seed, lengthPenalty] of [
      [5, 0],
      [5, 2],
      [1, 1.15],
      [4, 4.1],
    ] as const) {
      const net = translator(seed)
      const options = { start: 0, end: END, steps: 3, beamWidth: 40, lengthPenalty, backend }
      const { tokens, lengths, scores } = await decode(net, { source: sources }, options)
      for (const [b, row] of rowsOf(tokens, lengths).entries()) {
        const worth = ({ tokens, score }: { tokens: number[]; score: number }) =>
          score / ((5 + tokens.length) / 6) ** lengthPenalty
        const [best] = (await every(net, sources[b]!, 3)).sort((a, b) => worth(b) - worth(a))
        expect(row).toEqual(best!.tokens)
        expect(scores.data[b]).toBeCloseTo(best!.score, 4)
      }
    }
  })
})

test('one beam is the likeliest token; more are never worse; both backends write the same', async () => {
  const net = translator(7)
  const run = (more: Partial<DecodeOptions>) =>
    decode(net, { source: sources }, { start: 0, end: END, steps: 8, ...more })
  expect(await run({ beamWidth: 1 })).toEqual(await run({}))
  const [one, four] = [await run({}), await run({ beamWidth: 4 })]
  for (const [b, score] of one.scores.data.entries())
    expect(four.scores.data[b]).toBeGreaterThanOrEqual(score - 1e-5)
  for (const more of [{}, { beamWidth: 3 }, { topK: 2 }, { topP: 0.7 }, { temperature: 2, seed: 3 }]) {
    const [wasm, plain] = [await run(more), await run({ ...more, backend: 'interpret' })]
    expect(wasm.tokens).toEqual(plain.tokens)
  }
})

describe('drawing', () => {
  const net = translator(9)
  const rows = 4000
  const many = Array.from({ length: rows }, () => sources[0]!)
  const share = async (more: Partial<DecodeOptions>) => {
    const { tokens } = await decode(net, { source: many }, { start: 0, steps: 1, seed: 5, ...more })
    return Array.from(
      { length: V },
      (_, v) => Array.from(tokens.data).filter((token) => token === v).length / rows,
    )
  }
  const normal = (all: number[]) => all.map((each) => each / all.reduce((a, b) => a + b))

  test('tokens come as often as softmax(logits / temperature) says, of the k likeliest, or of p together', async () => {
    const logits = await chances(net, sources[0]!, [0])
    const soft = (temperature: number) => normal(logits.map((each) => Math.exp(each / temperature)))
    const near = (received: number[], expected: number[]) =>
      expect(Math.max(...received.map((each, v) => Math.abs(each - expected[v]!)))).toBeLessThan(0.03)
    near(await share({ temperature: 1 }), soft(1))
    near(await share({ temperature: 4 }), soft(4))
    const order = soft(4).toSorted((a, b) => b - a)
    const likeliest = (count: number) => normal(soft(4).map((each) => (each >= order[count - 1]! ? each : 0)))
    near(await share({ temperature: 4, topK: 2 }), likeliest(2))
    // As many as are needed for p.
    near(await share({ temperature: 4, topP: order[0]! + order[1]! + 1e-3 }), likeliest(3))
    near(await share({ temperature: 4, topP: order[0]! / 2 }), likeliest(1))
    near(await share({ temperature: 4, topP: 1e-60 }), likeliest(1))
    // More than there are: all.
    near(await share({ temperature: 4, topK: V + 5 }), soft(4))
  })

  test('the same seed writes the same, another another; a row does not depend on those beside it', async () => {
    const run = (seed: number, source: readonly Tensor[]) =>
      decode(net, { source }, { start: 0, steps: 5, temperature: 1, seed })
    const [one, same, other] = [await run(1, sources), await run(1, sources), await run(2, sources)]
    expect(same).toEqual(one)
    expect(other.tokens).not.toEqual(one.tokens)
    expect((await run(1, sources.slice(0, 1))).tokens.data).toEqual(one.tokens.data.slice(0, 5))
  })
})

test('a language model goes on from prompts, as generate does', async () => {
  const tokens = { shape: [null], dtype: 'i32' } as const
  const net = drawn(
    sequential(
      [
        embedding({ inputDim: V, outputDim: 3 }),
        gru({ units: 4, returnSequences: true }),
        dense({ units: V }),
      ],
      { input: tokens },
    ),
    4,
  )
  const prompts = [
    [0, 2, 1],
    [3, 3, 0],
  ]
  const { data } = (await decode(net, {}, { start: prompts, steps: 7 })).tokens
  for (const [b, prompt] of prompts.entries()) {
    const written: number[] = []
    for await (const token of generate(net, { prompt, length: 7, temperature: 0 })) written.push(token)
    expect(Array.from(data.slice(b * 7, b * 7 + 7))).toEqual(written)
  }
})

test('a pointer reads the step that it has pointed at', async () => {
  const source = input({ shape: ['Tsource', 2] })
  const target = input({ shape: ['Ttarget', 2] })
  const read = source.to(lstm({ units: 3, returnSequences: true }))
  const written = target.to(lstm({ units: 3, returnSequences: true }), { initialState: read })
  const net = drawn(
    model({ inputs: { source, target }, outputs: call(pointer({ score: 'general' }), [written, read]) }),
    6,
  )
  const { numbers } = random(8)
  const x = [f32(numbers(8), 4, 2), f32(numbers(6), 3, 2)]
  for (const beamWidth of [1, 3]) {
    const { tokens } = await decode(net, { source: x }, { start: 0, steps: 4, points: 'source', beamWidth })
    for (const [b, own] of x.entries()) {
      const S = own.shape[0]!
      const picked = Array.from(tokens.data.slice(b * 4, b * 4 + 4))
      expect(picked.every((place) => place >= 0 && place < S)).toBe(true)
      if (beamWidth > 1) continue
      const steps = [
        0,
        0,
        ...picked.slice(0, -1).flatMap((place) => Array.from(own.data.slice(2 * place, 2 * place + 2))),
      ]
      const { data } = await predict(net, { source: [own], target: [f32(steps, 4, 2)] })
      const chosen = picked.map((_, t) => {
        const logits = Array.from(data.slice(t * S, (t + 1) * S))
        return logits.indexOf(Math.max(...logits))
      })
      expect(picked).toEqual(chosen)
    }
  }
})

test('the encoder stands before the loop', () => {
  const plan = {
    feedback: 'target',
    points: undefined,
    sampled: false,
    topK: undefined,
    topP: false,
    beamWidth: 1,
  }
  const { graph } = traceDecoding(translator(1), plan)
  const loops = new Set<unknown>()
  const visit = (node: (typeof graph.outputs)[number]) => {
    if (node.op.kind === 'scan') loops.add(`${node.op.steps.key}: ${node.op.carries}`)
    for (const each of node.inputs) visit(each)
  }
  for (const output of graph.outputs) visit(output)
  expect([...loops].map(String).filter((loop) => loop.startsWith('Tsource'))).toHaveLength(1)
})

describe('refused', () => {
  const net = translator(1)
  const good = { start: 0, steps: 2 }
  const target = input({ shape: [null], dtype: 'i32' })
  const embedded = target.to(embedding({ inputDim: V, outputDim: 3 }))
  const ahead = model({
    inputs: target,
    outputs: embedded.to(conv1d({ filters: V, kernelSize: 2, padding: 'same' })),
  })
  const both = model({
    inputs: target,
    outputs: embedded.to(bidirectional(gru({ units: 2, returnSequences: true }))).to(dense({ units: V })),
  })
  const self = model({
    inputs: target,
    outputs: call(attention(), [embedded, embedded]).to(dense({ units: V })),
  })

  test.each<[string, Model, object, object, RegExp]>([
    ['no steps', net, { source: sources }, { start: 0 }, /steps must be an integer of at least 1/],
    ['an option that is not there', net, { source: sources }, { ...good, beams: 2 }, /beams/],
    [
      'beams that are drawn',
      net,
      { source: sources },
      { ...good, beamWidth: 2, temperature: 1 },
      /received both/,
    ],
    [
      'top k of nothing drawn',
      net,
      { source: sources },
      { ...good, topK: 2, temperature: 0 },
      /temperature 0 draws nothing/,
    ],
    ['a share above 1', net, { source: sources }, { ...good, topP: 1.5 }, /topP.*above 0 and at most 1.*1.5/],
    ['a share of nothing', net, { source: sources }, { ...good, topP: 0 }, /topP.*above 0 and at most 1.* 0/],
    [
      'an end that is never written',
      net,
      { source: sources },
      { ...good, end: V },
      /end must be one of the 4 tokens that the model writes, 0 … 3; received 4/,
    ],
    [
      'a start outside the vocabulary',
      net,
      { source: sources },
      { ...good, start: 9 },
      /embedding.*: a token must lie in 0 … 3; received 9 in row 0, step 0/,
    ],
    [
      'a prompt outside the vocabulary, the row as it was given',
      net,
      { source: sources },
      { ...good, start: [[0], [1], [5]], beamWidth: 2 },
      /a token must lie in 0 … 3; received 5 in row 2, step 0/,
    ],
    ['an input that is missing', net, {}, good, /expected the inputs \{ source \} besides target/],
    [
      'a feedback that is not there',
      net,
      { source: sources },
      { ...good, feedback: 'x' },
      /one of source, target; received x/,
    ],
    [
      'a prompt of other rows',
      net,
      { source: sources },
      { ...good, start: [[0]] },
      /i32\[3, P\]; received i32\[1, 1\]/,
    ],
    [
      'a start of no token',
      net,
      { source: sources },
      { ...good, start: -1 },
      /start must be an integer of at least 0/,
    ],
    [
      'a model of one output a row',
      translatorOfRows(),
      {},
      good,
      /expected a model of tokens \[B, T\] → logits/,
    ],
    [
      'pointing at nothing',
      net,
      { source: sources },
      { ...good, points: 'target' },
      /points must name another input/,
    ],
    ['steps ahead', ahead, {}, good, /through layer conv1d, which reads steps that are not written yet/],
    ['both directions', both, {}, good, /through layer bidirectional, which reads/],
    ['attention to itself', self, {}, good, /through layer attention, which reads/],
  ])('%s', async (_, own, inputs, options, message) => {
    await expect(decode(own, inputs as never, options as never)).rejects.toThrow(message)
  })

  function translatorOfRows(): Model {
    return model({ inputs: target, outputs: embedded.to(gru({ units: 3 })).to(dense({ units: V })) })
  }
})
