/** A model: layers one after the other, and the numbers of their parameters. */
import type { RandomKey } from '../graph/functions.ts'
import { traceWith } from '../graph/trace.ts'
import { gather, iota, type Value, where, zeros } from '../graph/value.ts'
import type { Parameter } from '../init/initializers.ts'
import { initialize } from '../init/numbers.ts'
import { requireChoice, requireKnown } from '../tensor/checks.ts'
import type { Dtype } from '../tensor/dtype.ts'
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { streamOf } from '../tensor/random.ts'
import { constantOf } from '../tensor/size.ts'
import { elementCount, type Tensor, tensor } from '../tensor/tensor.ts'
import type { Fold, Layer, LayerScope, NoiseOf, Signal } from './layer.ts'
import type { RowPacking } from './packing.ts'

/** What goes in, without the batch axis: `null` stands for time. Tokens: `{ shape: [null], dtype: 'i32' }`. */
export interface InputSpec {
  readonly shape: readonly (number | null)[]
  readonly dtype: Dtype
}

/** What a model is told while it is traced; paths are `layer/name`. */
export interface ModelScope {
  readonly training: boolean
  /** Rows have lengths of their own: they are packed inside. */
  readonly packing?: RowPacking | undefined
  /** bool [T, B], instead of lengths. */
  readonly mask?: Value | undefined
  /** [B, T, …]: targets for the last layer to read in the place of its own outputs. */
  readonly forced?: Value | undefined
  /** How recurrent layers fold their steps, if not by a plain scan. */
  readonly fold?: Fold | undefined
  param(path: string, parameter: Parameter): Value
  variable(path: string, parameter: Parameter): Value
  /** The seed and the number of the update, for what is drawn in training. */
  random(): Pick<RandomKey, 'seed' | 'update'>
  /** What recurrent layers draw, in training of a model that draws. */
  readonly noise?: NoiseOf | undefined
  /** i32 [T]: the number of each step. Default: from 0 on. */
  readonly time?: Value | undefined
  initial(path: string, begin: Value): Value
}

export interface Forward {
  /** As inside: time-major or packed; without time in the order of the batch. */
  readonly output: Signal
  /** Final states by path, in the order of the batch. */
  readonly states: ReadonlyMap<string, Value>
  /** What variables hold after the step, by path. */
  readonly variables: ReadonlyMap<string, Value>
}

/** What the first tracing finds out. */
export interface Built {
  readonly input: InputSpec
  readonly params: ReadonlyMap<string, Parameter>
  /** What is kept with the parameters, but not trained. */
  readonly variables: ReadonlyMap<string, Parameter>
  /** Shapes of recurrent states, without the batch axis. */
  readonly states: ReadonlyMap<string, readonly number[]>
  /** Whether some layer draws random numbers in training. */
  readonly draws: boolean
  /** The output's shape without its batch axis, after each layer. */
  readonly shapes: readonly (readonly (number | null)[])[]
}

export class Sequential {
  readonly layers: readonly { readonly name: string; readonly layer: Layer }[]
  #built: Built | undefined
  #weights: ReadonlyMap<string, Tensor> | undefined

  constructor(layers: readonly Layer[], input?: InputSpec) {
    if (!Array.isArray(layers) || layers.length === 0) {
      const received = Array.isArray(layers) ? 'none' : typeof layers
      throw new ArgumentError(`sequential: expected at least one layer in a list; received ${received}`)
    }
    for (const layer of layers) {
      if (typeof layer === 'object' && typeof layer?.apply === 'function') continue
      throw new ArgumentError(
        `sequential: expected layers such as lstm({ units: 8 }); received ${typeof layer} (a cell needs recurrent(cell) around it)`,
      )
    }
    this.layers = withNames(layers)
    if (input !== undefined) this.build(input)
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

  /** Fixes the input's shape; training and prediction do it from their data. */
  build(input: InputSpec): this {
    checkInput(input)
    if (this.#built !== undefined) {
      const known = this.#built.input
      if (known.dtype !== input.dtype || String(known.shape) !== String(input.shape)) {
        throw new ShapeError(`the model takes ${printInput(known)}; received ${printInput(input)}`)
      }
      return this
    }
    const params = new Map<string, Parameter>()
    const variables = new Map<string, Parameter>()
    const states = new Map<string, readonly number[]>()
    const shapes: (readonly (number | null)[])[] = []
    let draws = false
    traceWith(
      [{ name: 'x', shape: ['B', ...input.shape.map((size) => size ?? 'T')], dtype: input.dtype }],
      ([x]) => {
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
          initial: (path, begin) => {
            states.set(
              path,
              begin.shape.slice(1).map((size) => constantOf(size)!),
            )
            return begin
          },
        }
        return this.forward(x!, scope, (signal) => shapes.push(shapeOf(signal)))
      },
      ({ output }) => [output.value],
    )
    this.#built = { input, params, variables, states, draws, shapes }
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

  /** Traces the model on a batch-first input. */
  forward(x: Value, scope: ModelScope, seen: (signal: Signal) => void = () => {}): Forward {
    const sequence = this.#isSequence(x)
    const states = new Map<string, Value>()
    const variables = new Map<string, Value>()
    const shared = new Map<string, Value>()
    const { packing } = scope
    const face: Signal = { value: x, sequence, packing }
    let signal = masked(inside(face), scope.mask)
    for (const [at, { name, layer }] of this.layers.entries()) {
      const layout = layoutOf(signal, scope)
      const forced = at === this.layers.length - 1 ? scope.forced : undefined
      const own: LayerScope = {
        training: scope.training,
        prefix: `${name}/`,
        fold: scope.fold,
        mask: signal.sequence ? scope.mask : undefined,
        forced: forced && inside({ ...face, value: forced }).value,
        param: (key, parameter) => {
          const value = scope.param(`${name}/${key}`, parameter)
          shared.set(`${name}/${key}`, value)
          return value
        },
        variable: (key, parameter) => scope.variable(`${name}/${key}`, parameter),
        next: (key, value) => variables.set(`${name}/${key}`, value),
        shared: (path) => {
          const value = shared.get(path)
          if (value !== undefined) return value
          const known = [...shared.keys()].join(', ') || 'none'
          throw new ArgumentError(`${name}: no layer before it has the parameter ${path}; there are ${known}`)
        },
        noise: scope.noise,
        random: (key) => ({ ...scope.random(), ...layout, stream: streamOf(`${name}/${key}`) }),
        initial: (key, begin) => {
          const value = scope.initial(`${name}/${key}`, begin)
          return packing === undefined ? value : packing.sorted(value)
        },
        final: (key, value) =>
          states.set(`${name}/${key}`, packing === undefined ? value : packing.unsorted(value)),
      }
      signal = layer.apply(signal, own)
      seen(signal)
    }
    const { value } = signal
    if (packing === undefined || signal.sequence) return { output: signal, states, variables }
    return { output: { value: packing.unsorted(value), sequence: false }, states, variables }
  }

  /** @throws {ArgumentError} where a layer reads backwards: its states cannot go on from window to window */
  requireForward(what: string): void {
    const backwards = this.layers.find(({ layer }) => layer.readsBackwards)
    if (backwards === undefined) return
    throw new ArgumentError(
      `${what}: states go on from one window to the next, but layer ${backwards.name} reads from the end; ` +
        'give whole sequences and carry no states',
    )
  }

  /** Paths of the states that the model returns with its output. */
  returnedStates(): string[] {
    const returning = new Set(this.layers.filter(({ layer }) => layer.returnState).map(({ name }) => name))
    return [...this.built.states.keys()].filter((path) => returning.has(path.slice(0, path.indexOf('/'))))
  }

  /** What has numbers of its own: parameters, then variables. */
  get #leaves(): ReadonlyMap<string, Parameter> {
    return new Map([...this.built.params, ...this.built.variables])
  }

  #isSequence(x: Value): boolean {
    return x.rank >= 2 && constantOf(x.shape[1]!) === undefined
  }
}

/** @throws {ArgumentError} for what is no model */
export function requireModel(what: string, model: Sequential): void {
  if (model instanceof Sequential) return
  throw new ArgumentError(
    `${what}: expected a model, such as sequential([…]) makes; received ${model === null ? 'null' : typeof model}`,
  )
}

/** From batch-first to time-major or packed. */
export function inside({ value, sequence, packing }: Signal): Signal {
  if (!sequence) return { value, sequence }
  return packing === undefined
    ? { value: swapped(value), sequence }
    : { value: packing.pack(value), sequence, packing }
}

/** From time-major or packed to batch-first. */
export function outside({ value, sequence, packing }: Signal): Value {
  if (!sequence) return value
  return packing === undefined ? swapped(value) : packing.unpack(value)
}

/** Between batch-first and time-major, either way. */
export function swapped(value: Value): Value {
  const rest = value.shape.map((_, axis) => axis).slice(2)
  return value.transpose([1, 0, ...rest])
}

/** What is masked becomes 0, so that nothing there, NaN included, reaches any product. */
export function masked(signal: Signal, mask: Value | undefined): Signal {
  const { value, sequence } = signal
  if (mask === undefined || !sequence) return signal
  const rows = mask.reshape([value.shape[0]!, value.shape[1]!, ...value.shape.slice(2).map(() => 1)])
  return { ...signal, value: where(rows, value, 0) }
}

/** What random numbers of a signal's elements are counted by, besides their features. */
function layoutOf(
  { value, sequence, packing: packed }: Signal,
  { time, packing }: ModelScope,
): Pick<RandomKey, 'rows' | 'time' | 'rowAxis'> {
  if (!sequence) return packing === undefined ? {} : { rows: packing.order }
  if (packed === undefined) return { time: time ?? iota([value.shape[0]!]), rowAxis: 1 }
  const { rows, steps } = packed
  return { rows, time: time === undefined ? steps : gather(time, steps), rowAxis: 0 }
}

function shapeOf({ value, sequence }: Signal): (number | null)[] {
  const features = value.shape.slice(sequence ? 2 : 1).map((size) => constantOf(size) ?? null)
  return sequence ? [null, ...features] : features
}

function checkInput(input: InputSpec): void {
  requireKnown('an input', input, ['shape', 'dtype'])
  const { shape, dtype } = input
  requireChoice('an input', 'dtype', dtype, ['f32', 'i32', 'bool'])
  if (!Array.isArray(shape)) {
    throw new ShapeError(`an input's shape is a list of sizes; received ${String(shape)}`)
  }
  for (const [axis, size] of shape.entries()) {
    if (size === null ? axis > 0 : !Number.isInteger(size) || size < 1) {
      throw new ShapeError(
        `an input's shape is [null, …features] or [features]; received ${JSON.stringify(shape)}`,
      )
    }
  }
}

function printInput({ shape, dtype }: InputSpec): string {
  return `${dtype}[${['B', ...shape.map((size) => size ?? 'T')].join(', ')}]`
}

/** Names as Keras gives them: lstm, lstm_1, … */
function withNames(layers: readonly Layer[]) {
  const used = new Set<string>()
  return layers.map((layer) => {
    let name = layer.name ?? layer.kind
    for (let i = 1; used.has(name); i++) {
      if (layer.name !== undefined) throw new ArgumentError(`two layers are named ${layer.name}`)
      name = `${layer.kind}_${i}`
    }
    if (name.includes('/')) throw new ArgumentError(`a layer's name holds no '/'; received ${name}`)
    used.add(name)
    return { name, layer }
  })
}

export interface SequentialOptions {
  readonly input?: InputSpec
}

/** Layers one after the other. The input's shape follows from the first data, or is given. */
export function sequential(layers: readonly Layer[], options: SequentialOptions = {}): Sequential {
  requireKnown('sequential', options, ['input'])
  return new Sequential(layers, options.input)
}

/** A table of layers, shapes and numbers of parameters; variables, which are not trained, are counted apart at its end. */
export function summary(model: Sequential): string {
  requireModel('summary', model)
  const { params, variables, shapes, input } = model.built
  const count = (leaves: Built['params'], start: string) =>
    [...leaves].reduce(
      (sum, [path, { shape }]) => sum + (path.startsWith(start) ? elementCount(shape) : 0),
      0,
    )
  const both = (start: string) => String(count(params, start) + count(variables, start))
  const shown = (shape: readonly (number | null)[]) =>
    `[${['B', ...shape.map((size) => size ?? 'T')].join(', ')}]`
  const rows = [
    ['layer', 'output', 'parameters'],
    ['input', shown(input.shape), '0'],
    ...model.layers.map(({ name }, i) => [name, shown(shapes[i]!), both(`${name}/`)]),
    ['total', '', both('')],
    ...(variables.size === 0
      ? []
      : [
          ['trainable', '', String(count(params, ''))],
          ['non-trainable', '', String(count(variables, ''))],
        ]),
  ]
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows
    .map(([a, b, c]) => `${a!.padEnd(widths[0]!)}  ${b!.padEnd(widths[1]!)}  ${c!.padStart(widths[2]!)}`)
    .join('\n')
}
