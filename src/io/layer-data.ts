/**
 * Layers as plain data: kind, name, options, and for a recurrent one the place of its cell. Reading goes through the
 * layers' own constructors.
 */
import type { Cell } from '../cells/define.ts'
import { Dense, type DenseOptions } from '../layers/dense.ts'
import { Embedding, type EmbeddingOptions } from '../layers/embedding.ts'
import type { Layer } from '../layers/layer.ts'
import { Recurrent, type RecurrentOptions } from '../layers/recurrent.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { readInitializer, writeInitializer } from './cell-data.ts'
import { choice, entryOf, flag, integer, type Json, object, type Read, text, within } from './fields.ts'

/** One reader an option, so that an option added to a layer does not compile until it is saved. Names stand apart. */
type OptionReaders<O> = { readonly [K in Exclude<keyof O, 'name'>]-?: Read<NonNullable<O[K]>> }

const size = integer(1, 2 ** 31 - 1)

const DENSE: OptionReaders<DenseOptions> = {
  units: size,
  // The constructor knows which there are.
  activation: text as Read<NonNullable<DenseOptions['activation']>>,
}
const EMBEDDING: OptionReaders<EmbeddingOptions> = {
  inputDim: size,
  outputDim: size,
  embeddingsInitializer: object(readInitializer),
}
const RECURRENT: OptionReaders<RecurrentOptions> = {
  returnSequences: flag,
  returnState: flag,
  initialState: choice(['zeros', 'trainable']),
  goBackwards: flag,
}

/** `place` says where in the file a layer's cell stands. */
export function writeLayer(name: string, layer: Layer, place: (layer: Recurrent) => number): Json {
  if (layer instanceof Dense) return { kind: 'dense', name, options: writeOptions(DENSE, layer.options) }
  if (layer instanceof Embedding) {
    const { embeddingsInitializer: init, ...options } = layer.options
    const written = init === undefined ? {} : { embeddingsInitializer: writeInitializer(init) }
    const sizes = writeOptions({ inputDim: size, outputDim: size }, options)
    return { kind: 'embedding', name, options: { ...sizes, ...written } }
  }
  if (layer instanceof Recurrent) {
    return { kind: 'recurrent', name, cell: place(layer), options: writeOptions(RECURRENT, layer.options) }
  }
  throw new ArgumentError(
    `layer ${name} cannot be saved: files hold dense, embedding and recurrent layers; received ${layer.kind}`,
  )
}

export function layerReader(cells: readonly Cell[]): Read<Layer> {
  return object((fields) => {
    const kind = fields.get('kind', choice(['dense', 'embedding', 'recurrent'], 'layer'))
    const name = fields.get('name', text)
    return within(fields.where, () => {
      if (kind === 'dense') return new Dense({ ...fields.get('options', optionsReader(DENSE)), name })
      if (kind === 'embedding')
        return new Embedding({ ...fields.get('options', optionsReader(EMBEDDING)), name })
      const cell = fields.get('cell', entryOf(cells, 'cell'))
      return new Recurrent(cell, { ...fields.get('options', optionsReader(RECURRENT)), name })
    })
  })
}

function writeOptions<O extends object>(
  readers: OptionReaders<O>,
  options: O,
): { readonly [name: string]: Json } {
  const given = new Map(Object.entries(options))
  return Object.fromEntries(Object.keys(readers).map((name) => [name, given.get(name)]))
}

/** Options that are missing though they must be there are the constructors' business. */
function optionsReader<O>(readers: OptionReaders<O>): Read<O> {
  return object((fields) => {
    const entries = Object.entries<Read<unknown>>(readers)
    const found = entries.map(([name, read]) => [name, fields.maybe(name, read)] as const)
    return Object.fromEntries(found.filter(([, value]) => value !== undefined)) as O
  })
}
