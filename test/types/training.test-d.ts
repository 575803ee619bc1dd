/** Data, training and running models as the compiler sees them; models.test-d.ts says how to read this. */
import { type Batch, type Batches, sequences, textWindows } from '../../src/data/index.ts'
import {
  adam,
  adamW,
  cosineDecay,
  evaluate,
  fit,
  generate,
  type History,
  huber,
  type LossFunction,
  lazyAdam,
  type Model,
  predict,
  predictWithStates,
  type Run,
  rmsprop,
  type Stream,
  scheduledSampling,
  sgd,
  type Tensor,
  type TrainingEvent,
  type TrainingState,
  tensor,
  topKAccuracy,
  warmup,
} from '../../src/index.ts'
import { gradientFlow } from '../../src/inspect/index.ts'

export function data(): Batches {
  const rows = [[[1], [2]], [[3]]] as const
  const ids = [tensor([1, 2], [2], 'i32')]
  sequences(rows, [0, 1], { batch: 2 })
  sequences(rows, tensor([[0], [1]]), { batch: 2 })
  sequences(ids, ids, { batch: 1 })
  textWindows(Int32Array.of(1, 2, 3), { batch: 1, steps: 2 })

  // @ts-expect-error numbers, not texts
  sequences([['a', 'b']], [0], { batch: 1 })
  // @ts-expect-error a typed array has no shape: tensor(data, shape) gives it one
  sequences([Float32Array.of(1, 2)], [0], { batch: 1 })
  // @ts-expect-error a class is a number
  sequences(rows, ['rising', 'falling'], { batch: 2 })
  // @ts-expect-error no options
  sequences(rows, [0, 1])
  // @ts-expect-error an unknown option
  sequences(rows, [0, 1], { batchSize: 2 })
  // @ts-expect-error ids in an Int32Array
  textWindows([1, 2, 3], { batch: 1, steps: 2 })
  return sequences(rows, rows, { batch: 2 })
}

export function options(model: Model, batches: Batches, state: TrainingState): Run {
  const ownLoss: LossFunction = (output, target) => output.sub(target).abs()
  fit(model, batches, { loss: ownLoss, optimizer: sgd({ momentum: 0.9, nesterov: true }), clipValue: 1 })
  fit(model, batches, { loss: 'huber', teacherForcing: scheduledSampling({ decay: 'linear', c: 1e-3 }) })
  fit(model, [...batches], {
    loss: huber({ delta: 2 }),
    optimizer: rmsprop({ centered: true }),
    resume: state,
  })

  // @ts-expect-error a loss is missing
  fit(model, batches, { epochs: 2 })
  // @ts-expect-error a loss that is not there
  fit(model, batches, { loss: 'crossEntropy' })
  // @ts-expect-error a loss of one's own gives a value of the graph
  fit(model, batches, { loss: (output) => output.rank })
  // @ts-expect-error an unknown option
  fit(model, batches, { loss: 'huber', epoch: 2 })
  // @ts-expect-error Keras's clipnorm is of each variable, this one of all
  fit(model, batches, { loss: 'huber', clipNorm: 1 })
  // @ts-expect-error an optimizer is made by its function
  fit(model, batches, { loss: 'huber', optimizer: 'adam' })
  // @ts-expect-error k2 is missing
  fit(model, batches, { loss: 'huber', truncate: { k1: 8 } })
  // @ts-expect-error validation needs batches
  fit(model, batches, { loss: 'huber', validation: { every: 2 } })
  // @ts-expect-error an unknown option
  fit(model, batches, { loss: 'huber', earlyStopping: { monitor: 'loss' } })
  // @ts-expect-error a backend that is not there
  fit(model, batches, { loss: 'huber', backend: 'webgl' })
  // @ts-expect-error a state is a map
  fit(model, batches, { loss: 'huber', resume: {} })
  // @ts-expect-error batches of tensors
  fit(model, [{ inputs: [[1]], targets: [[1]], reset: true }], { loss: 'huber' })

  // @ts-expect-error learningRate in full
  adam({ lr: 0.001 })
  // @ts-expect-error weightDecay is adamW's
  adam({ weightDecay: 0.01 })
  // @ts-expect-error weightDecay is adamW's
  lazyAdam({ weightDecay: 0.01 })
  // @ts-expect-error a rate or a schedule
  adamW({ learningRate: 'cosine' })
  // @ts-expect-error true or false
  sgd({ momentum: 0.9, nesterov: 1 })
  // @ts-expect-error an unknown option
  rmsprop({ decay: 0.9 })
  // @ts-expect-error an unknown option
  huber({ slope: 2 })
  // @ts-expect-error Keras's alpha is end
  cosineDecay(0.1, 100, { alpha: 0.1 })
  return fit(model, batches, {
    loss: 'softmaxCrossEntropy',
    optimizer: adamW({ learningRate: warmup(10, cosineDecay(0.01, 100, { end: 0.1 })), weightDecay: 0.01 }),
    truncate: { k1: 8, k2: 16 },
    validation: { batches, every: 2 },
    earlyStopping: { patience: 3, restoreBest: false },
    signal: AbortSignal.timeout(1000),
  })
}

export async function run(training: Run): Promise<string> {
  const awaitable: PromiseLike<History> = training
  const iterable: AsyncIterable<TrainingEvent> = training
  for await (const event of iterable) {
    // @ts-expect-error only an epoch has a validation
    event.validationLoss
    // @ts-expect-error a kind that is not there
    if (event.kind === 'batch') training.stop()
    switch (event.kind) {
      case 'step': {
        const numbers: number[] = [
          event.step,
          event.loss,
          event.gradientNorm,
          event.learningRate,
          event.tokens,
        ]
        // @ts-expect-error only the end has a reason
        numbers.push(event.reason)
        break
      }
      case 'start': {
        const backend: 'native' | 'wasm' | 'interpret' = event.backend
        return backend
      }
      case 'epoch': {
        const validation: number | undefined = event.validationLoss
        // @ts-expect-error an epoch without validation has none
        const sure: number = event.validationLoss
        if (validation === sure) training.stop()
        break
      }
      case 'end': {
        const reason: 'epochs' | 'stopped' | 'earlyStopping' = event.reason
        // @ts-expect-error the end has no loss
        return `${reason} ${event.loss}`
      }
      default: {
        const none: never = event
        return none
      }
    }
  }
  // @ts-expect-error events come in time
  for (const event of training) event.kind

  const history: History = await awaitable
  // @ts-expect-error epochs, each with its loss
  history.loss
  // @ts-expect-error a history stays as it is
  history.steps = 0
  const state: ReadonlyMap<string, Tensor> = await training.state()
  return `${history.epochs.map(({ loss }) => loss.toFixed(2))} ${history.best?.epoch} ${[...state.keys()]}`
}

export async function running(model: Model, batch: Batch): Promise<Tensor> {
  const output: Tensor = await predict(model, [[[0.1], [0.2]]], { lengths: [2], backend: 'interpret' })
  const { states } = await predictWithStates(model, output)
  await predictWithStates(model, output, { initialState: states })
  const { loss } = await evaluate(model, [batch], { loss: 'hinge' })
  const { metrics } = await evaluate(model, [batch], {
    loss: 'hinge',
    metrics: ['accuracy', topKAccuracy(5)],
  })
  const reached: number = metrics.accuracy + metrics.top5Accuracy
  // @ts-expect-error it was not asked for
  metrics.recall
  const ids: number[] = [loss, reached]
  for await (const id of generate(model, { prompt: [1, 2], length: 3, temperature: 0, seed: 1 })) ids.push(id)

  // @ts-expect-error a promise
  predict(model, output).shape
  // @ts-expect-error a batch, not one number
  predict(model, 1)
  // @ts-expect-error numbers, not texts
  predict(model, [['a']])
  // @ts-expect-error a typed array has no shape
  predict(model, Float32Array.of(1))
  // @ts-expect-error an unknown option
  predict(model, output, { batchSize: 1 })
  // @ts-expect-error a tensor has no method: its numbers are its data
  output.map(Math.abs)
  // @ts-expect-error states by path, each a tensor
  predictWithStates(model, output, { initialState: { 'lstm/h': 'zeros' } })
  // @ts-expect-error k of this decay is missing
  scheduledSampling({ decay: 'exponential' })
  // @ts-expect-error c is the linear decay's
  scheduledSampling({ decay: 'inverseSigmoid', k: 2, c: 1 })
  // @ts-expect-error a loss is missing
  evaluate(model, [batch])
  // @ts-expect-error a metric that is not there
  evaluate(model, [batch], { loss: 'hinge', metrics: ['accurate'] })
  // @ts-expect-error tokens come in time
  ids.push(...generate(model, { prompt: [1], length: 3 }))
  // @ts-expect-error tokens, not a text: Vocabulary.encode makes them
  generate(model, { prompt: 'To be', length: 3 })
  // @ts-expect-error how many tokens is missing
  generate(model, { prompt: [1] })
  // @ts-expect-error an unknown option
  generate(model, { prompt: [1], length: 3, topK: 5 })
  return output
}

export async function inside(model: Model, batch: Batch): Promise<Tensor> {
  const { states, contributions } = await gradientFlow(model, batch, { loss: 'huber', at: 3, truncate: 2 })
  const norms: Tensor | undefined = contributions['lstm/U']?.norms
  // @ts-expect-error a loss is missing
  gradientFlow(model, batch, { at: 3 })
  // @ts-expect-error an unknown option
  gradientFlow(model, batch, { loss: 'huber', step: 3 })
  // @ts-expect-error one batch, not all
  gradientFlow(model, [batch], { loss: 'huber' })
  // @ts-expect-error norms and rows, not the gradient itself
  states['lstm/h']?.gradient
  return norms ?? states['lstm/h']!.mean
}

export async function streaming(model: Model): Promise<Float32Array> {
  const { states } = await predictWithStates(model, [[[1]]])
  const stream: Stream = await model.stream({ initialState: states, backend: 'wasm' })
  const many = await model.streams(2)
  stream.step(1)
  stream.step([1, 2])
  stream.step({ source: Int32Array.of(1), target: [2] })
  many.step(new Float32Array(4), [1, 0])
  many.setState(stream.state(), 1)
  many.reset(1)

  // @ts-expect-error numbers of 32 bits
  stream.step(new Float64Array(1))
  // @ts-expect-error a step, not a tensor of several
  stream.step([[1]])
  // @ts-expect-error an unknown option
  model.stream({ rows: 2 })
  // @ts-expect-error how many there are
  model.streams({ backend: 'wasm' })
  // @ts-expect-error outputs stay where they are
  stream.outputs = many.outputs
  return many.outputs['output'] ?? stream.step(1)
}
