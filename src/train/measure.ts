/** The loss, weighted as the batches say, and metrics of a model over batches, without training. Loaded only when something is measured. */
import type { Backend } from '../codegen/compile.ts'
import type { Batch } from '../data/batches.ts'
import type { Sequential } from '../layers/sequential.ts'
import type { TensorData } from '../tensor/dtype.ts'
import { DataError } from '../tensor/errors.ts'
import { bindBatch, tokensOf } from './inputs.ts'
import {
  fedBack,
  finalOutput,
  finalOutputs,
  forwardWhole,
  freshRows,
  freshStates,
  type LeafOptions,
  leafSpecs,
  penalized,
  weightInputs,
} from './leaves.ts'
import { type Loss, type LossOption, lossOf, measured } from './losses.ts'
import { type Metric, type MetricOption, metricsOf } from './metrics.ts'
import { kindOf, paddingInputs } from './padding.ts'
import { pause } from './run.ts'
import { Session, traceNamed } from './session.ts'
import { keyOf, sessionOf } from './sessions.ts'
import { targetSpec, weightSpec } from './step.ts'
import { weightsOf } from './weights.ts'

export interface EvaluateOptions<M extends readonly MetricOption[] = readonly MetricOption[]> {
  readonly loss: LossOption
  /** What else is measured: `['accuracy', topKAccuracy(5)]`. Default: nothing. */
  readonly metrics?: M
  /** States go on from batch to batch until one says `reset`. Default: false. */
  readonly carry?: boolean
  readonly backend?: Backend
}

export interface Evaluation<N extends string = string> {
  /** The mean over all tokens. */
  readonly loss: number
  readonly tokens: number
  /** By their names. */
  readonly metrics: Readonly<Record<N, number>>
}

const sumsOf = ({ name }: Metric) => `sums of ${name}`

/** Means over batches, NaN over none; undefined when told to stop before the last. */
export async function meanOver(
  model: Sequential,
  batches: Iterable<Batch>,
  options: EvaluateOptions,
  stopped: () => boolean,
): Promise<Evaluation | undefined> {
  const loss = lossOf(options.loss)
  const metrics = metricsOf(options.metrics ?? [], loss)
  const sums = new Map<Metric, number[]>()
  let carried: [string, TensorData][] = []
  let [sum, tokens, before] = [0, 0, 0]
  for (const batch of batches) {
    if (stopped()) return undefined
    const bindings = bindBatch(model, loss, batch)
    const rows = batch.inputs.shape[0]!
    const carry = options.carry === true ? [...model.built.states.keys()] : []
    const weighted = batch.weights !== undefined
    const leaves = { training: false, carry, ...kindOf(batch) }
    const session = await lossSession(model, loss, metrics, leaves, weighted, options.backend)
    const there = paddingInputs(model, batch)
    const inputs = new Map<string, TensorData>([
      ['x', batch.inputs.data],
      ['y', batch.targets.data],
      ...freshRows(carry, rows, batch.reset || rows !== before),
      ...weightInputs(model),
      ...there.inputs,
      ...(weighted ? [['weights', weightsOf(model, batch)] as const] : []),
    ])
    if (carry.length > 0 && rows !== before) carried = [...freshStates(model, rows)]
    for (const [name, data] of carried) inputs.set(name, data)
    before = rows
    const sizes = new Map([...bindings, ...there.sizes])
    const wanted = ['loss', ...metrics.map(sumsOf), ...carry.map(finalOutput)]
    const results = await session.call(sizes, inputs, wanted)
    carried = fedBack(carry, results)
    const count = tokensOf(model, batch)
    sum += results['loss']![0]! * count
    tokens += count
    for (const metric of metrics) {
      const known = sums.get(metric)
      const own = Array.from(results[sumsOf(metric)]!, (value, i) => value + (known?.[i] ?? 0))
      sums.set(metric, own)
    }
    await pause()
  }
  const reached = metrics.map((metric) => [metric.name, metric.result(sums.get(metric) ?? [], tokens)])
  return { loss: sum / tokens, tokens, metrics: Object.fromEntries(reached) }
}

type Validated = Pick<EvaluateOptions, 'loss' | 'backend'> & {
  readonly truncate?: object
  readonly validation?: Pick<EvaluateOptions, 'metrics'> & { readonly batches: Iterable<Batch> }
}

/** What a training's model reaches as it is; undefined when told to stop on the way. */
export async function validate(
  model: Sequential,
  { loss, backend, truncate, validation }: Validated,
  stopped: () => boolean,
): Promise<Evaluation | undefined> {
  const { batches, metrics = [] } = validation!
  const options = { loss, metrics, carry: truncate !== undefined, ...(backend && { backend }) }
  const measured = await meanOver(model, batches, options, stopped)
  if (measured !== undefined && measured.tokens === 0) {
    throw new DataError('fit: expected at least one batch in every validation; received none')
  }
  return measured
}

/** Metrics are told apart by being the same object or not. */
const numbers = new WeakMap<Metric, number>()
let next = 0
function numberOf(metric: Metric): number {
  const number = numbers.get(metric) ?? next++
  numbers.set(metric, number)
  return number
}

function lossSession(
  model: Sequential,
  loss: Loss,
  metrics: readonly Metric[],
  leaves: LeafOptions,
  weighted: boolean,
  backend: Backend = 'wasm',
): Promise<Session> {
  const key = `${keyOf(leaves, backend)} ${weighted} ${metrics.map(numberOf)}`
  return sessionOf(model, loss, key, () => {
    const own = weighted ? [weightSpec(model)] : []
    const named = traceNamed([...leafSpecs(model, leaves), targetSpec(model, loss), ...own], (get) => {
      const { output, states, counted } = forwardWhole(model, get, leaves)
      const weights = weighted ? get('weights') : undefined
      const all = measured(loss, output, get('y'), { ...counted, weights })
      const sums = metrics.map((metric) => [sumsOf(metric), all.sum(metric.terms(all, loss))])
      return {
        outputs: {
          loss: penalized(model, get, all.mean),
          ...Object.fromEntries(sums),
          ...finalOutputs(states),
        },
      }
    })
    return Session.open(named, backend)
  })
}
