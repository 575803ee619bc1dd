/** The loss, weighted as the batches say, and metrics of a model over batches, without training. Loaded only when something is measured. */
import type { Backend } from '../codegen/compile.ts'
import type { Named, NamedBatch } from '../data/batches.ts'
import { constant } from '../graph/value.ts'
import type { Model } from '../layers/model.ts'
import { SOLE_INPUT, SOLE_OUTPUT } from '../layers/parts.ts'
import type { TensorData } from '../tensor/dtype.ts'
import { DataError } from '../tensor/errors.ts'
import { entriesOf } from './inputs.ts'
import {
  dataInput,
  fedBack,
  finalOutput,
  finalOutputs,
  forwardWhole,
  freshRows,
  freshStates,
  type LeafOptions,
  leafSpecs,
  penalized,
  targetInput,
  weightInput,
  weightInputs,
} from './leaves.ts'
import { type Losses, type LossOption, lossesOf, measured } from './losses.ts'
import { type Meter, type MetricOptions, metersOf } from './metrics.ts'
import { kindOf, paddingInputs } from './padding.ts'
import { pause } from './run.ts'
import { type Session, traceNamed } from './session.ts'
import { type CallOptions, keyOf, sessionOf } from './sessions.ts'
import { RowStates } from './stateful.ts'
import { checkLossWeights, targetSpecs, weightSpecs } from './step.ts'
import { bindBatch } from './targets.ts'
import { requireTokens } from './vocabulary.ts'
import { weightsOf } from './weights.ts'

export interface EvaluateOptions<M extends MetricOptions = MetricOptions> {
  /** One, or one for each of a model's outputs, by name. */
  readonly loss: Named<LossOption>
  /** How much the losses of several outputs weigh in their sum, by name. Default: 1 each. */
  readonly lossWeights?: Readonly<Record<string, number>>
  /** What else is measured: `['accuracy', topKAccuracy(5)]`; of several outputs lists by name. Default: nothing. */
  readonly metrics?: M
  /** States go on from batch to batch until one says `reset`. Default: false. */
  readonly carry?: boolean
  readonly backend?: Backend
  /** How many workers compute it; see `fit`. */
  readonly threads?: number
}

export interface Evaluation<N extends string = string> {
  /** The mean over all tokens; of several outputs the weighted sum of such means, each over the output's own steps and rows. */
  readonly loss: number
  /** Steps and rows that are there, of the first output. */
  readonly tokens: number
  /** By their names; of several outputs those are 'output/metric'. */
  readonly metrics: Readonly<Record<N, number>>
}

const sumsOf = ({ name }: Meter) => `sums of ${name}`
const countOf = (output: string) => `steps of ${output}`
const lossOf = (output: string) => `loss of ${output}`

/**
 * Means over batches, NaN over none; undefined when told to stop before the last. Stateful layers go on from `standing`, and
 * leave it behind.
 */
export async function meanOver(
  model: Model,
  batches: Iterable<NamedBatch>,
  options: EvaluateOptions,
  stopped: () => boolean,
  standing = new RowStates(),
): Promise<Evaluation | undefined> {
  const { lossWeights = {} } = options
  checkLossWeights(model, lossWeights)
  const losses = lossesOf(model, options.loss)
  const meters = metersOf(options.metrics ?? [], losses)
  const sums = new Map<string, number[]>()
  const add = (name: string, values: TensorData | readonly number[]) => {
    const known = sums.get(name)
    sums.set(
      name,
      Array.from(values, (value, i) => value + (known?.[i] ?? 0)),
    )
  }
  let carried: [string, TensorData][] = []
  let [penalty, before] = [Number.NaN, 0]
  const outputs = [...losses.keys()]
  for (const batch of batches) {
    if (stopped()) return undefined
    const bindings = await bindBatch(model, losses, batch)
    await requireTokens(model, batch)
    const rows = bindings.get('B')!
    const stateful = model.statefulStates()
    const carry = options.carry === true ? [...model.built.states.keys()] : stateful
    const own = carry.filter((path) => !stateful.includes(path))
    const weighted = batch.weights !== undefined
    const kind = await kindOf(model, batch)
    const leaves = { training: false, carry, stateful, ...kind }
    const there = await paddingInputs(model, batch, kind)
    const sizes = new Map([...bindings, ...there.sizes])
    const call = { backend: options.backend, threads: options.threads, sizes }
    const session = await lossSession(model, losses, meters, leaves, weighted, call)
    const inputs = new Map<string, TensorData>([
      ...entriesOf(batch.inputs, SOLE_INPUT).map(([name, { data }]) => [dataInput(name), data] as const),
      ...entriesOf(batch.targets, SOLE_OUTPUT).map(([name, { data }]) => [targetInput(name), data] as const),
      ...freshRows(own, rows, batch.reset || rows !== before),
      ...weightInputs(model),
      ...there.inputs,
      ...(weighted ? weightsOf(model, batch, losses) : []),
    ])
    if (own.length > 0 && rows !== before) carried = [...freshStates(model, rows)]
    for (const [name, data] of carried) inputs.set(name, data)
    for (const [name, data] of standing.inputs(model, stateful, rows)) inputs.set(name, data)
    before = rows
    const measured = [...outputs.map(countOf), ...meters.map(sumsOf)]
    const wanted = ['penalty', ...outputs.map(lossOf), ...measured, ...carry.map(finalOutput)]
    const results = await session.call(sizes, inputs, wanted)
    carried = fedBack(own, results)
    standing.keep(rows, new Map(stateful.map((path) => [path, results[finalOutput(path)]!])))
    penalty = results['penalty']![0]!
    for (const name of measured) add(name, results[name]!)
    for (const name of outputs) add(lossOf(name), [results[lossOf(name)]![0]! * results[countOf(name)]![0]!])
    await pause()
  }
  const counted = (output: string) => sums.get(countOf(output))?.[0] ?? 0
  const reached = meters.map((each) => [
    each.name,
    each.metric.result(sums.get(sumsOf(each)) ?? [], counted(each.output)),
  ])
  const loss = outputs.reduce((total, name) => {
    const mean = (sums.get(lossOf(name))?.[0] ?? 0) / counted(name)
    return total + (lossWeights[name] ?? 1) * mean
  }, penalty)
  return { loss, tokens: counted(outputs[0]!), metrics: Object.fromEntries(reached) }
}

type Validated = Omit<EvaluateOptions, 'metrics' | 'carry' | 'lossWeights' | 'backend' | 'threads'> & {
  readonly lossWeights?: EvaluateOptions['lossWeights'] | undefined
  readonly backend?: Backend | undefined
  readonly threads?: number | undefined
  readonly truncate?: object | undefined
  readonly validation?:
    | (Pick<EvaluateOptions, 'metrics'> & { readonly batches: Iterable<NamedBatch> })
    | undefined
}

/** What a training's model reaches as it is; undefined when told to stop on the way. */
export async function validate(
  model: Model,
  { loss, lossWeights, backend, threads, truncate, validation }: Validated,
  stopped: () => boolean,
): Promise<Evaluation | undefined> {
  const { batches, metrics = [] } = validation!
  const options = {
    loss,
    ...(lossWeights && { lossWeights }),
    metrics,
    carry: truncate !== undefined,
    ...(backend && { backend }),
    ...(threads && { threads }),
  }
  const measured = await meanOver(model, batches, options, stopped)
  if (measured !== undefined && measured.tokens === 0) {
    throw new DataError('fit: expected at least one batch in every validation; received none')
  }
  return measured
}

/** Metrics and losses are told apart by being the same object or not. */
const numbers = new WeakMap<object, number>()
let next = 0
function numberOf(each: object): number {
  const number = numbers.get(each) ?? next++
  numbers.set(each, number)
  return number
}

function lossSession(
  model: Model,
  losses: Losses,
  meters: readonly Meter[],
  leaves: LeafOptions,
  weighted: boolean,
  call: CallOptions,
): Promise<Session> {
  const [first, ...others] = losses.values()
  const all = [...others.map(numberOf), ...meters.map(({ name, metric }) => `${name} ${numberOf(metric)}`)]
  const key = `${keyOf(leaves)} ${weighted} ${all}`
  const trace = () => {
    const own = weighted ? weightSpecs(model, losses) : []
    return traceNamed([...leafSpecs(model, leaves), ...targetSpecs(model, losses), ...own], (get) => {
      const { outputs, states } = forwardWhole(model, get, leaves)
      const parts = new Map(
        [...losses].map(([name, loss]) => {
          const weights = weighted ? get(weightInput(name)) : undefined
          return [name, measured(loss, outputs.get(name)!, get(targetInput(name)), weights)]
        }),
      )
      const counts = [...parts].map(([name, { count }]) => [countOf(name), count])
      const sums = meters.map((each) => {
        const part = parts.get(each.output)!
        return [sumsOf(each), part.sum(each.metric.terms(part, losses.get(each.output)!))]
      })
      const means = [...parts].map(([name, { mean }]) => [lossOf(name), mean])
      return {
        outputs: {
          penalty: penalized(model, get, constant(0)),
          ...Object.fromEntries([...means, ...counts, ...sums]),
          ...finalOutputs(states),
        },
      }
    })
  }
  return sessionOf(model, first!, key, trace, call)
}
