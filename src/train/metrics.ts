/**
 * Metrics: what a model reaches besides its loss. Each is a function of sums over all steps and rows that are there, so
 * that padding and what is masked count for nothing, and neither does how batches are cut.
 */
import type { Named } from '../data/batches.ts'
import { argMax } from '../graph/functions.ts'
import { abs, and, concat, equal, iota, lessEqual, not, type Value, where } from '../graph/value.ts'
import { requireChoice, requireKnown, requireUnits, said } from '../tensor/checks.ts'
import { ArgumentError, DataError, ShapeError } from '../tensor/errors.ts'
import { exp } from '../tensor/math.ts'
import { constantOf, printShape } from '../tensor/size.ts'
import { asTensor, type TensorLike } from './inputs.ts'
import type { Loss, Losses, Measured } from './losses.ts'

/** A metric; `topKAccuracy` and its like make them, and so may you. */
export interface Metric<N extends string = string> {
  /** Under which its value is found. */
  readonly name: N
  /** @throws {ArgumentError} for a loss whose outputs or targets it is not for */
  check?(loss: Loss): void
  /** Numbers of each step and row, [T, B, …], [N, …] or [B, …] as the loss's terms, that are summed up. */
  terms(measured: Measured, loss: Loss): Value
  /** The value, from the sums over all batches and how many steps and rows there were. */
  result(sums: readonly number[], count: number): number
}

export type MetricName =
  | 'accuracy'
  | 'bitsPerCharacter'
  | 'f1'
  | 'meanAbsoluteError'
  | 'perplexity'
  | 'precision'
  | 'recall'
  | 'rootMeanSquaredError'

/** A metric by its name, or made by a function such as `topKAccuracy`. */
export type MetricOption = MetricName | Metric

/** A list; of a model with several outputs one for each that is to be measured, by name. */
export type MetricOptions = Named<readonly MetricOption[]>

/** The names under which values are found: those of metrics, of several outputs 'output/metric'. */
export type NamesOf<M> = M extends readonly (infer E)[]
  ? NameOf<E>
  : { [O in keyof M & string]: M[O] extends readonly (infer E)[] ? `${O}/${NameOf<E>}` : never }[keyof M &
      string]

type NameOf<M> = M extends string ? M : M extends { readonly name: infer N extends string } ? N : never

/** A metric of one output, and the name under which its value is found. */
export interface Meter {
  readonly name: string
  readonly output: string
  readonly metric: Metric
}

const onClasses = expects('classes, such as softmaxCrossEntropy', ({ targets }) => targets === 'classes')
const onNumbers = expects('numbers, such as meanSquaredError', ({ targets }) => targets === 'numbers')
const onSides = expects(
  'classes, or on logits of two sides such as binaryCrossEntropy',
  ({ targets, logits }) => targets === 'classes' || (targets === 'numbers' && logits === true),
)
const mean = ([sum]: readonly number[], count: number) => sum! / count

/** The share of the targets, classes y, that are among the k likeliest; as likely as the k-th is likely enough (Keras's TopKCategoricalAccuracy). */
export function topKAccuracy<const K extends number>(k: K): Metric<`top${K}Accuracy`> {
  requireUnits('topKAccuracy', k, 'k')
  return {
    name: `top${k}Accuracy`,
    check: onClasses('topKAccuracy'),
    terms: ({ output, target }) => {
      const own = where(isClass(output, target), output, 0).sum(-1, { keepDims: true })
      // What is not above a NaN is counted too, so that a NaN is never among the likeliest.
      const above = not(lessEqual(output, own)).toF32().sum(-1)
      return above.less(k).toF32()
    },
    result: mean,
  }
}

export interface ClassMetricOptions<N extends string = string> {
  /**
   * Of several classes: `macro`, the mean of all classes' values; `micro`, the value of their counts together; `binary`, the
   * value of class 1 of two. Default: 'macro'.
   */
  readonly average?: 'macro' | 'micro' | 'binary'
  /** Default: as the function. */
  readonly name?: N
}

/**
 * Of what was said to be of a class, the share that is: tp / predicted, 0 where nothing was. For targets of
 * binaryCrossEntropy or hinge each output is a class of its own, said where its logit is above 0 (Keras's Precision).
 */
export function precision<const N extends string = 'precision'>(
  options: ClassMetricOptions<N> = {},
): Metric<N> {
  return overClasses('precision', options, (hits, predicted) => hits / predicted)
}

/** Of what is of a class, the share that was found: tp / actual, 0 where nothing is; else as {@link precision}. */
export function recall<const N extends string = 'recall'>(options: ClassMetricOptions<N> = {}): Metric<N> {
  return overClasses('recall', options, (hits, _, actual) => hits / actual)
}

/**
 * F1 = 2 · precision · recall / (precision + recall) = 2 tp / (predicted + actual), 0 where nothing was or is (van
 * Rijsbergen 1979; Keras's F1Score); else as {@link precision}.
 */
export function f1<const N extends string = 'f1'>(options: ClassMetricOptions<N> = {}): Metric<N> {
  return overClasses('f1', options, (hits, predicted, actual) => (2 * hits) / (predicted + actual))
}

export interface MaseOptions {
  /** The series that the naive forecast is measured on, [time] or [time, features]: what the model was trained on, in the units of the targets. */
  readonly train: TensorLike | Float64Array | Float32Array
  /** m, the steps of a season: the naive forecast of step t is step t − m. Default: 1. */
  readonly season?: number
}

/**
 * The mean absolute scaled error (Hyndman and Koehler 2006): the mean of |z − y| over that of the naive forecast in the
 * training series,
 *
 *     MASE = mean |z − y| / (Σ_{t ≥ m} |s(t) − s(t−m)| / (n − m)),
 *
 * for each feature by itself, then the mean over features. Below 1 the model is better than the naive forecast. Several
 * values ahead, H·F outputs as `windows` of `recurra/data` orders them, are measured by the same F naive errors.
 *
 * @throws {ArgumentError} for what is no series
 * @throws {DataError} for a series that is not longer than a season, or that the naive forecast never misses
 */
export function mase(options: MaseOptions): Metric<'mase'> {
  requireKnown('mase', options, ['train', 'season'])
  const { season = 1 } = options
  requireUnits('mase', season, 'season')
  const scales = naiveErrors(options.train, season)
  return {
    name: 'mase',
    check: onNumbers('mase'),
    terms: ({ output, target, terms }) => {
      const errors = flat(abs(output.sub(target)), terms.rank)
      if (constantOf(errors.shape[terms.rank]!)! % scales.length === 0) return errors
      throw new ShapeError(
        `mase: train has ${scales.length} features; the model's output is ${printShape(output.shape)}`,
      )
    },
    result: (sums, count) =>
      sums.reduce((total, sum, i) => total + sum / count / scales[i % scales.length]!, 0) / sums.length,
  }
}

function naiveErrors(train: MaseOptions['train'], season: number): number[] {
  if (typeof train !== 'object' || train === null) {
    throw new ArgumentError(
      `mase: train must be the series that was trained on, [time] or [time, features]; received ${said(train)}`,
    )
  }
  const isTyped = train instanceof Float64Array || train instanceof Float32Array
  const { data, shape } = asTensor(isTyped ? Array.from(train) : train, 'f32')
  const [steps, features = 1, ...rest] = shape as [number, ...number[]]
  if (rest.length > 0) throw new ShapeError(`mase: train is [time] or [time, features]; received [${shape}]`)
  if (steps <= season) {
    throw new DataError(`mase: train must be longer than a season of ${season}; received ${steps} steps`)
  }
  return Array.from({ length: features }, (_, feature) => {
    let sum = 0
    for (let i = feature; i + season * features < data.length; i += features) {
      sum += Math.abs(data[i + season * features]! - data[i]!)
    }
    if (sum > 0 && Number.isFinite(sum)) return sum / (steps - season)
    throw new DataError(
      `mase: the naive forecast of train must miss by more than 0; received ${sum} of feature ${feature}`,
    )
  })
}

const NAMED: { readonly [N in MetricName]: Metric<N> } = {
  /** The share of steps and rows whose likeliest class is the target; with logits of two sides, of outputs on the right one. */
  accuracy: {
    name: 'accuracy',
    check: onSides('accuracy'),
    terms: ({ output, target, terms }, { targets }) => {
      if (targets === 'classes') return equal(argMax(output), target).toF32()
      const { said, is } = sides(output, target)
      return flat(equal(said.toF32(), is.toF32()).toF32(), terms.rank).mean(-1)
    },
    result: mean,
  },
  /** The loss in bits: mean ℓ / ln 2, for ℓ in nats. */
  bitsPerCharacter: {
    name: 'bitsPerCharacter',
    check: onClasses('bitsPerCharacter'),
    terms: ({ terms }) => terms,
    result: (sums, count) => mean(sums, count) / Math.LN2,
  },
  f1: f1(),
  /** mean |z − y| */
  meanAbsoluteError: {
    name: 'meanAbsoluteError',
    check: onNumbers('meanAbsoluteError'),
    terms: ({ output, target, terms }) => flat(abs(output.sub(target)), terms.rank).mean(-1),
    result: mean,
  },
  /** exp(mean ℓ), for ℓ in nats (Jelinek et al. 1977). */
  perplexity: {
    name: 'perplexity',
    check: onClasses('perplexity'),
    terms: ({ terms }) => terms,
    result: (sums, count) => exp(mean(sums, count)),
  },
  precision: precision(),
  recall: recall(),
  /** √ mean (z − y)² */
  rootMeanSquaredError: {
    name: 'rootMeanSquaredError',
    check: onNumbers('rootMeanSquaredError'),
    terms: ({ output, target, terms }) => flat(output.sub(target).square(), terms.rank).mean(-1),
    result: (sums, count) => Math.sqrt(mean(sums, count)),
  },
}

/** @throws {ArgumentError} for what is no metric, one that is not for its output's loss, and two of one name */
export function metersOf(options: MetricOptions, losses: Losses): Meter[] {
  const outputs = [...losses.keys()]
  if (Array.isArray(options) && outputs.length === 1) {
    return listed(options).map((metric) => meter(metric.name, outputs[0]!, metric, losses))
  }
  if (Array.isArray(options) && options.length === 0) return []
  if (Array.isArray(options) || typeof options !== 'object' || options === null) {
    const expected =
      outputs.length === 1
        ? "a list, such as ['accuracy']"
        : `a list for each output that is to be measured, such as { ${outputs[0]}: ['accuracy'] }`
    throw new ArgumentError(
      `metrics must be ${expected}; received ${Array.isArray(options) ? 'a list' : typeof options}`,
    )
  }
  return Object.entries(options).flatMap(([output, own]) => {
    if (losses.has(output)) {
      return listed(own).map((metric) => meter(`${output}/${metric.name}`, output, metric, losses))
    }
    throw new ArgumentError(`metrics: the model has the outputs ${outputs.join(', ')}; received ${output}`)
  })
}

function meter(name: string, output: string, metric: Metric, losses: Losses): Meter {
  metric.check?.(losses.get(output)!)
  return { name, output, metric }
}

function listed(options: readonly MetricOption[]): Metric[] {
  if (!Array.isArray(options)) {
    throw new ArgumentError(`metrics must be a list, such as ['accuracy']; received ${typeof options}`)
  }
  const metrics = (options as readonly MetricOption[]).map((option) => {
    if (typeof option === 'string' && Object.hasOwn(NAMED, option)) return NAMED[option] as Metric
    if (typeof option === 'object' && typeof option?.terms === 'function') return option
    throw new ArgumentError(
      `a metric is one of ${Object.keys(NAMED).join(', ')}, or made by a function such as topKAccuracy(5); ` +
        `received ${JSON.stringify(option)}`,
    )
  })
  const names = metrics.map(({ name }) => name)
  const twice = names.find((name, i) => names.indexOf(name) < i)
  if (twice === undefined) return metrics
  throw new ArgumentError(
    `metrics: two are named ${twice}: give one another name, such as f1({ name: 'own' })`,
  )
}

/** Sums of hits, of what was predicted and of what is, [3 · classes], one kind after the other. */
function overClasses<N extends string>(
  fallback: string,
  options: ClassMetricOptions<N>,
  score: (hits: number, predicted: number, actual: number) => number,
): Metric<N> {
  requireKnown(fallback, options, ['average', 'name'])
  const { average = 'macro', name = fallback as N } = options
  requireChoice(fallback, 'average', average, ['macro', 'micro', 'binary'])
  const value = (...counts: [number, number, number]) => (counts[0] === 0 ? 0 : score(...counts))
  return {
    name,
    check: onSides(name),
    terms: ({ output, target, terms }, loss) => {
      const { said, is } =
        loss.targets === 'classes'
          ? { said: isClass(output, argMax(output)), is: isClass(output, target) }
          : sides(output, target)
      const kinds = [and(said, is), said, is].map((kind) => flat(kind.toF32(), terms.rank))
      const own = average === 'binary' ? kinds.map((kind) => positive(name, kind, loss)) : kinds
      return concat(own, -1)
    },
    result: (sums) => {
      const classes = sums.length / 3
      const kinds = [0, 1, 2].map((kind) => sums.slice(kind * classes, (kind + 1) * classes))
      const [hits, predicted, actual] = kinds as [number[], number[], number[]]
      const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0)
      if (average === 'micro') return value(total(hits), total(predicted), total(actual))
      return total(hits.map((hit, i) => value(hit, predicted[i]!, actual[i]!))) / classes
    },
  }
}

/** Counts of the one class that is asked for: 1 of two, or the only output. */
function positive(name: string, counts: Value, { targets }: Loss): Value {
  const classes = constantOf(counts.shape[counts.rank - 1]!)
  const [expected, at] = targets === 'classes' ? [2, 1] : [1, 0]
  if (classes === expected) return counts.slice(-1, at, at + 1)
  throw new ShapeError(
    `${name}: average binary expects ${targets === 'classes' ? '2 classes' : '1 output'}; received ${classes}: ` +
      'macro or micro are for more',
  )
}

/** bool [… V]: whether a place along the last axis is the class. */
function isClass(output: Value, classes: Value): Value {
  return equal(iota(output.shape, output.rank - 1), classes.expandDims(-1))
}

/** On which of two sides logits and targets (0 and 1, or ±1) lie. */
function sides(output: Value, target: Value) {
  return { said: output.greater(0), is: target.greater(0.5) }
}

/** [lead…, …] → [lead…, features] */
function flat(values: Value, lead: number): Value {
  const features = values.shape.slice(lead).reduce((product, size) => product * constantOf(size)!, 1)
  return values.reshape([...values.shape.slice(0, lead), features])
}

function expects(what: string, fits: (loss: Loss) => boolean) {
  return (name: string) => (loss: Loss) => {
    if (!fits(loss)) throw new ArgumentError(`${name} expects a loss on ${what}; received ${loss.name}`)
  }
}
