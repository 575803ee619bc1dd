/** A training step as one graph: forward, backward, clip and update. */
import type { Backend } from '../codegen/compile.ts'
import { gradient } from '../graph/grad.ts'
import { and, finite, sqrt, type Value, where } from '../graph/value.ts'
import type { NoiseOf } from '../layers/layer.ts'
import { requireModel, type Sequential } from '../layers/sequential.ts'
import { requireFlag, requireInteger, requireKnown } from '../tensor/checks.ts'
import { shapeOf } from '../tensor/size.ts'
import type { accumulated } from './accumulation.ts'
import { type ClippingOptions, checkClipping, clip } from './clipping.ts'
import { type LeafOptions, penalized, stateInput, WHOLE } from './leaves.ts'
import { type Loss, type LossOption, lossOf, measured } from './losses.ts'
import { type Optimizer, requireOptimizer } from './optimizers.ts'
import { type NamedGraph, type NamedSpec, traceNamed } from './session.ts'
import { heldBy, slotInput } from './slots.ts'
import type { TrainingState } from './state.ts'
import type { ClassWeight } from './weights.ts'
import { checkTruncation, type Truncation } from './windows.ts'

export interface StepOptions extends ClippingOptions {
  readonly loss: LossOption
  readonly optimizer: Optimizer
  /** States go on from batch to batch until one says `reset`, as they do with `truncate`. Default: false. */
  readonly carry?: boolean
  /** Truncated back-propagation through time; see {@link Truncation}. */
  readonly truncate?: Truncation | undefined
  /** Teacher forcing; see `fit`. Default: false. */
  readonly teacherForcing?: boolean | undefined
  /** How many batches one update is made of; see `fit`. Default: 1. */
  readonly accumulate?: number | undefined
  /** How much classes weigh in the loss; see `fit`. */
  readonly classWeight?: ClassWeight | undefined
  readonly backend?: Backend | undefined
  /** For parameters that have no numbers yet, and for what layers draw. Default: 0. */
  readonly seed?: number | undefined
  /** What `state` returned: the training goes on from there, and the model's numbers become those in it. */
  readonly resume?: TrainingState | undefined
}

const OPTIONS: Record<keyof StepOptions, true> = {
  loss: true,
  optimizer: true,
  clipGlobalNorm: true,
  clipValue: true,
  carry: true,
  truncate: true,
  teacherForcing: true,
  accumulate: true,
  classWeight: true,
  backend: true,
  seed: true,
  resume: true,
}

/** @throws {ArgumentError} for options outside their range, and a model that cannot be trained so */
export function checkStepOptions(model: Sequential, options: StepOptions): void {
  requireModel('a training step', model)
  requireKnown('a training step', options, Object.keys(OPTIONS))
  requireOptimizer(options.optimizer)
  checkClipping(options)
  requireFlag('a training step', 'carry', options.carry ?? false)
  requireFlag('a training step', 'teacherForcing', options.teacherForcing ?? false)
  const { accumulate = 1 } = options
  requireInteger('a training step', 'accumulate', accumulate, 1)
  if (options.truncate === undefined) return
  checkTruncation(options.truncate)
  model.requireForward('truncate')
}

/** The target of a loss, batch-first, for a model that is built. */
export function targetSpec(model: Sequential, { targets }: Loss): NamedSpec {
  const output = model.built.shapes[model.built.shapes.length - 1]!
  const shape = shapeOf(['B', ...output.map((size) => size ?? 'T')])
  return targets === 'classes'
    ? { name: 'y', dtype: 'i32', shape: shape.slice(0, -1) }
    : { name: 'y', dtype: 'f32', shape }
}

/** Paths of the states that go on from batch to batch. */
export function carried(model: Sequential, { truncate, carry = false }: StepOptions): string[] {
  return carry || truncate !== undefined ? [...model.built.states.keys()] : []
}

/** What batches bring besides inputs and targets. */
export interface StepKind {
  readonly lengths: boolean
  readonly mask: boolean
  readonly weights: boolean
}
export const PLAIN: StepKind = { lengths: false, mask: false, weights: false }

/** The weights of a loss, batch-first, for a model that is built. */
export function weightSpec(model: Sequential): NamedSpec {
  return { name: 'weights', shape: model.built.shapes.at(-1)![0] === null ? ['B', 'T'] : ['B'] }
}

/** What few steps need. */
interface Parts {
  /** For models that draw. */
  readonly noise?: NoiseOf | undefined
  /** For updates of several batches. */
  readonly accumulated?: typeof accumulated | undefined
}

/** Traces the step. Where loss or gradient is not finite, everything keeps its old value. */
export function traceStep(
  model: Sequential,
  options: StepOptions,
  kind: Partial<StepKind> = {},
  reading = WHOLE,
  { noise, accumulated }: Parts = {},
): NamedGraph {
  const { optimizer, accumulate = 1, teacherForcing = false } = options
  const held = heldBy(options)
  const carry = carried(model, options)
  const loss = lossOf(options.loss)
  const leaves: LeafOptions = { training: true, carry, noise, ...PLAIN, ...kind }
  const { params } = model.built
  const targets = targetSpec(model, loss)
  const specs: NamedSpec[] = [
    ...reading.specs(model, leaves),
    reading.target(targets, teacherForcing),
    ...(kind.weights === true ? [weightSpec(model)] : []),
    { name: 'learningRate', shape: [] },
    ...Object.keys(held.scalars).map((name) => ({ name, shape: [] })),
    ...held.slots.flatMap((slot) =>
      [...params].map(([path, { shape }]) => ({ name: slotInput(slot, path), shape })),
    ),
  ]
  return traceNamed(specs, (get) => {
    const target = get('y')
    const forced = teacherForcing ? target : undefined
    const { output, states, variables, counted } = reading.forward(model, get, leaves, forced)
    const own = reading.own(target, teacherForcing)
    const weights = kind.weights === true ? get('weights') : undefined
    const { mean: ofData, count } = measured(loss, output, own, { ...counted, weights })
    const mean = penalized(model, get, ofData)
    const paths = [...params.keys()]
    const batch = gradient(mean, paths.map(get))
    const several =
      accumulate === 1
        ? undefined
        : accumulated!(get, new Map(paths.map((path, i) => [path, batch[i]!])), count, accumulate)
    const gradients = several?.gradients ?? batch
    const squares = gradients.map((each) => each.square().sum())
    const norm = sqrt(squares.reduce((sum, each) => sum.add(each)))
    const clipped = clip(gradients, norm, options)
    const scalars = optimizer.advance(
      Object.fromEntries(Object.keys(optimizer.scalars).map((name) => [name, get(name)])),
    )
    const updates = new Map<string, Value>(Object.entries(scalars))
    for (const [i, path] of paths.entries()) {
      const slots = Object.fromEntries(optimizer.slots.map((slot) => [slot, get(slotInput(slot, path))]))
      const next = optimizer.update({
        param: get(path),
        gradient: clipped[i]!,
        slots,
        scalars,
        learningRate: get('learningRate'),
      })
      const { constraint } = params.get(path)!
      const held = (value: Value) => constraint?.apply(value) ?? value
      updates.set(path, held(next.param))
      for (const slot of optimizer.slots) {
        const value = next.slots[slot]!
        updates.set(slotInput(slot, path), slot === optimizer.final ? held(value) : value)
      }
    }
    if (several !== undefined) {
      for (const [name, value] of updates) updates.set(name, where(several.due, value, get(name)))
      for (const [name, value] of several.updates) updates.set(name, value)
    }
    for (const path of carry) updates.set(stateInput(path), states.get(path)!)
    for (const [path, value] of variables) updates.set(path, value)
    const ok = and(finite(mean), finite(norm))
    const guarded = [...updates].map(([name, value]) => [name, where(ok, value, get(name))] as const)
    return { outputs: { loss: mean, gradientNorm: norm }, updates: new Map(guarded) }
  })
}
