/**
 * A training's state beside the weights in a model's file, under `state//` and its name. Parameters whose numbers in the
 * state are those of the model, bit for bit, are not stored twice; they differ where early stopping kept better ones, or
 * where the model has not been given what training has learnt since.
 * Holds: no path of a parameter has two slashes, so neither is taken for the other.
 */
import { ArgumentError } from '../tensor/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { fault, shown } from './fields.ts'

export type Tensors = ReadonlyMap<string, Tensor>

const STATE = 'state//'

/**
 * What stands in the file besides the weights.
 * @throws {ArgumentError} for anything but a map of tensors that has the model's parameters among them
 */
export function writeState(state: Tensors, weights: Tensors): [string, Tensor][] {
  if (!(state instanceof Map)) {
    throw new ArgumentError(
      `saveModel: state must be the Map that state() of a run gave; received ${typeof state}`,
    )
  }
  const entries = [...state] as [unknown, Partial<Tensor> | undefined][]
  const odd = entries.find(([, value]) => !ArrayBuffer.isView(value?.data) || !Array.isArray(value.shape))
  if (odd !== undefined) {
    throw new ArgumentError(
      `saveModel: state holds tensors; received ${typeof odd[1]} for ${shown(String(odd[0]))}`,
    )
  }
  const other = unlike(state, weights) ?? [...weights.keys()].find((path) => !state.has(path))
  if (other !== undefined) {
    throw new ArgumentError(
      `saveModel: the state is of another model: its parameter ${shown(other)} does not fit`,
    )
  }
  return [...state]
    .filter(([name, value]) => !sameBits(value, weights.get(name)))
    .map(([name, value]) => [`${STATE}${name}`, value])
}

/** What a file holds: weights, and what of a state is not among them; undefined where there is none. */
export function splitState(tensors: Tensors): { weights: Tensors; rest: Tensors | undefined } {
  const isState = (name: string) => name.startsWith(STATE)
  const rest = [...tensors].filter(([name]) => isState(name))
  return {
    weights: new Map([...tensors].filter(([name]) => !isState(name))),
    rest:
      rest.length === 0 ? undefined : new Map(rest.map(([name, value]) => [name.slice(STATE.length), value])),
  }
}

/** The whole state: what stood apart from the weights, and copies of those that did not. */
export function readState(rest: Tensors, weights: Tensors): Map<string, Tensor> {
  const odd = unlike(rest, weights)
  if (odd !== undefined) throw fault('state', `parameter ${shown(odd)} is not as the model has it`)
  const copies = [...weights].map(([path, value]) => [path, { ...value, data: value.data.slice() }] as const)
  return new Map([...copies, ...rest])
}

/** A name in both under which they differ in type or shape. */
function unlike(state: Tensors, weights: Tensors): string | undefined {
  return [...state.keys()].find((name) => {
    const [own, weight] = [state.get(name)!, weights.get(name)]
    return weight !== undefined && (own.dtype !== weight.dtype || String(own.shape) !== String(weight.shape))
  })
}

/** For tensors of one type and shape. */
function sameBits({ data }: Tensor, other: Tensor | undefined): boolean {
  if (other === undefined) return false
  const [a, b] = [data, other.data].map((all) => new Int32Array(all.buffer, all.byteOffset, all.length))
  return a!.every((bits, i) => bits === b![i])
}
