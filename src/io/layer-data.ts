/**
 * Layers as plain data: kind, name, options, and for recurrent ones the places of their cells. Reading goes through the
 * layers' own constructors.
 */
import type { Cell } from '../cells/define.ts'
import type { Activation, Initializer } from '../cells/index.ts'
import { Attention, type AttentionOptions, attention, pointer } from '../layers/attention.ts'
import { BatchNorm, type BatchNormOptions, batchNorm } from '../layers/batch-norm.ts'
import { Bidirectional, type BidirectionalOptions } from '../layers/bidirectional.ts'
import { Conv1d, type Conv1dOptions, conv1d } from '../layers/conv1d.ts'
import { Dense, type DenseOptions, dense } from '../layers/dense.ts'
import { Dropout, type DropoutOptions, dropout } from '../layers/dropout.ts'
import { Embedding, type EmbeddingOptions, embedding } from '../layers/embedding.ts'
import { Flatten, flatten } from '../layers/flatten.ts'
import {
  GlobalPooling,
  type GlobalPoolingOptions,
  globalAveragePooling1d,
  globalMaxPooling1d,
} from '../layers/global-pooling.ts'
import { Highway, type HighwayOptions, highway } from '../layers/highway.ts'
import type { Layer } from '../layers/layer.ts'
import { LayerNorm, type LayerNormOptions, layerNorm } from '../layers/layer-norm.ts'
import { Masking, type MaskingOptions, masking } from '../layers/masking.ts'
import {
  add,
  average,
  Concatenate,
  type ConcatenateOptions,
  concatenate,
  Merge,
  maximum,
  multiply,
  subtract,
} from '../layers/merge.ts'
import { averagePooling1d, maxPooling1d, Pooling, type PoolingOptions } from '../layers/pooling.ts'
import { Recurrent, type RecurrentOptions } from '../layers/recurrent.ts'
import { RepeatVector, type RepeatVectorOptions, repeatVector } from '../layers/repeat-vector.ts'
import { Residual, residual } from '../layers/residual.ts'
import { TimeDistributed, timeDistributed } from '../layers/time-distributed.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { readInitializer, writeInitializer } from './cell-data.ts'
import {
  choice,
  entryOf,
  extent,
  type Fields,
  flag,
  integer,
  type Json,
  number,
  object,
  openShape,
  type Read,
  text,
  within,
  writeNumber,
} from './fields.ts'

/** An option's way to the file and back. */
interface Option<T> {
  write(value: T): Json
  readonly read: Read<T>
}

/** One entry an option, so that an option added to a layer does not compile until it is saved. Names stand apart. */
type Options<O> = { readonly [K in Exclude<keyof O, 'name'>]-?: Option<Exclude<O[K], undefined>> }

function asIs<T extends Json>(read: Read<T>): Option<T> {
  return { read, write: (value) => value }
}

const MAX_AXES = 100
const size = asIs(extent)
const truth = asIs(flag)
const real: Option<number> = { read: number, write: writeNumber }
/** The constructor knows which there are. */
const activation = asIs(text as Read<Activation>)
const initializer: Option<Initializer> = { read: object(readInitializer), write: writeInitializer }

const NONE = {} satisfies Options<{ readonly name?: string }>
const ATTENTION: Options<AttentionOptions> = {
  score: asIs(choice(['dot', 'general', 'additive'])),
  units: size,
  scaled: truth,
}
const BATCH_NORM: Options<BatchNormOptions> = {
  momentum: real,
  epsilon: real,
  center: truth,
  scale: truth,
  betaInitializer: initializer,
  gammaInitializer: initializer,
  movingMeanInitializer: initializer,
  movingVarianceInitializer: initializer,
}
const CONCATENATE: Options<ConcatenateOptions> = { axis: asIs(integer(-MAX_AXES, MAX_AXES)) }
const CONV1D: Options<Conv1dOptions> = {
  filters: size,
  kernelSize: size,
  strides: size,
  padding: asIs(choice(['valid', 'same', 'causal'])),
  dilationRate: size,
  activation,
  useBias: truth,
  kernelInitializer: initializer,
  biasInitializer: initializer,
}
const DENSE: Options<DenseOptions> = {
  units: size,
  activation,
  useBias: truth,
  kernelInitializer: initializer,
  biasInitializer: initializer,
  tiedTo: asIs(text),
}
const DROPOUT: Options<DropoutOptions> = {
  rate: real,
  noiseShape: asIs(openShape),
  seed: asIs(integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)),
}
const EMBEDDING: Options<EmbeddingOptions> = {
  inputDim: size,
  outputDim: size,
  embeddingsInitializer: initializer,
  maskZero: truth,
}
const GLOBAL_POOLING: Options<GlobalPoolingOptions> = { keepDims: truth }
const HIGHWAY: Options<HighwayOptions> = { kernelInitializer: initializer, biasInitializer: initializer }
const LAYER_NORM: Options<LayerNormOptions> = { epsilon: real, center: truth, scale: truth }
const MASKING: Options<MaskingOptions> = { maskValue: real }
const POOLING: Options<PoolingOptions> = {
  poolSize: size,
  strides: size,
  padding: asIs(choice(['valid', 'same'])),
}
const RECURRENT: Options<RecurrentOptions> = {
  returnSequences: truth,
  returnState: truth,
  initialState: asIs(choice(['zeros', 'trainable'])),
  goBackwards: truth,
  zeroOutputForMask: truth,
}
const REPEAT_VECTOR: Options<RepeatVectorOptions> = { n: size }
const merge = choice(['concat', 'sum', 'mul', 'ave'])
const BIDIRECTIONAL: Options<Omit<BidirectionalOptions, 'backwardLayer'>> = {
  mergeMode: { read: (value, where) => (value === null ? null : merge(value, where)), write: (mode) => mode },
}

/** Where in the file a layer's cell stands. */
type Place = (layer: Recurrent) => number
type Written = { readonly [field: string]: Json | undefined }

/** A kind of layer's way to the file, undefined for what only bears its name, and back. */
interface Kind {
  write(layer: Layer, place: Place): Written | undefined
  read(fields: Fields, name: string | undefined, cells: readonly Cell[]): Layer
}

type Class<L> = new (...args: never[]) => L

/** Layers that are their options. */
function plain<O extends object>(
  own: Class<Layer & { readonly options: object }>,
  make: (options: O) => Layer,
  options: Options<O>,
): Kind {
  return {
    write: (layer) => (layer instanceof own ? { options: write(options, layer.options) } : undefined),
    read: (fields, name) => make({ ...fields.get('options', reader(options)), name } as O),
  }
}

/** Layers around another one. */
function around<O extends object>(
  own: Class<Layer & { readonly layer: Layer; readonly options: object }>,
  make: (layer: Layer, options: O) => Layer,
  options: Options<O>,
): Kind {
  return {
    write: (layer, place) =>
      layer instanceof own
        ? { options: write(options, layer.options), layer: writeLayer(layer.layer.name, layer.layer, place) }
        : undefined,
    read: (fields, name, cells) => {
      const inner = object((own) => readLayer(own, own.maybe('name', text), cells))
      return make(fields.get('layer', inner), { ...fields.get('options', reader(options)), name } as O)
    },
  }
}

const recurrence = (layer: Recurrent, place: Place) => ({
  ...{ cell: place(layer), options: write(RECURRENT, layer.options) },
})

const readRecurrence: Kind['read'] = (fields, name, cells) => {
  const cell = fields.get('cell', entryOf(cells, 'cell'))
  return new Recurrent(cell, { ...fields.get('options', reader(RECURRENT)), name })
}

const KINDS = {
  add: plain(Merge, add, NONE),
  attention: plain(Attention, attention, ATTENTION),
  average: plain(Merge, average, NONE),
  averagePooling1d: plain(Pooling, averagePooling1d, POOLING),
  batchNorm: plain(BatchNorm, batchNorm, BATCH_NORM),
  bidirectional: {
    write: (layer, place) =>
      layer instanceof Bidirectional
        ? {
            options: write(BIDIRECTIONAL, layer.options),
            forward: recurrence(layer.forward, place),
            backward: recurrence(layer.backward, place),
          }
        : undefined,
    read: (fields, name, cells) => {
      const way = object((own) => readRecurrence(own, undefined, cells) as Recurrent)
      const [forward, backwardLayer] = [fields.get('forward', way), fields.get('backward', way)]
      const options = fields.get('options', reader(BIDIRECTIONAL))
      return new Bidirectional(forward, { ...options, backwardLayer, name })
    },
  },
  concatenate: plain(Concatenate, concatenate, CONCATENATE),
  conv1d: plain(Conv1d, conv1d, CONV1D),
  dense: plain(Dense, dense, DENSE),
  dropout: plain(Dropout, dropout, DROPOUT),
  embedding: plain(Embedding, embedding, EMBEDDING),
  flatten: plain(Flatten, flatten, NONE),
  globalAveragePooling1d: plain(GlobalPooling, globalAveragePooling1d, GLOBAL_POOLING),
  globalMaxPooling1d: plain(GlobalPooling, globalMaxPooling1d, GLOBAL_POOLING),
  highway: around(Highway, highway, HIGHWAY),
  layerNorm: plain(LayerNorm, layerNorm, LAYER_NORM),
  masking: plain(Masking, masking, MASKING),
  maximum: plain(Merge, maximum, NONE),
  maxPooling1d: plain(Pooling, maxPooling1d, POOLING),
  multiply: plain(Merge, multiply, NONE),
  pointer: plain(Attention, pointer, ATTENTION),
  recurrent: {
    write: (layer, place) => (layer instanceof Recurrent ? recurrence(layer, place) : undefined),
    read: readRecurrence,
  },
  repeatVector: plain(RepeatVector, repeatVector, REPEAT_VECTOR),
  residual: around(Residual, residual, NONE),
  subtract: plain(Merge, subtract, NONE),
  timeDistributed: around(TimeDistributed, timeDistributed, NONE),
} as const satisfies Readonly<Record<string, Kind>>

type KindName = keyof typeof KINDS
const KIND_NAMES = Object.keys(KINDS) as KindName[]

/** `place` says where in the file a layer's cell stands. */
export function writeLayer(name: string | undefined, layer: Layer, place: Place): Json {
  // Recurrent layers are called as their cells are, those of users included.
  const own = layer instanceof Recurrent ? 'recurrent' : layer.kind
  const kind = KIND_NAMES.find((each) => each === own)
  const written = kind && (KINDS[kind] as Kind).write(layer, place)
  if (written !== undefined) return { kind, name, ...written }
  throw new ArgumentError(
    `layer ${name ?? layer.kind} cannot be saved: files hold ${KIND_NAMES.join(', ')} layers; received ${layer.kind}`,
  )
}

function readLayer(fields: Fields, name: string | undefined, cells: readonly Cell[]): Layer {
  const kind = fields.get('kind', choice(KIND_NAMES, 'layer'))
  return within(fields.where, () => (KINDS[kind] as Kind).read(fields, name, cells))
}

export function layerReader(cells: readonly Cell[]): Read<Layer> {
  return object((fields) => readLayer(fields, fields.get('name', text), cells))
}

function write<O extends object>(options: Options<O>, values: O): { readonly [name: string]: Json } {
  const given = new Map<string, unknown>(Object.entries(values))
  const written = Object.entries<Option<unknown>>(options).map(([name, option]) => {
    const value = given.get(name)
    return [name, value === undefined ? undefined : option.write(value)]
  })
  return Object.fromEntries(written)
}

/** Options that are missing though they must be there are the constructors' business. */
function reader<O>(options: Options<O>): Read<Omit<O, 'name'>> {
  return object((fields) => {
    const entries = Object.entries<Option<unknown>>(options)
    const found = entries.map(([name, { read }]) => [name, fields.maybe(name, read)] as const)
    return Object.fromEntries(found.filter(([, value]) => value !== undefined)) as Omit<O, 'name'>
  })
}
