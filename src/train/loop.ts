/**
 * The loop of `fit`: epochs of steps, validation, early stopping, lowering of the learning rate. Each step and each end of an epoch is a turn, between
 * which weights and state can be read: what is read is of one moment.
 */
import type { Batches, NamedBatch } from '../data/batches.ts'
import type { Model } from '../layers/model.ts'
import { DataError } from '../tensor/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { EarlyStopping } from './early-stopping.ts'
import type { FitOptions } from './fit-options.ts'
import { lossesOf } from './losses.ts'
import type { Plateau } from './plateau.ts'
import { type Control, type EndEvent, type EpochEvent, type History, pause, type Training } from './run.ts'
import { counter, counterIn, exactly, exactlyIn, type TrainingState } from './state.ts'
import { TrainingStep } from './training-step.ts'

type LoopOptions = FitOptions & Required<Pick<FitOptions, 'epochs' | 'optimizer'>>

export class Loop implements Training {
  readonly #model: Model
  readonly #batches: Iterable<NamedBatch>
  readonly #options: LoopOptions
  readonly #step: TrainingStep
  #stopping: EarlyStopping | undefined
  #plateau: Plateau | undefined
  /** Once all is loaded that the run needs from its first step on. */
  readonly #ready: Promise<void>
  readonly #history: EpochEvent[] = []
  /** Where the training stands: the epoch, its batches that are done, their losses times tokens, and tokens. */
  #epoch = 1
  #done = 0
  #sum = 0
  #tokens = 0
  #started = false
  /** Whether the model has what it ends with. */
  #ended = false
  #turn: Promise<unknown> = Promise.resolve()

  constructor(model: Model, batches: Iterable<NamedBatch>, options: LoopOptions) {
    this.#model = model
    this.#batches = batches
    this.#options = options
    const { epochs, validation, earlyStopping: _, reduceOnPlateau: __, signal, ...step } = options
    const { resume } = step
    this.#step = new TrainingStep(model, step)
    if (resume !== undefined) this.#restore(resume)
    this.#ready = this.#load()
    this.#turn = this.#ready.catch(() => {})
  }

  async train({ stopped, emit }: Control): Promise<History> {
    const { epochs, loss, signal, validation } = this.#options
    await this.#ready
    const metrics = validation?.metrics
    if (metrics !== undefined) {
      // Before a first epoch, which may be long.
      const { metersOf } = await import('./metrics.ts')
      metersOf(metrics, lossesOf(this.#model, loss))
    }
    const control = { emit, stopped: () => stopped() || signal?.aborted === true }
    try {
      while (this.#epoch <= epochs && this.#stopping?.isOver !== true && !control.stopped()) {
        await this.#runEpoch(control)
      }
    } catch (reason) {
      await this.sync()
      throw reason
    }
    return this.#inTurn(() => this.#end(control))
  }

  sync(): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.#ended) await this.#step.sync()
    })
  }

  state(): Promise<Map<string, Tensor>> {
    return this.#inTurn(async () => {
      const state = await this.#step.state()
      state.set('training epoch', counter(this.#epoch))
      state.set('training batches', counter(this.#done))
      state.set('training tokens', exactly(this.#tokens))
      state.set('training loss', exactly(this.#sum))
      for (const each of this.#watching) for (const [name, value] of each.state()) state.set(name, value)
      return state
    })
  }

  async #load(): Promise<void> {
    const { optimizer, resume, earlyStopping, reduceOnPlateau } = this.#options
    if (earlyStopping !== undefined) {
      const { EarlyStopping } = await import('./early-stopping.ts')
      this.#stopping = new EarlyStopping(earlyStopping)
    }
    if (reduceOnPlateau !== undefined) {
      const { Plateau } = await import('./plateau.ts')
      this.#plateau = new Plateau(reduceOnPlateau, optimizer.learningRate)
    }
    if (resume !== undefined) for (const each of this.#watching) each.restore(resume)
  }

  /** What watches the losses of epochs. */
  get #watching(): (EarlyStopping | Plateau)[] {
    return [this.#stopping, this.#plateau].filter((each) => each !== undefined)
  }

  #restore(state: TrainingState): void {
    this.#epoch = counterIn(state, 'training epoch')
    this.#done = counterIn(state, 'training batches')
    this.#tokens = exactlyIn(state, 'training tokens')
    this.#sum = exactlyIn(state, 'training loss')
  }

  async #end(control: Control): Promise<History> {
    await this.#step.sync(true)
    if (this.#stopping?.weights !== undefined) this.#model.setWeights(this.#stopping.weights)
    this.#ended = true
    const best = this.#stopping?.best
    const [reason, { steps }] = [this.#reason(control), this.#step]
    const result = { steps, reason, ...(best === undefined ? {} : { best }) }
    control.emit({ kind: 'end', ...result })
    return { epochs: this.#history, stopped: reason === 'stopped', ...result }
  }

  #reason(control: Control): EndEvent['reason'] {
    if (this.#stopping?.isOver === true) return 'earlyStopping'
    return this.#epoch <= this.#options.epochs && control.stopped() ? 'stopped' : 'epochs'
  }

  async #runEpoch(control: Control): Promise<void> {
    let batchesBefore = this.#done
    const { epoch } = this.#batches as Partial<Batches<NamedBatch>>
    for (const batch of epoch?.(this.#epoch) ?? this.#batches) {
      if (batchesBefore-- > 0) continue
      if (control.stopped()) return
      await this.#inTurn(() => this.#runStep(batch, control))
      await pause()
    }
    if (!control.stopped()) await this.#inTurn(() => this.#endEpoch(control))
  }

  async #runStep(batch: NamedBatch, control: Control): Promise<void> {
    const { optimizer, accumulate = 1 } = this.#options
    const rate = optimizer.learningRate
    const { steps } = this.#step
    if (!this.#started) control.emit({ kind: 'start', backend: await this.#step.prepare(batch) })
    this.#started = true
    const learningRate =
      typeof rate === 'number' ? (this.#plateau?.rate ?? rate) : rate(Math.floor(steps / accumulate))
    const result = await this.#step.run(batch, learningRate)
    const { loss, gradientNorm, tokens } = result
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
      const { notFinite } = await import('./replay.ts')
      throw notFinite(steps + 1, result, await this.#step.whereNotFinite())
    }
    this.#done++
    this.#sum += loss * tokens
    this.#tokens += tokens
    control.emit({ kind: 'step', epoch: this.#epoch, step: steps + 1, learningRate, ...result })
  }

  async #endEpoch(control: Control): Promise<void> {
    const { validation } = this.#options
    if (this.#tokens === 0) {
      throw new DataError('fit: expected at least one batch in every epoch; received none')
    }
    const epoch = this.#epoch
    const loss = this.#sum / this.#tokens
    const due = validation !== undefined && epoch % (validation.every ?? 1) === 0
    if (due || this.#stopping !== undefined) await this.#step.sync()
    const measuring = due ? await import('./measure.ts') : undefined
    const reached = await measuring?.validate(this.#model, this.#options, control.stopped)
    if (due && reached === undefined) return
    const event: EpochEvent = {
      kind: 'epoch',
      epoch,
      loss,
      ...(reached && { validationLoss: reached.loss, validationMetrics: reached.metrics }),
    }
    const watched = validation === undefined ? loss : reached?.loss
    if (watched !== undefined) {
      this.#stopping?.watch(epoch, watched, this.#model.weights())
      this.#plateau?.watch(watched)
    }
    this.#epoch++
    this.#done = 0
    this.#sum = 0
    this.#tokens = 0
    this.#history.push(event)
    control.emit(event)
  }

  /** Runs it when all that was asked for before is done. */
  #inTurn<R>(act: () => Promise<R>): Promise<R> {
    const result = this.#turn.then(act)
    this.#turn = result.catch(() => {})
    return result
  }
}
