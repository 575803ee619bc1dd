/**
 * Models as files: one safetensors file whose tensors are the weights by path and whose metadata describes the rest
 * under `recurra`: input, layers, cells, and which of the weights are not trained. What callers add stands beside it under `extra:`; a training's state among the
 * tensors, see state-data.ts; `checksum` is of all bytes.
 * Holds: loading runs no code from the file and needs none that is not here; a model that is loaded predicts the
 * same, bit for bit, and is saved as the same bytes.
 */

import { Model } from '../layers/model.ts'
import { tracedFor } from '../layers/reading.ts'
import type { Recurrent } from '../layers/recurrent.ts'
import { sequential } from '../layers/sequential.ts'
import { requireKnown } from '../tensor/checks.ts'
import { ArgumentError, FormatError } from '../tensor/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { readCell, writeCell, writeFunction, writeInitializer, writeRule } from './cell-data.ts'
import { CHECKSUM, checksumOf, NO_CHECKSUM, sealed } from './checksum.ts'
import {
  fault,
  integer,
  type Json,
  list,
  object,
  parseJson,
  type Read,
  shown,
  text,
  within,
} from './fields.ts'
import { flowReader, isChain, readInput, writeFlow, writeInput } from './flow-data.ts'
import { layerReader, writeLayer } from './layer-data.ts'
import { readSafetensors, writeSafetensors } from './safetensors.ts'
import { readState, splitState, type Tensors, writeState } from './state-data.ts'

const FORMAT = 1
const DESCRIPTION = 'recurra'
const EXTRA = 'extra:'

export interface SaveOptions {
  /** Texts to keep with the model, such as a vocabulary. */
  readonly extra?: Readonly<Record<string, string>>
  /**
   * What `state()` of a run gave, so that training can go on from the file, bit for bit. Parameters that it shares with
   * the model are stored once.
   */
  readonly state?: Tensors
}

export interface LoadedModel {
  readonly model: Model
  /** The texts that were saved beside the model. */
  readonly extra: Readonly<Record<string, string>>
  /** For `fit`'s `resume`, which checks that it fits the training; undefined where none was saved. */
  readonly state: Map<string, Tensor> | undefined
}

/**
 * A model as the bytes of one file: weights, layers, and the graphs of its cells. The same model gives the same bytes.
 *
 *     const run = fit(net, batches, { loss: 'meanSquaredError', epochs: 3 })
 *     await run
 *     const bytes = saveModel(net, { state: await run.state() })
 *
 *     const { model, state } = loadModel(bytes)    // perhaps in another process
 *     await fit(model, batches, { loss: 'meanSquaredError', epochs: 5, resume: state! })    // two more
 *
 * @throws {ArgumentError} when the model does not know its input yet, a layer is of a kind that files do not hold, a
 * parameter is not finite, `extra` holds anything but strings, or `state` is not of this model
 */
export function saveModel(model: Model, options: SaveOptions = {}): Uint8Array {
  if (!(model instanceof Model)) throw new ArgumentError('saveModel: expected a model first')
  requireKnown('saveModel', options, ['extra', 'state'])
  const { extra = {}, state } = options
  const extras = Object.entries<unknown>(extra).map(([name, value]) => {
    if (typeof value === 'string') return [`${EXTRA}${name}`, value]
    throw new ArgumentError(
      `saveModel: extra holds strings; received ${typeof value} for ${shown(name)}: JSON.stringify makes it one`,
    )
  })
  const weights = model.weights()
  const rest = state === undefined ? [] : writeState(state, weights)
  const odd = notFinite(weights, [weights, state])
  if (odd !== undefined) throw new ArgumentError(`saveModel: ${odd}`)
  const file = writeSafetensors(new Map([...weights, ...rest]), {
    [CHECKSUM]: NO_CHECKSUM,
    [DESCRIPTION]: JSON.stringify(describe(model)),
    ...Object.fromEntries(extras),
  })
  return sealed(file)
}

/**
 * The model in a file, and what was saved beside it. Cells come as their graphs: the code that defined them is not needed.
 *
 * @throws {FormatError} naming what is wrong with the file, and where
 * @throws {ArgumentError} for anything but a Uint8Array
 */
export function loadModel(bytes: Uint8Array): LoadedModel {
  requireBytes(bytes)
  const { tensors, metadata } = readSafetensors(bytes)
  const extra: Record<string, string> = Object.create(null)
  let description: string | undefined
  for (const [name, value] of Object.entries(metadata)) {
    if (name === DESCRIPTION) description = value
    else if (name.startsWith(EXTRA)) extra[name.slice(EXTRA.length)] = value
    else if (name !== CHECKSUM) throw fault('', `unknown metadata ${shown(name)}`)
  }
  if (description === undefined)
    throw fault('', `it holds tensors, but no description under ${shown(DESCRIPTION)}`)
  if (metadata[CHECKSUM] !== checksumOf(bytes)) {
    throw new FormatError('the file is damaged: its checksum does not fit its bytes. Copy or save it again')
  }
  const model = readModel(parseJson(description, DESCRIPTION), '')
  const { weights, rest } = splitState(tensors)
  within('weights', () => model.setWeights(weights))
  const odd = notFinite(weights, [weights, rest])
  if (odd !== undefined) throw fault('weights', odd)
  return { model, extra, state: rest && readState(rest, weights) }
}

function requireBytes(bytes: unknown): void {
  // By name, since a Uint8Array of another realm is one too.
  const name = Object.prototype.toString.call(bytes).slice(8, -1)
  if (name === 'Uint8Array') return
  const advice = name === 'ArrayBuffer' ? ': write new Uint8Array(buffer)' : ''
  throw new ArgumentError(`loadModel: expected the file's bytes as a Uint8Array; received ${name}${advice}`)
}

/** Says where the first number of a parameter stands that is NaN or infinite. */
function notFinite(params: Tensors, all: readonly (Tensors | undefined)[]): string | undefined {
  for (const [path, { data }] of all.flatMap((tensors) => [...(tensors ?? [])])) {
    if (!params.has(path)) continue
    const at = data.findIndex((value: number) => !Number.isFinite(value))
    if (at >= 0) return `parameter ${shown(path)} holds ${data[at]} at element ${at}`
  }
  return undefined
}

function describe(model: Model): Json {
  const { inputs, params, variables, calls } = model.built
  const cells: Json[] = []
  const places = new Map<string, number>()
  const place = (at: number) => (layer: Recurrent) => {
    const data = writeCell(tracedFor(layer.cell, calls[at]!.inputs), layer.cell.options)
    const key = JSON.stringify(data)
    const known = places.get(key) ?? cells.push(data) - 1
    places.set(key, known)
    return known
  }
  const first = model.calls.flatMap(({ name, weights }, at) => (name === weights ? [at] : []))
  const layers = first.map((at) => {
    const { name, layer } = model.calls[at]!
    return writeLayer(name, layer, {
      place: place(at),
      ...{ writeFunction, writeInitializer },
      writeRule: (leaf, rule) => {
        const parameter = params.get(`${name}/${leaf}`)
        return parameter && writeRule(rule, parameter.shape)
      },
    })
  })
  const nonTrainable = variables.size === 0 ? {} : { nonTrainable: [...variables.keys()] }
  const kept = { layers, cells, ...nonTrainable }
  const [sole] = inputs.values()
  if (isChain(model)) return { format: FORMAT, input: writeInput(sole!), ...kept }
  return { format: FORMAT, flow: writeFlow(model), ...kept }
}

const MAX_LAYERS = 1000

const readFormat: Read<number> = (value, where) => {
  const format = integer(1, Number.MAX_SAFE_INTEGER)(value, where)
  if (format === FORMAT) return format
  throw fault(
    where,
    `is ${format}, but this version reads ${FORMAT}: update recurra to the version that wrote the file`,
  )
}

const readModel: Read<Model> = object((fields) => {
  fields.get('format', readFormat)
  const input = fields.maybe('input', readInput)
  const cells = fields.get('cells', list(readCell, MAX_LAYERS))
  const layers = fields.get('layers', list(layerReader(cells), MAX_LAYERS))
  const model =
    input === undefined
      ? fields.get('flow', flowReader(layers))
      : within('layers', () => sequential(layers, { input }))
  const marked = fields.maybe('nonTrainable', list(text, MAX_LAYERS)) ?? []
  const expected = [...model.built.variables.keys()]
  if (String(marked) === String(expected)) return model
  throw fault(
    'nonTrainable',
    `names ${marked.join(', ') || 'nothing'}; its layers have ${expected.join(', ') || 'no variables'}`,
  )
})
