/** What a training run promises, whatever the model: the same bits, masks that hold, states that go on, no lost error. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { describe, expect, test, vi } from 'vitest'
import type { Batch } from '../../src/data/batches.ts'
import { batchNorm } from '../../src/layers/batch-norm.ts'
import { dense } from '../../src/layers/dense.ts'
import { embedding } from '../../src/layers/embedding.ts'
import type { Layer } from '../../src/layers/layer.ts'
import { elman, lstm } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { RecurraError } from '../../src/tensor/errors.ts'
import { type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { type FitOptions, fit as train } from '../../src/train/fit.ts'
import { type GenerateOptions, generate } from '../../src/train/generate.ts'
import type { LossOption } from '../../src/train/losses.ts'
import { adam, sgd } from '../../src/train/optimizers.ts'
import { evaluate, predict, predictWithStates } from '../../src/train/predict.ts'
import type { Run, TrainingEvent } from '../../src/train/run.ts'
import {
  batchOf,
  classes,
  cut,
  f32,
  i32,
  lstmNet,
  numbersOf,
  rnn,
  sequenceOf,
  squared,
  stepsOf,
  stillness,
  tokenNet,
  tokensOf,
  windowsOf,
} from './models.ts'
import { outside, random } from './support.ts'

const lossesOf = async (run: Run) => (await stepsOf(run)).map(([loss]) => loss)

const dist = new URL('../../dist/index.js', import.meta.url)
if (!existsSync(dist)) console.log('skipped: the same bits in two processes: dist/ is not built')

test.skipIf(!existsSync(dist))(
  'one seed gives the same weights after 50 steps in two processes',
  async () => {
    const script = `
    import { createHash } from 'node:crypto'
    import { adam, dense, elman, embedding, fit, lstm, sequential, tensor } from ${JSON.stringify(dist.href)}
    const ids = Int32Array.from({ length: 5 * 8 * 12 + 1 }, (_, i) => (i * i + (i >> 3)) % 11)
    const window = (j, shift) => tensor(ids.slice(j * 96 + shift, j * 96 + 96 + shift), [8, 12])
    const batches = [0, 1, 2, 3, 4].map((j) => ({ inputs: window(j, 0), targets: window(j, 1), reset: j === 0 }))
    for (const seed of [1, 2]) {
      const layers = [embedding({ inputDim: 11, outputDim: 7 }), lstm({ units: 13, returnSequences: true }),
        elman({ units: 9, returnSequences: true }), dense({ units: 11 })]
      const model = sequential(layers)
      const options = { optimizer: adam({ learningRate: 0.01 }), clipGlobalNorm: 0.5, truncate: { k1: 12, k2: 12 } }
      const { steps } = await fit(model, batches, { loss: 'softmaxCrossEntropy', ...options, epochs: 10, seed })
      const hash = createHash('sha256')
      for (const { data } of model.weights().values()) hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
      console.log(steps, hash.digest('hex'))
    }`
    const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
    const [one, two] = await Promise.all([run(), run()])
    expect(one.stdout).toMatch(/^50 [0-9a-f]{64}\n50 [0-9a-f]{64}\n$/)
    expect(two.stdout).toBe(one.stdout)
    const [first, second] = one.stdout.trim().split('\n')
    expect(first).not.toBe(second)
  },
)

describe('what is masked changes no bit of losses, gradients, updates, outputs or states', () => {
  const stacks: readonly (readonly [string, () => Layer[]])[] = [
    ['recurrent', () => [elman({ units: 2, returnSequences: true })]],
    ['recurrent, dense', () => [rnn(), dense({ units: 2 })]],
    ['recurrent backwards, recurrent, dense', () => [rnn({ goBackwards: true }), rnn(), dense({ units: 2 })]],
    ['dense, recurrent, last output', () => [dense({ units: 3 }), lstm({ units: 2 })]],
    ['dense', () => [dense({ units: 2 })]],
    ['batch norm, recurrent, batch norm', () => [batchNorm(), rnn(), batchNorm(), dense({ units: 2 })]],
    ['recurrent, batch norm, last output', () => [lstm({ units: 2 }), batchNorm()]],
    [
      'tokens, recurrent, dense',
      () => [embedding({ inputDim: 4, outputDim: 2 }), rnn(), dense({ units: 4 })],
    ],
  ]
  const cases = stacks.flatMap(([name, make]) => [
    [name, 'inputs', 'lengths', make] as const,
    [name, 'targets', 'lengths', make] as const,
    [name, 'inputs', 'mask', make] as const,
    [name, 'targets', 'mask', make] as const,
  ])

  test.each(cases)('%s: %s beyond the %s', async (name, which, padding, make) => {
    const [B, T] = [3, 4]
    const rows = { lengths: ['1111', '1000', '1100'], mask: ['0111', '1001', '0100'] }[padding]
    const there = rows.flatMap((row) => Array.from(row, Number))
    const given = padding === 'mask' ? i32(there, B, T) : i32([4, 1, 2], B)
    const [tokens, sequence] = [name.startsWith('tokens'), !name.endsWith('last output')]
    const width = tokens ? 1 : 2
    const beyond = (at: number, size: number) => there[Math.floor(at / size)] === 0
    const outcome = async (garbage: number) => {
      const { numbers, integers } = random(5)
      const pad = (own: number[], part: string) =>
        own.map((value, at) => (!beyond(at, width) ? value : part === which ? garbage : 0))
      const draw = (part: string) => {
        if (tokens) return i32(pad(integers(B * T, 0, 3), part), B, T)
        if (part === 'targets' && !sequence) return f32(numbers(B * width), B, width)
        return f32(pad(numbers(B * T * width), part), B, T, width)
      }
      const [inputs, targets] = [draw('inputs'), draw('targets')]
      const batch = { inputs, targets, [padding]: given, reset: true }
      const model = sequential(make(), { input: tokens ? tokensOf : sequenceOf })
      const options = { ...(tokens ? classes : squared), optimizer: adam(), clipGlobalNorm: 0.1 }
      const steps = await stepsOf(train(model, [batch], { ...options, epochs: 2 }))
      const { output, states } = await predictWithStates(model, batch.inputs, { [padding]: given })
      const outputs = output.data.filter((_, at) => !sequence || !beyond(at, output.shape[2]!))
      const evaluation = await evaluate(model, [batch], { loss: options.loss })
      return { steps, weights: numbersOf(model), outputs, states, evaluation }
    }
    const reference = await outcome(0)
    for (const garbage of tokens ? [-1, 99] : [7, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(await outcome(garbage), `filled with ${garbage}`).toEqual(reference)
    }
  })
})

test.each<readonly [string, LossOption]>([
  ['mean squared error', 'meanSquaredError'],
  ['one that is 1 where output and target are 0', (o, y) => o.sub(y).square().add(1)],
])(
  '%s with a mask is the mean over the steps that are there, and its updates are theirs',
  async (_, loss) => {
    const [B, T] = [2, 6]
    const { inputs, targets } = batchOf(7, B, T)
    const there = Array.from('011011010111', Number)
    const short = (x: Tensor) =>
      f32(
        [...x.data].filter((_, at) => there[Math.floor(at / 2)] === 1),
        B,
        4,
        2,
      )
    const mask = tensor(Int32Array.from(there), [B, T], 'bool')
    const [whole, cutOut] = [
      { inputs, targets, mask, reset: true },
      { inputs: short(inputs), targets: short(targets), reset: true },
    ]
    const both = await Promise.all(
      [whole, cutOut].map(async (batch) => {
        const model = sequential([rnn({ initialState: 'trainable' }), rnn({ goBackwards: true }), dense({ units: 2 })]) // biome-ignore format: one line
        const steps = await stepsOf(train(model, [batch], { loss, optimizer: sgd(), epochs: 3 }))
        const after = await evaluate(model, [batch], { loss })
        return {
          numbers: [...steps.flat(), after.loss, ...numbersOf(model).flatMap((data) => [...data])],
          tokens: after.tokens,
        }
      }),
    )
    expect(both.map(({ tokens }) => tokens)).toEqual([8, 8])
    const [masked, reference] = both.map(({ numbers }) => numbers)
    expect(outside('f32', { all: masked! }, { all: reference! })).toEqual([])
  },
)

describe('truncated back-propagation', () => {
  const whole = batchOf(1, 3, 8)
  const truncated = { ...squared, ...stillness, truncate: { k1: 4, k2: 4 } }

  test('states go on exactly: losses over two windows are one pass over both', async () => {
    const model = lstmNet()
    const [first, second] = await lossesOf(train(model, windowsOf(whole, 4), truncated))
    const [all] = await lossesOf(train(model, [whole], { ...squared, ...stillness }))
    expect(Math.abs((first! + second!) / 2 - all!)).toBeLessThan(1e-6)
    const carried = await evaluate(model, windowsOf(whole, 4), { ...squared, carry: true })
    expect(Math.abs(carried.loss - all!)).toBeLessThan(1e-6)
  })

  test('reset starts anew, and so does another number of rows', async () => {
    const model = lstmNet()
    const [first, second] = windowsOf(whole, 4)
    const alone = await lossesOf(train(model, [second!], truncated))
    const anew = await lossesOf(train(model, [first!, { ...second!, reset: true }], truncated))
    expect(anew[1]).toBe(alone[0])
    const other = await lossesOf(train(model, [batchOf(2, 1, 4), { ...second!, reset: false }], truncated))
    expect(other[1]).toBe(alone[0])
  })

  test.each<Partial<Batch>[]>([
    [{ lengths: i32([4, 4, 4], 3) }, {}, {}],
    [{}, { lengths: i32([4, 4, 4], 3) }, { mask: i32(new Array(12).fill(1), 3, 4) }],
    [{ mask: i32(new Array(12).fill(1), 3, 4) }, {}, { lengths: i32([4, 4, 4], 3) }],
  ])('lengths and masks may come and go between windows', async (...more) => {
    const plain = windowsOf(batchOf(1, 3, 12), 4)
    const others = plain.map((batch, i) => ({ ...batch, ...more[i] }))
    const [expected, received] = [plain, others].map((batches) => ({
      fit: async () => ({ losses: await lossesOf(train(lstmNet(), batches, truncated)) }),
      evaluate: async () => ({
        loss: [(await evaluate(lstmNet(), batches, { ...squared, carry: true })).loss],
      }),
    }))
    expect(outside('f32', await received!.fit(), await expected!.fit())).toEqual([])
    expect(outside('f32', await received!.evaluate(), await expected!.evaluate())).toEqual([])
  })

  test('an evaluation that carries states begins anew where a batch says so', async () => {
    const model = lstmNet()
    const [first, second] = [batchOf(1, 2, 3), batchOf(2, 2, 3)]
    const measure = async (batches: readonly Batch[]) =>
      (await evaluate(model, batches, { ...squared, carry: true })).loss
    const apart = ((await measure([first])) + (await measure([second]))) / 2
    expect(await measure([first, second])).toBeCloseTo(apart, 6)
    expect(Math.abs((await measure([first, { ...second, reset: false }])) - apart)).toBeGreaterThan(1e-5)
  })

  test('two evaluations at once keep their states apart', async () => {
    const model = lstmNet()
    const run = (seed: number) =>
      evaluate(model, windowsOf(batchOf(seed, 3, 12), 4), { ...squared, carry: true })
    const apart = [await run(1), await run(2)]
    expect(await Promise.all([run(1), run(2)])).toEqual(apart)
  })
})

describe('a run', () => {
  const broken = { ...batchOf(3, 2, 3), inputs: f32(new Array(12).fill(Number.NaN), 2, 3, 2) }
  const good = [batchOf(4, 2, 3), batchOf(5, 3, 4)]

  test('that meets a loss that is not finite fails, and the model keeps what it had before that step', async () => {
    const [model, reference] = [lstmNet(), lstmNet()]
    await train(reference, good, squared)
    const run = train(model, [...good, broken, ...good], squared)
    await expect(run).rejects.toBeInstanceOf(RecurraError)
    await expect(run).rejects.toMatchObject({ code: 'not-finite' })
    await expect(run).rejects.toThrow('step 3')
    expect(numbersOf(model)).toEqual(numbersOf(reference))
  })

  test('can be awaited and iterated, in any order and more than once', async () => {
    const run = train(lstmNet(), good, { ...squared, epochs: 2 })
    const history = await run
    const [one, two]: [TrainingEvent[], TrainingEvent[]] = [[], []]
    for await (const event of run) one.push(event)
    for await (const event of run) two.push(event)
    expect(one).toEqual(two)
    expect(one.map(({ kind }) => kind).join()).toBe('start,step,step,epoch,step,step,epoch,end')
    const epochs = one.filter(({ kind }) => kind === 'epoch')
    expect(history).toEqual({ epochs, steps: 4, stopped: false, reason: 'epochs' })
  })

  test('loses no error: iterated, awaited, both, or left in the middle', async () => {
    const failing = () => train(lstmNet(), [good[0]!, broken], squared)
    const iterated = failing()
    for (let i = 0; i < 2; i++) {
      await expect(stepsOf(iterated)).rejects.toMatchObject({ code: 'not-finite' })
      await expect(iterated).rejects.toMatchObject({ code: 'not-finite' })
    }
    // A run that fails before anyone looks at it is a rejection that nobody handles: so it begins here.
    const left = failing()
    for await (const { kind } of left) if (kind === 'step') break
    await expect(left).rejects.toMatchObject({ code: 'not-finite' })
  })

  test('stops when told, with what it has learnt', async () => {
    const [model, reference] = [lstmNet(), lstmNet()]
    const run = train(model, good, { ...squared, epochs: 1000 })
    for await (const event of run) if (event.kind === 'step' && event.step === 3) run.stop()
    const { steps, stopped } = await run
    expect(stopped).toBe(true)
    const same = Array.from({ length: steps }, (_, i) => good[i % 2]!)
    await train(reference, same, squared)
    expect(numbersOf(model)).toEqual(numbersOf(reference))
  })
})

test('any B and T run through one compilation, and the numbers are those of a model that never saw another size', async () => {
  const compiled = [vi.spyOn(WebAssembly, 'instantiate'), vi.spyOn(WebAssembly, 'compile')]
  const count = () => compiled.reduce((sum, spy) => sum + spy.mock.calls.length, 0)
  const batches = ['2 3', '1 1', '7 20', '64 40', '3 2', '2 3'].map((sizes, i) => {
    const [B, T] = sizes.split(' ').map(Number)
    return batchOf(i, B!, T!)
  })
  const model = lstmNet()
  await train(model, batches, squared)
  expect(count()).toBe(1)
  const outputs = []
  for (const { inputs } of batches) outputs.push(await predict(model, inputs))
  expect(count()).toBe(2)
  await evaluate(model, batches, squared)
  expect(count()).toBe(3)
  for (const [i, { inputs }] of batches.entries()) {
    const fresh = lstmNet()
    fresh.setWeights(model.weights())
    expect(await predict(fresh, inputs)).toEqual(outputs[i])
  }
  for (const spy of compiled) spy.mockRestore()
})

test('states given back continue a sequence exactly', async () => {
  const layers = [lstm({ units: 5, returnSequences: true }), elman({ units: 4, returnSequences: true })]
  const model = sequential(layers, { input: sequenceOf })
  const x = batchOf(8, 5, 9).inputs
  const whole = await predictWithStates(model, x)
  const first = await predictWithStates(model, cut(x, 0, 4))
  const second = await predictWithStates(model, cut(x, 4, 9), { initialState: first.states })
  expect(first.output).toEqual(cut(whole.output, 0, 4))
  expect(second.output).toEqual(cut(whole.output, 4, 9))
  expect(second.states).toEqual(whole.states)
})

test('sequences of unlike lengths are padded: each row is what it is alone, and 0 beyond its end', async () => {
  const lengths = [3, 1, 5]
  const values = lengths.map((length, i) => {
    const { numbers } = random(i)
    return Array.from({ length }, () => numbers(2))
  })
  const ids = lengths.map((length, i) => random(i).integers(length, 0, 5))
  const cases = [
    [lstmNet(), values, 2],
    [lstmNet(), values.map((steps) => tensor(steps)), 2],
    [sequential(lstmNet().calls.map(({ layer }) => layer)), values, 2],
    [tokenNet(), ids, 6],
    [tokenNet(), ids.map((own) => i32(own, own.length)), 6],
  ] as const
  for (const [model, rows, width] of cases) {
    if (model.isBuilt) model.weights().get('dense/c')!.data.fill(0.5)
    const { output, states, lengths: ends } = await predictWithStates(model, rows)
    expect([output.shape, ends]).toEqual([[3, 5, width], i32(lengths, 3)])
    expect(await predict(model, rows)).toEqual(output)
    for (const [b, row] of rows.entries()) {
      const alone = await predictWithStates(model, [row])
      const rest = new Array<number>((5 - lengths[b]!) * width).fill(0)
      const own = output.data.subarray(b * 5 * width, (b + 1) * 5 * width)
      expect([...own]).toEqual([...alone.output.data, ...rest])
      expect(alone.lengths).toBeUndefined()
      for (const [path, { data }] of Object.entries(states))
        expect(data.subarray(b * 5, (b + 1) * 5)).toEqual(alone.states[path]!.data)
    }
  }
  const mask = lengths.map((length) => new Array<number>(length).fill(1))
  const { states } = await predictWithStates(lstmNet(), values, { mask })
  expect(states).toEqual((await predictWithStates(lstmNet(), values)).states)
})

test('a state that is not given begins as the layer says', async () => {
  const model = lstmNet()
  const learnt = [...model.weights()].map(([path, { data, shape }]) => {
    return [path, f32(path.includes('initial') ? [...data].fill(0.5) : [...data], ...shape)] as const
  })
  model.setWeights(new Map(learnt))
  const { inputs } = batchOf(9, 2, 3)
  const given = { 'lstm/h': f32(new Array(10).fill(0.5), 2, 5) }
  expect(await predict(model, inputs, { initialState: given })).toEqual(await predict(model, inputs))
})

describe('clipping, element by element', async () => {
  const batch = batchOf(3, 2, 4)
  /** ∂L/∂θ as an update of rate 1 takes it. */
  const taken = async (more: Partial<FitOptions> = {}) => {
    const [still, model] = [lstmNet(), lstmNet()]
    await train(model, [batch], { ...squared, optimizer: sgd({ learningRate: 1 }), ...more })
    const [before, after] = [still, model].map((own) => numbersOf(own).flatMap((data) => [...data]))
    return before!.map((each, i) => each - after![i]!)
  }
  const whole = await taken()
  const norm = Math.hypot(...whole)
  const bound = whole.map(Math.abs).toSorted((a, b) => a - b)[Math.floor(whole.length / 2)]!
  const clamped = whole.map((each) => Math.min(Math.max(each, -bound), bound))

  test.each<[string, Partial<FitOptions>, number[]]>([
    ['a norm below the bound stays', { clipGlobalNorm: 3 * norm }, whole],
    ['one above it becomes the bound', { clipGlobalNorm: norm / 3 }, whole.map((each) => each / 3)],
    ['values keep to both bounds', { clipValue: bound }, clamped],
  ])('%s', async (_, clipping, expected) => {
    expect(outside('f32', { gradient: await taken(clipping) }, { gradient: expected })).toEqual([])
    expect(Math.min(...clamped)).toBe(-bound)
  })
})

test('generate: one seed, one text; temperature 0 takes the likeliest token', async () => {
  const model = tokenNet()
  const write = async (options: Partial<GenerateOptions>) => {
    const tokens: number[] = []
    for await (const token of generate(model, { prompt: [1, 2], length: 24, ...options })) tokens.push(token)
    return tokens
  }
  const [one, two] = await Promise.all([write({ seed: 7 }), write({ seed: 8 })])
  expect(await write({ seed: 7 })).toEqual(one)
  expect(two).not.toEqual(one)
  expect(one!.every((token) => token >= 0 && token < 6)).toBe(true)
  const greedy = await write({ temperature: 0, seed: 1 })
  expect(await write({ temperature: 1e-6, seed: 2 })).toEqual(greedy)
  const { data } = await predict(model, i32([1, 2, ...greedy], 1, 26))
  const likeliest = (t: number) => {
    const logits = data.subarray(t * 6, (t + 1) * 6)
    return logits.indexOf(Math.max(...logits))
  }
  expect(greedy).toEqual(greedy.map((_, i) => likeliest(i + 1)))
})
