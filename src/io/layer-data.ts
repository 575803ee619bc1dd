/**
 * Layers as plain data: kind, name, options, and for recurrent ones the places of their cells. Reading goes through the
 * layers' own constructors.
 */
import type { Cell } from '../cells/define.ts'
import type { Activation, Initializer } from '../cells/index.ts'
import type { Rule } from '../init/rules.ts'
import { BatchNorm, type BatchNormOptions } from '../layers/batch-norm.ts'
import { Bidirectional, type BidirectionalOptions } from '../layers/bidirectional.ts'
import { Dense, type DenseOptions } from '../layers/dense.ts'
import { Dropout, type DropoutOptions } from '../layers/dropout.ts'
import { Embedding, type EmbeddingOptions } from '../layers/embedding.ts'
import type { Layer } from '../layers/layer.ts'
import { LayerNorm, type LayerNormOptions } from '../layers/layer-norm.ts'
import { Recurrent, type RecurrentOptions, type Zoneout } from '../layers/recurrent.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { readInitializer, readRule, writeInitializer } from './cell-data.ts'
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
/** Writes a rule of a layer's own parameter; nothing where there is none, such as a bias that is not used. */
export type WriteRule = (leaf: string, rule: Rule<RuleKind>) => Json | undefined

/** An option's way to the file and back. */
interface Option<T> {
  write(value: T, writeRule: WriteRule): Json | undefined
  readonly read: Read<T>
}

/** One entry an option, so that an option added to a layer does not compile until it is saved. Names stand apart. */
type Options<O> = { readonly [K in Exclude<keyof O, 'name'>]-?: Option<NonNullable<O[K]>> }

function asIs<T extends Json>(read: Read<T>): Option<T> {
  return { read, write: (value) => value }
}

const size = asIs(extent)
const truth = asIs(flag)
const seed = asIs(integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER))
const real: Option<number> = { read: number, write: writeNumber }
/** The constructor knows which there are. */
const activation = asIs(text as Read<Activation>)
const initializer: Option<Initializer> = { read: object(readInitializer), write: writeInitializer }
/** A rule of the parameter of that name. */
function ruleOf<K extends RuleKind>(kind: K, leaf: string): Option<Rule<K>> {
  return { read: readRule(kind), write: (value, writeRule) => writeRule(leaf, value) }
}

/** One rate, or those of states in order. */
const readRates = list(object((fields) => [fields.get('state', text), fields.get('rate', number)] as const))
const readZoneout: Read<Zoneout> = (value, where) =>
  Array.isArray(value) ? Object.fromEntries(readRates(value, where)) : number(value, where)
const writeZoneout = (value: Zoneout): Json =>
  typeof value === 'number' ? value : Object.entries(value).map(([state, rate]) => ({ state, rate }))

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
const DENSE: Options<DenseOptions> = {
  units: size,
  activation,
  useBias: truth,
  kernelInitializer: initializer,
  biasInitializer: initializer,
  kernelRegularizer: ruleOf('regularizer', 'V'),
  biasRegularizer: ruleOf('regularizer', 'c'),
  kernelConstraint: ruleOf('constraint', 'V'),
  biasConstraint: ruleOf('constraint', 'c'),
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
  embeddingsInitializer: initializer,
  embeddingsRegularizer: ruleOf('regularizer', 'E'),
  embeddingsConstraint: ruleOf('constraint', 'E'),
}
const LAYER_NORM: Options<LayerNormOptions> = { epsilon: real, center: truth, scale: truth }
const RECURRENT: Options<RecurrentOptions> = {
  returnSequences: truth,
  returnState: truth,
  initialState: asIs(choice(['zeros', 'trainable'])),
  goBackwards: truth,
  seed,
  zoneout: { read: readZoneout, write: writeZoneout },
}
const BIDIRECTIONAL: Options<Omit<BidirectionalOptions, 'backwardLayer'>> = {
  mergeMode: asIs(choice(['concat', 'sum', 'mul', 'ave'])),
}

/** `place` says where in the file a layer's cell stands. */
export function writeLayer(
  name: string,
  layer: Layer,
  place: (layer: Recurrent) => number,
  writeRule: WriteRule,
): Json {
  const write = <O extends object>(options: Options<O>, values: O) => written(options, values, writeRule)
  const recurrence = (each: Recurrent) => ({ cell: place(each), options: write(RECURRENT, each.options) })
  if (layer instanceof BatchNorm)
    return { kind: 'batchNorm', name, options: write(BATCH_NORM, layer.options) }
  if (layer instanceof Dense) return { kind: 'dense', name, options: write(DENSE, layer.options) }
  if (layer instanceof Dropout) return { kind: 'dropout', name, options: write(DROPOUT, layer.options) }
  if (layer instanceof Embedding) return { kind: 'embedding', name, options: write(EMBEDDING, layer.options) }
  if (layer instanceof LayerNorm)
    return { kind: 'layerNorm', name, options: write(LAYER_NORM, layer.options) }
  if (layer instanceof Recurrent) return { kind: 'recurrent', name, ...recurrence(layer) }
  if (layer instanceof Bidirectional) {
    const [forward, backward] = [recurrence(layer.forward), recurrence(layer.backward)]
    return { kind: 'bidirectional', name, options: write(BIDIRECTIONAL, layer.options), forward, backward }
  }
  throw new ArgumentError(
    `layer ${name} cannot be saved: files hold ${Object.keys(READERS).join(', ')} layers; received ${layer.kind}`,
  )
}

type Reader = (fields: Fields, name: string, cells: readonly Cell[]) => Layer

const READERS = {
  batchNorm: (fields, name) => new BatchNorm({ ...fields.get('options', reader(BATCH_NORM)), name }),
  dense: (fields, name) => new Dense({ ...fields.get('options', reader(DENSE)), name }),
  dropout: (fields, name) => new Dropout({ ...fields.get('options', reader(DROPOUT)), name }),
  embedding: (fields, name) => new Embedding({ ...fields.get('options', reader(EMBEDDING)), name }),
  layerNorm: (fields, name) => new LayerNorm({ ...fields.get('options', reader(LAYER_NORM)), name }),
  recurrent: readRecurrent,
  bidirectional: (fields, name, cells) => {
    const read = object((own) => readRecurrent(own, undefined, cells))
    const [forward, backwardLayer] = [fields.get('forward', read), fields.get('backward', read)]
    return new Bidirectional(forward, {
      ...fields.get('options', reader(BIDIRECTIONAL)),
      backwardLayer,
      name,
    })
  },
} as const satisfies Readonly<Record<string, Reader>>

function readRecurrent(fields: Fields, name: string | undefined, cells: readonly Cell[]): Recurrent {
  const cell = fields.get('cell', entryOf(cells, 'cell'))
  return new Recurrent(cell, { ...fields.get('options', reader(RECURRENT)), name })
}

export function layerReader(cells: readonly Cell[]): Read<Layer> {
  return object((fields) => {
    const kind = fields.get('kind', choice(Object.keys(READERS) as (keyof typeof READERS)[], 'layer'))
    const name = fields.get('name', text)
    return within(fields.where, () => READERS[kind](fields, name, cells))
  })
}

function written<O extends object>(
  options: Options<O>,
  values: O,
  writeRule: WriteRule,
): { readonly [name: string]: Json | undefined } {
  const given = new Map<string, unknown>(Object.entries(values))
  const all = Object.entries<Option<unknown>>(options).map(([name, option]) => {
    const value = given.get(name)
    return [name, value === undefined ? undefined : option.write(value, writeRule)]
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
