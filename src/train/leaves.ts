/** A model's parameters and carried states as inputs of a traced function. */
import { type Value, where } from '../graph/value.ts'
import type { NoiseOf } from '../layers/layer.ts'
import { packingSpecs, RowPacking } from '../layers/packing.ts'
import type { Forward, ModelScope, Sequential } from '../layers/sequential.ts'
import type { TensorData } from '../tensor/dtype.ts'
import { seedWord } from '../tensor/random.ts'
import { symbol } from '../tensor/size.ts'
import { elementCount } from '../tensor/tensor.ts'
import type { Counted } from './losses.ts'
import type { NamedSpec } from './session.ts'

export interface LeafOptions {
  readonly training: boolean
  /** Paths of the states that come in from outside, row by row unless it is fresh. */
  readonly carry: readonly string[]
  /** Rows have lengths of their own. */
  readonly lengths: boolean
  /** Steps are there or not, row by row, instead of lengths. Default: false. */
  readonly mask?: boolean
  /** For the training of models that draw. */
  readonly noise?: NoiseOf | undefined
}

/** What random numbers are counted by. */
const [SEED, UPDATE] = ['seed', 'update']
/** Whether a row starts anew instead of going on from its carried states. */
const FRESH = 'fresh'
export const stateInput = (path: string) => `state ${path}`

/** The inputs that every function of a model shares: x, lengths or a mask, carried states, parameters, variables, counters of draws. */
export function leafSpecs(
  model: Sequential,
  { training, carry, lengths, mask = false }: LeafOptions,
): NamedSpec[] {
  const { input, params, variables, states, draws } = model.built
  const counters = training && draws ? [SEED, UPDATE] : []
  return [
    { name: 'x', shape: ['B', ...input.shape.map((size) => size ?? 'T')], dtype: input.dtype },
    ...(lengths ? packingSpecs(symbol('T')) : []),
    ...(mask ? [{ name: 'mask', shape: ['B', 'T'], dtype: 'bool' } as const] : []),
    ...(carry.length > 0 ? [{ name: FRESH, shape: ['B'], dtype: 'bool' } as const] : []),
    ...carry.map((path) => ({ name: stateInput(path), shape: ['B', ...states.get(path)!] })),
    ...[...params, ...variables].map(([path, { shape }]) => ({ name: path, shape })),
    ...counters.map((name) => ({ name, shape: [], dtype: 'i32' as const })),
  ]
}

/** The model's scope over those inputs. */
export function leafScope(
  get: (name: string) => Value,
  { training, carry, lengths, mask = false, noise }: LeafOptions,
): ModelScope {
  return {
    training,
    noise,
    packing: lengths ? new RowPacking(get) : undefined,
    mask: mask ? get('mask').transpose() : undefined,
    param: (path) => get(path),
    variable: (path) => get(path),
    random: () => ({ seed: get(SEED), update: get(UPDATE) }),
    initial: (path, begin) => {
      if (!carry.includes(path)) return begin
      const rows = get(FRESH).reshape(['B', ...begin.shape.slice(1).map(() => 1)])
      return where(rows, begin, get(stateInput(path)))
    },
  }
}

/** The model's output for x, [B, T, …], its final states, and which steps count. */
export function forwardWhole(
  model: Sequential,
  get: (name: string) => Value,
  leaves: LeafOptions,
  forced?: Value,
): Forward & { readonly counted: Counted } {
  const scope = leafScope(get, leaves)
  return { ...model.forward(get('x'), { ...scope, forced }), counted: { mask: scope.mask } }
}

/** A loss and what the model's regularizers add to it. */
export function penalized(model: Sequential, get: (path: string) => Value, loss: Value): Value {
  return [...model.built.params].reduce(
    (sum, [path, { regularizer }]) =>
      regularizer === undefined ? sum : sum.add(regularizer.apply(get(path))),
    loss,
  )
}

/** How a training step reads its batch: as it is, or with the steps before it that gradients still go back to. */
export interface Reading {
  specs(model: Sequential, leaves: LeafOptions): NamedSpec[]
  /** The target's input; `forced`: a layer reads it. */
  target(spec: NamedSpec, forced: boolean): NamedSpec
  forward: typeof forwardWhole
  /** What of the target the batch brought. */
  own(target: Value, forced: boolean): Value
}

export const WHOLE: Reading = {
  specs: leafSpecs,
  target: (spec) => spec,
  forward: forwardWhole,
  own: (target) => target,
}

/** Carried states for a new number of rows: all begin anew. */
export function freshStates(model: Sequential, rows: number): Map<string, TensorData> {
  return new Map(
    [...model.built.states].map(([path, shape]) => [
      stateInput(path),
      new Float32Array(rows * elementCount(shape)),
    ]),
  )
}

/** The final states as outputs, and as the next call's inputs. */
export const finalOutput = (path: string) => `final ${path}`
export function finalOutputs(states: ReadonlyMap<string, Value>): Record<string, Value> {
  return Object.fromEntries([...states].map(([path, value]) => [finalOutput(path), value]))
}
export function fedBack(
  paths: readonly string[],
  results: Readonly<Record<string, TensorData>>,
): [string, TensorData][] {
  return paths.map((path) => [stateInput(path), results[finalOutput(path)]!])
}

export function freshRows(carry: readonly string[], rows: number, fresh: boolean): [string, Int32Array][] {
  return carry.length === 0 ? [] : [[FRESH, new Int32Array(rows).fill(fresh ? 1 : 0)]]
}

/** The counters of a training step that draws. */
export function counterInputs(model: Sequential, seed: number, update: number): [string, Int32Array][] {
  if (!model.built.draws) return []
  return [
    [SEED, Int32Array.of(seedWord(seed))],
    [UPDATE, Int32Array.of(update)],
  ]
}

/** The model's numbers under their paths. */
export function weightInputs(model: Sequential, seed?: number): Map<string, TensorData> {
  return new Map([...model.weights(seed)].map(([path, { data }]) => [path, data]))
}
