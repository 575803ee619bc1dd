/** A training step as one compiled function: forward, backward, clip and update. */
import type { Backend } from '../codegen/compile.ts'
import type { Batch } from '../data/batches.ts'
import { gradient } from '../graph/grad.ts'
import type { Graph } from '../graph/node.ts'
import { and, finite, sqrt, type Value, where } from '../graph/value.ts'
import { type Sequential, swapped } from '../layers/sequential.ts'
import type { TensorData } from '../tensor/dtype.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { shapeOf } from '../tensor/size.ts'
import { bindBatch, lengthsOf, tokensOf } from './inputs.ts'
import {
  freshRows,
  freshStates,
  type LeafOptions,
  leafScope,
  leafSpecs,
  stateInput,
  weightInputs,
} from './leaves.ts'
import { type Loss, type LossName, lossOf, meanLoss } from './losses.ts'
import type { Optimizer } from './optimizers.ts'
import { type NamedGraph, type NamedSpec, Session, traceNamed } from './session.ts'

export interface StepOptions {
  readonly loss: LossName
  readonly optimizer: Optimizer
  readonly clipGlobalNorm?: number | undefined
  /** States go on from batch to batch until one says `reset`. Default: false. */
  readonly carry?: boolean
  readonly backend?: Backend | undefined
  readonly seed?: number | undefined
}

export interface StepResult {
  readonly loss: number
  readonly gradientNorm: number
  readonly tokens: number
}

const slotInput = (slot: string, path: string) => `${slot} of ${path}`

/** The target of a loss, batch-first, for a model that is built. */
export function targetSpec(model: Sequential, loss: Loss): NamedSpec {
  const output = model.built.shapes[model.built.shapes.length - 1]!
  const sequence = output[0] === null
  const features = output.slice(sequence ? 1 : 0).map((size) => size!)
  const { shape, dtype } = loss.target(shapeOf(sequence ? ['T', 'B', ...features] : ['B', ...features]))
  return { name: 'y', dtype, shape: sequence ? [shape[1]!, shape[0]!, ...shape.slice(2)] : shape }
}

/** Paths of the states that go on from batch to batch. */
function carried(model: Sequential, { carry = false }: StepOptions): string[] {
  return carry ? [...model.built.states.keys()] : []
}

/** Traces the step. Where loss or gradient is not finite, everything keeps its old value. */
function traceStep(model: Sequential, options: StepOptions, lengths: boolean): NamedGraph {
  const { optimizer, clipGlobalNorm } = options
  const carry = carried(model, options)
  const loss = lossOf(options.loss)
  const leaves: LeafOptions = { training: true, carry, lengths }
  const { params } = model.built
  const specs: NamedSpec[] = [
    ...leafSpecs(model, leaves),
    targetSpec(model, loss),
    { name: 'learningRate', shape: [] },
    ...Object.keys(optimizer.scalars).map((name) => ({ name, shape: [] })),
    ...optimizer.slots.flatMap((slot) =>
      [...params].map(([path, { shape }]) => ({ name: slotInput(slot, path), shape })),
    ),
  ]
  return traceNamed(specs, (get) => {
    const { output, states } = model.forward(get('x'), leafScope(get, leaves))
    const target = swapped({ value: get('y'), sequence: output.sequence }).value
    const mean = meanLoss(loss, output, target, lengths ? get('lengths') : undefined)
    const paths = [...params.keys()]
    const gradients = gradient(mean, paths.map(get))
    const squares = gradients.map((each) => each.square().sum())
    const norm = sqrt(squares.reduce((sum, each) => sum.add(each)))
    const scale =
      clipGlobalNorm === undefined
        ? undefined
        : where(norm.greater(clipGlobalNorm), norm.mul(0).add(clipGlobalNorm).div(norm), 1)
    const scalars = optimizer.advance(
      Object.fromEntries(Object.keys(optimizer.scalars).map((name) => [name, get(name)])),
    )
    const updates = new Map<string, Value>(Object.entries(scalars))
    for (const [i, path] of paths.entries()) {
      const slots = Object.fromEntries(optimizer.slots.map((slot) => [slot, get(slotInput(slot, path))]))
      const clipped = scale === undefined ? gradients[i]! : gradients[i]!.mul(scale)
      const next = optimizer.update({
        param: get(path),
        gradient: clipped,
        slots,
        scalars,
        learningRate: get('learningRate'),
      })
      updates.set(path, next.param)
      for (const slot of optimizer.slots) updates.set(slotInput(slot, path), next.slots[slot]!)
    }
    for (const path of carry) updates.set(stateInput(path), states.get(path)!)
    const ok = and(finite(mean), finite(norm))
    const guarded = [...updates].map(([name, value]) => [name, where(ok, value, get(name))] as const)
    return { outputs: { loss: mean, gradientNorm: norm }, updates: new Map(guarded) }
  })
}

/** The graph of a training step before any pass: for `explain`, for pictures. The model must be built. */
export function trainingGraph(model: Sequential, options: StepOptions): Graph {
  return traceStep(model, options, false).graph
}

/**
 * Trains a model step by step, for loops of one's own: `fit` is such a loop. Holds parameters and the optimizer's
 * slots while it does; `sync` copies the parameters into the model.
 */
export class TrainingStep {
  readonly #model: Sequential
  readonly #options: StepOptions
  #session: Session | undefined
  #lengths = false
  #rows = 0

  constructor(model: Sequential, options: StepOptions) {
    this.#model = model
    this.#options = options
  }

  async run(batch: Batch, learningRate: number): Promise<StepResult> {
    const model = this.#model
    if (!(learningRate >= 0 && Number.isFinite(learningRate))) {
      throw new ArgumentError(`a learning rate must be a number of at least 0; received ${learningRate}`)
    }
    const bindings = bindBatch(model, lossOf(this.#options.loss), batch)
    const rows = batch.inputs.shape[0]!
    const inputs = new Map<string, TensorData>([
      ['x', batch.inputs.data],
      ['y', batch.targets.data],
      ['learningRate', Float32Array.of(learningRate)],
      ...freshRows(carried(model, this.#options), rows, batch.reset || rows !== this.#rows),
    ])
    const lengths = this.#lengths || batch.lengths !== undefined
    if (lengths) inputs.set('lengths', lengthsOf(batch))
    const session = await this.#open(lengths, rows, inputs)
    const { loss, gradientNorm } = await session.call(bindings, inputs, ['loss', 'gradientNorm'])
    this.#session = session
    this.#lengths = lengths
    this.#rows = rows
    return { loss: loss[0]!, gradientNorm: gradientNorm[0]!, tokens: tokensOf(model, batch) }
  }

  /** Copies the parameters into the model. */
  async sync(): Promise<void> {
    const session = this.#session
    if (session === undefined) return
    const weights = new Map(this.#model.weights())
    for (const [path, old] of weights) weights.set(path, { ...old, data: await session.read(path) })
    this.#model.setWeights(weights)
  }

  /**
   * The compiled step, and as inputs what it does not hold yet. The first batch with lengths brings another one, which
   * goes on from where the first stands.
   */
  async #open(lengths: boolean, rows: number, inputs: Map<string, TensorData>): Promise<Session> {
    const [model, options, old] = [this.#model, this.#options, this.#session]
    const carry = carried(model, options).length > 0
    const states = carry ? freshStates(model, rows) : new Map<string, TensorData>()
    if (old !== undefined && lengths === this.#lengths) {
      if (rows !== this.#rows) for (const [name, data] of states) inputs.set(name, data)
      return old
    }
    const session = await Session.open(traceStep(model, options, lengths), options.backend)
    for (const [name, data] of this.#beginning()) {
      inputs.set(name, old === undefined ? data : await old.read(name))
    }
    for (const [name, data] of states) {
      inputs.set(name, old === undefined || rows !== this.#rows ? data : await old.read(name))
    }
    return session
  }

  #beginning(): Map<string, TensorData> {
    const { optimizer, seed } = this.#options
    const begin = weightInputs(this.#model, seed)
    for (const slot of optimizer.slots) {
      for (const [path, { data }] of this.#model.weights(seed)) {
        begin.set(slotInput(slot, path), new Float32Array(data.length))
      }
    }
    for (const [name, value] of Object.entries(optimizer.scalars)) begin.set(name, Float32Array.of(value))
    return begin
  }
}
