/** Running a model: predict, evaluate. */
import type { Backend } from '../codegen/compile.ts'
import type { Named, NamedBatch } from '../data/batches.ts'
import { type Model, requireModel } from '../layers/model.ts'
import { SOLE_INPUT } from '../layers/parts.ts'
import { requireFlag, requireKnown } from '../tensor/checks.ts'
import type { TensorData } from '../tensor/dtype.ts'
import { ArgumentError, DataError, ShapeError } from '../tensor/errors.ts'
import { evaluateSize } from '../tensor/size.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { requireBatches } from './fit-options.ts'
import { asTensor, bindInputs, entriesOf, type TensorLike, timeOf, timesIn } from './inputs.ts'
import { dataInput, finalOutput, freshRows, outputName, stateInput, weightInputs } from './leaves.ts'
import type { EvaluateOptions, Evaluation } from './measure.ts'
import type { MetricOptions, NamesOf } from './metrics.ts'
import { type InputLike, kindOf, paddedInputs, paddingInputs } from './padding.ts'
import { forwardSession } from './sessions.ts'
import { requireTokens } from './vocabulary.ts'

export interface PredictOptions {
  /** Steps of each row, 1 … T; default: all T. */
  readonly lengths?: TensorLike | Readonly<Record<string, TensorLike>>
  /** Which steps are there, 0 or 1, [B, T] or a list of [T], instead of lengths: gaps, padding on the left. */
  readonly mask?: InputLike | Readonly<Record<string, InputLike>>
  /** States to begin with by path ('lstm/h'), [B, …]; those left out begin as the layer says. */
  readonly initialState?: Readonly<Record<string, TensorLike>>
  /** What runs it; see `fit`. Default: 'auto', by the sizes of each call. */
  readonly backend?: Backend
  /** How many workers compute it; see `fit`. */
  readonly threads?: number
}

export interface Prediction {
  /** [B, T, …] or [B, …]; 0 beyond a row's length unless a layer masks. Of several outputs the first. */
  readonly output: Tensor
  /** All outputs by name. */
  readonly outputs: Readonly<Record<string, Tensor>>
  /** i32 [B]: those of `output`, where rows have lengths of their own. */
  readonly lengths?: Tensor
  /**
   * States after the last step, by path: of the layers that say `returnState`, or if none does all that can be given as
   * `initialState`.
   */
  readonly states: Readonly<Record<string, Tensor>>
}

/**
 * The model's output for a batch of inputs: nested arrays, a tensor, or a list of sequences. Those of unlike lengths are
 * padded, and so is the output of every step, [B, T, …]: it is 0 beyond a row's length, which `predictWithStates` says.
 * Behind a layer that masks, what stands where nothing is is what that layer's readers make of it.
 *
 *     await predict(net, [[[0.1]], [[0.2], [0.3]]])
 *
 * A model of several inputs takes them by name, { source, target }; of several outputs, this is the first one.
 *
 * @throws {ShapeError} where the inputs do not fit the model, or a row the others
 */
export async function predict(
  model: Model,
  x: Named<InputLike>,
  options: PredictOptions = {},
): Promise<Tensor> {
  return (await predictWithStates(model, x, options)).output
}

/** As predict, with the recurrent states after the last step. */
export async function predictWithStates(
  model: Model,
  x: Named<InputLike>,
  options: PredictOptions = {},
): Promise<Prediction> {
  requireModel('predict', model)
  requireKnown('predict', options, ['lengths', 'mask', 'initialState', 'backend', 'threads'])
  const padded = paddedInputs('predict: ', model, x, options)
  const { inputs } = padded
  const bindings = bindInputs(model, inputs)
  const rows = bindings.get('B')!
  const initial = initialStates(model, options.initialState ?? {}, rows)
  await requireTokens(model, padded)
  const kind = await kindOf(model, padded)
  const there = await paddingInputs(model, padded, kind)
  const stateful = model.statefulStates()
  const standing = stateful.length > 0 ? (await import('./stateful.ts')).statesOf(model) : undefined
  const goingOn = stateful.filter((path) => !initial.has(path))
  const leaves = { training: false, carry: [...initial.keys(), ...goingOn], stateful: goingOn, ...kind }
  const sizes = new Map([...bindings, ...there.sizes])
  const session = await forwardSession(model, leaves, {
    backend: options.backend,
    threads: options.threads,
    sizes,
  })
  const given = new Map<string, TensorData>([
    ...entriesOf(inputs, SOLE_INPUT).map(([name, { data }]) => [dataInput(name), data] as const),
    ...freshRows([...initial.keys()], rows, false),
    ...(standing?.inputs(model, goingOn, rows) ?? []),
    ...weightInputs(model),
    ...there.inputs,
  ])
  for (const [path, data] of initial) given.set(stateInput(path), data)
  const { states, given: begun } = model.built
  const returned = model.returnedStates()
  const paths = returned.length > 0 ? returned : [...states.keys()]
  const finals = [...new Set([...paths, ...stateful])].map(finalOutput)
  const open = [...model.built.outputs]
  const results = await session.call(sizes, given, [...open.map(([name]) => outputName(name)), ...finals])
  standing?.keep(rows, new Map(stateful.map((path) => [path, results[finalOutput(path)]!])))
  const outputs = open.map(([name, { shape }]): [string, Tensor] => [
    name,
    {
      data: results[outputName(name)]!,
      shape: [rows, ...shape.map((size) => evaluateSize(size, bindings))],
      dtype: 'f32',
    },
  ])
  const lengths = timeOf(open[0]![1], timesIn(model, padded))?.lengths
  return {
    output: outputs[0]![1],
    outputs: Object.fromEntries(outputs),
    ...(lengths && { lengths }),
    states: Object.fromEntries(
      paths.map((path) => [
        path,
        {
          data: results[finalOutput(path)]!,
          shape: [rows, ...(states.get(path) ?? begun.get(path)!)],
          dtype: 'f32' as const,
        },
      ]),
    ),
  }
}

function initialStates(
  model: Model,
  given: Readonly<Record<string, TensorLike>>,
  rows: number,
): Map<string, TensorData> {
  const states = new Map<string, TensorData>()
  if (typeof given !== 'object') {
    throw new ArgumentError(`initialState must hold states by path; received ${String(given)}`)
  }
  for (const [path, value] of Object.entries(given)) {
    const shape = model.built.states.get(path)
    if (shape === undefined) {
      throw new ArgumentError(
        `initialState: the model has the states ${[...model.built.states.keys()].join(', ')}; received ${path}`,
      )
    }
    const state = asTensor(value, 'f32')
    if (String(state.shape) !== String([rows, ...shape])) {
      throw new ShapeError(
        `initialState ${path} must be [${[rows, ...shape].join(', ')}]; received [${state.shape.join(', ')}]`,
      )
    }
    states.set(path, state.data)
  }
  return states
}

/**
 * The mean loss over batches, and metrics, without training. Layers that read their own output of the step before read just
 * that, whether they were trained by teacher forcing or not: this is free-running evaluation.
 *
 *     const { loss, metrics } = await evaluate(net, batches, { loss: 'softmaxCrossEntropy', metrics: ['accuracy'] })
 *
 * Of several outputs, metrics are lists by name, and values are found as 'output/metric':
 *
 *     const { metrics } = await evaluate(net, batches, { loss, metrics: { digit: ['accuracy'] } })   // metrics['digit/accuracy']
 *
 * @throws {ArgumentError} for a metric that is not there, or not of this loss
 */
export async function evaluate<const M extends MetricOptions = readonly []>(
  model: Model,
  batches: Iterable<NamedBatch>,
  options: EvaluateOptions<M>,
): Promise<Evaluation<NamesOf<M>>> {
  requireModel('evaluate', model)
  requireKnown('evaluate', options, ['loss', 'lossWeights', 'metrics', 'carry', 'backend', 'threads'])
  requireBatches('evaluate: batches', batches)
  requireFlag('evaluate', 'carry', options.carry ?? false)
  if (options.carry === true) model.requireForward('evaluate')
  const { meanOver } = await import('./measure.ts')
  const { statesOf } = await import('./stateful.ts')
  const measured = await meanOver(model, batches, options, () => false, statesOf(model))
  if (!measured?.tokens) throw new DataError('evaluate: expected at least one batch; received none')
  return measured
}
