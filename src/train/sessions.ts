/** What was compiled of a model that is not being trained, so that it is compiled once. */
import { type PlaceOptions, placeFor } from '../codegen/compile.ts'
import type { Model } from '../layers/model.ts'
import { outside } from '../layers/signals.ts'
import type { Bindings } from '../tensor/size.ts'
import { finalOutputs, forwardWhole, type LeafOptions, leafSpecs, outputName } from './leaves.ts'
import { type NamedGraph, Session, traceNamed } from './session.ts'

/** A function of a model, traced once, and compiled once for each place where its calls ran. */
interface Traced {
  readonly named: NamedGraph
  readonly sessions: Map<string, Promise<Session>>
}

/** Functions of models: for each model, by what they compute (a loss, or the model itself) and by what they take in. */
const functions = new WeakMap<Model, WeakMap<object, Map<string, Traced>>>()

/** For a call of these sizes. */
export interface CallOptions extends PlaceOptions {
  readonly sizes: Bindings
}

export async function sessionOf(
  model: Model,
  of: object,
  key: string,
  trace: () => NamedGraph,
  { sizes, ...options }: CallOptions,
): Promise<Session> {
  const all = functions.get(model) ?? new WeakMap<object, Map<string, Traced>>()
  functions.set(model, all)
  const known = all.get(of) ?? new Map<string, Traced>()
  all.set(of, known)
  const { named, sessions } = known.get(key) ?? { named: { ...trace(), keeps: true }, sessions: new Map() }
  known.set(key, { named, sessions })
  const place = await placeFor(named.graph, options, sizes)
  const which = `${place.backend} ${place.threads}`
  const session = sessions.get(which) ?? Session.open(named, place)
  sessions.set(which, session)
  return session
}

export function keyOf({ carry, stateful = [], packing, mask = false }: LeafOptions): string {
  return `${carry} ${stateful} ${packing !== undefined} ${mask}`
}

/** The compiled forward pass: output and final states. */
export function forwardSession(model: Model, leaves: LeafOptions, call: CallOptions): Promise<Session> {
  const trace = () =>
    traceNamed(leafSpecs(model, leaves), (get) => {
      const { outputs, states } = forwardWhole(model, get, leaves)
      const named = [...outputs].map(([name, signal]) => [outputName(name), outside(signal)] as const)
      return { outputs: { ...Object.fromEntries(named), ...finalOutputs(states) } }
    })
  return sessionOf(model, model, keyOf(leaves), trace, call)
}
