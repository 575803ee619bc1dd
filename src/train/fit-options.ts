/** What `fit` may be told, and its checks. */
import { BACKENDS, type Backend } from '../codegen/compile.ts'
import type { Named, NamedBatch } from '../data/batches.ts'
import { requireChoice, requireInteger, requireKnown, requireSeed } from '../tensor/checks.ts'
import { ArgumentError } from '../tensor/errors.ts'
import type { ClippingOptions } from './clipping.ts'
import type { EarlyStoppingOptions } from './early-stopping.ts'
import type { LossOption } from './losses.ts'
import type { MetricOptions } from './metrics.ts'
import type { Optimizer } from './optimizers.ts'
import type { ReduceOnPlateauOptions } from './plateau.ts'
import type { TeacherForcing } from './scheduled-sampling.ts'
import type { TrainingState } from './state.ts'
import { SHARED } from './step.ts'
import type { Truncation } from './truncation.ts'
import type { ClassWeight } from './weights.ts'

export interface ValidationOptions {
  /** With `truncate`, states go on from batch to batch here too, until one says `reset`. */
  readonly batches: Iterable<NamedBatch>
  /** After every so many epochs. Default: 1. */
  readonly every?: number
  /** What is measured besides the loss, as by `evaluate`. Default: nothing. */
  readonly metrics?: MetricOptions
}

export interface FitOptions extends ClippingOptions {
  /** One, or one for each of a model's outputs, by name: their sum is what is trained. */
  readonly loss: Named<LossOption>
  /** How much the losses of several outputs weigh in their sum, by name. Default: 1 each. */
  readonly lossWeights?: Readonly<Record<string, number>>
  /** Default: adam(). */
  readonly optimizer?: Optimizer
  /**
   * Truncated back-propagation through time: states go on from batch to batch (until one says `reset`), each of k1 steps
   * at most, and gradients go back k2 ≥ k1 steps. Default: gradients go through a batch's whole sequences, and no state
   * goes on.
   */
  readonly truncate?: Truncation
  /**
   * Teacher forcing (Goodfellow et al. 2016, section 10.2.1): in training, a last layer that reads its own output of the step
   * before reads the target of the step before instead, y(t−1) for o(t−1); step 0 reads what the state begins with. It is
   * for the recurrence of `jordan`, or of a cell of your own whose `defineCell` names it as `feedback`; where that is
   * the only state, steps no longer wait for each other. With `truncate`, what goes on is a row's last target. The loss
   * must take numbers of the output's shape, of the kind that the layer is to read.
   *
   * `scheduledSampling({ decay: 'linear', c: 1e-4 })` reads the target in ever fewer steps, else the own output, through which
   * gradients go: a matter of chance for each row, step and update, a function of the seed. It is also for models that
   * read tokens and write the next one, under a loss on classes, which read their targets as an input anyway: there it puts
   * the model's own token of the step before in the place of the one given, and the decoder runs a step at a time.
   *
   * Validation, `evaluate` and `predict` run free, on the model's own outputs: their loss shows what forcing hides. (Of a
   * decoder of tokens `decode` is what runs free, and `sequenceAccuracy` measures it; `evaluate` reads the given tokens.)
   * Default: false.
   */
  readonly teacherForcing?: TeacherForcing
  /**
   * How many batches one update is made of: it is that of the mean over all their steps and rows together, clipped as
   * one. Steps and events stay those of batches; the optimizer's schedule counts updates. Batches that are left over at the
   * end of an epoch count for the next one's first update. Default: 1.
   */
  readonly accumulate?: number
  /**
   * How much steps or rows of a class weigh in the loss, beside what batches give as `weights`: `{ 0: 1, 1: 3 }`. Other
   * classes weigh 1. As in Keras 3 the sum of weighted terms is divided by their number, not by the sum of weights, and
   * the validation is not weighted. Default: all classes weigh the same.
   */
  readonly classWeight?: ClassWeight
  /**
   * Checkpointed back-propagation through time (Chen et al. 2016; Gruslys et al. 2016): a forward pass keeps the states of
   * recurrent layers only after every ⌈√T⌉ steps, and the way back makes what lies between two of them anew, one after the
   * other. What is kept for the gradients within recurrent layers grows with √T instead of T, for about a second
   * forward pass's time; what goes from layer to layer stays, and rows with lengths are masked instead of packed. Results
   * differ by roundings alone. Default: false.
   */
  readonly checkpoint?: boolean
  /**
   * States that are linear in themselves (minGRU, minLSTM, QRNN, LRU, a linear IndRNN; any cell of which that holds) go through
   * time as a parallel scan (Martin and Cundy 2018): chunks of steps side by side, then their ends. How many chunks follows
   * from the sizes, one, which is the loop, where rows and units fill the machine. Equal to the loop but for rounding. On one
   * thread it gained nothing in measurements, so the default is false. Not with `checkpoint`.
   */
  readonly parallelScan?: boolean
  /**
   * How many bytes a training step may take, as `memoryBytes` of a `TrainingStep` counts them. The first batch that
   * needs more without `checkpoint`, and not with it, switches that on from there on (a warning says so); one that needs more
   * either way ends the run. Default: no limit.
   */
  readonly memoryLimit?: number
  /** Default: 1. */
  readonly epochs?: number
  /** Measures the loss, and metrics, on other batches after an epoch. */
  readonly validation?: ValidationOptions
  /** Ends the run when the validation's loss, or the training's where there is none, gets no better. */
  readonly earlyStopping?: EarlyStoppingOptions
  /** Lowers the optimizer's learning rate, a number, when that loss gets no better for some epochs. */
  readonly reduceOnPlateau?: ReduceOnPlateauOptions
  /** Ends the run after the step under way, as `stop` does. */
  readonly signal?: AbortSignal
  /** What the `state` of a run gave: it goes on from there, bit for bit, if all else is the same. */
  readonly resume?: TrainingState
  /** For parameters that have no numbers yet, and for what layers such as dropout draw. Default: 0. */
  readonly seed?: number
  /**
   * What runs the steps. `native`: C, built by the machine's compiler before the first step; where that cannot be (no
   * compiler, a browser), a warning says why and WebAssembly runs. `wasm`: WebAssembly, the same bits everywhere. `interpret`:
   * f64, slow. `auto`: in Node native for steps of at least 50 million multiplications, else WebAssembly; with `resume`
   * what the state was made on. The run's first event says which it is. Default: 'auto'.
   */
  readonly backend?: Backend
  /**
   * How many workers compute a step, each some rows of the batch; the numbers do not depend on it. Steps of at least 50
   * million multiplications (natively on one thread 500) run on workers always, so that the thread that calls never stands still for long. Workers
   * need shared memory: in a page, cross-origin isolation. Default: as many as are seen to pay in the first steps.
   */
  readonly threads?: number
}

const OPTIONS: Record<keyof FitOptions, true> = {
  ...SHARED,
  epochs: true,
  validation: true,
  earlyStopping: true,
  reduceOnPlateau: true,
  signal: true,
}

/** Checks what neither the training step nor what watches losses will. */
export function checkFitOptions(options: FitOptions): void {
  requireKnown('fit', options, Object.keys(OPTIONS))
  const { epochs = 1, seed, backend = 'auto', threads = 1, validation, signal, resume } = options
  if (seed !== undefined) requireSeed('fit', seed)
  requireChoice('fit', 'backend', backend, BACKENDS)
  requireInteger('fit', 'epochs', epochs, 1)
  requireInteger('fit', 'threads', threads, 1)
  if (validation !== undefined) {
    requireKnown('fit: validation', validation, ['batches', 'every', 'metrics'])
    const { every = 1 } = validation
    requireBatches('fit: validation.batches', validation.batches)
    requireInteger('fit', 'validation.every', every, 1)
  }
  if (signal !== undefined && typeof signal?.aborted !== 'boolean') {
    throw new ArgumentError(`fit: signal must be an AbortSignal; received ${String(signal)}`)
  }
  if (resume !== undefined && !(resume instanceof Map)) {
    throw new ArgumentError(
      `fit: resume must be the Map that state() of a run gave; received ${typeof resume}`,
    )
  }
}

export function requireBatches(what: string, batches: Iterable<NamedBatch>): void {
  if (typeof batches?.[Symbol.iterator] === 'function') return
  throw new ArgumentError(
    `${what} must be an iterable of batches, such as textWindows makes; received ${typeof batches}`,
  )
}
