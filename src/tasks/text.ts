/**
 * The character model: documents → a trained model in a file, told as events.
 * Holds: with `epochs`, the same documents, sizes and seed give the same file, byte for byte; with `seconds` the clock
 * sets the learning rate and the end.
 */
import { type Batches, holdOut, textWindows, Vocabulary, wittenBell } from '../data/index.ts'
import { writeFileAtomic } from '../io/node-files.ts'
import { DataError } from '../tensor/errors.ts'
import { fit } from '../train/fit.ts'
import { adam } from '../train/optimizers.ts'
import { evaluate } from '../train/predict.ts'
import type { StartEvent as TrainingStart } from '../train/run.ts'
import { linearDecay } from '../train/schedules.ts'
import type { Document } from './corpus.ts'
import { Meter } from './meter.ts'
import { createTextModel, parameterCount, type TextModel, textModelBytes, textOf } from './text-model.ts'

export interface TextTrainingOptions {
  /** Where the model is saved. */
  readonly out: string
  readonly until: { readonly seconds: number } | { readonly epochs: number }
  /** H of the LSTM. */
  readonly units: number
  /** B, rows of a batch. */
  readonly batch: number
  /** T, steps of a window. */
  readonly steps: number
  /** Of the first step; it decays linearly to a twentieth. */
  readonly learningRate: number
  readonly seed: number
  /** Ends the training after the step under way; what was learnt is saved. */
  readonly signal?: AbortSignal
}

export interface StartEvent {
  readonly kind: 'start'
  readonly documents: readonly string[]
  /** Of all documents. */
  readonly characters: number
  readonly vocabulary: number
  /** A word that the texts begin with; empty where they have none. */
  readonly firstWord: string
  readonly parameters: number
  readonly options: TextTrainingOptions
}

/** Before the first step, once what runs it is built. */
export interface BackendEvent {
  readonly kind: 'backend'
  readonly backend: TrainingStart['backend']
}

export interface ProgressEvent {
  readonly kind: 'step'
  readonly step: number
  readonly epoch: number
  /** 0 … 1 */
  readonly progress: number
  readonly secondsLeft: number
  /** Nats per character, the mean over the last steps. */
  readonly loss: number
  /** The same in bits. */
  readonly bits: number
  readonly charactersPerSecond: number
}

export interface SampleEvent {
  readonly kind: 'sample'
  readonly text: string
}

export interface SavedEvent {
  readonly kind: 'saved'
  readonly path: string
  readonly bytes: number
  readonly steps: number
}

export interface EndEvent {
  readonly kind: 'end'
  /** Characters of the held-out part that were predicted. */
  readonly heldOut: number
  /** Per held-out character. */
  readonly bits: number
  /** Of the n-gram on the same characters. */
  readonly ngramBits: number
  readonly ngramOrder: number
  readonly sample: string
}

export type TextEvent = StartEvent | BackendEvent | ProgressEvent | SampleEvent | SavedEvent | EndEvent

const HELD_OUT = 0.1
/** More would measure no better, and take as long as the training. */
const MOST_HELD_OUT = 200_000
const NGRAM_ORDER = 3
const LAST_RATE = 0.05
const SAMPLE_EVERY = 10_000
const SAMPLE = { length: 160, temperature: 0.8 }

/**
 * Trains on the first 90% of each document, saves, and measures on the rest. Ends early, without an `end` event, when
 * the signal says so; if that is before the first step, nothing is saved.
 *
 * @throws {DataError} when the text is shorter than one batch of windows
 */
export async function* trainText(
  documents: readonly Document[],
  options: TextTrainingOptions,
): AsyncGenerator<TextEvent, void> {
  const { out, seed, signal } = options
  const vocabulary = Vocabulary.of(documents.map(({ text }) => text).join(''))
  const encoded = documents.map(({ text }) => vocabulary.encode(text))
  const characters = encoded.reduce((sum, ids) => sum + ids.length, 0)
  requireEnough(characters, options)
  const { train, heldOut } = holdOut(encoded, HELD_OUT)
  const batches = textWindows(train, { batch: options.batch, steps: options.steps })
  const textModel = createTextModel(vocabulary, options.units)
  yield {
    kind: 'start',
    documents: documents.map(({ name }) => name),
    characters,
    vocabulary: vocabulary.size,
    firstWord: /[\p{L}\p{M}]+/u.exec(documents[0]?.text ?? '')?.[0] ?? '',
    parameters: parameterCount(textModel),
    options,
  }
  // After the start is told: for many units they take a while.
  textModel.model.weights(seed)
  const steps = yield* training(textModel, batches, options)
  if (steps === 0) return
  const bytes = textModelBytes(textModel)
  await writeFileAtomic(out, bytes)
  yield { kind: 'saved', path: out, bytes: bytes.length, steps }
  if (signal?.aborted) return
  const measured = heldOut.subarray(0, MOST_HELD_OUT)
  const bits = await bitsPerCharacter(textModel, measured)
  yield {
    kind: 'end',
    heldOut: measured.length - 1,
    bits,
    ngramBits: wittenBell(train, NGRAM_ORDER, vocabulary.size).bitsPerToken(measured),
    ngramOrder: NGRAM_ORDER,
    sample: await textOf(textModel, { ...SAMPLE, length: 400, seed }),
  }
}

function requireEnough(characters: number, { batch, steps }: TextTrainingOptions): void {
  const needed = Math.ceil((batch * steps + 1) / (1 - HELD_OUT))
  if (characters >= needed) return
  throw new DataError(
    `the text has ${characters} characters, too few for batches of ${batch} rows, ${steps} steps: ` +
      `give at least ${needed}, fewer rows or fewer steps`,
  )
}

/** Trains, telling of every step; returns how many there were. */
async function* training(
  textModel: TextModel,
  batches: Batches,
  options: TextTrainingOptions,
): AsyncGenerator<BackendEvent | ProgressEvent | SampleEvent, number> {
  const { until, learningRate, seed, signal } = options
  if (signal?.aborted) return 0
  const total = 'epochs' in until ? until.epochs * batches.count : Number.POSITIVE_INFINITY
  const start = performance.now()
  const elapsed = () => performance.now() - start
  const progressAt = (step: number) =>
    'seconds' in until ? Math.min(1, elapsed() / 1000 / until.seconds) : step / total
  const decay = linearDecay(learningRate, 1, LAST_RATE)
  const run = fit(textModel.model, batches, {
    loss: 'softmaxCrossEntropy',
    optimizer: adam({ learningRate: (step) => decay(progressAt(step)) }),
    clipGlobalNorm: 1,
    truncate: { k1: options.steps, k2: options.steps },
    epochs: 'epochs' in until ? until.epochs : Number.MAX_SAFE_INTEGER,
  })
  const stop = () => run.stop()
  signal?.addEventListener('abort', stop)
  const meter = new Meter(start)
  const sampler = new Sampler()
  let steps = 0
  try {
    for await (const event of run) {
      if (event.kind === 'start') yield { kind: 'backend', backend: event.backend }
      if (event.kind !== 'step') continue
      steps = event.step
      const progress = progressAt(steps)
      if (progress >= 1 && 'seconds' in until) stop()
      const { loss, tokensPerSecond } = meter.add(event, performance.now())
      yield {
        kind: 'step',
        step: steps,
        epoch: event.epoch,
        progress,
        secondsLeft: ((1 - progress) / progress) * (elapsed() / 1000),
        loss,
        bits: loss / Math.LN2,
        charactersPerSecond: tokensPerSecond,
      }
      // The sample is written while training goes on.
      if (sampler.text !== undefined) yield { kind: 'sample', text: sampler.take() }
      if (progress < 1 && elapsed() > SAMPLE_EVERY * (sampler.count + 1)) {
        await run.sync()
        sampler.start(textModel, seed + Math.floor(elapsed() / SAMPLE_EVERY))
      }
    }
  } finally {
    signal?.removeEventListener('abort', stop)
    stop()
  }
  return steps
}

/** Writes samples beside the training, one at a time. */
class Sampler {
  /** How many were begun. */
  count = 0
  /** The one that is finished and was not taken. */
  text: string | undefined
  #failure: unknown

  start(textModel: TextModel, seed: number): void {
    this.count++
    textOf(textModel, { ...SAMPLE, seed }).then(
      (text) => {
        this.text = text
      },
      (failure: unknown) => {
        this.#failure = failure
        this.text = ''
      },
    )
  }

  take(): string {
    if (this.#failure !== undefined) throw this.#failure
    const text = this.text!
    this.text = undefined
    return text
  }
}

/** The mean −log₂ p of each character given all those before it: one row, its state carried from window to window. */
async function bitsPerCharacter({ model }: TextModel, ids: Int32Array): Promise<number> {
  const windows = textWindows(ids, { batch: 1, steps: Math.min(256, ids.length - 1) })
  const { loss } = await evaluate(model, windows, { loss: 'softmaxCrossEntropy', carry: true })
  return loss / Math.LN2
}
