/** `fit`: batches → steps → a run. */
import { BACKENDS, type Backend } from '../codegen/compile.ts'
import type { Batch } from '../data/batches.ts'
import type { Sequential } from '../layers/sequential.ts'
import { requireChoice, requireKnown, requireSeed } from '../tensor/checks.ts'
import { ArgumentError, DataError, RecurraError } from '../tensor/errors.ts'
import { type LossName, lossOf } from './losses.ts'
import { adam, type Optimizer } from './optimizers.ts'
import { type Control, type EpochEvent, type History, pause, Run } from './run.ts'
import { TrainingStep } from './step.ts'

export interface FitOptions {
  readonly loss: LossName
  /** Default: adam(). */
  readonly optimizer?: Optimizer
  /** Gradients whose norm over all parameters together is larger are scaled down to it. */
  readonly clipGlobalNorm?: number
  /**
   * Truncated back-propagation through time: states go on from batch to batch (until one says `reset`), gradients
   * stop at the batch's first step. Windows of k1 = k2 steps are the batches' own.
   */
  readonly truncate?: { readonly k1: number; readonly k2: number }
  /** Default: 1. */
  readonly epochs?: number
  /** For parameters that have no numbers yet. Default: 0. */
  readonly seed?: number
  /** Default: 'wasm'. */
  readonly backend?: Backend
}

/**
 * Trains a model, in place, and starts at once. The returned run can be awaited for its history and iterated for its
 * events.
 *
 *     const run = fit(net, batches, { loss: 'softmaxCrossEntropy', optimizer: adam({ learningRate: 2e-3 }) })
 *     for await (const event of run) console.log(event)
 *
 * @throws {ArgumentError} at once, for options outside their range
 * @throws {RecurraError} through the run: shapes that do not fit, no batches, a loss that is not finite; the model then
 * keeps what it had learnt before
 */
export function fit(model: Sequential, batches: Iterable<Batch>, options: FitOptions): Run {
  const { epochs = 1, clipGlobalNorm, truncate, optimizer = adam(), seed, backend = 'wasm' } = options
  requireKnown('fit', options, [
    'loss',
    'optimizer',
    'clipGlobalNorm',
    'truncate',
    'epochs',
    'seed',
    'backend',
  ])
  if (seed !== undefined) requireSeed('fit', seed)
  requireChoice('fit', 'backend', backend, BACKENDS)
  if (!Number.isInteger(epochs) || epochs < 1) {
    throw new ArgumentError(`fit: epochs must be an integer of at least 1; received ${String(epochs)}`)
  }
  if (clipGlobalNorm !== undefined && !(clipGlobalNorm > 0)) {
    throw new ArgumentError(`fit: clipGlobalNorm must be above 0; received ${String(clipGlobalNorm)}`)
  }
  checkTruncation(truncate)
  const { name: loss } = lossOf(options.loss)
  const carry = truncate !== undefined
  const step = new TrainingStep(model, { loss, optimizer, clipGlobalNorm, carry, backend, seed })
  const train = async (control: Control): Promise<History> => {
    try {
      return await loop(step, batches, epochs, optimizer, truncate?.k1, control)
    } finally {
      await step.sync()
    }
  }
  return new Run(train, () => step.sync())
}

function checkTruncation(truncate: FitOptions['truncate']): void {
  if (truncate === undefined) return
  for (const [name, value] of Object.entries(truncate)) {
    if (!Number.isInteger(value) || value < 1) {
      throw new ArgumentError(
        `fit: truncate.${name} must be an integer of at least 1; received ${String(value)}`,
      )
    }
  }
  if (truncate.k1 !== truncate.k2) {
    throw new ArgumentError(
      `fit: k1 and k2 must be equal so far (windows that do not overlap); received k1 ${truncate.k1}, k2 ${truncate.k2}`,
    )
  }
}

async function loop(
  step: TrainingStep,
  batches: Iterable<Batch>,
  epochs: number,
  optimizer: Optimizer,
  window: number | undefined,
  control: Control,
): Promise<History> {
  const rateAt = optimizer.learningRate
  const history: EpochEvent[] = []
  let steps = 0
  for (let epoch = 1; epoch <= epochs; epoch++) {
    let [sum, tokens] = [0, 0]
    for (const batch of batches) {
      if (control.stopped()) break
      checkWindow(batch, window)
      const learningRate = typeof rateAt === 'number' ? rateAt : rateAt(steps)
      const result = await step.run(batch, learningRate)
      steps++
      if (!Number.isFinite(result.loss) || !Number.isFinite(result.gradientNorm)) {
        throw notFinite(steps, result.loss, result.gradientNorm)
      }
      sum += result.loss * result.tokens
      tokens += result.tokens
      control.emit({ kind: 'step', epoch, step: steps, learningRate, ...result })
      await pause()
    }
    if (control.stopped()) break
    if (tokens === 0) throw new DataError('fit: expected at least one batch in every epoch; received none')
    const event: EpochEvent = { kind: 'epoch', epoch, loss: sum / tokens }
    history.push(event)
    control.emit(event)
  }
  return { epochs: history, steps, stopped: control.stopped() }
}

function checkWindow({ inputs }: Batch, window: number | undefined): void {
  const steps = inputs.shape[1] ?? 1
  if (window !== undefined && steps > window) {
    throw new ArgumentError(
      `fit: truncate says windows of ${window} steps, but a batch has ${steps}: cut the batches to ${window} steps`,
    )
  }
}

function notFinite(step: number, loss: number, norm: number): RecurraError {
  return new RecurraError(
    'not-finite',
    `training stopped at step ${step}: the loss is ${loss}, the gradient's norm ${norm}. ` +
      'The model keeps what it had before that step. Look for NaN in the data, lower the learning rate, or set clipGlobalNorm.',
  )
}
