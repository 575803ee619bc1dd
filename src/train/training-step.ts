/** A model's training, one compiled call a step. */
import { type Place, placeFor } from '../codegen/compile.ts'
import type { Executable } from '../codegen/executable.ts'
import type { NamedBatch } from '../data/batches.ts'
import type { Model } from '../layers/model.ts'
import type { TensorData } from '../tensor/dtype.ts'
import { ArgumentError } from '../tensor/errors.ts'
import type { Bindings } from '../tensor/size.ts'
import { elementCount, type Tensor, tensor } from '../tensor/tensor.ts'
import { heldBy, slotInput } from './held.ts'
import { timesIn } from './inputs.ts'
import { counterInputs, freshRows, type Packings, stateInput, timesOf, WHOLE } from './leaves.ts'
import { type Losses, lossesOf, warnOfActivation } from './losses.ts'
import { askedFor, RECORDED, requireRecorded } from './recorded.ts'
import type { Sampling } from './sampling.ts'
import { type NamedGraph, Session } from './session.ts'
import { counter, counterIn, entry, requireNoOthers, type TrainingState } from './state.ts'
import type { StatefulTraining } from './stateful.ts'
import {
  carried,
  checkStepOptions,
  PLAIN,
  SEGMENT,
  type StepKind,
  type StepOptions,
  traceStep,
} from './step.ts'
import { bindBatch } from './targets.ts'
import { overlaps } from './truncation.ts'
import { requireTokens } from './vocabulary.ts'
import { Windows } from './windows.ts'

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
  readonly #model: Model
  readonly #options: StepOptions
  readonly #losses: Losses
  readonly #windows: Windows
  #session: Session | undefined
  /** Compiled and not run yet: see `memoryBytes`. */
  readonly #prepared = new Map<string, Session>()
  /** What the session was compiled for. A mask says what lengths say, so that it serves batches of either. */
  #kind = PLAIN
  /** Where the steps run; undefined until the first is compiled. */
  #place: Place | undefined
  #steps = 0
  /** Numbers that the session does not hold yet, by its inputs' names; undefined until the model is built. */
  #pending: Map<string, TensorData> | undefined
  #last: Last | undefined
  /** Which steps read targets, where that is drawn, once that is loaded. */
  #sampled: Sampling | undefined
  /** Where the rows of stateful layers stand, once that is loaded. */
  #stateful: StatefulTraining | undefined
  /** How rows of unlike lengths are packed, loaded with the first of them. */
  #packing: Packings | undefined

  /** @throws {ArgumentError} for options outside their range, and a state that is not this training's */
  constructor(model: Model, options: StepOptions) {
    checkStepOptions(model, options)
    this.#model = model
    this.#options = options
    this.#losses = lossesOf(model, options.loss)
    this.#windows = new Windows(options.truncate, Boolean(options.teacherForcing))
    if (options.resume === undefined) return
    this.#steps = counterIn(options.resume, 'training steps')
    if (model.isBuilt) this.#begin()
  }

  /** Steps that changed the model, those before `resume` included. */
  get steps(): number {
    return this.#steps
  }

  /** One update; none where the loss or the gradient's norm is not finite, which `whereNotFinite` explains. */
  async run(batch: NamedBatch, learningRate: number): Promise<StepResult> {
    const model = this.#model
    if (!(learningRate >= 0 && Number.isFinite(learningRate))) {
      throw new ArgumentError(`a learning rate must be a number of at least 0; received ${learningRate}`)
    }
    if (this.#session === undefined) await this.#check()
    const sampling = await this.#sampling()
    const { window, rows, others, stateful, kind, masks, packings, sizes } = await this.#planWithin(batch)
    if (kind.checkpoint && !(this.#kind.checkpoint || this.#options.checkpoint)) {
      const { warnOfSegments } = await import('./checkpoint.ts')
      warnOfSegments(this.#steps + 1)
    }
    const pending = this.#begin()
    const session = await this.#open(kind, sizes, others ? 0 : rows)
    const inputs = new Map<string, TensorData>([
      ...(others ? this.#states(rows) : []).map(
        ([name, shape]) => [name, new Float32Array(elementCount(shape))] as const,
      ),
      ...window.tensors.map(([name, { data }]) => [name, data] as const),
      ['learningRate', Float32Array.of(learningRate)],
      ...(sampling?.inputs(model, this.#steps) ?? counterInputs(model, this.#options.seed ?? 0, this.#steps)),
      ...freshRows(carried(model, this.#options, false), rows, window.fresh),
      ...stateful,
      ...packings.flatMap(({ inputs }) => inputs),
      ...(kind.lengths && window.lengths ? [['lengths', window.lengths] as const] : []),
      ...masks,
      ...(kind.weights ? await this.#weights(batch) : []),
    ])
    const results = await session.call(sizes, new Map([...pending, ...inputs]), [
      'loss',
      'gradientNorm',
      'tokens',
    ])
    pending.clear()
    this.#prepared.delete(keyOf(kind))
    this.#session = session
    this.#kind = kind
    const [loss, gradientNorm] = [results.loss[0]!, results.gradientNorm[0]!]
    this.#last = { rows, sizes, inputs, broken: Number.isFinite(loss) ? 'gradientNorm' : 'loss' }
    if (Number.isFinite(loss) && Number.isFinite(gradientNorm)) {
      this.#windows.pass(window, rows)
      this.#stateful?.pass()
      this.#steps++
    } else if (others) this.#windows.forget()
    return { loss, gradientNorm, tokens: results.tokens[0]! }
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
  async memoryBytes(batch: NamedBatch): Promise<number> {
    return this.#bytesOf(await this.#planWithin(batch))
  }

  /** Compiles the step for such batches, if that was not done; resolves to what runs it. */
  async prepare(batch: NamedBatch): Promise<Executable['backend']> {
    await this.#check()
    const { kind, sizes } = await this.#planWithin(batch)
    return (await this.#compiled(kind, sizes)).backend
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
    await (await this.#goingOn())?.keep(this.#windows.rows, (name) => this.#read(name))
  }

  /** All that training stands on, for `resume`. The model must be built. */
  async state(): Promise<Map<string, Tensor>> {
    this.#begin()
    await this.#windows.load(this.#model, this.#options.resume)
    const state = new Map<string, Tensor>([
      ['training steps', counter(this.#steps)],
      ['training backend', counter(RECORDED.indexOf(this.#place?.backend ?? RECORDED[0]!))],
      ...KINDS.map((name) => [`training ${name}`, counter(this.#kind[name])] as const),
      ...this.#windows.state(),
      ...((await this.#goingOn())?.state() ?? []),
    ])
    for (const [name, shape] of this.#held(this.#windows.rows))
      state.set(name, tensor(await this.#read(name), shape))
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
    // Steps count from 0 on, whatever the segments.
    return replay(
      await this.#traced({ ...this.#kind, checkpoint: false, parallel: false }),
      values,
      sizes,
      broken,
    )
  }

  /** The plan for this batch that `memoryLimit` allows. */
  async #planWithin(batch: NamedBatch) {
    const plan = await this.#plan(batch)
    const { memoryLimit } = this.#options
    if (memoryLimit === undefined) return plan
    const plans = plan.kind.checkpoint ? [plan] : [plan, await this.#plan(batch, true)]
    const { within } = await import('./checkpoint.ts')
    return within(memoryLimit, plans, (each) => this.#bytesOf(each))
  }

  async #bytesOf({ kind, sizes }: { readonly kind: StepKind; readonly sizes: Bindings }): Promise<number> {
    return (await this.#compiled(kind, sizes)).memoryBytes(sizes)
  }

  /** What a call for this batch is made of, once the batch is checked and the model built. */
  async #plan(batch: NamedBatch, checkpoint = this.#kind.checkpoint || this.#options.checkpoint === true) {
    const bindings = await bindBatch(this.#model, this.#losses, batch)
    await requireTokens(this.#model, batch)
    this.#begin()
    await this.#windows.load(this.#model, this.#options.resume)
    const rows = bindings.get('B')!
    const window = this.#windows.next(this.#model, batch, rows)
    const ends = this.#kind.lengths || batch.lengths !== undefined
    const sampling = await this.#sampling()
    // Segments of packed rows would be of unlike sizes, and tokens that are sampled are read by all rows at once.
    const mask =
      this.#kind.mask || batch.mask !== undefined || ((checkpoint || sampling?.tokens === true) && ends)
    const lengths = !mask && ends
    const { classWeight } = this.#options
    const weights = this.#kind.weights || classWeight !== undefined || batch.weights !== undefined
    if (lengths) this.#packing ??= await import('../layers/packing.ts')
    const packings = (lengths ? await window.parts() : []).map((each) =>
      this.#packing!.packingInputs(each.lengths, each.steps, each.part),
    )
    const steps = [...timesIn(this.#model, batch).values()].map(({ inputs }) => inputs.shape[1]!)
    const sizes: Bindings = new Map<string, number>([
      ...bindings,
      ...window.sizes,
      ...packings.map(({ size }) => size),
      [SEGMENT, Math.ceil(Math.sqrt(Math.max(1, ...steps)))],
    ])
    const parallel = this.#kind.parallel || this.#options.parallelScan === true
    const kind = { lengths, mask, weights, checkpoint, parallel }
    const masks = mask ? await window.masks() : []
    const held = this.#windows.rows
    const stateful = (await this.#goingOn())?.inputs(rows, held) ?? []
    return { window, rows, others: rows !== held, stateful, kind, masks, packings, sizes }
  }

  /** Fills in what training begins with, once the model is built. */
  #begin(): Map<string, TensorData> {
    if (this.#pending !== undefined) return this.#pending
    const { resume, seed, truncate } = this.#options
    const model = this.#model
    if (overlaps(truncate) && timesOf(model).size === 0) {
      throw new ArgumentError('truncate with k1 < k2 expects a model of sequences; this one has no time')
    }
    warnOfActivation(model, this.#losses)
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
    const shapes = this.#held(counterIn(state, 'training rows'))
    requireNoOthers(state, new Set(shapes.keys()))
    const pending = new Map([...shapes].map(([name, shape]) => [name, entry(state, name, 'f32', shape).data]))
    this.#kind = Object.fromEntries(
      KINDS.map((name) => [name, counterIn(state, `training ${name}`) !== 0]),
    ) as unknown as StepKind
    this.#windows.restore(state)
    return pending
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

  async #goingOn(): Promise<StatefulTraining | undefined> {
    if (this.#model.statefulStates().length === 0) return undefined
    const { StatefulTraining } = await import('./stateful.ts')
    this.#stateful ??= new StatefulTraining(this.#model, this.#options)
    return this.#stateful
  }

  async #read(name: string): Promise<TensorData> {
    return this.#pending?.get(name)?.slice() ?? (await this.#session!.read(name))
  }

  async #weights(batch: NamedBatch): Promise<(readonly [string, Float32Array])[]> {
    const { weightsOf } = await import('./weights.ts')
    return weightsOf(this.#model, batch, this.#losses, this.#options.classWeight)
  }

  /** The step to call. The first batch with lengths, a mask, or weights brings another one, which goes on from where that stands. */
  async #open(kind: StepKind, sizes: Bindings, rows: number): Promise<Session> {
    const old = this.#session
    const session = await this.#compiled(kind, sizes)
    if (old === undefined || old === session) return session
    const pending = this.#begin()
    for (const name of this.#held(rows).keys()) {
      if (!pending.has(name)) pending.set(name, await old.read(name))
    }
    return session
  }

  async #sampling(): Promise<Sampling | undefined> {
    const { teacherForcing } = this.#options
    if (typeof teacherForcing !== 'object') return undefined
    const { Sampling } = await import('./sampling.ts')
    this.#sampled ??= new Sampling(teacherForcing, this.#options, this.#losses)
    return this.#sampled
  }

  /** What teacher forcing asks of loss and, once it is built, model; what weights of classes ask of the loss. */
  async #check(): Promise<void> {
    const { teacherForcing, classWeight } = this.#options
    if (classWeight !== undefined) (await import('./weights.ts')).checkClassWeight(classWeight, this.#losses)
    const sampling = await this.#sampling()
    sampling?.check(this.#model)
    if (teacherForcing !== true) return
    const { checkForcing } = await import('./forcing-checks.ts')
    checkForcing(this.#model, this.#losses)
  }

  /** The compiled step: the one that training stands on if it serves, else one that waits for its first call. */
  async #compiled(kind: StepKind, sizes: Bindings): Promise<Session> {
    const [own, key] = [this.#session, keyOf(kind)]
    if (own !== undefined && key === keyOf(this.#kind)) return own
    const known = this.#prepared.get(key)
    if (known !== undefined) return known
    await this.#check()
    const named = await this.#traced(kind)
    const { threads } = this.#options
    this.#place ??= await placeFor(named.graph, { backend: askedFor(this.#options), threads }, sizes)
    const session = await Session.open(named, this.#place)
    requireRecorded(this.#options, session.backend)
    this.#place = { ...this.#place, backend: session.backend }
    this.#prepared.set(key, session)
    return session
  }

  async #traced(kind: StepKind): Promise<NamedGraph> {
    const plain = overlaps(this.#options.truncate) ? (await import('./window-graph.ts')).WINDOW : WHOLE
    const sampling = await this.#sampling()
    const whole = sampling?.reading(plain) ?? plain
    const { inSegments, inChunks } =
      kind.checkpoint || kind.parallel ? await import('./checkpoint.ts') : ({} as Partial<Segments>)
    const reading = (kind.checkpoint ? inSegments : inChunks)?.(whole) ?? whole
    const { teacherForcing, accumulate = 1 } = this.#options
    return traceStep(this.#model, this.#options, {
      ...kind,
      reading,
      packing: kind.lengths ? this.#packing : undefined,
      forced:
        teacherForcing && sampling?.tokens !== true
          ? (await import('../layers/forcing.ts')).forcedBy
          : undefined,
      noise: this.#model.built.draws ? (await import('../layers/noise.ts')).noiseOf : undefined,
      accumulated: accumulate > 1 ? (await import('./accumulation.ts')).accumulated : undefined,
    })
  }
}

type Segments = typeof import('./checkpoint.ts')
const KINDS = ['lengths', 'mask', 'weights', 'checkpoint', 'parallel'] as const
const keyOf = (kind: StepKind) => String(KINDS.filter((name) => kind[name]))
