/** The graph of a gradient's flow: one loss, its gradient with respect to every state and every weight of each step. */
import { gradient } from '../graph/grad.ts'
import { scan } from '../graph/scan.ts'
import { traceWith } from '../graph/trace.ts'
import { and, derive, iota, type Value } from '../graph/value.ts'
import { Dense } from '../layers/dense.ts'
import { Embedding } from '../layers/embedding.ts'
import type { Layer, LayerScope, Signal } from '../layers/layer.ts'
import { LayerNorm } from '../layers/layer-norm.ts'
import type { Model } from '../layers/model.ts'
import { noiseOf } from '../layers/noise.ts'
import { SOLE_OUTPUT } from '../layers/parts.ts'
import { ArgumentError } from '../tensor/errors.ts'
import type { Shape } from '../tensor/size.ts'
import { facesOf, type LeafOptions, leafScope, leafSpecs } from '../train/leaves.ts'
import { type LossOption, lossOf, measured } from '../train/losses.ts'
import { type NamedGraph, type NamedSpec, traceNamed } from '../train/session.ts'
import { targetSpecs, weightSpecs } from '../train/step.ts'
import { type Probes, probedFold } from './probed-fold.ts'

export interface FlowOptions {
  /** Which steps are there comes in, bool [B, T]. */
  readonly mask: boolean
  /** How much rows or steps weigh in the loss comes in. Default: false. */
  readonly weights?: boolean
  /** The loss is that of one step, the input `at`, instead of all. */
  readonly at: boolean
  /** No gradient goes back from the step that the input `cut` names. */
  readonly cut: boolean
  readonly contributions: boolean
}

export interface Flow {
  /** Outputs: `loss`; `d PATH` of states, [T, B, …], and of weights, [T, …]. */
  readonly named: NamedGraph
  /** e(t), the input `e PATH` and 0, for every state; with its shape. */
  readonly states: ReadonlyMap<string, Shape>
  readonly weights: readonly string[]
}

export const probeInput = (path: string) => `e ${path}`
export const flowOutput = (path: string) => `d ${path}`

/** Rows are padded, not packed: a weight that changes from step to step stands beside all rows of its step. */
export function traceFlow(model: Model, option: LossOption, options: FlowOptions): Flow {
  const loss = lossOf(option)
  const losses = new Map([[SOLE_OUTPUT, loss]])
  const leaves = { training: true, carry: [], mask: options.mask, noise: noiseOf }
  const numbers = (['at', 'cut'] as const).filter((name) => options[name])
  const specs: NamedSpec[] = [
    ...leafSpecs(model, leaves),
    ...targetSpecs(model, losses),
    ...(options.weights === true ? weightSpecs(model, losses) : []),
    ...numbers.map((name) => ({ name, shape: [], dtype: 'i32' }) as const),
  ]
  const states = statesOf(model, specs, leaves)
  const probes = [...states].map(([path, shape]) => ({ name: probeInput(path), shape }))
  const reads: (readonly [path: string, unshared: Value])[] = []
  const named = traceNamed([...specs, ...probes], (get) => {
    const fold = probedFold({
      state: (path) => (states.has(path) ? get(probeInput(path)) : undefined),
      weights: (prefix) => (options.contributions ? parametersOf(model, prefix, get) : []),
      read: (path, unshared) => reads.push([path, unshared]),
      cut: options.cut ? get('cut') : undefined,
    })
    const scope = { ...leafScope(get, leaves), fold }
    const faces = facesOf(model, get, leaves)
    const { outputs: found, calls } = model.forward(faces, scope)
    const output = found.get(SOLE_OUTPUT)!
    const isAt = options.at ? iota([output.value.shape[0]!, 'B']).equal(get('at')) : undefined
    const mask = isAt && output.mask ? and(isAt, output.mask) : (isAt ?? output.mask)
    const weighing = options.weights === true ? get('weights') : undefined
    const { mean } = measured(loss, { ...output, mask }, get('y'), weighing)
    const probed = [...states.keys()].map((path) => [path, get(probeInput(path))] as const)
    const sources = [...probed, ...reads]
    const gradients = gradient(
      mean,
      sources.map(([, source]) => source),
    )
    const outputs = new Map<string, Value>()
    const add = (path: string, own: Value) => outputs.set(path, outputs.get(path)?.add(own) ?? own)
    for (const [i, [path]] of sources.entries()) add(path, gradients[i]!)
    if (options.contributions) {
      for (const [i, { weights, layer }] of model.calls.entries()) {
        const { inputs, output: yielded } = calls[i]!
        if (!isPerStep(layer) || !yielded.sequence) continue
        const own = { layer, prefix: `${weights}/`, input: inputs[0]!, output: yielded }
        for (const [path, dW] of contributionsOf(own, mean, get)) add(path, dW)
      }
    }
    return {
      outputs: {
        loss: mean,
        ...Object.fromEntries([...outputs].map(([path, value]) => [flowOutput(path), value])),
      },
    }
  })
  const paths = named.outputs.slice(1).map((name) => name.slice(flowOutput('').length))
  return { named, states, weights: paths.filter((path) => !states.has(path)) }
}

/** The states that recurrent layers fold, and the shapes of all their steps together. */
function statesOf(model: Model, specs: readonly NamedSpec[], leaves: LeafOptions): Map<string, Shape> {
  const states = new Map<string, Shape>()
  const state: Probes['state'] = (path, shape) => {
    if (model.built.states.has(path)) states.set(path, shape)
    return undefined
  }
  traceWith(
    specs,
    (values) => {
      const get = (name: string) => values[specs.findIndex((spec) => spec.name === name)]!
      const fold = probedFold({ state, weights: () => [], read: () => {} })
      return model.forward(facesOf(model, get, leaves), { ...leafScope(get, leaves), fold })
    },
    ({ outputs }) => [...outputs.values()].map(({ value }) => value),
  )
  return states
}

/** The parameters of the layer, or the part of one, whose states begin with that. */
function parametersOf({ calls, built }: Model, prefix: string, get: (path: string) => Value) {
  const { name, weights } = calls.find((call) => prefix.startsWith(`${call.name}/`))!
  const own = `${weights}${prefix.slice(name.length)}`
  const paths = [...built.params.keys()].filter((path) => path.startsWith(own))
  return paths.map((path) => [path, get(path)] as const)
}

/** Layers whose output of a step is a function of their input at that step alone. */
function isPerStep(layer: Layer): boolean {
  return layer instanceof Dense || layer instanceof Embedding || layer instanceof LayerNorm
}

/** Σ over rows of ∂L/∂y(t) · ∂y(t)/∂W for every weight W of a layer that is the same at every step: [T, …]. */
function contributionsOf(
  own: { readonly layer: Layer; readonly prefix: string; readonly input: Signal; readonly output: Signal },
  mean: Value,
  get: (path: string) => Value,
): [string, Value][] {
  const [dy] = gradient(mean, [own.output.value])
  const { ys } = scan({ carry: {}, xs: { x: own.input.value, dy: dy! } }, ({ x: { x, dy: cotangent } }) => {
    const weights = new Map<string, Value>()
    const shared = (path: string) => {
      // As the body sees it, so that what the layer makes of it is made inside.
      const own = weights.get(path) ?? derive([x, get(path)], ([, weight]) => weight!)
      weights.set(path, own)
      return own
    }
    const scope: LayerScope = {
      ...{ training: true, prefix: own.prefix, others: [] },
      ...{ variable: refuse, next: refuse, random: refuse, initial: refuse, final: refuse },
      ...{ param: (name) => shared(`${own.prefix}${name}`), shared },
    }
    const { value } = own.layer.apply({ value: x, sequence: false }, scope)
    const gradients = gradient(value.mul(cotangent).sum(), [...weights.values()])
    const y = Object.fromEntries([...weights.keys()].map((path, i) => [path, gradients[i]!]))
    return { carry: {}, y }
  })
  return Object.entries(ys)
}

function refuse(): never {
  throw new ArgumentError(
    'gradientFlow: a layer that is the same at every step has no states and draws nothing',
  )
}
