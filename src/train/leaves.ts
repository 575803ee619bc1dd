/** A model's inputs, parameters and carried states as inputs of a traced function. */
import { type Value, where } from '../graph/value.ts'
import type { Forcing, NoiseOf, Signal } from '../layers/layer.ts'
import type { Model } from '../layers/model.ts'
import { type Forward, isOpen, type ModelScope, openShape, SOLE_INPUT, SOLE_OUTPUT } from '../layers/parts.ts'
import type { TensorData } from '../tensor/dtype.ts'
import { seedWord } from '../tensor/random.ts'
import { symbol } from '../tensor/size.ts'
import { elementCount } from '../tensor/tensor.ts'
import type { NamedSpec } from './session.ts'

/** How rows of unlike lengths are packed: a module that is loaded with the first of them. */
export type Packings = typeof import('../layers/packing.ts')

export interface LeafOptions {
  readonly training: boolean
  /** Paths of the states that come in from outside, row by row unless it is fresh. */
  readonly carry: readonly string[]
  /** Those of them that stateful layers go on from. */
  readonly stateful?: readonly string[]
  /** The training draws, even if no layer does. Default: false. */
  readonly draws?: boolean
  /** Rows have lengths of their own, and are packed so. */
  readonly packing?: Packings | undefined
  /** Steps are there or not, row by row, instead of lengths. Default: false. */
  readonly mask?: boolean
  /** For the training of models that draw. */
  readonly noise?: NoiseOf | undefined
}

/** What random numbers are counted by. */
const [SEED, UPDATE] = ['seed', 'update']
/** Whether a row starts anew instead of going on from its carried states. */
const FRESH = 'fresh'
/** The same of its stateful layers. */
export const ANEW = 'anew'
/** The probability that a target is read, where that is drawn. */
export const FORCING = 'forcing'
export const stateInput = (path: string) => `state ${path}`

/** What belongs to one of several inputs, outputs or times bears its name. */
const nameFor = (what: string, name: string, sole: string) => (name === sole ? what : `${what} ${name}`)
export const dataInput = (name: string) => nameFor('x', name, SOLE_INPUT)
export const targetInput = (name: string) => nameFor('y', name, SOLE_OUTPUT)
export const weightInput = (name: string) => nameFor('weights', name, SOLE_OUTPUT)
export const outputName = (name: string) => nameFor('output', name, SOLE_OUTPUT)
export const maskInput = (time: string) => nameFor('mask', time, TIME)

const TIME = 'T'
/** What the packing of a time is called. */
export const partOf = (time: string) => (time === TIME ? '' : time)

/** The times of a model's inputs, with the first input that has each. */
export function timesOf({ built }: Model): Map<string, string> {
  const times = new Map<string, string>()
  for (const [name, spec] of built.inputs) {
    const time = spec.shape[0] ?? TIME
    if (isOpen(spec) && !times.has(String(time))) times.set(String(time), name)
  }
  return times
}

/** The inputs that every function of a model shares: x, lengths or a mask, carried states, parameters, variables, counters of draws. */
export function leafSpecs(
  model: Model,
  { training, carry, packing, mask = false, draws: own = false, stateful = [] }: LeafOptions,
): NamedSpec[] {
  const { inputs, params, variables, states, draws } = model.built
  const counters = training && (draws || own) ? [SEED, UPDATE] : []
  const times = [...timesOf(model).keys()]
  return [
    ...[...inputs].map(([name, { shape, dtype }]) => ({
      ...{ name: dataInput(name), shape: openShape(shape), dtype },
    })),
    ...(packing ? times.flatMap((time) => packing.packingSpecs(symbol(time), partOf(time))) : []),
    ...(mask
      ? times.map((time) => ({ name: maskInput(time), shape: ['B', time], dtype: 'bool' }) as const)
      : []),
    ...(carry.length > stateful.length ? [{ name: FRESH, shape: ['B'], dtype: 'bool' } as const] : []),
    ...(stateful.length > 0 ? [{ name: ANEW, shape: ['B'], dtype: 'bool' } as const] : []),
    ...carry.map((path) => ({ name: stateInput(path), shape: ['B', ...states.get(path)!] })),
    ...[...params, ...variables].map(([path, { shape }]) => ({ name: path, shape })),
    ...counters.map((name) => ({ name, shape: [], dtype: 'i32' as const })),
  ]
}

/** The model's scope over those inputs. */
export function leafScope(
  get: (name: string) => Value,
  { training, carry, stateful = [], noise }: LeafOptions,
): ModelScope {
  return {
    training,
    noise,
    param: (path) => get(path),
    variable: (path) => get(path),
    random: () => ({ seed: get(SEED), update: get(UPDATE) }),
    initial: (path, begin, given) => {
      if (given || !carry.includes(path)) return begin
      const rows = get(stateful.includes(path) ? ANEW : FRESH).reshape([
        'B',
        ...begin.shape.slice(1).map(() => 1),
      ])
      return where(rows, begin, get(stateInput(path)))
    },
  }
}

/** What goes in, batch-first, by name. */
export function facesOf(
  { built }: Model,
  get: (name: string) => Value,
  {
    packing: packings,
    mask = false,
    without,
  }: Omit<LeafOptions, 'training' | 'carry'> & { readonly without?: string },
): Map<string, Signal> {
  const inputs = [...built.inputs].filter(([name]) => name !== without)
  return new Map(
    inputs.map(([name, spec]): [string, Signal] => {
      const value = get(dataInput(name))
      if (!isOpen(spec)) return [name, { value, sequence: false }]
      const time = String(spec.shape[0] ?? TIME)
      const packing = packings && new packings.RowPacking(get, partOf(time))
      return [
        name,
        { value, sequence: true, packing, mask: mask ? get(maskInput(time)).transpose() : undefined },
      ]
    }),
  )
}

/** The model on x, [B, T, …]. `forced`: what the last layer reads. */
export function forwardWhole(
  model: Model,
  get: (name: string) => Value,
  leaves: LeafOptions,
  forced?: (targets: Value) => Forcing,
): Forward {
  const own = forced?.(get(targetInput(SOLE_OUTPUT)))
  return model.forward(facesOf(model, get, leaves), { ...leafScope(get, leaves), forced: own })
}

/** A loss and what the model's regularizers add to it. */
export function penalized(model: Model, get: (path: string) => Value, loss: Value): Value {
  return [...model.built.params].reduce(
    (sum, [path, { regularizer }]) =>
      regularizer === undefined ? sum : sum.add(regularizer.apply(get(path))),
    loss,
  )
}

/** How a training step reads its batch: as it is, or with the steps before it that gradients still go back to. */
export interface Reading {
  specs(model: Model, leaves: LeafOptions): NamedSpec[]
  /** The target's input; `forced`: a layer reads it. */
  target(spec: NamedSpec, forced: boolean): NamedSpec
  forward(
    model: Model,
    get: (name: string) => Value,
    leaves: LeafOptions,
    forced?: (targets: Value) => Forcing,
  ): Pick<Forward, 'outputs' | 'states' | 'variables'>
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
export function freshStates(model: Model, rows: number): Map<string, TensorData> {
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

export function freshRows(
  carry: readonly string[],
  rows: number,
  fresh: boolean,
  name = FRESH,
): [string, Int32Array][] {
  return carry.length === 0 ? [] : [[name, new Int32Array(rows).fill(fresh ? 1 : 0)]]
}

/** The counters of a training step that draws. */
export function counterInputs(
  model: Model,
  seed: number,
  update: number,
  draws = model.built.draws,
): [string, Int32Array][] {
  if (!draws) return []
  return [
    [SEED, Int32Array.of(seedWord(seed))],
    [UPDATE, Int32Array.of(update)],
  ]
}

/** The model's numbers under their paths. */
export function weightInputs(model: Model, seed?: number): Map<string, TensorData> {
  return new Map([...model.weights(seed)].map(([path, { data }]) => [path, data]))
}
