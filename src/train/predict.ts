/** Running a model: predict, evaluate. */
import type { Backend } from '../codegen/compile.ts'
import type { Batch } from '../data/batches.ts'
import { requireModel, type Sequential } from '../layers/sequential.ts'
import { requireFlag, requireKnown } from '../tensor/checks.ts'
import type { TensorData } from '../tensor/dtype.ts'
import { ArgumentError, DataError, ShapeError } from '../tensor/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { requireBatches } from './fit-options.ts'
import { asTensor, bindInput, type TensorLike } from './inputs.ts'
import { finalOutput, freshRows, stateInput, weightInputs } from './leaves.ts'
import type { EvaluateOptions, Evaluation } from './measure.ts'
import type { MetricOption, NameOf } from './metrics.ts'
import { type InputLike, kindOf, paddedInputs, paddingInputs } from './padding.ts'
import { forwardSession } from './sessions.ts'

export interface PredictOptions {
  /** Steps of each row, 1 … T; default: all T. */
  readonly lengths?: TensorLike
  /** Which steps are there, 0 or 1, [B, T] or a list of [T], instead of lengths: gaps, padding on the left. */
  readonly mask?: InputLike
  /** States to begin with by path ('lstm/h'), [B, …]; those left out begin as the layer says. */
  readonly initialState?: Readonly<Record<string, TensorLike>>
  /** Default: 'wasm'. */
  readonly backend?: Backend
}

export interface Prediction {
  /** [B, T, …] or [B, …]; 0 beyond a row's length */
  readonly output: Tensor
  /** i32 [B], where rows have lengths of their own. */
  readonly lengths?: Tensor
  /** States after the last step, by path: of the layers that say `returnState`, or of all if none does. */
  readonly states: Readonly<Record<string, Tensor>>
}

/**
 * The model's output for a batch of inputs: nested arrays, a tensor, or a list of sequences. Those of unlike lengths are
 * padded, and so is the output of every step, [B, T, …]: it is 0 beyond a row's length, which `predictWithStates` says.
 *
 *     await predict(net, [[[0.1]], [[0.2], [0.3]]])
 *
 * @throws {ShapeError} where the inputs do not fit the model, or a row the others
 */
export async function predict(
  model: Sequential,
  x: InputLike,
  options: PredictOptions = {},
): Promise<Tensor> {
  return (await predictWithStates(model, x, options)).output
}

/** As predict, with the recurrent states after the last step. */
export async function predictWithStates(
  model: Sequential,
  x: InputLike,
  options: PredictOptions = {},
): Promise<Prediction> {
  requireModel('predict', model)
  requireKnown('predict', options, ['lengths', 'mask', 'initialState', 'backend'])
  const padded = paddedInputs(model, x, options)
  const { inputs, lengths } = padded
  const bindings = bindInput(model, inputs)
  const rows = inputs.shape[0]!
  const initial = initialStates(model, options.initialState ?? {}, rows)
  const there = paddingInputs(model, padded)
  const leaves = { training: false, carry: [...initial.keys()], ...kindOf(padded) }
  const session = await forwardSession(model, leaves, options.backend)
  const given = new Map<string, TensorData>([
    ['x', inputs.data],
    ...freshRows(leaves.carry, rows, false),
    ...weightInputs(model),
    ...there.inputs,
  ])
  for (const [path, data] of initial) given.set(stateInput(path), data)
  const returned = model.returnedStates()
  const paths = returned.length > 0 ? returned : [...model.built.states.keys()]
  const finals = paths.map(finalOutput)
  const sizes = new Map([...bindings, ...there.sizes])
  const results = await session.call(sizes, given, ['output', ...finals])
  const output = model.built.shapes[model.built.shapes.length - 1]!
  return {
    output: {
      data: results['output']!,
      shape: [rows, ...output.map((size) => size ?? inputs.shape[1]!)],
      dtype: 'f32',
    },
    ...(lengths === undefined ? {} : { lengths }),
    states: Object.fromEntries(
      paths.map((path, i) => [
        path,
        {
          data: results[finals[i]!]!,
          shape: [rows, ...model.built.states.get(path)!],
          dtype: 'f32' as const,
        },
      ]),
    ),
  }
}

function initialStates(
  model: Sequential,
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
 * The mean loss over batches, and metrics, without training.
 *
 *     const { loss, metrics } = await evaluate(net, batches, { loss: 'softmaxCrossEntropy', metrics: ['accuracy'] })
 *
 * @throws {ArgumentError} for a metric that is not there, or not of this loss
 */
export async function evaluate<const M extends readonly MetricOption[] = readonly []>(
  model: Sequential,
  batches: Iterable<Batch>,
  options: EvaluateOptions<M>,
): Promise<Evaluation<NameOf<M[number]>>> {
  requireModel('evaluate', model)
  requireKnown('evaluate', options, ['loss', 'metrics', 'carry', 'backend'])
  requireBatches('evaluate: batches', batches)
  requireFlag('evaluate', 'carry', options.carry ?? false)
  if (options.carry === true) model.requireForward('evaluate')
  const { meanOver } = await import('./measure.ts')
  const measured = await meanOver(model, batches, options, () => false)
  if (!measured?.tokens) throw new DataError('evaluate: expected at least one batch; received none')
  return measured
}
