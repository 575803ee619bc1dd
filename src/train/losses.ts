/**
 * Losses over sequences and single outputs: L = Σ mask · w · ℓ / Σ mask, so that what is masked, or lies beyond a row's
 * length, counts neither above nor below the line, and weights w above it only (Keras 3's sum_over_batch_size). Where ℓ is said of each feature, the mean over features is a step's term.
 */
import type { Named } from '../data/batches.ts'
import { abs, exp, iota, log, logSoftmax, sizeValue, Value, where } from '../graph/value.ts'
import { Dense } from '../layers/dense.ts'
import type { Signal } from '../layers/layer.ts'
import type { Model } from '../layers/model.ts'
import type { RowPacking } from '../layers/packing.ts'
import type { OpenShape } from '../layers/parts.ts'
import { inside, masked, swapped } from '../layers/signals.ts'
import { requireFlag, requireKnown, requireNumber } from '../tensor/checks.ts'
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { type Bindings, printShape, productOf } from '../tensor/size.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { NamedSpec } from './session.ts'

/**
 * ℓ, from a model's output and the targets, both time-major: [T, B, …], or [B, …] where there is no time. One number a
 * step and row, or one for each feature, whose mean is taken. Masks are none of its business.
 */
export type LossFunction = (output: Value, target: Value) => Value

export interface Loss {
  readonly name: string
  /**
   * `numbers`: f32 of the output's shape. `classes`: i32 0 … V−1 of that shape without its last axis, of V. `labels`: as `rows`
   * says.
   */
  readonly targets: 'numbers' | 'classes' | 'labels'
  readonly terms: LossFunction
  /** What a target must be, where not any number will do. */
  readonly accepts?: { readonly what: string; readonly test: (target: number) => boolean }
  /** The output is logits, to which no activation was applied. */
  readonly logits?: boolean
  /** A step's ℓ is a function of that step alone, so that [N, …], the steps that are there, may stand for [T, B, …]. */
  readonly byStep?: boolean
  /** Of a loss over rows as wholes, each of which counts once; for `labels`. */
  readonly rows?: RowLoss
}

/** What a loss over rows, such as `ctc`, does in the place of the rest. */
export interface RowLoss {
  /** What targets are, batch-first. */
  readonly target: Omit<NamedSpec, 'name'>
  /** The sizes that targets bring. @throws {RecurraError} for those that do not fit B rows of the output */
  bind(targets: Tensor | undefined, rows: number, output: OpenShape): Bindings
  measured(output: Signal, target: Value, weights?: Value): Measured
}

export type LossName =
  | 'softmaxCrossEntropy'
  | 'binaryCrossEntropy'
  | 'hinge'
  | 'meanSquaredError'
  | 'meanAbsoluteError'
  | 'huber'

/** A loss by its name, made by a function such as `huber`, or a function of one's own over targets of the output's shape. */
export type LossOption = LossName | Loss | LossFunction

export interface HuberOptions {
  /** δ, from where on errors count linearly. Default: 1. */
  readonly delta?: number
}

/** ℓ = e²/2 where |e| ≤ δ, else δ (|e| − δ/2), with e = z − y (Huber 1964; Keras's and PyTorch's). */
export function huber(options: HuberOptions = {}): Loss {
  requireKnown('huber', options, ['delta'])
  const { delta = 1 } = options
  requireNumber('huber', 'delta', delta, 'above 0')
  return {
    name: 'huber',
    targets: 'numbers',
    byStep: true,
    terms: (output, target) => {
      const error = output.sub(target)
      const size = abs(error)
      return where(size.lessEqual(delta), error.square().mul(0.5), size.sub(delta / 2).mul(delta))
    },
  }
}

const LOSSES: Readonly<Record<LossName, Loss>> = {
  /** ℓ = −log softmax(z)_y for logits z […, V] and classes y, in nats. */
  softmaxCrossEntropy: {
    name: 'softmaxCrossEntropy',
    targets: 'classes',
    byStep: true,
    logits: true,
    terms: (logits, target) => {
      const classes = iota(logits.shape, logits.rank - 1)
      const chosen = classes.equal(target.expandDims(-1))
      return where(chosen, logSoftmax(logits), 0).sum(-1).neg()
    },
  },
  /**
   * ℓ = −y log σ(z) − (1−y) log(1−σ(z)) = max(z, 0) − z y + log(1 + e^−|z|) for logits z and y from 0 to 1, in nats.
   * max and |·| are selections, so that at z = 0 the gradient is σ(0) − y.
   */
  binaryCrossEntropy: {
    name: 'binaryCrossEntropy',
    targets: 'numbers',
    byStep: true,
    logits: true,
    accepts: { what: 'a number from 0 to 1', test: (target) => target >= 0 && target <= 1 },
    terms: (logits, target) => {
      const positive = logits.greater(0)
      const decay = exp(where(positive, logits.neg(), logits))
      return where(positive, logits, 0)
        .sub(logits.mul(target))
        .add(log(decay.add(1)))
    },
  },
  /** ℓ = max(0, 1 − y z) for scores z and targets y = ±1; its gradient at y z = 1 is 0. */
  hinge: {
    name: 'hinge',
    targets: 'numbers',
    byStep: true,
    logits: true,
    accepts: { what: '−1 or 1', test: (target) => target === 1 || target === -1 },
    terms: (output, target) => output.mul(target).neg().add(1).max(0),
  },
  /** ℓ = (z − y)² */
  meanSquaredError: {
    name: 'meanSquaredError',
    targets: 'numbers',
    byStep: true,
    terms: (output, target) => output.sub(target).square(),
  },
  /** ℓ = |z − y|; its gradient at 0 is 0. */
  meanAbsoluteError: {
    name: 'meanAbsoluteError',
    targets: 'numbers',
    byStep: true,
    terms: (output, target) => abs(output.sub(target)),
  },
  huber: huber(),
}

/** Functions of one's own as losses: the same object for the same function. */
const own = new WeakMap<LossFunction, Loss>()

/** @throws {ArgumentError} for a name that is not there, or an object that is no loss */
export function lossOf(loss: LossOption): Loss {
  if (typeof loss === 'string' && Object.hasOwn(LOSSES, loss)) return LOSSES[loss]
  if (typeof loss === 'function') {
    const known = own.get(loss) ?? { name: loss.name || 'the loss', targets: 'numbers', terms: loss }
    own.set(loss, known)
    return known
  }
  if (typeof loss === 'object' && typeof loss?.terms === 'function') {
    const { name, accepts, logits = false } = loss
    requireFlag(`loss ${name}`, 'logits', logits)
    if (accepts !== undefined && typeof accepts?.test !== 'function') {
      throw new ArgumentError(`loss ${name}: accepts must be { what, test }; received ${String(accepts)}`)
    }
    if (loss.targets === 'numbers' || loss.targets === 'classes' || loss.rows) return loss
    throw new ArgumentError(
      `loss ${loss.name}: targets must be 'numbers' or 'classes'; received ${String(loss.targets)}`,
    )
  }
  throw new ArgumentError(
    `loss must be one of ${Object.keys(LOSSES).join(', ')}, a loss such as huber({ delta: 2 }), or a function ` +
      `(output, target) => terms; received ${JSON.stringify(loss)}`,
  )
}

/** A loss over a batch. What is not there is 0 in all of it. */
export interface Measured {
  /** As inside, both. */
  readonly output: Value
  readonly target: Value
  /** ℓ, one number a step and row. */
  readonly terms: Value
  /** How many steps and rows are there. */
  readonly count: Value
  /** The mean of w ℓ over those, a scalar. */
  readonly mean: Value
  /** Σ over those, of what is said of each: [T, B, …], [N, …] or [B, …] → […]. */
  sum(values: Value): Value
}

/**
 * The target and the weights, of steps or rows, are batch-first, the output as inside.
 * @throws {ShapeError} where steps are masked inside of steps
 */
export function measured(loss: Loss, output: Signal, target: Value, weights?: Value): Measured {
  if (loss.rows) return loss.rows.measured(output, target, weights)
  const { packing, mask, inner } = output
  if (inner !== undefined) {
    throw new ShapeError(
      `${loss.name} counts whole steps, but inside of those of the output some are masked: make each one, with ` +
        'timeDistributed(lstm({ units }))',
    )
  }
  const clean = (value: Value) => masked({ ...output, value }).value
  const own = (value: Value) => clean(inside({ ...output, value }).value)
  const [z, y] = [clean(output.value), own(target)]
  const terms =
    packing !== undefined && loss.byStep !== true
      ? packedTerms(loss, output.value, target, packing)
      : perStep(loss, loss.terms(z, y), output)
  const count = mask === undefined ? sizeValue(productOf(terms.shape)) : mask.toF32().sum()
  const sum = (values: Value) => clean(values).sum(terms.shape.map((_, axis) => axis))
  const weighted = weights === undefined ? terms : weighed(terms, own(weights))
  return { output: z, target: y, terms, count, mean: sum(weighted).div(count), sum }
}

/** w ℓ; what weighs nothing is 0, ∞ too. */
export function weighed(terms: Value, weights: Value): Value {
  return where(weights.equal(0), 0, terms.mul(weights))
}

/** Terms [N] of a loss that sees all steps of a row at once. */
function packedTerms(loss: Loss, output: Value, target: Value, packing: RowPacking): Value {
  const whole = (packed: Value) => swapped(packing.unpack(packed))
  const padded = { value: whole(output), sequence: true }
  const terms = perStep(loss, loss.terms(padded.value, whole(packing.pack(target))), padded)
  return packing.pack(swapped(terms))
}

/** One number a step and row. */
function perStep({ name }: Loss, terms: Value, { value, sequence, packing }: Signal): Value {
  const expected = value.shape.slice(0, sequence && packing === undefined ? 2 : 1)
  const isValue = terms instanceof Value
  if (!isValue || terms.dtype !== 'f32' || expected.some((size, axis) => size !== terms.shape[axis])) {
    throw new ShapeError(
      `${name} must give f32 numbers ${printShape([...expected])}, one a step and row, or those for each feature; ` +
        `received ${isValue ? `${terms.dtype}${printShape(terms.shape)}` : typeof terms}`,
    )
  }
  const features = terms.shape.map((_, axis) => axis).slice(expected.length)
  return features.length === 0 ? terms : terms.mean(features)
}

/** Losses by the outputs of a model. */
export type Losses = ReadonlyMap<string, Loss>

/** @throws {ArgumentError} unless there is one for each output */
export function lossesOf({ outputs }: Model, option: Named<LossOption>): Losses {
  const names = [...outputs.keys()]
  const several = typeof option === 'object' && option !== null && !('terms' in option)
  if (!several && names.length === 1) return new Map([[names[0]!, lossOf(option as LossOption)]])
  const given = several ? Object.entries(option) : []
  if (given.length === names.length && given.every(([name]) => outputs.has(name))) {
    return new Map(given.map(([name, each]) => [name, lossOf(each)]))
  }
  throw new ArgumentError(
    `loss must be one for each output of the model, { ${names.join(', ')} }; received ${JSON.stringify(option)}`,
  )
}

/** Σ weight · mean over outputs. */
export function totalOf(
  losses: Losses,
  parts: readonly Measured[],
  weights: Readonly<Record<string, number>> = {},
): Value {
  const means = [...losses.keys()].map((name, i) => {
    const weight = weights[name]
    return weight === undefined ? parts[i]!.mean : parts[i]!.mean.mul(weight)
  })
  return means.reduce((sum, mean) => sum.add(mean))
}

const warned = new WeakSet<Model>()

/** Warns, once a model, of an activation before a loss that takes logits. */
export function warnOfActivation(model: Model, losses: Losses): void {
  for (const [output, { name, logits = false }] of losses) {
    const source = model.outputs.get(output)!
    const last = 'call' in source ? model.calls[source.call] : undefined
    const activation = last?.layer instanceof Dense ? last.layer.options.activation : undefined
    if (!logits || (activation !== 'softmax' && activation !== 'sigmoid') || warned.has(model)) continue
    warned.add(model)
    console.warn(
      `${name} takes logits, but layer ${last!.name} ends in ${activation}: leave the activation out and apply it to predictions`,
    )
  }
}
