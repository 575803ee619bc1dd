/** What of a model reads what, as plain data: inputs, calls of layers by their places, outputs. */
import type { Layer } from '../layers/layer.ts'
import { Model } from '../layers/model.ts'
import { type Call, type InputSpec, SOLE_INPUT, SOLE_OUTPUT, type Source } from '../layers/parts.ts'
import { WIRING } from '../layers/wiring.ts'
import {
  entryOf,
  extent,
  type Fields,
  fault,
  integer,
  type Json,
  list,
  object,
  type Read,
  text,
  within,
} from './fields.ts'
import { dtype } from './op-data.ts'

export const writeInput = ({ shape, dtype }: InputSpec): Json => ({ shape, dtype })

const inputFields = (fields: Fields): InputSpec => ({
  shape: fields.get('shape', list(openSize)),
  dtype: fields.get('dtype', dtype),
})
export const readInput: Read<InputSpec> = object(inputFields)

/** A size, null for time, or the name of a time. */
function openSize(value: unknown, where: string): number | string | null {
  return value === null ? null : typeof value === 'string' ? value : extent(value, where)
}

/** Whether layers stand one after the other, so that their list says all. */
export function isChain(model: Model): boolean {
  const { calls, outputs, built } = model
  const last = outputs.get(SOLE_OUTPUT)
  const isAfter = ({ name, weights, from, states }: Call, at: number) => {
    const [source] = from
    const follows = source && (at === 0 ? 'input' in source : isWhole(source, at - 1))
    return name === weights && from.length === 1 && follows && states === undefined
  }
  const isSole = built.inputs.size === 1 && built.inputs.has(SOLE_INPUT) && outputs.size === 1
  return isSole && last !== undefined && isWhole(last, calls.length - 1) && calls.every(isAfter)
}

function isWhole(source: Source, call: number): boolean {
  return 'call' in source && source.call === call && source.part === undefined
}

const writeSource = (source: Source): Json =>
  'input' in source ? { input: source.input } : { call: source.call, part: source.part }

const readSource: Read<Source> = object((fields) => {
  const input = fields.maybe('input', text)
  if (input !== undefined) return { input }
  return { call: fields.get('call', place), part: fields.maybe('part', text) }
})

const place = integer(0, Number.MAX_SAFE_INTEGER)

const writeNamed = (sources: Iterable<readonly [string, Source]>): Json =>
  Array.from(sources, ([name, source]) => ({ name, source: writeSource(source) }))

const readNamed = list(
  object((fields) => [fields.get('name', text), fields.get('source', readSource)] as const),
)

export function writeFlow({ built, calls, outputs }: Model): Json {
  const layers = calls.flatMap(({ name, weights }) => (name === weights ? [name] : []))
  return {
    inputs: Array.from(built.inputs, ([name, input]) => ({ name, shape: input.shape, dtype: input.dtype })),
    calls: calls.map(({ weights, from, states }) => ({
      layer: layers.indexOf(weights),
      from: from.map(writeSource),
      ...(typeof states === 'number'
        ? { statesOf: states }
        : states && { states: writeNamed(Object.entries(states)) }),
    })),
    outputs: writeNamed(outputs),
  }
}

export function flowReader(layers: readonly Layer[]): Read<Model> {
  const readCall = object((fields) => {
    const states = fields.maybe('states', readNamed)
    return {
      layer: fields.get('layer', entryOf(layers, 'layer')),
      from: fields.get('from', list(readSource)),
      states: states ? new Map(states) : fields.maybe('statesOf', place),
      where: fields.where,
    }
  })
  return object((fields) => {
    const inputs = new Map(
      fields.get('inputs', list(object((own) => [own.get('name', text), inputFields(own)] as const))),
    )
    const calls = fields.get('calls', list(readCall))
    const outputs = new Map(fields.get('outputs', readNamed))
    const requireThere = (source: Source, before: number, where: string) => {
      if ('input' in source ? inputs.has(source.input) : source.call < before) return
      const named = 'input' in source ? `input ${JSON.stringify(source.input)}` : `call ${source.call}`
      throw fault(where, `reads ${named}, which is not there before it`)
    }
    for (const [at, { from, states, where }] of calls.entries()) {
      if (from.length === 0) throw fault(where, 'reads nothing')
      const all = typeof states === 'number' ? [{ call: states }] : [...(states?.values() ?? [])]
      for (const source of [...from, ...all]) requireThere(source, at, where)
    }
    for (const source of outputs.values()) requireThere(source, calls.length, `${fields.where}.outputs`)
    if (outputs.size === 0) throw fault(fields.where, 'has no outputs')
    const plain = calls.map(({ layer, from, states }) => ({
      ...{ layer, from },
      states: states instanceof Map ? Object.fromEntries(states) : states,
    }))
    return within(fields.where, () => new Model(plain, outputs, WIRING).buildAll(inputs))
  })
}
