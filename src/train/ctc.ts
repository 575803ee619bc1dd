/** Connectionist temporal classification: labels for a sequence of steps of which nobody said which belongs to which. */
import { scan } from '../graph/scan.ts'
import {
  and,
  concat,
  constant,
  equal,
  exp,
  gather,
  iota,
  log,
  logSoftmax,
  maximum,
  mod,
  not,
  or,
  sizeValue,
  stopGradient,
  type Value,
  where,
} from '../graph/value.ts'
import type { Signal } from '../layers/layer.ts'
import type { OpenShape } from '../layers/parts.ts'
import { swapped } from '../layers/signals.ts'
import { requireFlag, requireInteger, requireKnown } from '../tensor/checks.ts'
import { DataError, ShapeError } from '../tensor/errors.ts'
import { addSize, constantOf, mulSize, printShape, type Size, size, subSize, symbol } from '../tensor/size.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import { type Loss, type Measured, weighed } from './losses.ts'

export interface CtcOptions {
  /** The class that says nothing. Default: 0, as in PyTorch and Keras. */
  readonly blank?: number
  /** Rows whose labels their steps have no room for count as 0, with no gradient, instead of ∞. Default: false. */
  readonly zeroInfinity?: boolean
}

/** Which steps are there, where not all are: those of lengths i32 [B], or a mask bool [T, B]. */
interface Steps {
  readonly lengths?: Value | undefined
  readonly mask?: Value | undefined
}

/** Log of no chance at all. Finite: differences of infinities are no numbers, and neither would be their gradients. */
const NEVER = -1e30

/**
 * The loss of connectionist temporal classification (Graves et al. 2006), as PyTorch's: for a model of [B, T, I] →
 * logits [B, T, V] and labels i32 [B, S], −1 behind the last of a row,
 *
 *     ℓ = −log Σ_π Π_t softmax(z(t))_{π(t)}
 *
 * over all paths π of T classes that leave the labels when repetitions are merged and blanks then dropped. A batch's loss is
 * the mean of ℓ over its rows (PyTorch's reduction 'mean' divides each by its number of labels first). `sequences` with
 * `labels: true` makes such batches; `ctcDecode` reads labels from logits.
 *
 *     await fit(net, sequences(x, labels, { batch: 8, labels: true }), { loss: ctc() })
 *
 * A row whose labels need more steps than there are (one each, and one between equal neighbors) has the loss ∞, which no
 * training step takes: say `zeroInfinity`, or leave such rows out.
 * @throws {ArgumentError} for a blank below 0, an option that is not there
 */
export function ctc(options: CtcOptions = {}): Loss {
  requireKnown('ctc', options, ['blank', 'zeroInfinity'])
  const { blank = 0, zeroInfinity = false } = options
  requireInteger('ctc', 'blank', blank, 0)
  requireFlag('ctc', 'zeroInfinity', zeroInfinity)
  const all = { blank, zeroInfinity }
  return {
    name: 'ctc',
    targets: 'labels',
    logits: true,
    terms: (logits, labels) => ctcTerms(logits, labels, all),
    rows: {
      target: { dtype: 'i32', shape: ['B', 'S'] },
      bind: (targets, rows, output) => new Map([['S', labelsIn(targets, rows, output, blank)]]),
      measured: (output, target, weights) => measuredRows(output, target, weights, all),
    },
  }
}

/** ℓ [B] of logits [T, B, V] and labels i32 [B, S]; see {@link ctc}. */
export function ctcTerms(
  logits: Value,
  labels: Value,
  options: Required<CtcOptions>,
  steps: Steps = {},
): Value {
  const [T, B, V] = logits.shape as [Size, Size, Size]
  const extended = withBlanks(labels, options.blank)
  const L = extended.shape[1]!
  const rows = mulSize(T, B)
  const each = extended.expandDims(0).broadcastTo([T, B, L]).reshape([rows, L])
  const emissions = emitted(logits.reshape([rows, V]), each).reshape([T, B, L])
  return alignments(emissions, labels, extended, options, steps)
}

/** log softmax(z)_l for each class l of its row: logits [N, V], classes i32 [N, L] → [N, L]. */
function emitted(logits: Value, classes: Value): Value {
  const [N, V] = logits.shape as [Size, Size]
  const at = iota([N]).mul(constantOf(V)!).expandDims(1).add(classes)
  return maximum(gather(logSoftmax(logits).reshape([mulSize(N, V)]), at), NEVER)
}

/** l' [B, 2S + 1]: a blank before, between and behind the labels; where there are none any more, blanks. */
function withBlanks(labels: Value, blank: number): Value {
  const [B, S] = labels.shape as [Size, Size]
  const blanks = (width: Size | number) => constant(blank, [B, width], 'i32')
  const present = where(labels.less(0), blanks(S), labels)
  const pairs = concat([blanks(S).expandDims(2), present.expandDims(2)], 2)
  return concat([pairs.reshape([B, mulSize(S, size(2))]), blanks(1)], 1)
}

/**
 * −log p(labels) from emissions [T, B, L], L = 2S + 1: α(t)_l, the log of the chance of all beginnings of paths that have
 * come to place l of l' at step t,
 *
 *     α(t)_l = log(e^α(t−1)_l + e^α(t−1)_(l−1) + e^α(t−1)_(l−2)) + e(t)_l
 *
 * the last only where a label differs from the one before it.
 */
function alignments(
  emissions: Value,
  labels: Value,
  extended: Value,
  { zeroInfinity }: Required<CtcOptions>,
  steps: Steps,
): Value {
  const [, B, L] = emissions.shape as [Size, Size, Size]
  const none = constant(NEVER, [B, 2])
  const ends = addSize(L, 2)
  // Two places before the first, so that all have places before them. Blanks are the even ones.
  const place = iota([1, L], 1)
  const isLabel = equal(mod(place, 2), 1)
  const twoBefore = concat([constant(-1, [B, 2], 'i32'), extended.slice(1, 0, subSize(L, 2))], 1)
  const mayJump = and(not(equal(extended, twoBefore)), isLabel)
  const begin = where(iota([1, ends], 1).equal(2), 0, constant(NEVER, [B, ends]))
  const { carry } = scan(
    { carry: { alpha: begin }, xs: { e: emissions }, ...steps },
    ({ carry: { alpha }, x: { e } }) => {
      const [stay, step] = [alpha.slice(1, 2, ends), alpha.slice(1, 1, addSize(L, 1))]
      const jump = where(mayJump, alpha.slice(1, 0, L), NEVER)
      return { carry: { alpha: concat([none, logSum([stay, step, jump]).add(e)], 1) } }
    },
  )
  const count = where(labels.less(0), 0, constant(1, labels.shape)).sum(1).expandDims(1)
  const last = count.mul(2).toI32()
  const isEnd = or(equal(place, last), equal(place, last.sub(1)))
  const final = where(isEnd, carry.alpha.slice(1, 2, ends), NEVER)
  const most = stopGradient(final.reduceMax(1, { keepDims: true }))
  const loss = log(exp(final.sub(most)).sum(1))
    .add(most.reshape([B]))
    .neg()
  return where(loss.greater(-NEVER / 10), zeroInfinity ? 0 : Number.POSITIVE_INFINITY, loss)
}

function logSum(values: readonly Value[]): Value {
  const most = stopGradient(values.reduce((a, b) => maximum(a, b)))
  return log(values.map((value) => exp(value.sub(most))).reduce((a, b) => a.add(b))).add(most)
}

/** How many labels rows have at most, S. */
function labelsIn(
  labels: Tensor | undefined,
  rows: number,
  { shape: [steps, ...features], sequence }: OpenShape,
  blank: number,
): number {
  const classes = features[0] && constantOf(features[0])
  if (!sequence || features.length !== 1 || classes === undefined || blank >= classes) {
    throw new ShapeError(
      `ctc with the blank ${blank} expects logits [B, T, V], V > ${blank}, of every step (returnSequences: true); ` +
        `the model gives ${printShape([symbol('B'), steps!, ...features])}`,
    )
  }
  const { dtype, shape, data } = labels ?? tensor([])
  const most = shape[1]!
  if (dtype !== 'i32' || shape.length !== 2 || shape[0] !== rows || most < 1 || data.length !== rows * most) {
    throw new ShapeError(
      `ctc takes labels i32[${rows}, S], −1 behind the last of a row, as sequences makes them with labels: true; ` +
        `received ${dtype}[${shape.join(', ')}]`,
    )
  }
  for (const [i, label] of data.entries()) {
    const follows = i % most > 0 && data[i - 1] === -1
    if (label === -1 || (label >= 0 && label < classes && label !== blank && !follows)) continue
    const where = `received ${label} in row ${Math.floor(i / most)}, place ${i % most}`
    throw new DataError(
      follows
        ? `ctc: −1 says that a row's labels are over, so nothing but −1 may follow it; ${where}`
        : `ctc: a label must be a class 0 … ${classes - 1} other than the blank, ${blank}, or −1 behind the last; ${where}`,
    )
  }
  return most
}

function measuredRows(
  output: Signal,
  labels: Value,
  weights: Value | undefined,
  options: Required<CtcOptions>,
): Measured {
  const { value, packing, mask } = output
  const sum = (values: Value) => values.sum(0)
  let terms: Value
  if (packing === undefined) terms = ctcTerms(value, labels, options, { mask })
  else {
    const extended = withBlanks(labels, options.blank)
    const own = emitted(value, gather(extended, packing.rows))
    terms = alignments(swapped(packing.unpack(own)), labels, extended, options, { lengths: packing.lengths })
  }
  const count = sizeValue(labels.shape[0]!)
  const weighted = weights === undefined ? terms : weighed(terms, weights)
  return { output: value, target: labels, terms, count, mean: sum(weighted).div(count), sum }
}
