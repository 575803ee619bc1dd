/** A training step as one graph: forward, backward, clip and update. */
import type { Backend } from '../codegen/compile.ts'
import type { Named } from '../data/batches.ts'
import { gradient } from '../graph/grad.ts'
import { and, finite, sqrt, type Value, where } from '../graph/value.ts'
import type { Forcing, NoiseOf } from '../layers/layer.ts'
import { type Model, requireModel } from '../layers/model.ts'
import { requireFlag, requireInteger, requireKnown, requireNumber } from '../tensor/checks.ts'
import { ArgumentError } from '../tensor/errors.ts'
import type { accumulated } from './accumulation.ts'
import { type ClippingOptions, checkClipping, clip } from './clipping.ts'
import { heldBy, slotInput } from './held.ts'
import {
  FORCING,
  type LeafOptions,
  type Packings,
  penalized,
  type Reading,
  stateInput,
  targetInput,
  WHOLE,
  weightInput,
} from './leaves.ts'
import { type Losses, type LossOption, lossesOf, measured, totalOf } from './losses.ts'
import { type Optimizer, requireOptimizer } from './optimizers.ts'
import type { TeacherForcing } from './scheduled-sampling.ts'
import { type NamedGraph, type NamedSpec, traceNamed } from './session.ts'
import type { TrainingState } from './state.ts'
import { checkTruncation, type Truncation } from './truncation.ts'
import type { ClassWeight } from './weights.ts'

export interface StepOptions extends ClippingOptions {
  /** One, or one for each of a model's outputs, by name. */
  readonly loss: Named<LossOption>
  /** How much the losses of several outputs weigh in their sum, by name. Default: 1 each. */
  readonly lossWeights?: Readonly<Record<string, number>> | undefined
  readonly optimizer: Optimizer
  /** States go on from batch to batch until one says `reset`, as they do with `truncate`. Default: false. */
  readonly carry?: boolean
  /** Truncated back-propagation through time; see {@link Truncation}. */
  readonly truncate?: Truncation | undefined
  /** Teacher forcing; see `fit`. Default: false. */
  readonly teacherForcing?: TeacherForcing | undefined
  /** How many batches one update is made of; see `fit`. Default: 1. */
  readonly accumulate?: number | undefined
  /** How much classes weigh in the loss; see `fit`. */
  readonly classWeight?: ClassWeight | undefined
  /** Checkpointed back-propagation through time; see `fit`. Default: false. */
  readonly checkpoint?: boolean | undefined
  /** Linear states as parallel scans; see `fit`. Default: false. */
  readonly parallelScan?: boolean | undefined
  /** In bytes; see `fit`. Default: no limit. */
  readonly memoryLimit?: number | undefined
  readonly backend?: Backend | undefined
  /** Workers that take part; see `fit`. */
  readonly threads?: number | undefined
  /** For parameters that have no numbers yet, and for what layers draw. Default: 0. */
  readonly seed?: number | undefined
  /** What `state` returned: the training goes on from there, and the model's numbers become those in it. */
  readonly resume?: TrainingState | undefined
}

/** The options that `fit` has too. */
export const SHARED: Record<Exclude<keyof StepOptions, 'carry'>, true> = {
  loss: true,
  lossWeights: true,
  optimizer: true,
  clipGlobalNorm: true,
  clipValue: true,
  truncate: true,
  teacherForcing: true,
  accumulate: true,
  classWeight: true,
  checkpoint: true,
  parallelScan: true,
  memoryLimit: true,
  backend: true,
  threads: true,
  seed: true,
  resume: true,
}

/** @throws {ArgumentError} for options outside their range, and a model that cannot be trained so */
export function checkStepOptions(model: Model, options: StepOptions): void {
  requireModel('a training step', model)
  requireKnown('a training step', options, [...Object.keys(SHARED), 'carry'])
  requireOptimizer(options.optimizer)
  checkClipping(options)
  for (const name of ['carry', 'teacherForcing', 'checkpoint', 'parallelScan'] as const) {
    const given = options[name] ?? false
    if (typeof given !== 'object') requireFlag('a training step', name, given)
  }
  if (options.checkpoint && options.parallelScan) {
    throw new ArgumentError('a training step: expected checkpoint or parallelScan; received both')
  }
  const { accumulate = 1, memoryLimit = 1, lossWeights = {} } = options
  requireInteger('a training step', 'accumulate', accumulate, 1)
  requireInteger('a training step', 'memoryLimit', memoryLimit, 1)
  checkLossWeights(model, lossWeights)
  if (accumulate > 1 && model.outputs.size > 1) {
    throw new ArgumentError(
      'accumulate expects a model with one output: several may have unlike numbers of steps',
    )
  }
  if (options.truncate === undefined) return
  checkTruncation(options.truncate)
  model.requireForward('truncate')
}

export function checkLossWeights(model: Model, lossWeights: Readonly<Record<string, number>>): void {
  requireKnown('lossWeights', lossWeights, [...model.outputs.keys()])
  for (const [name, weight] of Object.entries(lossWeights)) {
    requireNumber('lossWeights', name, weight, 'of at least 0')
  }
}

/** The targets of losses, batch-first, for a model that is built. */
export function targetSpecs({ built }: Model, losses: Losses): NamedSpec[] {
  return [...losses].map(([name, { targets, rows }]) => {
    if (rows) return { name: targetInput(name), ...rows.target }
    const shape = ['B', ...built.outputs.get(name)!.shape]
    return targets === 'classes'
      ? { name: targetInput(name), dtype: 'i32', shape: shape.slice(0, -1) }
      : { name: targetInput(name), dtype: 'f32', shape }
  })
}

/** Paths of the states that go on from batch to batch, those of stateful layers included or not. */
export function carried(model: Model, { truncate, carry = false }: StepOptions, stateful = true): string[] {
  const own = model.statefulStates()
  const all = carry || truncate !== undefined ? [...model.built.states.keys()] : own
  return stateful ? all : all.filter((path) => !own.includes(path))
}

/** What batches bring besides inputs and targets, and how gradients go back through them. */
export interface StepKind {
  readonly lengths: boolean
  readonly mask: boolean
  readonly weights: boolean
  /** Gradients go back segment by segment. */
  readonly checkpoint: boolean
  readonly parallel: boolean
}
export const PLAIN: StepKind = {
  ...{ lengths: false, mask: false, weights: false, checkpoint: false, parallel: false },
}

/** The size of how many steps a segment has. */
export const SEGMENT = 'segment'

/** The weights of losses, batch-first, for a model that is built. */
export function weightSpecs({ built }: Model, losses: Losses): NamedSpec[] {
  return [...losses].map(([name, { rows }]) => {
    const { shape, sequence } = built.outputs.get(name)!
    return { name: weightInput(name), shape: sequence && !rows ? ['B', shape[0]!] : ['B'] }
  })
}

/** How a step is traced. */
export interface StepTracing extends Partial<Omit<StepKind, 'lengths' | 'checkpoint' | 'parallel'>> {
  readonly reading?: Reading
  readonly packing?: Packings | undefined
  /** How targets are read, where they are. */
  readonly forced?: ((targets: Value, probability?: Value) => Forcing) | undefined
  /** What recurrent layers draw, where some layer draws. */
  readonly noise?: NoiseOf | undefined
  /** How several batches make an update, where they do. */
  readonly accumulated?: typeof accumulated | undefined
}

/** Traces the step. Where loss or gradient is not finite, everything keeps its old value. */
export function traceStep(model: Model, options: StepOptions, tracing: StepTracing = {}): NamedGraph {
  const { optimizer, accumulate = 1, teacherForcing = false } = options
  const { reading = WHOLE, packing, mask = false, weights: weighted = false, forced: by, noise } = tracing
  const [isForced, sampled] = [by !== undefined, typeof teacherForcing === 'object']
  const held = heldBy(options)
  const carry = carried(model, options)
  const losses = lossesOf(model, options.loss)
  const leaves: LeafOptions = {
    training: true,
    carry,
    stateful: model.statefulStates(),
    packing,
    mask,
    noise,
    draws: sampled,
  }
  const { params } = model.built
  if (params.size === 0) throw new ArgumentError('a training step: the model has no parameters to train')
  const specs: NamedSpec[] = [
    ...reading.specs(model, leaves),
    ...targetSpecs(model, losses).map((spec) => reading.target(spec, isForced)),
    ...(weighted ? weightSpecs(model, losses) : []),
    { name: 'learningRate', shape: [] },
    ...(sampled ? [{ name: FORCING, shape: [] }] : []),
    ...Object.keys(held.scalars).map((name) => ({ name, shape: [] })),
    ...held.slots.flatMap((slot) =>
      [...params].map(([path, { shape }]) => ({ name: slotInput(slot, path), shape })),
    ),
  ]
  return traceNamed(specs, (get) => {
    const forced = by && ((targets: Value) => by(targets, sampled ? get(FORCING) : undefined))
    const { outputs, states, variables } = reading.forward(model, get, leaves, forced)
    const parts = [...losses].map(([name, loss]) => {
      const target = reading.own(get(targetInput(name)), isForced)
      const weights = weighted ? get(weightInput(name)) : undefined
      return measured(loss, outputs.get(name)!, target, weights)
    })
    const mean = penalized(model, get, totalOf(losses, parts, options.lossWeights))
    const { count } = parts[0]!
    const paths = [...params.keys()]
    const batch = gradient(mean, paths.map(get))
    const several =
      accumulate === 1
        ? undefined
        : tracing.accumulated!(get, new Map(paths.map((path, i) => [path, batch[i]!])), count, accumulate)
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
    return { outputs: { loss: mean, gradientNorm: norm, tokens: count }, updates: new Map(guarded) }
  })
}
