/** A model's training, one compiled call a step. */
import type { Batch } from '../data/batches.ts'
import { packingInputs } from '../layers/packing.ts'
import type { Sequential } from '../layers/sequential.ts'
import type { TensorData } from '../tensor/dtype.ts'
import { ArgumentError } from '../tensor/errors.ts'
import type { Bindings } from '../tensor/size.ts'
import { elementCount, type Tensor, tensor } from '../tensor/tensor.ts'
import { bindBatch, lengthsOf, maskOf, tokensOf } from './inputs.ts'
import { counterInputs, freshRows, stateInput, WHOLE } from './leaves.ts'
import { type Loss, lossOf, warnOfActivation } from './losses.ts'
import { Session } from './session.ts'
import { heldBy, slotInput } from './slots.ts'
import { counter, counterIn, entry, requireNoOthers, type TrainingState } from './state.ts'
import { carried, checkStepOptions, PLAIN, type StepKind, type StepOptions, traceStep } from './step.ts'
import { overlaps, Windows } from './windows.ts'

export interface StepResult {
  readonly loss: number
  readonly gradientNorm: number
  readonly tokens: number
}

/** What a step was called with, besides what the session holds. */
interface Last {
  readonly rows: number
  readonly sizes: Bindings
  readonly inputs: ReadonlyMap<string, TensorData>
  /** The output that is not finite, if one is not. */
  readonly broken: string
}

/**
 * Trains a model step by step, for loops of one's own: `fit` is such a loop. Holds parameters and the optimizer's
 * slots while it does; `sync` copies the parameters into the model. One call at a time.
 */
export class TrainingStep {
  readonly #model: Sequential
  readonly #options: StepOptions
  readonly #loss: Loss
  readonly #windows: Windows
  #session: Session | undefined
  /** Compiled and not run yet: see `memoryBytes`. */
  readonly #prepared = new Map<string, Session>()
  /** What the session was compiled for. A mask says what lengths say, so that it serves batches of either. */
  #kind = PLAIN
  #steps = 0
  /** Numbers that the session does not hold yet, by its inputs' names; undefined until the model is built. */
  #pending: Map<string, TensorData> | undefined
  #last: Last | undefined

  /** @throws {ArgumentError} for options outside their range, and a state that is not this training's */
  constructor(model: Sequential, options: StepOptions) {
    checkStepOptions(model, options)
    this.#model = model
    this.#options = options
    this.#loss = lossOf(options.loss)
    this.#windows = new Windows(options.truncate, options.teacherForcing ?? false)
    if (options.resume === undefined) return
    this.#steps = counterIn(options.resume, 'training steps')
    if (model.isBuilt) this.#begin()
  }

  /** Steps that changed the model, those before `resume` included. */
  get steps(): number {
    return this.#steps
  }

  /** One update; none where the loss or the gradient's norm is not finite, which `whereNotFinite` explains. */
  async run(batch: Batch, learningRate: number): Promise<StepResult> {
    const model = this.#model
    if (!(learningRate >= 0 && Number.isFinite(learningRate))) {
      throw new ArgumentError(`a learning rate must be a number of at least 0; received ${learningRate}`)
    }
    if (this.#session === undefined) await this.#check()
    await this.#windows.load()
    const { window, rows, others, kind, packings, sizes } = this.#plan(batch)
    const pending = this.#begin()
    const session = await this.#open(kind, others ? 0 : rows)
    const inputs = new Map<string, TensorData>([
      ...(others ? this.#states(rows) : []).map(
        ([name, shape]) => [name, new Float32Array(elementCount(shape))] as const,
      ),
      ['x', window.x.data],
      ['y', window.y.data],
      ['learningRate', Float32Array.of(learningRate)],
      ...counterInputs(model, this.#options.seed ?? 0, this.#steps),
      ...freshRows(carried(model, this.#options), rows, window.fresh),
      ...packings.flatMap(({ inputs }) => inputs),
      ...(kind.lengths && overlaps(this.#options.truncate) ? [['lengths', lengthsOf(batch)] as const] : []),
      ...(kind.mask ? [['mask', window.mask ?? maskOf(batch)] as const] : []),
      ...(kind.weights ? [['weights', await this.#weights(batch)] as const] : []),
    ])
    const results = await session.call(sizes, new Map([...pending, ...inputs]), ['loss', 'gradientNorm'])
    pending.clear()
    this.#prepared.delete(keyOf(kind))
    this.#session = session
    this.#kind = kind
    const [loss, gradientNorm] = [results.loss[0]!, results.gradientNorm[0]!]
    this.#last = { rows, sizes, inputs, broken: Number.isFinite(loss) ? 'gradientNorm' : 'loss' }
    if (Number.isFinite(loss) && Number.isFinite(gradientNorm)) {
      this.#windows.pass(window, batch)
      this.#steps++
    } else if (others) this.#windows.forget()
    return { loss, gradientNorm, tokens: tokensOf(model, batch) }
  }

  /**
   * Bytes of memory that `run` needs for this batch, known before it runs: parameters, the optimizer's slots and scalars,
   * carried states, the batch, and all that is kept between forward and backward. Only shapes count, and for unlike
   * lengths or windows with k1 < k2 how many steps there are. Compiled code is not counted. Memory that was taken once
   * is not given back, so a training holds what its largest batch needs. On the interpreter: its inputs alone.
   *
   * Like `run`, it builds the model and makes its numbers if that was not done, and compiles the step if it is not
   * compiled for such batches; the run after it finds it compiled. It trains nothing and changes no later result.
   *
   * @throws {ShapeError | DataError | ArgumentError} for a batch that `run` would refuse
   */
  async memoryBytes(batch: Batch): Promise<number> {
    await this.#windows.load()
    const { kind, sizes } = this.#plan(batch)
    return (await this.#compiled(kind)).memoryBytes(sizes)
  }

  /** Copies the parameters into the model: as they are, or at the end of a training as its optimizer wants them. */
  async sync(final = false): Promise<void> {
    if (this.#pending === undefined) return
    const weights = new Map(this.#model.weights())
    for (const [path, old] of weights) weights.set(path, { ...old, data: await this.#read(path) })
    for (const [name, path] of final ? this.#averages : []) {
      weights.set(path, { ...weights.get(path)!, data: await this.#read(name) })
    }
    this.#model.setWeights(weights)
  }

  /** All that training stands on, for `resume`. The model must be built. */
  async state(): Promise<Map<string, Tensor>> {
    this.#begin()
    const { rows, fresh, ragged, past, pastTargets, pastMask } = this.#windows.state()
    const state = new Map<string, Tensor>([
      ['training steps', counter(this.#steps)],
      ...KINDS.map((name) => [`training ${name}`, counter(this.#kind[name])] as const),
      ['training rows', counter(rows)],
      ['training fresh', counter(fresh)],
      ['training ragged', counter(ragged)],
    ])
    if (past !== undefined) state.set('training past', past)
    if (pastTargets !== undefined) state.set('training past targets', pastTargets)
    if (pastMask !== undefined) state.set('training past mask', pastMask)
    for (const [name, shape] of this.#held(rows)) state.set(name, tensor(await this.#read(name), shape))
    return state
  }

  /** Where the numbers of the last step, which were not finite, first left f32: replayed in f64; see replay.ts. */
  async whereNotFinite(): Promise<string> {
    if (this.#session === undefined || this.#last === undefined) {
      throw new ArgumentError('whereNotFinite: no step was run yet')
    }
    const { rows, sizes, inputs, broken } = this.#last
    const values = new Map(inputs)
    for (const name of this.#held(rows).keys()) values.set(name, await this.#read(name))
    // Loaded only when it is needed, with the interpreter.
    const { replay } = await import('./replay.ts')
    return replay(this.#session.named, values, sizes, broken)
  }

  /** What a call for this batch is made of, once the batch is checked and the model built. */
  #plan(batch: Batch) {
    const bindings = bindBatch(this.#model, this.#loss, batch)
    this.#begin()
    const window = this.#windows.next(batch, this.#isSequence)
    const rows = batch.inputs.shape[0]!
    const mask = this.#kind.mask || batch.mask !== undefined
    const lengths = !mask && (this.#kind.lengths || batch.lengths !== undefined)
    const { classWeight } = this.#options
    const weights = this.#kind.weights || classWeight !== undefined || batch.weights !== undefined
    const packings = lengths
      ? window.parts.map((each) => packingInputs(each.lengths, each.steps, each.part))
      : []
    const sizes = new Map([...bindings, ...window.sizes, ...packings.map(({ size }) => size)])
    const kind = { lengths, mask, weights }
    return { window, rows, others: rows !== this.#windows.rows, kind, packings, sizes }
  }

  get #isSequence(): boolean {
    return this.#model.built.input.shape[0] === null
  }

  /** Fills in what training begins with, once the model is built. */
  #begin(): Map<string, TensorData> {
    if (this.#pending !== undefined) return this.#pending
    const { resume, seed, truncate } = this.#options
    const model = this.#model
    if (overlaps(truncate) && !this.#isSequence) {
      throw new ArgumentError('truncate with k1 < k2 expects a model of sequences; this one has no time')
    }
    warnOfActivation(model, this.#loss)
    const pending = resume === undefined ? this.#fresh(seed) : this.#resumed(resume)
    this.#pending = pending
    return pending
  }

  #fresh(seed: number | undefined): Map<string, TensorData> {
    const weights = this.#model.weights(seed)
    const { scalars } = heldBy(this.#options)
    const averages = this.#averages
    return new Map(
      [...this.#held(0)].map(([name, shape]) => {
        const begin =
          weights.get(averages.get(name) ?? name)?.data ??
          new Float32Array(elementCount(shape)).fill(scalars[name] ?? 0)
        return [name, begin]
      }),
    )
  }

  #resumed(state: TrainingState): Map<string, TensorData> {
    const [rows, fresh, ragged] = ['rows', 'fresh', 'ragged'].map((name) =>
      counterIn(state, `training ${name}`),
    ) as [number, number, number]
    const shapes = this.#held(rows)
    requireNoOthers(state, new Set(shapes.keys()))
    const pending = new Map([...shapes].map(([name, shape]) => [name, entry(state, name, 'f32', shape).data]))
    const [lengths, mask, weights] = KINDS.map((name) => counterIn(state, `training ${name}`) !== 0)
    this.#kind = { lengths: lengths!, mask: mask!, weights: weights! }
    const past = this.#pastIn(state, rows)
    const pastTargets = past && this.#pastTargetsIn(state, past)
    const pastMask = past && entry(state, 'training past mask', 'bool', [rows, past.shape[1]!])
    this.#windows.restore({ rows, fresh: fresh !== 0, ragged: ragged !== 0, past, pastTargets, pastMask })
    return pending
  }

  #pastIn(state: TrainingState, rows: number): Tensor | undefined {
    const found = state.get('training past')
    const { dtype, shape } = this.#model.built.input
    const expected = [rows, ...shape.map((size) => size ?? found?.shape[1] ?? 0)]
    return found && entry(state, 'training past', dtype, expected)
  }

  #pastTargetsIn(state: TrainingState, { shape: [rows, steps] }: Tensor): Tensor | undefined {
    if (this.#options.teacherForcing !== true) return undefined
    const output = this.#model.built.shapes.at(-1)!.map((size) => size ?? steps!)
    return entry(state, 'training past targets', 'f32', [rows!, ...output])
  }

  /** Shapes of all that goes on from step to step, by the names of the inputs that hold it. */
  #held(rows: number): Map<string, readonly number[]> {
    const { slots, scalars } = heldBy(this.#options)
    const { built } = this.#model
    const shapesOf = (leaves: typeof built.params) =>
      [...leaves].map(([path, { shape }]) => [path, shape] as const)
    const params = shapesOf(built.params)
    return new Map([
      ...params,
      ...shapesOf(built.variables),
      ...slots.flatMap((slot) => params.map(([path, shape]) => [slotInput(slot, path), shape] as const)),
      ...Object.keys(scalars).map((name) => [name, []] as const),
      ...(rows === 0 ? [] : this.#states(rows)),
    ])
  }

  /** Paths of parameters by the slots that they end with. */
  get #averages(): Map<string, string> {
    const { final } = this.#options.optimizer
    if (final === undefined) return new Map()
    return new Map([...this.#model.built.params.keys()].map((path) => [slotInput(final, path), path]))
  }

  #states(rows: number): [string, readonly number[]][] {
    const { states } = this.#model.built
    return carried(this.#model, this.#options).map((path) => [stateInput(path), [rows, ...states.get(path)!]])
  }

  async #read(name: string): Promise<TensorData> {
    return this.#pending?.get(name)?.slice() ?? (await this.#session!.read(name))
  }

  async #weights(batch: Batch): Promise<Float32Array> {
    const { weightsOf } = await import('./weights.ts')
    return weightsOf(this.#model, batch, this.#options.classWeight)
  }

  /** The step to call. The first batch with lengths, a mask, or weights brings another one, which goes on from where that stands. */
  async #open(kind: StepKind, rows: number): Promise<Session> {
    const old = this.#session
    const session = await this.#compiled(kind)
    if (old === undefined || old === session) return session
    const pending = this.#begin()
    for (const name of this.#held(rows).keys()) {
      if (!pending.has(name)) pending.set(name, await old.read(name))
    }
    return session
  }

  /** What teacher forcing asks of loss and, once it is built, model; what weights of classes ask of the loss. */
  async #check(): Promise<void> {
    const { teacherForcing, classWeight } = this.#options
    if (classWeight !== undefined) (await import('./weights.ts')).checkClassWeight(classWeight, this.#loss)
    if (teacherForcing !== true) return
    const { checkForcing } = await import('./forcing-checks.ts')
    checkForcing(this.#model, this.#loss)
  }

  /** The compiled step: the one that training stands on if it serves, else one that waits for its first call. */
  async #compiled(kind: StepKind): Promise<Session> {
    const [own, key] = [this.#session, keyOf(kind)]
    if (own !== undefined && key === keyOf(this.#kind)) return own
    const known = this.#prepared.get(key)
    if (known !== undefined) return known
    const { truncate, accumulate = 1, backend } = this.#options
    await this.#check()
    const reading = overlaps(truncate) ? (await import('./window-graph.ts')).WINDOW : WHOLE
    const noise = this.#model.built.draws ? (await import('../layers/noise.ts')).noiseOf : undefined
    const several = accumulate > 1 ? await import('./accumulation.ts') : undefined
    const named = traceStep(this.#model, this.#options, kind, reading, { noise, ...several })
    const session = await Session.open(named, backend)
    this.#prepared.set(key, session)
    return session
  }
}

const KINDS = ['lengths', 'mask', 'weights'] as const
const keyOf = (kind: StepKind) => String(KINDS.filter((name) => kind[name]))
