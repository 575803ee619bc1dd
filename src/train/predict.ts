/** Running a model: predict, evaluate. */
import type { Backend } from '../codegen/compile.ts'
import type { Batch } from '../data/batches.ts'
import { outside, requireModel, type Sequential } from '../layers/sequential.ts'
import { requireFlag, requireKnown } from '../tensor/checks.ts'
import type { TensorData } from '../tensor/dtype.ts'
import { ArgumentError, DataError, ShapeError } from '../tensor/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { requireBatches } from './fit-options.ts'
import { asTensor, bindBatch, bindInput, type TensorLike, tokensOf } from './inputs.ts'
import {
  fedBack,
  finalOutput,
  finalOutputs,
  forwardWhole,
  freshRows,
  freshStates,
  type LeafOptions,
  leafSpecs,
  stateInput,
  weightInputs,
} from './leaves.ts'
import { type Loss, type LossOption, lossOf, meanLoss } from './losses.ts'
import { type InputLike, kindOf, paddedInputs, paddingInputs } from './padding.ts'
import { pause } from './run.ts'
import { Session, traceNamed } from './session.ts'
import { targetSpec } from './step.ts'

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

/** Compiled functions of models: for each model, by the loss (or the model itself) and by what they take in. */
const sessions = new WeakMap<Sequential, WeakMap<object, Map<string, Promise<Session>>>>()

function sessionOf(
  model: Sequential,
  of: Loss | Sequential,
  key: string,
  open: () => Promise<Session>,
): Promise<Session> {
  const all = sessions.get(model) ?? new WeakMap<object, Map<string, Promise<Session>>>()
  sessions.set(model, all)
  const known = all.get(of) ?? new Map<string, Promise<Session>>()
  all.set(of, known)
  const session = known.get(key) ?? open()
  known.set(key, session)
  return session
}

function keyOf({ carry, lengths, mask = false }: LeafOptions, backend: Backend): string {
  return `${carry} ${lengths} ${mask} ${backend}`
}

/** The compiled forward pass: output and final states. */
export function forwardSession(
  model: Sequential,
  leaves: LeafOptions,
  backend: Backend = 'wasm',
): Promise<Session> {
  return sessionOf(model, model, keyOf(leaves, backend), () => {
    const named = traceNamed(leafSpecs(model, leaves), (get) => {
      const { output, states } = forwardWhole(model, get, leaves)
      return { outputs: { output: outside(output), ...finalOutputs(states) } }
    })
    return Session.open(named, backend)
  })
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

export interface EvaluateOptions {
  readonly loss: LossOption
  /** States go on from batch to batch until one says `reset`. Default: false. */
  readonly carry?: boolean
  readonly backend?: Backend
}

export interface Evaluation {
  /** The mean over all tokens. */
  readonly loss: number
  readonly tokens: number
}

/** The mean loss over batches, without training. */
export async function evaluate(
  model: Sequential,
  batches: Iterable<Batch>,
  options: EvaluateOptions,
): Promise<Evaluation> {
  requireModel('evaluate', model)
  requireKnown('evaluate', options, ['loss', 'carry', 'backend'])
  requireBatches('evaluate: batches', batches)
  requireFlag('evaluate', 'carry', options.carry ?? false)
  if (options.carry === true) model.requireForward('evaluate')
  const measured = await meanOver(model, batches, options, () => false)
  if (!measured?.tokens) throw new DataError('evaluate: expected at least one batch; received none')
  return measured
}

/** The mean loss over batches, NaN over none; undefined when told to stop before the last. */
export async function meanOver(
  model: Sequential,
  batches: Iterable<Batch>,
  options: EvaluateOptions,
  stopped: () => boolean,
): Promise<Evaluation | undefined> {
  const loss = lossOf(options.loss)
  let carried: [string, TensorData][] = []
  let [sum, tokens, before] = [0, 0, 0]
  for (const batch of batches) {
    if (stopped()) return undefined
    const bindings = bindBatch(model, loss, batch)
    const rows = batch.inputs.shape[0]!
    const carry = options.carry === true ? [...model.built.states.keys()] : []
    const leaves = { training: false, carry, ...kindOf(batch) }
    const session = await lossSession(model, loss, leaves, options.backend)
    const there = paddingInputs(model, batch)
    const inputs = new Map<string, TensorData>([
      ['x', batch.inputs.data],
      ['y', batch.targets.data],
      ...freshRows(carry, rows, batch.reset || rows !== before),
      ...weightInputs(model),
      ...there.inputs,
    ])
    if (carry.length > 0 && rows !== before) carried = [...freshStates(model, rows)]
    for (const [name, data] of carried) inputs.set(name, data)
    before = rows
    const sizes = new Map([...bindings, ...there.sizes])
    const results = await session.call(sizes, inputs, ['loss', ...carry.map(finalOutput)])
    carried = fedBack(carry, results)
    const count = tokensOf(model, batch)
    sum += results['loss']![0]! * count
    tokens += count
    await pause()
  }
  return { loss: sum / tokens, tokens }
}

function lossSession(
  model: Sequential,
  loss: Loss,
  leaves: LeafOptions,
  backend: Backend = 'wasm',
): Promise<Session> {
  return sessionOf(model, loss, keyOf(leaves, backend), () => {
    const named = traceNamed([...leafSpecs(model, leaves), targetSpec(model, loss)], (get) => {
      const { output, states, counted } = forwardWhole(model, get, leaves)
      const mean = meanLoss(loss, output, get('y'), counted)
      return { outputs: { loss: mean, ...finalOutputs(states) } }
    })
    return Session.open(named, backend)
  })
}
