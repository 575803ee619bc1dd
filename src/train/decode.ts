/** Writing from a model, as one compiled loop: each step reads what the step before has written. */
import type { Backend } from '../codegen/compile.ts'
import { type Model, requireModel } from '../layers/model.ts'
import { SOLE_INPUT } from '../layers/parts.ts'
import { requireInteger, requireKnown, requireNumber, requireSeed } from '../tensor/checks.ts'
import type { TensorData } from '../tensor/dtype.ts'
import { ArgumentError, DataError, ShapeError } from '../tensor/errors.ts'
import { isTensor } from '../tensor/padding.ts'
import { seedWord } from '../tensor/random.ts'
import { evaluateSize } from '../tensor/size.ts'
import { elementCount, type NestedNumbers, type Tensor, tensor } from '../tensor/tensor.ts'
import { type DecodePlan, traceDecoding } from './decode-graph.ts'
import { feedbackOf, isLogits } from './dependents.ts'
import { bindInputs, entriesOf, type TensorLike } from './inputs.ts'
import { dataInput, weightInputs } from './leaves.ts'
import { type InputLike, kindOf, type Padded, paddedInputs, paddingInputs } from './padding.ts'
import type { Session } from './session.ts'
import { type CallOptions, sessionOf } from './sessions.ts'
import { requireTokens } from './vocabulary.ts'

export interface DecodeOptions {
  /** Tokens that rows begin with: one for all, or a prompt, i32 [B, P]. */
  readonly start: number | readonly NestedNumbers[] | Tensor
  /** The token that ends a row, below V. Default: none, so that each row has `steps`. */
  readonly end?: number
  /** Most tokens to write, the end counted. */
  readonly steps: number
  /** The input that reads what was written. Default: the model's only one, or `target`. */
  readonly feedback?: string
  /** The input whose steps the model points at (see `pointer`): the next step reads that one. Default: it writes tokens. */
  readonly points?: string
  /** Logits are divided by it, and a token is drawn; 0 always takes the likeliest. Default: 0, with topK or topP 1. */
  readonly temperature?: number
  /** Only the k likeliest are drawn from (Fan et al. 2018); all where there are no more than k. */
  readonly topK?: number
  /** Only the likeliest ones whose chances sum up to p, 0 < p ≤ 1, are drawn from (Holtzman et al. 2020). */
  readonly topP?: number
  /** W, how many beginnings of a row are followed (beam search). Default: 1. */
  readonly beamWidth?: number
  /** α: of the beams of n tokens that of the largest log p / ((5 + n) / 6)^α is taken (Wu et al. 2016). Default: 0. */
  readonly lengthPenalty?: number
  /** Of what is drawn. Default: 0. */
  readonly seed?: number
  /** As in `predict`, of the other inputs. */
  readonly lengths?: Readonly<Record<string, TensorLike>>
  readonly mask?: Readonly<Record<string, InputLike>>
  readonly backend?: Backend
  /** How many workers compute it; see `fit`. */
  readonly threads?: number
}

const OPTIONS: Record<keyof DecodeOptions, true> = {
  start: true,
  end: true,
  steps: true,
  feedback: true,
  points: true,
  temperature: true,
  topK: true,
  topP: true,
  beamWidth: true,
  lengthPenalty: true,
  seed: true,
  lengths: true,
  mask: true,
  backend: true,
  threads: true,
}

export interface Decoded {
  /** i32 [B, steps]; behind a row's end, its end. */
  readonly tokens: Tensor
  /** i32 [B]: how many tokens were written, with the end. */
  readonly lengths: Tensor
  /** f32 [B]: log p of what was written. */
  readonly scores: Tensor
}

/**
 * Writes rows of tokens: a model reads what it has written and gives logits for what follows, until it writes `end`. The
 * loop is compiled as a whole; an encoder runs once before it.
 *
 *     const { tokens } = await decode(net, { source }, { start: GO, end: STOP, steps: 30 })             // the likeliest
 *     await decode(net, { source }, { start: GO, end: STOP, steps: 30, beamWidth: 4, lengthPenalty: 0.6 })
 *     await decode(languageModel, {}, { start: [prompt], steps: 200, temperature: 0.8, topP: 0.95, seed: 7 })
 *
 * @param inputs the model's other inputs, as `predict` takes them; `{}` where it has none
 * @throws {ArgumentError} for options outside their range, and a model that cannot be run step by step
 * @throws {ShapeError} for inputs or prompts that do not fit
 * @throws {DataError} for a token, such as one to start with, outside the vocabulary of the layer that reads it
 */
export async function decode(
  model: Model,
  inputs: Readonly<Record<string, InputLike>>,
  options: DecodeOptions,
): Promise<Decoded> {
  requireModel('decode', model)
  requireKnown('decode', options, Object.keys(OPTIONS))
  const numbers = numbersOf(options)
  const feedback = feedbackOf('decode', model, options.feedback)
  requireNames(model, inputs, feedback, options.points)
  const { beamWidth, steps } = numbers
  const others = paddedInputs('decode: ', model, inputs, options)
  const rows = entriesOf(others.inputs, SOLE_INPUT)[0]?.[1].shape[0]
  const prompt = promptOf(model, feedback, options, rows)
  const single = {
    ...others,
    inputs: { ...(others.inputs as Record<string, Tensor>), [feedback]: prompt },
  }
  // The batch as the loop has it: a row for each beam.
  const batch = repeated(single, beamWidth)
  const bindings = bindInputs(model, batch.inputs)
  const V = evaluateSize(model.output.shape.at(-1)!, bindings)
  requireEnd(options, V)
  await requireTokens(model, single)
  const kind = await kindOf(model, batch)
  const there = await paddingInputs(model, batch, kind)
  const plan: DecodePlan = {
    ...kind,
    ...{ feedback, points: options.points, beamWidth },
    ...{ sampled: numbers.temperature > 0, topP: options.topP !== undefined },
    topK: options.topK === undefined ? undefined : Math.min(options.topK, V),
  }
  const sizes = new Map([
    ...bindings,
    ...there.sizes,
    ['maxSteps', steps] as const,
    ['P', prompt.shape[1]!] as const,
  ])
  const session = await openLoop(model, plan, { backend: options.backend, threads: options.threads, sizes })
  const given = new Map<string, TensorData>([
    ...entriesOf(batch.inputs, SOLE_INPUT).map(
      ([name, { data }]) => [name === feedback ? 'prompt' : dataInput(name), data] as const,
    ),
    ...there.inputs.filter(([name]) => session.named.inputs.includes(name)),
    ...weightInputs(model),
    ['end', Int32Array.of(options.end ?? -1)],
    ['seed', Int32Array.of(seedWord(numbers.seed))],
    ['temperature', Float32Array.of(numbers.temperature)],
    ['topP', Float32Array.of(numbers.topP)],
    ['lengthPenalty', Float32Array.of(numbers.lengthPenalty)],
  ])
  const { tokens, lengths, scores } = await session.call(sizes, given, ['tokens', 'lengths', 'scores'])
  return {
    tokens: tensor(tokens, [lengths.length, steps]),
    lengths: tensor(lengths, [lengths.length]),
    scores: tensor(scores, [scores.length]),
  }
}

/** @throws {ArgumentError} for numbers outside their range, and ways to choose that exclude each other */
function numbersOf({ steps, topK, topP, end, ...options }: DecodeOptions) {
  const drawn = topK !== undefined || topP !== undefined
  const { temperature = drawn ? 1 : 0, beamWidth = 1, lengthPenalty = 0, seed = 0 } = options
  requireInteger('decode', 'steps', steps, 1)
  requireInteger('decode', 'beamWidth', beamWidth, 1)
  requireNumber('decode', 'temperature', temperature, 'of at least 0')
  requireNumber('decode', 'lengthPenalty', lengthPenalty, 'of at least 0')
  requireSeed('decode', seed)
  if (topK !== undefined) requireInteger('decode', 'topK', topK, 1)
  if (topP !== undefined) requireNumber('decode', 'topP', topP, 'above 0 and at most 1')
  if (end !== undefined) requireInteger('decode', 'end', end, 0)
  if (beamWidth > 1 && temperature > 0) {
    throw new ArgumentError(
      'decode: expected beamWidth, or what is drawn from (temperature, topK, topP); received both',
    )
  }
  if (drawn && temperature === 0) {
    throw new ArgumentError('decode: topK and topP say what is drawn from, but temperature 0 draws nothing')
  }
  // Above 0 in f32 too.
  return { steps, temperature, beamWidth, lengthPenalty, seed, topP: Math.max(topP ?? 1, 1e-30) }
}

/** @throws {ArgumentError} for an end that the model never writes */
function requireEnd({ end, points }: DecodeOptions, V: number): void {
  if (end === undefined || end < V || points !== undefined) return
  throw new ArgumentError(
    `decode: end must be one of the ${V} tokens that the model writes, 0 … ${V - 1}; received ${end}`,
  )
}

function requireNames(
  { built, output }: Model,
  inputs: Readonly<Record<string, InputLike>>,
  feedback: string,
  points: string | undefined,
): void {
  const others = [...built.inputs.keys()].filter((name) => name !== feedback)
  const isRecord =
    typeof inputs === 'object' && inputs !== null && !Array.isArray(inputs) && !isTensor(inputs)
  if (!isRecord || Object.keys(inputs).length !== others.length || !others.every((name) => name in inputs)) {
    throw new ArgumentError(
      `decode: expected the inputs { ${others.join(', ')} } besides ${feedback}, which reads what is written; ` +
        `received ${isRecord ? `{ ${Object.keys(inputs).join(', ')} }` : typeof inputs}`,
    )
  }
  const { dtype, shape } = built.inputs.get(feedback)!
  const isFed = points === undefined ? dtype === 'i32' && shape.length === 1 : others.includes(points)
  if (isFed && isLogits(output)) return
  throw new ArgumentError(
    points === undefined
      ? `decode: expected a model of tokens [B, T] → logits [B, T, V]; ${feedback} is ${dtype}[B, ${shape.map((size) => size ?? 'T').join(', ')}]`
      : `decode: points must name another input, whose steps the model points at; received ${points}`,
  )
}

/** What rows begin with, [B, P, …]. */
function promptOf(
  { built }: Model,
  feedback: string,
  { start, points }: DecodeOptions,
  rows: number | undefined,
): Tensor {
  const { dtype, shape } = built.inputs.get(feedback)!
  const features = shape.slice(1) as number[]
  if (typeof start === 'number') {
    if (points === undefined) requireInteger('decode', 'start', start, 0)
    const sizes = [rows ?? 1, 1, ...features]
    const count = elementCount(sizes)
    return tensor((dtype === 'i32' ? new Int32Array(count) : new Float32Array(count)).fill(start), sizes)
  }
  const prompt = isTensor(start) ? start : tensor(start, undefined, dtype)
  const expected = [rows ?? prompt.shape[0], prompt.shape[1], ...features]
  if (
    prompt.dtype !== dtype ||
    prompt.shape.length !== expected.length ||
    String(prompt.shape) !== String(expected)
  ) {
    throw new ShapeError(
      `decode: start must be a token, or ${dtype}[${[rows ?? 'B', 'P', ...features].join(', ')}]; ` +
        `received ${prompt.dtype}[${prompt.shape.join(', ')}]`,
    )
  }
  if (prompt.data.length > 0) return prompt
  throw new DataError('decode: a row begins with at least one token; received none')
}

/** Each row so many times, one after the other. */
function repeated(batch: Padded, times: number): Padded {
  if (times === 1) return batch
  const each = ({ data, shape: [rows, ...rest], dtype }: Tensor): Tensor => {
    const width = elementCount(rest)
    const all = dtype === 'f32' ? new Float32Array(data.length * times) : new Int32Array(data.length * times)
    for (let row = 0; row < rows! * times; row++) {
      const from = Math.floor(row / times) * width
      all.set(data.subarray(from, from + width), row * width)
    }
    return { data: all, shape: [rows! * times, ...rest], dtype }
  }
  const named = (values: Padded['lengths']) =>
    Object.fromEntries(entriesOf(values, SOLE_INPUT).map(([name, value]) => [name, each(value)]))
  return {
    inputs: named(batch.inputs),
    ...(batch.lengths && { lengths: named(batch.lengths) }),
    ...(batch.mask && { mask: named(batch.mask) }),
  }
}

function openLoop(model: Model, plan: DecodePlan, call: CallOptions): Promise<Session> {
  const { packing, mask, ...own } = plan
  const key = `${JSON.stringify(own)} ${packing !== undefined} ${mask}`
  return sessionOf(model, DECODING, key, () => traceDecoding(model, plan), call)
}

const DECODING = {}
