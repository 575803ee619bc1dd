/** A character model: a network and the characters it reads and writes. One file holds both. */
import { Vocabulary } from '../data/index.ts'
import { loadModel, saveModel } from '../io/model.ts'
import { readFileBytes } from '../io/node-files.ts'
import { dense } from '../layers/dense.ts'
import { embedding } from '../layers/embedding.ts'
import type { Model } from '../layers/model.ts'
import { lstm } from '../layers/recurrent.ts'
import { sequential } from '../layers/sequential.ts'
import { DataError, FormatError } from '../tensor/errors.ts'
import { constantOf } from '../tensor/size.ts'
import { elementCount } from '../tensor/tensor.ts'
import { generate } from '../train/generate.ts'

export interface TextModel {
  readonly model: Model
  readonly vocabulary: Vocabulary
}

export const EMBEDDING = 64

/**
 * Characters [B, T] → embedding → LSTM → logits [B, T, V]. Its weights are not made yet.
 *
 * The embedding begins as N(0, 1), as PyTorch's does: from Keras's ±0.05 it takes most of an epoch until characters
 * differ enough to be told apart.
 */
export function createTextModel(vocabulary: Vocabulary, units: number): TextModel {
  const model = sequential(
    [
      embedding({
        inputDim: vocabulary.size,
        outputDim: EMBEDDING,
        embeddingsInitializer: { kind: 'normal', deviation: 1 },
      }),
      lstm({ units, returnSequences: true }),
      dense({ units: vocabulary.size }),
    ],
    { input: { shape: [null], dtype: 'i32' } },
  )
  return { model, vocabulary }
}

export function parameterCount({ model }: TextModel): number {
  return [...model.built.params.values()].reduce((sum, { shape }) => sum + elementCount(shape), 0)
}

/** The file's bytes. The characters stand in the order of their ids. */
export function textModelBytes({ model, vocabulary }: TextModel): Uint8Array {
  return saveModel(model, { extra: { vocabulary: vocabulary.characters.join('') } })
}

/**
 * @throws {RecurraError} with the code `file` when it cannot be read
 * @throws {FormatError} when it is not a model file, or its model is not one of characters
 */
export async function loadTextModel(path: string): Promise<TextModel> {
  return readModelFile(path, parseTextModel)
}

/** What a file's bytes are read as; a complaint about them names the file. */
export async function readModelFile<M>(path: string, parse: (bytes: Uint8Array) => M): Promise<M> {
  const bytes = await readFileBytes(path)
  try {
    return parse(bytes)
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause
    throw new FormatError(`${path}: ${cause.message}`, { cause })
  }
}

function parseTextModel(bytes: Uint8Array): TextModel {
  const { model, extra } = loadModel(bytes)
  const characters = Array.from(extra['vocabulary'] ?? '')
  if (characters.length === 0) {
    throw new FormatError('this model has no vocabulary, so it does not write text. Make one: recurra train')
  }
  if (new Set(characters).size < characters.length) {
    throw new FormatError('its vocabulary names a character twice')
  }
  const { input, output } = model
  if (input.dtype !== 'i32' || String(input.shape) !== String([null])) {
    throw new FormatError('its network does not read characters, i32 [B, T]')
  }
  if (!output.sequence || output.shape.length !== 2 || constantOf(output.shape[1]!) !== characters.length) {
    throw new FormatError(
      `its network does not choose among the ${characters.length} characters of its vocabulary`,
    )
  }
  return { model, vocabulary: Vocabulary.from(characters) }
}

export interface WriteOptions {
  /** Read first, not written out. Empty: the model begins a line. */
  readonly prompt?: string
  /** Characters to write. */
  readonly length: number
  readonly temperature?: number
  readonly seed?: number
}

/**
 * Yields what the model writes after a prompt, a character at a time.
 *
 * @throws {DataError} when the prompt has a character that the model does not know
 */
export async function* writeText(
  { model, vocabulary }: TextModel,
  { prompt = '', ...options }: WriteOptions,
): AsyncGenerator<string, void> {
  const known = new Set(vocabulary.characters)
  const unknown = Array.from(prompt).find((character) => !known.has(character))
  if (unknown !== undefined) {
    throw new DataError(
      `the prompt has ${JSON.stringify(unknown)}, which the model never read: it knows ` +
        `${JSON.stringify(vocabulary.characters.join(''))}`,
    )
  }
  const first = known.has('\n') ? '\n' : vocabulary.characters[0]!
  const ids = vocabulary.encode(prompt === '' ? first : prompt)
  for await (const id of generate(model, { ...options, prompt: ids })) yield vocabulary.characters[id]!
}

/** What the model writes, whole. */
export async function textOf(textModel: TextModel, options: WriteOptions): Promise<string> {
  let text = ''
  for await (const character of writeText(textModel, options)) text += character
  return text
}
