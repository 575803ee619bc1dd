/** One step of a model as a graph: from inputs, states and weights to outputs and the states after it. */
import type { Graph } from '../graph/node.ts'
import { type ParamSpec, traceWith } from '../graph/trace.ts'
import { type Value, where, zeros } from '../graph/value.ts'
import type { Dtype } from '../tensor/dtype.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { constantOf, ONE, printShape } from '../tensor/size.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Fold, Signal } from './layer.ts'
import { type Built, type Call, type Forward, isOpen, type ModelScope } from './parts.ts'
import { cut, outside } from './signals.ts'

/** What a stream needs of a model. */
export interface Streamable {
  readonly calls: readonly Call[]
  readonly built: Built
  weights(): ReadonlyMap<string, Tensor>
  forward(faces: ReadonlyMap<string, Signal>, scope: ModelScope): Forward
}

/** Numbers of a stream: where they come in or go out, and their shape without the rows. */
export interface Port {
  readonly name: string
  readonly place: number
  readonly shape: readonly number[]
  readonly dtype: Dtype
}

export interface StepGraph {
  readonly graph: Graph
  /** What a step reads, by the names of the model's inputs. */
  readonly inputs: readonly Port[]
  /** The input that says which rows go on; absent for a single row, which always does. */
  readonly active: number | undefined
  /** Inputs by path. */
  readonly weights: ReadonlyMap<string, number>
  /** Inputs by path, each with the output that says what it begins with. */
  readonly states: ReadonlyMap<string, Port & { readonly begin: number }>
  readonly outputs: readonly Port[]
  /** Output number → input number. */
  readonly donate: ReadonlyMap<number, number>
}

type Get = (name: string) => Value

/** The model's outputs after a step, [rows, …], what its states begin with, and the states after it. */
interface Step {
  readonly outputs: ReadonlyMap<string, Value>
  readonly begins: ReadonlyMap<string, Value>
  readonly states: ReadonlyMap<string, Value>
}

const ACTIVE = 'active'
const [inputOf, stateOf, outputOf] = ['input', 'state', 'output'].map(
  (kind) => (name: string) => `${kind} ${name}`,
) as [(name: string) => string, (name: string) => string, (name: string) => string]

/** @throws {ArgumentError} for a model that cannot go on step by step, naming what cannot */
export function traceStep(model: Streamable, rows: number): StepGraph {
  requireSteps(model)
  const { inputs, params, variables } = model.built
  const data = [...inputs].map(([name, spec]) => {
    const shape = (isOpen(spec) ? spec.shape.slice(1) : spec.shape) as readonly number[]
    return { name: inputOf(name), shape: [rows, ...shape], dtype: spec.dtype }
  })
  const weights = [...params, ...variables].map(([path, { shape }]) => ({ name: path, shape }))
  const outer = [...data, ...weights]
  // A first trace tells which states there are.
  const seen = traced(outer, (get) => stepOf(model, get, (_, begin) => begin)).result
  const isMany = rows > 1
  const kept = [
    ...[...seen.begins].map(([path, { shape }]) => ({ name: stateOf(path), shape })),
    // A row that does not go on keeps its output too.
    ...(isMany ? [...seen.outputs].map(([name, { shape }]) => ({ name: outputOf(name), shape })) : []),
  ]
  const specs = [
    ...outer,
    ...kept,
    ...(isMany ? [{ name: ACTIVE, shape: [rows], dtype: 'bool' } as const] : []),
  ]
  const place = new Map(specs.map(({ name }, i) => [name, i]))
  const { graph } = traced(specs, (get) => {
    const step = stepOf(model, get, (path) => get(stateOf(path)))
    if (!isMany) return step
    const going = (name: string, value: Value) => {
      const active = get(ACTIVE).reshape([rows, ...value.shape.slice(1).map(() => 1)])
      return where(active, value, get(name))
    }
    const after = (all: ReadonlyMap<string, Value>, nameOf: (name: string) => string) =>
      new Map([...all].map(([name, value]) => [name, going(nameOf(name), value)]))
    return { ...step, outputs: after(step.outputs, outputOf), states: after(step.states, stateOf) }
  })
  const [paths, names] = [[...seen.begins.keys()], [...seen.outputs.keys()]]
  const next = (i: number) => names.length + paths.length + i
  const donate = new Map(paths.map((path, i) => [next(i), place.get(stateOf(path))!]))
  if (isMany) for (const [i, name] of names.entries()) donate.set(i, place.get(outputOf(name))!)
  const sizes = (value: Value) => value.shape.slice(1).map((size) => constantOf(size)!)
  return {
    ...{ graph, donate, active: place.get(ACTIVE) },
    inputs: data.map(({ shape, dtype }, i) => ({
      name: [...inputs.keys()][i]!,
      place: i,
      shape: shape.slice(1),
      dtype,
    })),
    weights: new Map(weights.map(({ name }) => [name, place.get(name)!])),
    states: new Map(
      [...seen.begins].map(([path, begin], i) => [
        path,
        {
          name: path,
          place: place.get(stateOf(path))!,
          shape: sizes(begin),
          dtype: begin.dtype,
          begin: names.length + i,
        },
      ]),
    ),
    outputs: [...seen.outputs].map(([name, value], i) => ({
      name,
      place: i,
      shape: sizes(value),
      dtype: value.dtype,
    })),
  }
}

/** Outputs: those of the model, what states begin with, and the states after the step. */
function traced(specs: readonly ParamSpec[], build: (get: Get) => Step) {
  const place = new Map(specs.map(({ name }, i) => [name, i]))
  return traceWith(
    specs,
    (values) => build((name) => values[place.get(name)!]!),
    ({ outputs, begins, states }) => [
      ...outputs.values(),
      ...begins.values(),
      ...[...begins.keys()].map((path) => states.get(path)!),
    ],
  )
}

/** Traces a step; `before`: what a state is before it. */
function stepOf(model: Streamable, get: Get, before: (path: string, begin: Value) => Value): Step {
  const begins = new Map<string, Value>()
  const faces = new Map(
    [...model.built.inputs].map(([name, spec]): [string, Signal] => {
      const value = get(inputOf(name))
      return [
        name,
        isOpen(spec) ? { value: value.expandDims(1), sequence: true } : { value, sequence: false },
      ]
    }),
  )
  const held = new Map<string, Value>()
  const { outputs, states } = model.forward(faces, {
    training: false,
    fold: once,
    hold: (name) => (value, mask) => {
      const path = `${name}/ output`
      const begin = zeros(value.shape.slice(1))
      begins.set(path, begin)
      const there = mask.reshape(value.shape.map((size, axis) => (axis < 2 ? size : 1)))
      const output = where(there, value, before(path, begin))
      held.set(path, output.reshape(begin.shape))
      return output
    },
    param: get,
    variable: get,
    random: () => {
      throw new Error('nothing is drawn outside of training')
    },
    initial: (path, begin, given) => {
      const name = path.slice(0, path.indexOf('/'))
      if (given) refuse(name, 'begins with states that other layers give, which go on with every step')
      begins.set(path, begin)
      return before(path, begin)
    },
  })
  const lastOf = (signal: Signal) => {
    const value = outside(signal)
    return signal.sequence ? value.reshape([value.shape[0]!, ...value.shape.slice(2)]) : value
  }
  return {
    outputs: new Map([...outputs].map(([name, signal]) => [name, lastOf(signal)])),
    begins,
    states: new Map([...states, ...held]),
  }
}

/** A fold over a single step is that step. Where it is masked, states stay and what it yields is 0, as in a scan. */
const once: Fold = ({ carry, xs }, { value, mask }, scope, stepFor) => {
  if (value.shape[0] !== ONE) throw new Error(`a step of a stream has ${printShape(value.shape)}`)
  const now = (each: Value) => each.reshape(each.shape.slice(1))
  const { carry: after, y } = stepFor(value.shape[1]!)({ carry, x: mapValues(xs, now) })
  const ys = mapValues(y, (each) => each.expandDims(0))
  if (mask === undefined) return { carry: after, ys }
  const select = (made: Value, before: Value) =>
    where(now(mask).reshape([made.shape[0]!, ...made.shape.slice(1).map(() => 1)]), made, before)
  return {
    // What is no state of the cell, the last output, comes in anew with every step.
    carry: mapValues(after, (each, name) =>
      name.startsWith(' ') ? now(scope.hold!(each.expandDims(0), mask)) : select(each, carry[name]!),
    ),
    ys: mapValues(ys, (each) => cut(each, mask)),
  }
}

function mapValues(
  values: Readonly<Record<string, Value>>,
  map: (value: Value, name: string) => Value,
): Record<string, Value> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, map(value, name)]))
}

function requireSteps({ calls, built }: Streamable): void {
  for (const { name, layer } of calls) {
    if (layer.readsBackwards === true) refuse(name, 'reads a sequence from its end')
    if (layer.readsAround) refuse(name, 'reads other steps than the one that has come')
  }
  const inputs = [...built.inputs]
  if (!inputs.some(([, spec]) => isOpen(spec))) {
    throw new ArgumentError('stream: no input of the model is a sequence; call predict')
  }
  for (const [name, { shape }] of inputs) {
    const odd = shape.slice(1).find((size) => typeof size !== 'number')
    if (odd === undefined) continue
    throw new ArgumentError(
      `stream: a step has a fixed size; input ${name} has steps of ${String(odd)} parts, a size of its own`,
    )
  }
}

function refuse(name: string, does: string): never {
  throw new ArgumentError(`stream: layer ${name} ${does}; call predict on whole sequences`)
}
