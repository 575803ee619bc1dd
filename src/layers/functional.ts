/**
 * Models of several inputs and outputs, Keras's functional API: layers are called on what goes through a model, and what
 * they are called on is remembered as plain data, which files hold.
 */
import { requireKnown } from '../tensor/checks.ts'
import { ArgumentError } from '../tensor/errors.ts'
import type { Layer } from './layer.ts'
import { Model, printInput } from './model.ts'
import { type Call, type InputSpec, SOLE_INPUT, SOLE_OUTPUT, type Source } from './parts.ts'
import { WIRING } from './wiring.ts'

export interface CallOptions {
  /** States that a recurrent layer begins with: by name, or all of another layer's (an encoder's) last ones. */
  readonly initialState?: Flow | Readonly<Record<string, Flow>> | undefined
}

interface Application {
  readonly layer: Layer
  readonly from: readonly Flow[]
  readonly initialState: CallOptions['initialState']
  /** What was called before has a smaller one. */
  readonly order: number
}

/** What flows from an input, or out of a layer that was called. */
export class Flow {
  /** What it comes from. */
  readonly origin: InputSpec | Application
  /** A further output of the layer, or a state. */
  readonly part: string | undefined

  constructor(origin: InputSpec | Application, part?: string) {
    this.origin = origin
    this.part = part
  }

  /** Through a layer: the same as `call(layer, [this], options)`. */
  to(layer: Layer, options: CallOptions = {}): Flow {
    return call(layer, [this], options)
  }

  /** A state after the last step ('h', 'c'; of a bidirectional layer 'forward h'), [B, …], or a further output of the layer. */
  get(part: string): Flow {
    if ('layer' in this.origin && typeof part === 'string') return new Flow(this.origin, part)
    throw new ArgumentError(`get: expected a state's name of a layer's output; received ${String(part)}`)
  }
}

/**
 * An input of a model: `{ shape: [null, 8] }` for series of 8 features, `{ shape: [null], dtype: 'i32' }` for tokens, with a
 * name in the place of `null` where inputs have times of their own: `{ shape: ['Tsource'], dtype: 'i32' }`.
 */
export function input(spec: {
  readonly shape: InputSpec['shape']
  readonly dtype?: InputSpec['dtype']
}): Flow {
  requireKnown('input', spec, ['shape', 'dtype'])
  return new Flow({ shape: spec.shape, dtype: spec.dtype ?? 'f32' })
}

/**
 * A layer on one or several inputs. A layer that is called again has the same weights.
 *
 *     const context = source.to(lstm({ units: 64 }))
 *     const words = call(lstm({ units: 64, returnSequences: true }), [target], { initialState: context })
 *
 * @throws {ArgumentError} for what is no layer or flows out of none
 */
export function call(layer: Layer, from: readonly Flow[], options: CallOptions = {}): Flow {
  if (typeof layer !== 'object' || typeof layer?.apply !== 'function') {
    throw new ArgumentError(
      `call: expected a layer such as lstm({ units: 8 }); received ${typeof layer} (a cell needs recurrent(cell) around it)`,
    )
  }
  requireKnown(layer.kind, options, ['initialState'])
  if (!Array.isArray(from) || from.length === 0) {
    throw new ArgumentError(`${layer.kind}: expected a list of what it reads; received ${typeof from}`)
  }
  const { initialState } = options
  for (const each of readBy({ from, initialState })) requireFlow(layer.kind, each)
  if (initialState instanceof Flow && !('layer' in initialState.origin && initialState.part === undefined)) {
    throw new ArgumentError(
      `${layer.kind}: initialState must be a recurrent layer's output, of which all states are taken, or states by name ` +
        "({ h: encoded.get('h') })",
    )
  }
  return new Flow({ layer, from, initialState, order: called++ })
}

let called = 0

export interface ModelOptions {
  /** One input, or several by name. */
  readonly inputs: Flow | Readonly<Record<string, Flow>>
  /** One output, or several by name. */
  readonly outputs: Flow | Readonly<Record<string, Flow>>
}

/**
 * A model from its inputs to its outputs. Batches and predictions name them: `{ source, target }`.
 *
 *     const source = input({ shape: ['Tsource'], dtype: 'i32' })
 *     const target = input({ shape: ['Ttarget'], dtype: 'i32' })
 *     const words = embedding({ inputDim: 100, outputDim: 16 })
 *     const context = source.to(words).to(lstm({ units: 64 }))
 *     const decoded = target.to(words).to(lstm({ units: 64, returnSequences: true }), { initialState: context })
 *     const net = model({ inputs: { source, target }, outputs: decoded.to(dense({ units: 100 })) })
 *
 * @throws {ArgumentError} where an output needs an input that is not listed, or an input is not used
 * @throws {ShapeError} where a layer does not take what it is called on
 */
export function model(options: ModelOptions): Model {
  requireKnown('model', options, ['inputs', 'outputs'])
  const inputs = listed('inputs', options.inputs, SOLE_INPUT)
  const outputs = listed('outputs', options.outputs, SOLE_OUTPUT)
  const names = new Map(inputs.map(([name, { origin }]) => [origin, name]))
  const called = calledBy(outputs.map(([, flow]) => flow))
  const places = new Map(called.map((each, place) => [each, place]))
  const used = new Set<string>()
  const sourceOf = ({ origin, part }: Flow): Source => {
    if ('layer' in origin) return { call: places.get(origin)!, ...(part === undefined ? {} : { part }) }
    const name = names.get(origin)
    if (name === undefined) {
      throw new ArgumentError(
        `model: an output depends on an input ${printInput(origin)} that is not among its inputs: ${[...names.values()].join(', ')}`,
      )
    }
    used.add(name)
    return { input: name }
  }
  const statesOf = ({ initialState }: Application): Call['states'] => {
    if (!(initialState instanceof Flow)) {
      return (
        initialState &&
        Object.fromEntries(Object.entries(initialState).map(([name, flow]) => [name, sourceOf(flow)]))
      )
    }
    return places.get(initialState.origin as Application)!
  }
  const calls = called.map((own) => ({
    ...{ layer: own.layer, from: own.from.map(sourceOf), states: statesOf(own) },
  }))
  const sources = new Map(outputs.map(([name, flow]) => [name, sourceOf(flow)]))
  for (const [name, source] of sources) {
    if ('input' in source)
      throw new ArgumentError(
        `model: the output ${name} is an input itself; expected what a layer makes of it`,
      )
  }
  const unused = inputs.find(([name]) => !used.has(name))
  if (unused !== undefined) throw new ArgumentError(`model: no output depends on the input ${unused[0]}`)
  const specs = new Map(inputs.map(([name, { origin }]) => [name, origin as InputSpec]))
  return new Model(calls, sources, WIRING).buildAll(specs)
}

/** All that flows depend on, in the order in which it was called. */
function calledBy(flows: readonly Flow[]): Application[] {
  const found = new Set<Application>()
  const visit = ({ origin }: Flow) => {
    if (!('layer' in origin) || found.has(origin)) return
    found.add(origin)
    for (const flow of readBy(origin)) visit(flow)
  }
  for (const flow of flows) visit(flow)
  return [...found].sort((a, b) => a.order - b.order)
}

function readBy({ from, initialState }: Pick<Application, 'from' | 'initialState'>): Flow[] {
  return [...from, ...(initialState instanceof Flow ? [initialState] : Object.values(initialState ?? {}))]
}

function listed(what: string, given: ModelOptions['inputs'], sole: string): [string, Flow][] {
  const all: [string, Flow][] = given instanceof Flow ? [[sole, given]] : Object.entries(given ?? {})
  if (all.length === 0) throw new ArgumentError(`model: expected ${what}; received none`)
  for (const [name, flow] of all) {
    requireFlow(`model: ${what}`, flow)
    if (!/^\w+$/.test(name)) {
      throw new ArgumentError(`model: ${what} are named by words; received ${JSON.stringify(name)}`)
    }
    if (what === 'inputs' && 'layer' in flow.origin) {
      throw new ArgumentError(`model: the input ${name} must be one that input({ shape }) made`)
    }
  }
  return all
}

function requireFlow(what: string, flow: unknown): void {
  if (flow instanceof Flow) return
  throw new ArgumentError(
    `${what}: expected what input({ shape }) or a layer's call gives; received ${Array.isArray(flow) ? 'a list' : typeof flow}`,
  )
}
