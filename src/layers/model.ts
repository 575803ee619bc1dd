/** A model: which layer reads what of inputs and of layers before it, and the numbers of the parameters. */
import type { RandomKey } from '../graph/functions.ts'
import { traceWith } from '../graph/trace.ts'
import { gather, iota, type Value, zeros } from '../graph/value.ts'
import type { Parameter } from '../init/initializers.ts'
import { initialize } from '../init/numbers.ts'
import { requireChoice, requireKnown } from '../tensor/checks.ts'
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { streamOf } from '../tensor/random.ts'
import { constantOf, printShape, shapeOf } from '../tensor/size.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import type { Layer, LayerScope, Signal } from './layer.ts'
import {
  type Built,
  type Call,
  type Called,
  type Forward,
  type InputSpec,
  isOpen,
  type ModelScope,
  type OpenShape,
  openShape,
  SOLE_INPUT,
  type Source,
} from './parts.ts'
import { inside, masked } from './signals.ts'
import type { Stream, StreamOptions } from './stream.ts'

/** What calls of layers may do that do not just stand one after the other; wiring.ts has it, so that others are spared it. */
export interface Wiring {
  readonly aligned: NonNullable<LayerScope['aligned']>
  /** A further output of a call, or a state. */
  partOf(called: Called, part: string): Signal
  /** The scope of a layer that begins with given states, and a check, told its states' names, that it took all of them. */
  handOver(
    call: Call,
    own: LayerScope,
    read: (source: Source) => Signal,
    done: readonly (Called | undefined)[],
    scope: ModelScope,
  ): { readonly scope: LayerScope; check(states: readonly string[]): void }
}

export class Model {
  readonly calls: readonly Call[]
  readonly outputs: ReadonlyMap<string, Source>
  readonly #wiring: Wiring | undefined
  #built: Built | undefined
  #weights: ReadonlyMap<string, Tensor> | undefined

  constructor(
    calls: readonly Omit<Call, 'name' | 'weights'>[],
    outputs: ReadonlyMap<string, Source>,
    wiring?: Wiring,
  ) {
    this.calls = withNames(wiring ? 'model' : 'sequential', calls)
    this.outputs = outputs
    this.#wiring = wiring
  }

  get isBuilt(): boolean {
    return this.#built !== undefined
  }

  get built(): Built {
    if (this.#built === undefined) {
      throw new ArgumentError(
        "the model does not know its input yet: train it, or call build({ shape: [null, features], dtype: 'f32' }); " +
          "for tokens build({ shape: [null], dtype: 'i32' })",
      )
    }
    return this.#built
  }

  /** The one input of a model that has one. */
  get input(): InputSpec {
    return sole('input', this.built.inputs)
  }

  /** The one output of a model that has one. */
  get output(): OpenShape {
    return sole('output', this.built.outputs)
  }

  /** Fixes the input's shape; training and prediction do it from their data. */
  build(input: InputSpec): this {
    if (this.#built === undefined) return this.buildAll(new Map([[SOLE_INPUT, input]]))
    checkInput(input)
    const known = this.input
    if (known.dtype === input.dtype && String(known.shape) === String(input.shape)) return this
    throw new ShapeError(`the model takes ${printInput(known)}; received ${printInput(input)}`)
  }

  /** Fixes the shapes of all inputs. */
  buildAll(inputs: ReadonlyMap<string, InputSpec>): this {
    for (const input of inputs.values()) checkInput(input)
    const params = new Map<string, Parameter>()
    const variables = new Map<string, Parameter>()
    const [states, given] = [new Map<string, readonly number[]>(), new Map<string, readonly number[]>()]
    let draws = false
    const scope: ModelScope = {
      training: true,
      param: (path, parameter) => {
        params.set(path, parameter)
        return zeros(parameter.shape)
      },
      variable: (path, parameter) => {
        variables.set(path, parameter)
        return zeros(parameter.shape)
      },
      random: () => {
        draws = true
        return { seed: 0, update: 0 }
      },
      noise: ({ noise = {} }) => {
        draws = true
        const masks = Object.values(noise).map(({ shape }) => zeros(['B', ...shape]))
        return { xs: {}, masks: () => masks, after: (_, old) => old }
      },
      initial: (path, begin, isGiven) => {
        const shape = begin.shape.slice(1).map((size) => constantOf(size)!)
        ;(isGiven ? given : states).set(path, shape)
        return begin
      },
    }
    const names = [...inputs.keys()]
    const specs = [...inputs].map(([name, { shape, dtype }]) => ({ name, shape: openShape(shape), dtype }))
    let forward: Forward | undefined
    traceWith(
      specs,
      (values) => {
        const faces = names.map((name, i) => {
          return [name, { value: values[i]!, sequence: isOpen(inputs.get(name)!) }] as const
        })
        forward = this.forward(new Map(faces), scope)
        return [...forward.outputs.values()].map(({ value }) => value)
      },
      (outputs) => outputs,
    )
    const { outputs, calls } = forward!
    this.#built = {
      ...{ inputs, params, variables, states, given, draws },
      outputs: new Map([...outputs].map(([name, signal]) => [name, shapeAt(signal)])),
      calls: calls.map((call) => ({ inputs: call.inputs.map(shapeAt), output: shapeAt(call.output) })),
    }
    return this
  }

  /** The numbers of all parameters and variables by path; made from `seed` when first asked for. */
  weights(seed = 0): ReadonlyMap<string, Tensor> {
    this.#weights ??= new Map(
      [...this.#leaves].map(([path, parameter]) => [
        path,
        { data: initialize(parameter, seed, path), shape: parameter.shape, dtype: 'f32' },
      ]),
    )
    return this.#weights
  }

  /** @throws {ShapeError} unless there is one tensor of the right shape for each parameter and variable */
  setWeights(weights: ReadonlyMap<string, Tensor>): void {
    const leaves = this.#leaves
    if (!(weights instanceof Map)) {
      throw new ArgumentError(`weights are a Map of tensors by path; received ${typeof weights}`)
    }
    for (const [path, { shape }] of leaves) {
      const given = weights.get(path)
      if (!given) throw new ShapeError(`no numbers were given for parameter ${path}`)
      const { dtype, shape: own } = tensor(given.data, given.shape, given.dtype)
      if (dtype !== 'f32' || String(own) !== String(shape)) {
        throw new ShapeError(
          `parameter ${path} is f32[${shape.join(', ')}]; received ${dtype}[${own.join(', ')}]`,
        )
      }
    }
    for (const path of weights.keys()) {
      if (!leaves.has(path)) throw new ShapeError(`the model has no parameter ${path}`)
    }
    this.#weights = new Map([...leaves.keys()].map((path) => [path, weights.get(path)!]))
  }

  /**
   * Reads a sequence as it comes, a step a call, and allocates nothing in it: `stream.step(x)` gives the output after x.
   * After T steps it is what `predict` gives for the T steps as a whole, to within rounding in f32.
   *
   *     const stream = await net.stream()
   *     const output = stream.step(Float32Array.of(0.1, 0.2)) // overwritten by the next step
   *
   * It keeps the weights that the model has now until `stream.refresh()`, and its states to itself. Opening one compiles the
   * step: for many sequences at once open `streams`, or hand states over with `setState`.
   *
   * @throws {ArgumentError} for a model that must see more of a sequence than what came up to a step, naming the layer
   */
  stream(options?: StreamOptions): Promise<Stream> {
    return this.streams(1, options)
  }

  /** `rows` streams side by side that share a call: `many.step(x, [0, 5])` goes on with rows 0 and 5 alone. */
  async streams(rows: number, options?: StreamOptions): Promise<Stream> {
    return (await import('./stream.ts')).openStream(this, rows, options)
  }

  /** Traces the model on batch-first inputs. */
  forward(faces: ReadonlyMap<string, Signal>, scope: ModelScope): Forward {
    return this.finish(this.run(faces, scope))
  }

  /**
   * Traces calls, all or those that `which` says, after those that are `known`: a part of a model may stand outside of a
   * loop, and the rest in it.
   */
  run(
    faces: ReadonlyMap<string, Signal>,
    scope: ModelScope,
    which: (call: number) => boolean = () => true,
    known: readonly (Called | undefined)[] = [],
  ): (Called | undefined)[] {
    const read = new Map([...faces].map(([name, face]) => [name, masked(inside(face))]))
    const shared = new Map<string, Value>()
    const done: (Called | undefined)[] = [...known]
    for (const [at, call] of this.calls.entries()) {
      if (done[at] !== undefined || !which(at)) continue
      const forced = at === this.calls.length - 1 ? scope.forced : undefined
      const reading = (source: Source) => signalOf(source, read, done, this.#wiring)
      done[at] = called(call, reading, done, { ...scope, forced }, shared, this.#wiring)
    }
    return done
  }

  /** What all calls together have made. */
  finish(done: readonly (Called | undefined)[]): Forward {
    const calls = done.map((call) => call!)
    const byPath = calls.flatMap(({ states }, i) =>
      [...states].map(([name, value]) => [`${this.calls[i]!.name}/${name}`, value] as const),
    )
    return {
      calls,
      outputs: new Map(
        [...this.outputs].map(([name, source]) => [name, signalOf(source, new Map(), done, this.#wiring)]),
      ),
      states: new Map(byPath),
      variables: new Map(calls.flatMap(({ variables }) => [...variables])),
    }
  }

  /** @throws {ArgumentError} where what a layer reads is not carried on by states from window to window */
  requireForward(what: string): void {
    const odd = this.calls.find(({ layer }) => layer.readsBackwards || layer.readsAround)
    if (odd === undefined) return
    const reads = odd.layer.readsBackwards ? 'reads from the end' : 'does not go from step to step'
    throw new ArgumentError(
      `${what}: states go on from one window to the next, but layer ${odd.name} ${reads}; ` +
        'give whole sequences and carry no states',
    )
  }

  /** Paths of the states that the model returns with its output. */
  returnedStates(): string[] {
    const { states, given } = this.built
    return this.#pathsOf([...states.keys(), ...given.keys()], ({ returnState }) => returnState === true)
  }

  /** Paths of the states that go on from batch to batch until they are reset. */
  statefulStates(): string[] {
    return this.#pathsOf([...this.built.states.keys()], ({ stateful }) => stateful === true)
  }

  /** Those of layers of which this holds. */
  #pathsOf(paths: readonly string[], holds: (layer: Layer) => boolean): string[] {
    const names = new Set(this.calls.filter(({ layer }) => holds(layer)).map(({ name }) => name))
    return paths.filter((path) => names.has(path.slice(0, path.indexOf('/'))))
  }

  /** What has numbers of its own: parameters, then variables. */
  get #leaves(): ReadonlyMap<string, Parameter> {
    return new Map([...this.built.params, ...this.built.variables])
  }
}

/** Calls a layer on what it reads. */
function called(
  call: Call,
  read: (source: Source) => Signal,
  done: readonly (Called | undefined)[],
  scope: ModelScope,
  shared: Map<string, Value>,
  wiring: Wiring | undefined,
): Called {
  const { name, weights, layer, from, states: given } = call
  const [first, ...others] = from.map(read) as [Signal, ...Signal[]]
  const input = { ...first, others: undefined }
  const layout = layoutOf(input, scope)
  const states = new Map<string, Value>()
  const variables = new Map<string, Value>()
  let unread = others.length > 0
  const own: LayerScope = {
    training: scope.training,
    prefix: `${name}/`,
    fold: scope.fold,
    hold: scope.hold?.(name),
    aligned: wiring?.aligned,
    get others() {
      unread = false
      return others
    },
    forced: scope.forced,
    param: (key, parameter) => {
      const value = scope.param(`${weights}/${key}`, parameter)
      shared.set(`${weights}/${key}`, value)
      return value
    },
    variable: (key, parameter) => scope.variable(`${weights}/${key}`, parameter),
    next: (key, value) => variables.set(`${weights}/${key}`, value),
    shared: (path) => {
      const value = shared.get(path)
      if (value !== undefined) return value
      const known = [...shared.keys()].join(', ') || 'none'
      throw new ArgumentError(`${name}: no layer before it has the parameter ${path}; there are ${known}`)
    },
    noise: scope.noise,
    random: (key) => ({ ...scope.random(), ...layout, stream: streamOf(`${name}/${key}`) }),
    initial: (key, begin) => scope.initial(`${name}/${key}`, begin, false),
    final: (key, value) => states.set(key, value),
  }
  const handed = given === undefined ? undefined : wiring!.handOver(call, own, read, done, scope)
  const output = layer.apply(input, handed?.scope ?? own)
  if (unread) throw new ArgumentError(`${name}: it reads one input; received ${others.length + 1}`)
  handed?.check([...states.keys()])
  return { inputs: [input, ...others], output, states, variables }
}

function signalOf(
  source: Source,
  read: ReadonlyMap<string, Signal>,
  done: readonly (Called | undefined)[],
  wiring: Wiring | undefined,
): Signal {
  if ('input' in source) return read.get(source.input)!
  const made = done[source.call]!
  return source.part === undefined ? made.output : wiring!.partOf(made, source.part)
}

/** @throws {ArgumentError} for what is no model */
export function requireModel(what: string, model: Model): void {
  if (model instanceof Model) return
  throw new ArgumentError(
    `${what}: expected a model, such as sequential([…]) makes; received ${model === null ? 'null' : typeof model}`,
  )
}

function sole<T>(what: string, all: ReadonlyMap<string, T>): T {
  const [first] = all.values()
  if (all.size === 1) return first!
  throw new ArgumentError(`expected a model with one ${what}; this one has ${[...all.keys()].join(', ')}`)
}

/** What random numbers of a signal's elements are counted by, besides their features. */
function layoutOf(
  { value, sequence, packing }: Signal,
  { time }: ModelScope,
): Pick<RandomKey, 'rows' | 'time' | 'rowAxis'> {
  if (!sequence) return {}
  if (packing === undefined) return { time: time ?? iota([value.shape[0]!]), rowAxis: 1 }
  const { rows, steps } = packing
  return { rows, time: time === undefined ? steps : gather(time, steps), rowAxis: 0 }
}

function shapeAt({ value, sequence }: Signal): OpenShape {
  const { shape } = value
  return { shape: sequence ? [shape[0]!, ...shape.slice(2)] : shape.slice(1), sequence }
}

/** Names of times that are not those of something else. */
const TIME = /^(?!B$|P$|C$|N|alive)[A-Za-z]\w*$/

function checkInput(input: InputSpec): void {
  requireKnown('an input', input, ['shape', 'dtype'])
  const { shape, dtype } = input
  requireChoice('an input', 'dtype', dtype, ['f32', 'i32', 'bool'])
  if (!Array.isArray(shape)) {
    throw new ShapeError(`an input's shape is a list of sizes; received ${String(shape)}`)
  }
  for (const [axis, size] of shape.entries()) {
    if (typeof size === 'string' ? TIME.test(size) : size === null ? axis === 0 : isSize(size)) continue
    throw new ShapeError(
      `an input's shape is [null, …features] or [features], with a name such as 'Tsource' for a time of its own; ` +
        `received ${JSON.stringify(shape)}`,
    )
  }
}

const isSize = (size: number) => Number.isInteger(size) && size >= 1

export function printInput({ shape, dtype }: InputSpec, typed = true): string {
  return `${typed ? dtype : ''}${printShape(shapeOf(openShape(shape)))}`
}

/** Names as Keras gives them: lstm, lstm_1, …; a layer that is called again is lstm@2. */
function withNames(what: string, calls: readonly Omit<Call, 'name' | 'weights'>[]): Call[] {
  const used = new Set<string>()
  const known = new Map<Layer, string>()
  const free = (first: string, next: (i: number) => string) => {
    let name = first
    for (let i = 1; used.has(name); i++) name = next(i)
    used.add(name)
    return name
  }
  return calls.map((call) => {
    const { layer } = call
    const weights = known.get(layer)
    if (weights !== undefined) {
      return { ...call, name: free(`${weights}@2`, (i) => `${weights}@${i + 2}`), weights }
    }
    if (layer.name !== undefined && used.has(layer.name)) {
      throw new ArgumentError(`${what}: two layers are named ${layer.name}`)
    }
    const name = free(layer.name ?? layer.kind, (i) => `${layer.kind}_${i}`)
    if (name.includes('/')) throw new ArgumentError(`a layer's name holds no '/'; received ${name}`)
    known.set(layer, name)
    return { ...call, name, weights: name }
  })
}
