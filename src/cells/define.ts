/**
 * The contract of cells. A cell is a function of one time step: (x, states, parameters) → (output, next states); x is a
 * row of features, or what inputs.ts says.
 * It is traced once to a graph; from there on a user's cell and a built-in one are the same thing.
 */
import type { Graph } from '../graph/node.ts'
import { checkStates, type Values } from '../graph/scan.ts'
import { traceWith } from '../graph/trace.ts'
import { Value } from '../graph/value.ts'
import { type Parameter, requireParameter } from '../init/initializers.ts'
import { requireKnown, requireNumber } from '../tensor/checks.ts'
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { constantOf, printShape, sameShape, symbol } from '../tensor/size.ts'
import {
  areNamed,
  type InputAxes,
  type InputShape,
  type InputSizes,
  type InputValues,
  inputShapes,
  requireAxes,
  requireInputs,
} from './inputs.ts'

/** What a cell's options may hold: they are saved with it, for people to read. */
export type CellOptions = Readonly<Record<string, unknown>>

/** A state's shape without its leading batch axis. */
export type StateShape = number | readonly number[]

/** What training multiplies by a mask that all steps of a row share: each number is 0 with probability `rate`, else 1 / (1 − rate). */
export interface Noise {
  /** Of what is multiplied, without its leading batch axis. */
  readonly shape: StateShape
  /** At least 0, below 1. */
  readonly rate: number
}

/** A cell traced for inputs of certain sizes: all that a recurrence, a file or a picture needs. */
export interface TracedCell {
  readonly name: string
  readonly inputs: InputShape
  readonly states: Readonly<Record<string, readonly number[]>>
  readonly params: Readonly<Record<string, Parameter>>
  /** The state that is the output of the step before, where the cell says so: teacher forcing replaces it. */
  readonly feedback?: string | undefined
  /** States that begin with zeros also where initial states are learnt. */
  readonly untrained?: readonly string[] | undefined
  /** Parameters that no gradient changes: they are variables of the model. */
  readonly fixed?: readonly string[] | undefined
  /** Masks of rates above 0, by name; undefined where there are none. */
  readonly noise?:
    | Readonly<Record<string, { readonly shape: readonly number[]; readonly rate: number }>>
    | undefined
  /**
   * Parameters x [B, inputs] or the inputs by name, [B, …], states [B, …], params …, and in training the masks of noise, [B, …]; outputs: the output
   * [B, …], next states.
   */
  readonly training: Graph
  readonly inference: Graph
}

/** A cell with its options. */
export interface Cell {
  readonly name: string
  readonly options: CellOptions
  /** How many axes a step of each input has; absent where it reads features alone. */
  readonly inputs?: InputAxes | undefined
  trace(inputs: InputShape): TracedCell
}

export interface StepInput<O, S extends string, P extends string, N extends string, X = Value> {
  /** [B, inputs]; with `inputs` declared [B, …], or one such value for each name. */
  readonly x: X
  readonly state: Readonly<Record<S, Value>>
  readonly params: Readonly<Record<P, Value>>
  readonly options: O
  /** Functions that multiply by a mask in training, and else give back what they are given. */
  readonly noise: Readonly<Record<N, (value: Value) => Value>>
  /** Whether this trace is the one that training runs. */
  readonly training: boolean
}

export interface StepResult<S extends string> {
  /** [B, outputs] */
  readonly output: Value
  readonly state: Readonly<Record<S, Value>>
}

interface Declaration<
  O,
  S extends string,
  P extends string,
  N extends string,
  A extends InputAxes | undefined,
> {
  /** For messages, pictures and files. */
  readonly name?: string
  /**
   * How many axes a step of the input has, `3` for frames [rows, columns, channels], or of each of several inputs by its
   * name, `{ video: 3, audio: 1 }`. Default: a row of features, of which `inputs` is the number.
   */
  readonly inputs?: A
  readonly state: (options: O & { readonly inputs: InputSizes<A> }) => Readonly<Record<S, StateShape>>
  readonly params: (options: O & { readonly inputs: InputSizes<A> }) => Readonly<Record<P, Parameter>>
  /** The state that is the output of the step before; teacher forcing may put the target there. */
  readonly feedback?: NoInfer<S>
  /** States that always begin with zeros, which no gradient could move well: counters and the like. */
  readonly untrained?: readonly NoInfer<S>[]
  /** Parameters that keep the numbers they begin with: a reservoir's. They are saved with the model, but not trained. */
  readonly fixed?: readonly NoInfer<P>[]
  /**
   * What is dropped in training, by name: `noise: ({ units }) => ({ h: { shape: units, rate: 0.2 } })` gives the step
   * `noise.h`, one mask a row for all of time (Gal and Ghahramani 2016): `noise.h(h).matmul(W)`.
   */
  readonly noise?: (options: O & { readonly inputs: InputSizes<A> }) => Readonly<Record<N, Noise>>
}

/** Words, numbered in a stack: no name of a state or parameter can come to mean something else in a path. */
export const MEMBER_NAME = /^(?:\d+ )*[A-Za-z_]\w*$/

/**
 * Declares a cell: what it remembers and what it learns, then one step.
 *
 *     const leaky = defineCell<{ units: number }>()({
 *       name: 'leaky',
 *       state: ({ units }) => ({ h: units }),
 *       params: ({ inputs, units }) => ({ U: glorotUniform(inputs, units), a: filled(0.9, units) }),
 *     }).step(({ x, state: { h }, params: { U, a } }) => {
 *       const next = h.mul(a).add(x.matmul(U))
 *       return { output: next, state: { h: next } }
 *     })
 *     const layer = recurrent(leaky({ units: 32 }))
 *
 * A step may read values of any shapes, one or several by name, as its states may have any. Sizes come in as `inputs`:
 *
 *     const both = defineCell<{ units: number }>()({
 *       name: 'both',
 *       inputs: { video: 3, audio: 1 }, // [rows, columns, channels] and [features]
 *       state: ({ inputs: { video }, units }) => ({ seen: [video[2], units] }),
 *       params: ({ inputs: { audio }, units }) => ({ U: glorotUniform(audio[0], units) }),
 *     }).step(({ x: { video, audio }, state: { seen }, params: { U } }) => {
 *       const heard = audio.matmul(U).expandDims(1)
 *       const next = seen.mul(0.9).add(video.mean([1, 2]).expandDims(2).mul(heard))
 *       return { output: next.sum(1).tanh(), state: { seen: next } }
 *     })
 *     const summed = call(recurrent(both({ units: 8 })), [video, audio])
 *
 * In two calls because TypeScript cannot infer names of states and parameters beside a type that is given.
 */
export function defineCell<O extends object>() {
  return <
    S extends string,
    P extends string,
    N extends string = never,
    const A extends InputAxes | undefined = undefined,
  >(
    declaration: Declaration<O, S, P, N, A>,
  ) => {
    const known = ['name', 'state', 'params', 'inputs', 'feedback', 'untrained', 'fixed', 'noise']
    requireKnown('defineCell', declaration, known)
    requireAxes(declaration.inputs)
    if (typeof (declaration.name ?? '') !== 'string') {
      throw new ArgumentError(`defineCell: name must be a text; received ${String(declaration.name)}`)
    }
    for (const key of ['state', 'params'] as const) requireFunction(key, declaration[key])
    return {
      step(step: (input: StepInput<O, S, P, N, InputValues<A>>) => StepResult<S>): (options: O) => Cell {
        requireFunction('step', step)
        return (options) => makeCell(declaration, step, options)
      },
    }
  }
}

function requireFunction(name: string, given: unknown): void {
  if (typeof given === 'function') return
  throw new ArgumentError(`defineCell: ${name} must be a function; received ${typeof given}`)
}

/** What a declaration's function gave: something for each name. */
function requireNames(cell: string, what: string, given: object): void {
  if (typeof given === 'object' && given !== null && !Array.isArray(given)) return
  throw new ArgumentError(
    `cell ${cell}: ${what} must give an object, something for each name; received ` +
      `${Array.isArray(given) ? 'a list' : String(given)}`,
  )
}

function makeCell<
  O extends object,
  S extends string,
  P extends string,
  N extends string,
  A extends InputAxes | undefined,
>(
  declaration: Declaration<O, S, P, N, A>,
  step: (input: StepInput<O, S, P, N, InputValues<A>>) => StepResult<S>,
  options: O,
): Cell {
  const { name = 'cell', inputs: axes, feedback, untrained, fixed } = declaration
  const trace = (given: InputShape): TracedCell => {
    const inputs = requireInputs(name, axes, given) as InputShape & InputSizes<A>
    const shapes = declaration.state({ ...options, inputs })
    requireNames(name, 'state', shapes)
    const states = Object.fromEntries(
      Object.entries<StateShape>(shapes).map(([key, shape]) => [
        key,
        sizesOf(`cell ${name}: state ${key}`, shape),
      ]),
    )
    const params = declaration.params({ ...options, inputs })
    requireNames(name, 'params', params)
    for (const [key, each] of Object.entries<Parameter>(params)) {
      requireParameter(`cell ${name}: ${key}`, each)
    }
    const drawn = declaration.noise?.({ ...options, inputs }) ?? {}
    requireNames(name, 'noise', drawn)
    const declared = Object.entries<Noise>(drawn)
    const noise = noiseOf(name, declared)
    return traceStep({ name, inputs, states, params, feedback, untrained, fixed, noise }, (input) => {
      const names = declared.map(([key]) => key)
      const drop = names.map((key) => (value: Value) => input.masks.get(key)?.mul(value) ?? value)
      const own = { ...input, options, noise: named(names, drop) }
      return step(own as unknown as StepInput<O, S, P, N, InputValues<A>>)
    })
  }
  return { name, options: options as CellOptions, inputs: axes, trace: tracedOnce(trace) }
}

/** What is drawn at all, checked. */
function noiseOf(cell: string, declared: readonly (readonly [string, Noise])[]): TracedCell['noise'] {
  const drawn = declared.flatMap(([key, { shape, rate }]) => {
    const what = `cell ${cell}: noise ${key}`
    requireNumber(what, 'rate', rate, 'of at least 0 and below 1')
    return rate === 0 ? [] : [[key, { shape: sizesOf(what, shape), rate }] as const]
  })
  return Object.fromEntries(drawn)
}

/** Remembers what was traced, by the sizes of the inputs. */
export function tracedOnce(trace: Cell['trace']): Cell['trace'] {
  const known = new Map<string, TracedCell>()
  return (inputs) => {
    const key = JSON.stringify(inputs)
    const traced = known.get(key) ?? trace(inputs)
    known.set(key, traced)
    return traced
  }
}

/** Traces a step, once for training and once for inference. */
export function traceStep(
  cell: Omit<TracedCell, 'training' | 'inference'>,
  step: (
    input: Omit<StepInput<unknown, string, string, never, Value | Values>, 'options' | 'noise'> & {
      /** Masks by name, in training. */
      readonly masks: ReadonlyMap<string, Value>
    },
  ) => StepResult<string>,
): TracedCell {
  const { name, inputs, states, params, feedback, noise = {} } = cell
  const read = inputShapes(inputs)
  for (const each of [states, params, noise].flatMap(Object.keys)) {
    if (MEMBER_NAME.test(each)) continue
    throw new ArgumentError(
      `cell ${name}: states, parameters and noise are named by words; received ${JSON.stringify(each)}`,
    )
  }
  requireUntrained(cell)
  const specs = [
    ...read.map(([key, shape]) => ({ name: key, shape: ['B', ...shape] })),
    ...Object.entries(states).map(([key, shape]) => ({ name: key, shape: ['B', ...shape] })),
    ...Object.entries(params).map(([key, { shape }]) => ({ name: key, shape })),
  ]
  const noisy = Object.entries(noise).map(([key, { shape }]) => ({
    name: `noise ${key}`,
    shape: ['B', ...shape],
  }))
  const graphOf = (training: boolean): Graph => {
    const { graph, captured } = traceWith(
      training ? [...specs, ...noisy] : specs,
      (values) => {
        const rest = values.slice(read.length)
        const x = areNamed(inputs) ? named(Object.keys(inputs), values) : values[0]!
        const state = named(Object.keys(states), rest)
        const own = named(Object.keys(params), rest.slice(Object.keys(states).length))
        const masks = new Map(
          Object.keys(training ? noise : {}).map((key, i) => [key, values[specs.length + i]!]),
        )
        const result = step({ x, state, params: own, training, masks })
        checkOutput(name, result?.output)
        const next = checkStates(state, result.state)
        return [result.output, ...Object.keys(states).map((key) => next[key]!)]
      },
      (outputs) => outputs,
    )
    if (captured.length > 0) {
      throw new ArgumentError(`cell ${name}: its step names values of another trace; pass them as parameters`)
    }
    return graph
  }
  const traced = {
    ...cell,
    noise: noisy.length > 0 ? noise : undefined,
    training: graphOf(true),
    inference: graphOf(false),
  }
  if (!sameShape(traced.training.outputs[0]!.shape, traced.inference.outputs[0]!.shape)) {
    throw new ShapeError(`cell ${name}: its output must have one shape, in training and in inference`)
  }
  if (feedback !== undefined && !feedsBack(traced, feedback)) {
    throw new ArgumentError(
      `cell ${name}: feedback names the state that holds the output; received ${feedback}, ` +
        `the states are {${Object.keys(states).join(', ')}}`,
    )
  }
  return traced
}

/** Whether a state is the output of the step before, so that another value can stand for it. */
export function feedsBack({ states, training, inference }: TracedCell, state: string): boolean {
  const place = Object.keys(states).indexOf(state)
  return place >= 0 && [training, inference].every(({ outputs }) => outputs[place + 1] === outputs[0])
}

/** @throws {ArgumentError} where what is untrained is no list of states, or what is fixed none of parameters */
export function requireUntrained(cell: Omit<TracedCell, 'training' | 'inference'>): void {
  for (const what of ['untrained', 'fixed'] as const) {
    const [all, given = []] = [what === 'fixed' ? cell.params : cell.states, cell[what]]
    if (Array.isArray(given) && given.every((each) => Object.hasOwn(all, each))) continue
    throw new ArgumentError(
      `cell ${cell.name}: ${what} must be a list of {${Object.keys(all).join(', ')}}; received ${String(given)}`,
    )
  }
}

function named<T>(names: readonly string[], values: readonly T[]): Readonly<Record<string, T>> {
  // Misspelt names throw where they are read instead of turning up as undefined in some later operation.
  return new Proxy(Object.fromEntries(names.map((name, i) => [name, values[i]!])), {
    get(target, key) {
      if (typeof key === 'string' && !(key in target)) {
        throw new ArgumentError(`the step reads '${key}'; there are only {${names.join(', ')}}`)
      }
      return Reflect.get(target, key)
    },
  })
}

function sizesOf(what: string, shape: StateShape): readonly number[] {
  const sizes = Array.isArray(shape) ? shape : [shape]
  if (sizes.every((size) => Number.isSafeInteger(size) && size >= 1)) return sizes
  throw new ArgumentError(`${what} needs sizes that are integers of at least 1; received ${String(shape)}`)
}

function checkOutput(cell: string, output: unknown): asserts output is Value {
  if (!(output instanceof Value)) {
    throw new ArgumentError(
      `cell ${cell}: its step must return { output, state }; output is ${typeof output}`,
    )
  }
  const { shape } = output
  if (
    output.dtype !== 'f32' ||
    shape.length < 2 ||
    shape[0] !== symbol('B') ||
    shape.slice(1).some((size) => constantOf(size) === undefined)
  ) {
    throw new ShapeError(
      `cell ${cell}: its output must be f32[B, outputs]; received ${output.dtype}${printShape(shape)}`,
    )
  }
}
