/**
 * Layers as plain data: kind, name, options, and for recurrent ones the places of their cells. Reading goes through the
 * layers' own constructors.
 */
import type { Activation } from '../cells/activations.ts'
import type { Cell } from '../cells/define.ts'
import type { Initializer } from '../init/initializers.ts'
import type { Rule } from '../init/rules.ts'
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
import { Recurrent, type RecurrentOptions, type Zoneout } from '../layers/recurrent.ts'
import { RepeatVector, type RepeatVectorOptions, repeatVector } from '../layers/repeat-vector.ts'
import { Residual, residual } from '../layers/residual.ts'
import type { ScalingOptions } from '../layers/scaling.ts'
import { TimeDistributed, timeDistributed } from '../layers/time-distributed.ts'
import { ArgumentError } from '../tensor/errors.ts'
import {
  readFunction,
  readInitializer,
  readRule,
  type writeFunction,
  type writeInitializer,
} from './cell-data.ts'
import {
  choice,
  entryOf,
  extent,
  type Fields,
  flag,
  integer,
  type Json,
  list,
  number,
  object,
  openShape,
  type Read,
  text,
  within,
  writeNumber,
} from './fields.ts'

type RuleKind = 'regularizer' | 'constraint'
/** How what stands elsewhere in the file, or is a graph, is written: what only loads files need not know it. */
interface Way {
  /** The place of a layer's cell. */
  readonly place: (layer: Recurrent) => number
  /** A rule of a layer's own parameter; nothing where there is none, such as a bias that is not used. */
  readonly writeRule: (leaf: string, rule: Rule<RuleKind>) => Json | undefined
  readonly writeFunction: typeof writeFunction
  readonly writeInitializer: typeof writeInitializer
}

/** An option's way to the file, beside the layer's other options, and back. */
interface Option<T> {
  write(value: T, way: Way, options: object): Json | undefined
  readonly read: Read<T>
}

/** One entry an option, so that an option added to a layer does not compile until it is saved. Names stand apart. */
type Options<O> = { readonly [K in Exclude<keyof O, 'name'>]-?: Option<Exclude<O[K], undefined>> }

function asIs<T extends Json>(read: Read<T>): Option<T> {
  return { read, write: (value) => value }
}

const size = asIs(extent)
const truth = asIs(flag)
/** The constructor knows which there are. */
const word = asIs(text) as Option<never>
const seed = asIs(integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER))
const real: Option<number> = { read: number, write: writeNumber }
const readActivation = object((fields): Activation => readFunction(fields, ['B']))
/** A name, of which the constructor knows which there are, or the graph of a function of rows of so many features. */
function activationOn<K extends string>(features: K): Option<Activation> {
  return {
    read: (value, where) =>
      typeof value === 'string' ? word.read(value, where) : readActivation(value, where),
    write: (value, { writeFunction }, options) =>
      typeof value === 'string'
        ? value
        : writeFunction('x', ['B', (options as Record<K, number>)[features]], value),
  }
}
const initializer: Option<Initializer> = {
  read: object(readInitializer),
  write: (value, { writeInitializer }) => writeInitializer(value),
}
/** A rule of the parameter of that name. */
function ruleOf<K extends RuleKind>(kind: K, leaf: string): Option<Rule<K>> {
  return { read: readRule(kind), write: (value, { writeRule }) => writeRule(leaf, value) }
}

type Said<R extends string> = { readonly [K in `${R}Initializer`]: typeof initializer } & {
  readonly [K in `${R}Regularizer`]: Option<Rule<'regularizer'>>
} & { readonly [K in `${R}Constraint`]: Option<Rule<'constraint'>> }

/** What options say of the parameter of that name. */
function said<R extends string>(role: R, leaf: string): Said<R> {
  return {
    [`${role}Initializer`]: initializer,
    [`${role}Regularizer`]: ruleOf('regularizer', leaf),
    [`${role}Constraint`]: ruleOf('constraint', leaf),
  } as Said<R>
}

/** One rate, or those of states in order. */
const readRates = list(object((fields) => [fields.get('state', text), fields.get('rate', number)] as const))
const readZoneout: Read<Zoneout> = (value, where) =>
  Array.isArray(value) ? Object.fromEntries(readRates(value, where)) : number(value, where)
const writeZoneout = (value: Zoneout): Json =>
  typeof value === 'number' ? value : Object.entries(value).map(([state, rate]) => ({ state, rate }))

const NONE = {} satisfies Options<{ readonly name?: string }>
const ATTENTION: Options<AttentionOptions> = {
  score: word,
  units: size,
  scaled: truth,
  dropout: real,
  seed,
}
const SCALING: Options<ScalingOptions> = {
  center: truth,
  scale: truth,
  ...said('beta', 'b'),
  ...said('gamma', 'g'),
}
const BATCH_NORM: Options<BatchNormOptions> = {
  momentum: real,
  epsilon: real,
  ...SCALING,
  movingMeanInitializer: initializer,
  movingVarianceInitializer: initializer,
}
const CONCATENATE: Options<ConcatenateOptions> = { axis: asIs(integer(-100, 100)) }
const CONV1D: Options<Conv1dOptions> = {
  filters: size,
  kernelSize: size,
  strides: size,
  padding: word,
  dilationRate: size,
  groups: size,
  activation: activationOn('filters'),
  useBias: truth,
  ...said('kernel', 'K'),
  ...said('bias', 'b'),
}
const DENSE: Options<DenseOptions> = {
  units: size,
  activation: activationOn('units'),
  useBias: truth,
  ...said('kernel', 'V'),
  ...said('bias', 'c'),
  tiedTo: asIs(text),
}
const DROPOUT: Options<DropoutOptions> = {
  rate: real,
  noiseShape: asIs(openShape),
  seed,
}
const EMBEDDING: Options<EmbeddingOptions> = {
  inputDim: size,
  outputDim: size,
  ...said('embeddings', 'E'),
  maskZero: truth,
}
const GLOBAL_POOLING: Options<GlobalPoolingOptions> = { keepDims: truth }
const HIGHWAY: Options<HighwayOptions> = { kernelInitializer: initializer, biasInitializer: initializer }
const LAYER_NORM: Options<LayerNormOptions> = { epsilon: real, ...SCALING }
const MASKING: Options<MaskingOptions> = { maskValue: real }
const POOLING: Options<PoolingOptions> = {
  poolSize: size,
  strides: size,
  padding: word,
}
const RECURRENT: Options<RecurrentOptions> = {
  returnSequences: truth,
  returnState: truth,
  initialState: word,
  goBackwards: truth,
  zeroOutputForMask: truth,
  seed,
  zoneout: { read: readZoneout, write: writeZoneout },
  stateful: truth,
}
const REPEAT_VECTOR: Options<RepeatVectorOptions> = { n: size }
const BIDIRECTIONAL: Options<Omit<BidirectionalOptions, 'backwardLayer'>> = {
  mergeMode: { read: (value, where) => (value === null ? null : word.read(value, where)), write: word.write },
}

type Written = { readonly [field: string]: Json | undefined }

/** A kind of layer's way to the file, undefined for what only bears its name, and back. */
interface Kind {
  write(layer: Layer, way: Way): Written | undefined
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
    write: (layer, way) =>
      layer instanceof own ? { options: write(options, layer.options, way) } : undefined,
    read: (fields, name) => make({ ...fields.get('options', reader(options)), name } as O),
  }
}

/** Layers around another one. */
function around<O extends object>(
  own: Class<Layer & { readonly layer: Layer; readonly options: object }>,
  make: (layer: Layer, options: O) => Layer,
  options: Options<O>,
  /** What stands before the names of the inner layer's parameters. */
  prefix = '',
): Kind {
  const inside = (way: Way): Way => ({
    ...way,
    writeRule: (leaf, rule) => way.writeRule(`${prefix}${leaf}`, rule),
  })
  return {
    write: (layer, way) =>
      layer instanceof own
        ? {
            options: write(options, layer.options, way),
            layer: writeLayer(layer.layer.name, layer.layer, inside(way)),
          }
        : undefined,
    read: (fields, name, cells) => {
      const inner = object((own) => readLayer(own, own.maybe('name', text), cells))
      return make(fields.get('layer', inner), { ...fields.get('options', reader(options)), name } as O)
    },
  }
}

const recurrence = (layer: Recurrent, way: Way) => ({
  ...{ cell: way.place(layer), options: write(RECURRENT, layer.options, way) },
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
    write: (layer, way) =>
      layer instanceof Bidirectional
        ? {
            options: write(BIDIRECTIONAL, layer.options, way),
            forward: recurrence(layer.forward, way),
            backward: recurrence(layer.backward, way),
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
  highway: around(Highway, highway, HIGHWAY, 'layer '),
  layerNorm: plain(LayerNorm, layerNorm, LAYER_NORM),
  masking: plain(Masking, masking, MASKING),
  maximum: plain(Merge, maximum, NONE),
  maxPooling1d: plain(Pooling, maxPooling1d, POOLING),
  multiply: plain(Merge, multiply, NONE),
  pointer: plain(Attention, pointer, ATTENTION),
  recurrent: {
    write: (layer, way) => (layer instanceof Recurrent ? recurrence(layer, way) : undefined),
    read: readRecurrence,
  },
  repeatVector: plain(RepeatVector, repeatVector, REPEAT_VECTOR),
  residual: around(Residual, residual, NONE),
  subtract: plain(Merge, subtract, NONE),
  timeDistributed: around(TimeDistributed, timeDistributed, NONE),
} as const satisfies Readonly<Record<string, Kind>>

type KindName = keyof typeof KINDS
const KIND_NAMES = Object.keys(KINDS) as KindName[]

export function writeLayer(name: string | undefined, layer: Layer, way: Way): Json {
  // Recurrent layers are called as their cells are, those of users included.
  const own = layer instanceof Recurrent ? 'recurrent' : layer.kind
  const kind = KIND_NAMES.find((each) => each === own)
  const written = kind && (KINDS[kind] as Kind).write(layer, way)
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

function write<O extends object>(
  options: Options<O>,
  values: O,
  way: Way,
): { readonly [name: string]: Json | undefined } {
  const given = new Map<string, unknown>(Object.entries(values))
  const all = Object.entries<Option<unknown>>(options).map(([name, option]) => {
    const value = given.get(name)
    return [name, value === undefined ? undefined : option.write(value, way, values)]
  })
  return Object.fromEntries(all)
}

/** Options that are missing though they must be there are the constructors' business. */
function reader<O>(options: Options<O>): Read<Omit<O, 'name'>> {
  return object((fields) => {
    const entries = Object.entries<Option<unknown>>(options)
    const found = entries.map(([name, { read }]) => [name, fields.maybe(name, read)] as const)
    return Object.fromEntries(found.filter(([, value]) => value !== undefined)) as Omit<O, 'name'>
  })
}
