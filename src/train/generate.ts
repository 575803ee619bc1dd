/** Writing: one token after another, each fed back in. */
import type { Backend } from '../codegen/compile.ts'
import { type Model, requireModel } from '../layers/model.ts'
import { requireKnown, requireNumber, requireSeed, said } from '../tensor/checks.ts'
import type { TensorData } from '../tensor/dtype.ts'
import { ArgumentError, DataError } from '../tensor/errors.ts'
import { exp } from '../tensor/math.ts'
import { streamOf, uniform } from '../tensor/random.ts'
import { constantOf } from '../tensor/size.ts'
import { pause } from './run.ts'
import { reader } from './stepping.ts'
import { requireTokens } from './vocabulary.ts'

export interface GenerateOptions {
  /** Tokens that the model reads first; at least one. */
  readonly prompt: ArrayLike<number>
  /** How many tokens to write. */
  readonly length: number
  /** Logits are divided by it: below 1 likelier tokens gain, 0 always takes the likeliest. Default: 1. */
  readonly temperature?: number
  /** Default: 0. */
  readonly seed?: number
  readonly backend?: Backend
}

/**
 * Yields tokens that a model of tokens [B, T] → logits [B, T, V] writes after a prompt, each drawn from
 * softmax(logits / temperature). The same seed gives the same tokens.
 *
 * @throws {ArgumentError} for options outside their range, and another model
 * @throws {DataError} for a prompt that is empty, and a token outside the model's vocabulary
 */
export async function* generate(model: Model, options: GenerateOptions): AsyncGenerator<number, void> {
  requireModel('generate', model)
  requireKnown('generate', options, ['prompt', 'length', 'temperature', 'seed', 'backend'])
  const { length, temperature = 1, seed = 0, prompt } = options
  requireSeed('generate', seed)
  model.requireForward('generate')
  checkOptions(model, options, temperature)
  let tokens = Int32Array.from(prompt)
  await requireTokens(model, { inputs: { data: tokens, shape: [1, tokens.length], dtype: 'i32' } })
  const read = await reader(model, 1, options.backend)
  const stream = streamOf('generate')
  const classes = constantOf(model.output.shape.at(-1)!)!
  for (let i = 0; i < length; i++) {
    const logits = await read(tokens, tokens.length)
    const token = draw(logits.subarray(logits.length - classes), temperature, uniform(seed, stream, i))
    yield token
    await pause()
    tokens = Int32Array.of(token)
  }
}

function checkOptions(model: Model, { length, prompt }: GenerateOptions, temperature: number): void {
  const { input, output } = model
  if (input.dtype !== 'i32' || output.shape.length !== 2 || !output.sequence) {
    throw new ArgumentError('generate: expected a model of tokens [B, T] → logits [B, T, V]')
  }
  if (!Number.isInteger(length) || length < 0) {
    throw new ArgumentError(`generate: length must be an integer of at least 0; received ${said(length)}`)
  }
  requireNumber('generate', 'temperature', temperature, 'of at least 0')
  if (typeof prompt !== 'object' || !Number.isInteger(prompt?.length)) {
    throw new ArgumentError(
      `generate: prompt must be a list of tokens, such as Vocabulary.encode makes; received ${typeof prompt}`,
    )
  }
  const odd = Array.from(prompt).findIndex((token) => !Number.isInteger(token) || Math.abs(token) >= 2 ** 31)
  if (odd >= 0) {
    throw new DataError(`generate: tokens are integers of 32 bits; received ${said(prompt[odd])} at ${odd}`)
  }
  if (prompt.length === 0) throw new DataError('generate: the prompt needs at least one token; received none')
}

/** The index where the running sum of softmax(logits / temperature) passes `chance`. */
function draw(logits: TensorData, temperature: number, chance: number): number {
  const highest = Math.max(...logits)
  if (temperature === 0) return logits.indexOf(highest)
  const weights = Array.from(logits, (value) => exp((value - highest) / temperature))
  let left = chance * weights.reduce((sum, weight) => sum + weight, 0)
  for (const [i, weight] of weights.entries()) {
    left -= weight
    if (left < 0) return i
  }
  return weights.length - 1
}
