/** How a gradient travels back through time: ‖∂L/∂s(t)‖ of states, and what each step gives to the weights. */
import type { Batch } from '../data/batches.ts'
import { type Model, requireModel } from '../layers/model.ts'
import { SOLE_OUTPUT } from '../layers/parts.ts'
import { requireFlag, requireKnown, requireSeed, requireUnits } from '../tensor/checks.ts'
import type { TensorData } from '../tensor/dtype.ts'
import { ArgumentError, DataError } from '../tensor/errors.ts'
import { isTensor } from '../tensor/padding.ts'
import { evaluateSize } from '../tensor/size.ts'
import { elementCount, type Tensor } from '../tensor/tensor.ts'
import { counterInputs, weightInputs } from '../train/leaves.ts'
import { type LossOption, lossOf } from '../train/losses.ts'
import { maskOf } from '../train/masks.ts'
import type { EvaluateOptions } from '../train/measure.ts'
import { Session } from '../train/session.ts'
import { bindBatch } from '../train/targets.ts'
import { weightsOf } from '../train/weights.ts'
import { flowOutput, probeInput, traceFlow } from './flow-graph.ts'

export interface GradientFlowOptions extends Pick<EvaluateOptions, 'backend' | 'threads'> {
  readonly loss: LossOption
  /** L is the loss of step 0 … T − 1 alone, the mean over the rows that have it. Default: the mean over all steps. */
  readonly at?: number | undefined
  /**
   * k2: gradients travel back that many steps, from `at` or the last one, as they do in a window of `fit`'s truncate.
   * Default: all the way.
   */
  readonly truncate?: number | undefined
  /** Also what each step gives to the weights. Default: false. */
  readonly contributions?: boolean
  /** For parameters that have no numbers yet, and for what layers draw. Default: 0. */
  readonly seed?: number
}

export interface StateFlow {
  /** ‖∂L/∂s(t)‖ of each row, f32 [B, T]; 0 where a step is not there. */
  readonly rows: Tensor
  /** Its mean over the rows that are there, f32 [T]. */
  readonly mean: Tensor
}

export interface Contributions {
  /** What step t adds to the gradient, f32 [T, …]: summed over T it is ∂L/∂W. */
  readonly steps: Tensor
  /** Its norm, f32 [T]. */
  readonly norms: Tensor
}

export interface GradientFlow {
  readonly loss: number
  /** By path ('lstm/h', 'lstm/c'): every state of every recurrent layer. */
  readonly states: Readonly<Record<string, StateFlow>>
  /**
   * By path ('lstm/U', 'dense/V'): the weights that steps read, those of recurrent, dense, embedding and layer-norm
   * layers over sequences. Empty unless asked for.
   */
  readonly contributions: Readonly<Record<string, Contributions>>
}

/**
 * The gradient of a batch's loss on its way back through time.
 *
 *     const { states } = await gradientFlow(net, batch, { loss: 'softmaxCrossEntropy', at: 49 })
 *     states['lstm/h'].mean // ‖∂L/∂h(t)‖ for t = 0 … T − 1
 *
 * ∂L/∂s(t) counts all that reads the state s that step t made: the next step, the output, and other states of the same
 * step, as in an LSTM h(t) reads c(t). L is the mean over rows, so that a row's own gradient stands there divided by
 * their number. The batch's weights count in it, as in `evaluate`;
 * penalties of regularizers, which no step makes, do not. A weight W stands in every step; the gradient of the sum of its uses is the sum of theirs (Werbos 1990):
 * ∂L/∂W = Σ_t ∂L/∂W(t), of which `contributions` gives the terms.
 *
 * @throws {ArgumentError} for options outside their range, and `at` or `truncate` where the model has no such steps
 * @throws {ShapeError} where the batch does not fit the model
 * @throws {DataError} where no row has the step `at`
 */
export async function gradientFlow(
  model: Model,
  batch: Batch,
  options: GradientFlowOptions,
): Promise<GradientFlow> {
  requireModel('gradientFlow', model)
  requireKnown('gradientFlow', options, [
    'loss',
    'at',
    'truncate',
    'contributions',
    'seed',
    'backend',
    'threads',
  ])
  const { at, truncate, contributions = false, seed = 0 } = options
  requireFlag('gradientFlow', 'contributions', contributions)
  requireSeed('gradientFlow', seed)
  const loss = lossOf(options.loss)
  if (!isTensor(batch?.inputs) || model.outputs.size > 1) {
    throw new ArgumentError('gradientFlow: expected a model with one input and one output')
  }
  const losses = new Map([[SOLE_OUTPUT, loss]])
  const bindings = await bindBatch(model, losses, batch)
  const T = bindings.get('T') ?? 0
  const isMasked = batch.lengths !== undefined || batch.mask !== undefined
  const mask = isMasked ? maskOf(batch) : undefined
  if (at !== undefined && loss.rows) {
    throw new ArgumentError(
      `gradientFlow: at names one step's loss, but ${loss.name} is of all steps at once: leave it out`,
    )
  }
  if (at !== undefined) requireStep(model, at, T, mask)
  if (truncate !== undefined) {
    requireUnits('gradientFlow', truncate, 'truncate')
    model.requireForward('gradientFlow: truncate')
  }
  const flow = traceFlow(model, loss, {
    ...{ mask: isMasked, weights: batch.weights !== undefined, contributions },
    ...{ at: at !== undefined, cut: truncate !== undefined },
  })
  const { states, weights, named } = flow
  if (states.size === 0) {
    throw new ArgumentError('gradientFlow: expected a model with a recurrent layer; received one without')
  }
  const shapes = new Map(
    [...states].map(([path, shape]) => [path, shape.map((size) => evaluateSize(size, bindings))]),
  )
  const session = await Session.openFor(named, options, bindings)
  const inputs = new Map<string, TensorData>([
    ['x', batch.inputs.data],
    ['y', batch.targets.data],
    ...(mask === undefined ? [] : ([['mask', mask]] as const)),
    ...(batch.weights === undefined ? [] : weightsOf(model, batch, losses)),
    ...(at === undefined ? [] : ([['at', Int32Array.of(at)]] as const)),
    ...(truncate === undefined ? [] : ([['cut', Int32Array.of((at ?? T - 1) - truncate + 1)]] as const)),
    ...weightInputs(model, seed),
    ...counterInputs(model, seed, 0),
    ...[...shapes].map(([path, shape]) => [probeInput(path), new Float32Array(elementCount(shape))] as const),
  ])
  const paths = [...states.keys(), ...weights]
  const results = await session.call(bindings, inputs, ['loss', ...paths.map(flowOutput)])
  const dataOf = (path: string) => results[flowOutput(path)]!
  const gives = (path: string): Contributions => {
    const { shape } = model.built.params.get(path)!
    const data = dataOf(path)
    const steps = data.length / elementCount(shape)
    return {
      steps: { data, shape: [steps, ...shape], dtype: 'f32' },
      norms: { data: norms(data, steps), shape: [steps], dtype: 'f32' },
    }
  }
  return {
    loss: results['loss']![0]!,
    states: Object.fromEntries(
      [...shapes].map(([path, [steps, rows]]) => [path, stateFlow(dataOf(path), steps!, rows!, mask)]),
    ),
    contributions: Object.fromEntries(weights.map((path) => [path, gives(path)])),
  }
}

/** @throws {ArgumentError} for what is no step of the batch */
function requireStep(model: Model, at: number, steps: number, mask: Int32Array | undefined): void {
  if (!model.output.sequence) {
    throw new ArgumentError(
      'gradientFlow: at says at which step the loss stands, but the model has one output a row, not one a step ' +
        '(returnSequences: true in its recurrent layers); leave it out',
    )
  }
  if (!Number.isInteger(at) || at < 0 || at >= steps) {
    throw new ArgumentError(`gradientFlow: at must be a step, 0 … ${steps - 1}; received ${String(at)}`)
  }
  if (mask === undefined || mask.some((there, i) => i % steps === at && there !== 0)) return
  throw new DataError(
    `gradientFlow: no row of the batch has a step ${at}: all have ended before, or are masked there`,
  )
}

/** From gradients [T, B, …]; the mask is [B, T]. */
function stateFlow(gradients: TensorData, T: number, B: number, mask: Int32Array | undefined): StateFlow {
  const each = norms(gradients, T * B)
  const [rows, mean] = [new Float32Array(B * T), new Float32Array(T)]
  for (let t = 0; t < T; t++) {
    let [sum, count] = [0, 0]
    for (let b = 0; b < B; b++) {
      rows[b * T + t] = each[t * B + b]!
      sum += each[t * B + b]!
      count += mask === undefined ? 1 : mask[b * T + t]!
    }
    mean[t] = count === 0 ? 0 : sum / count
  }
  return { rows: { data: rows, shape: [B, T], dtype: 'f32' }, mean: { data: mean, shape: [T], dtype: 'f32' } }
}

/** Norms of equal parts of an array, added up in f64: squares of small f32 numbers would be 0 in f32. */
function norms(data: TensorData, parts: number): Float32Array {
  const size = data.length / parts
  return Float32Array.from({ length: parts }, (_, part) => {
    let sum = 0
    for (let i = part * size; i < (part + 1) * size; i++) sum += data[i]! * data[i]!
    return Math.sqrt(sum)
  })
}
