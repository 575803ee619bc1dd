/** What was compiled of a model that is not being trained, so that it is compiled once. */
import type { Backend } from '../codegen/compile.ts'
import type { Model } from '../layers/model.ts'
import { outside } from '../layers/signals.ts'
import { finalOutputs, forwardWhole, type LeafOptions, leafSpecs, outputName } from './leaves.ts'
import { Session, traceNamed } from './session.ts'

/** Compiled functions of models: for each model, by what they compute (a loss, or the model itself) and by what they take in. */
const sessions = new WeakMap<Model, WeakMap<object, Map<string, Promise<Session>>>>()

export function sessionOf(
  model: Model,
  of: object,
  key: string,
  open: () => Promise<Session>,
): Promise<Session> {
  const all = sessions.get(model) ?? new WeakMap<object, Map<string, Promise<Session>>>()
  sessions.set(model, all)
  const known = all.get(of) ?? new Map<string, Promise<Session>>()
  all.set(of, known)
  const session = known.get(key) ?? open()
  known.set(key, session)
  return session
}

export function keyOf(
  { carry, stateful = [], packing, mask = false }: LeafOptions,
  backend: Backend,
): string {
  return `${carry} ${stateful} ${packing !== undefined} ${mask} ${backend}`
}

/** The compiled forward pass: output and final states. */
export function forwardSession(
  model: Model,
  leaves: LeafOptions,
  backend: Backend = 'wasm',
): Promise<Session> {
  return sessionOf(model, model, keyOf(leaves, backend), () => {
    const named = traceNamed(leafSpecs(model, leaves), (get) => {
      const { outputs, states } = forwardWhole(model, get, leaves)
      const named = [...outputs].map(([name, signal]) => [outputName(name), outside(signal)] as const)
      return { outputs: { ...Object.fromEntries(named), ...finalOutputs(states) } }
    })
    return Session.open(named, backend)
  })
}
