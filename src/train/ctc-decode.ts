/** Labels read from the logits of connectionist temporal classification. */
import { requireInteger, requireKnown } from '../tensor/checks.ts'
import { DataError, ShapeError } from '../tensor/errors.ts'
import { exp, log } from '../tensor/math.ts'
import { asTensor, type TensorLike } from './inputs.ts'
import { lengthsOf } from './masks.ts'

export interface CtcDecodeOptions {
  /** i32 [B], how many steps each row has; `predictWithStates` gives it with the logits. Default: all T. */
  readonly lengths?: TensorLike
  /** As the loss's. Default: 0. */
  readonly blank?: number
  /** How many beginnings of labels are followed at once; with 1, the best path alone. Default: 1. */
  readonly beamWidth?: number
}

/**
 * The labels of each row of logits [B, T, V]. With a `beamWidth` of 1 those of the best path: the likeliest class of every
 * step, repetitions merged, blanks dropped (Graves et al. 2006). With more, a beam search over labels, in which the chances of
 * all paths to the same labels are summed up (Hannun et al. 2014).
 *
 *     const { output, lengths } = await predictWithStates(net, x)
 *     const labels = ctcDecode(output, lengths === undefined ? {} : { lengths })
 *
 * @throws {ShapeError} for logits of another shape
 * @throws {ArgumentError} for options outside their range
 */
export function ctcDecode(logits: TensorLike, options: CtcDecodeOptions = {}): Int32Array[] {
  requireKnown('ctcDecode', options, ['lengths', 'blank', 'beamWidth'])
  const { blank = 0, beamWidth = 1 } = options
  requireInteger('ctcDecode', 'blank', blank, 0)
  requireInteger('ctcDecode', 'beamWidth', beamWidth, 1)
  const inputs = asTensor(logits, 'f32')
  const [B, T, V] = inputs.shape as [number, number, number]
  if (inputs.dtype !== 'f32' || inputs.shape.length !== 3 || blank >= V) {
    throw new ShapeError(
      `ctcDecode with the blank ${blank} expects logits f32 [B, T, V], V > ${blank}; received ${inputs.dtype} [${inputs.shape.join(', ')}]`,
    )
  }
  const lengths = lengthsOf({ inputs, ...(options.lengths && { lengths: asTensor(options.lengths, 'i32') }) })
  const decode = beamWidth === 1 ? bestPath : beamSearch
  return Array.from({ length: B }, (_, b) => {
    const steps = Array.from({ length: lengths[b]! }, (_, t) => {
      const own = inputs.data.subarray((b * T + t) * V, (b * T + t + 1) * V)
      const odd = own.findIndex((value: number) => Number.isNaN(value))
      if (odd < 0) return Float64Array.from(own)
      throw new DataError(`ctcDecode: expected numbers; received NaN in row ${b}, step ${t}`)
    })
    return Int32Array.from(decode(steps, blank, beamWidth))
  })
}

function bestPath(steps: readonly Float64Array[], blank: number): number[] {
  const path = steps.map((z) => z.indexOf(Math.max(...z)))
  return path.filter((label, t) => label !== blank && label !== path[t - 1])
}

/** A beginning of labels, with the logs of its chances over all paths that end in a blank, and in its last label. */
interface Beam {
  readonly labels: readonly number[]
  blank: number
  label: number
}

function beamSearch(steps: readonly Float64Array[], blank: number, width: number): readonly number[] {
  let beams: Beam[] = [{ labels: [], blank: 0, label: Number.NEGATIVE_INFINITY }]
  for (const z of steps) {
    const norm = z.reduce(logAdd, Number.NEGATIVE_INFINITY)
    const next = new Map<string, Beam>()
    const at = (labels: readonly number[]): Beam => {
      const key = labels.join()
      const beam = next.get(key) ?? {
        labels,
        blank: Number.NEGATIVE_INFINITY,
        label: Number.NEGATIVE_INFINITY,
      }
      next.set(key, beam)
      return beam
    }
    for (const beam of beams) {
      const all = logAdd(beam.blank, beam.label)
      const last = beam.labels.at(-1)
      for (const [label, value] of z.entries()) {
        const chance = value - norm
        if (label === blank) {
          const same = at(beam.labels)
          same.blank = logAdd(same.blank, all + chance)
          continue
        }
        if (label === last) {
          const same = at(beam.labels)
          same.label = logAdd(same.label, beam.label + chance)
        }
        const longer = at([...beam.labels, label])
        // The same label once more is another one only after a blank.
        longer.label = logAdd(longer.label, (label === last ? beam.blank : all) + chance)
      }
    }
    const score = (beam: Beam) => logAdd(beam.blank, beam.label)
    beams = [...next.values()].sort((a, b) => score(b) - score(a)).slice(0, width)
  }
  return beams[0]!.labels
}

/** log(e^a + e^b) */
function logAdd(a: number, b: number): number {
  const most = Math.max(a, b)
  return most === Number.NEGATIVE_INFINITY ? most : most + log(exp(a - most) + exp(b - most))
}

/**
 * Σ edit distance / Σ length of the references: how many labels would have to be put in, taken out or changed, for each one
 * that should be there (Levenshtein 1966; Graves et al. 2006). Of characters it is the character error rate, of words the
 * word error rate.
 *
 * @throws {DataError} where there is not one decoded sequence for each reference, or no label in any of these
 */
export function labelErrorRate(
  decoded: readonly ArrayLike<number>[],
  references: readonly ArrayLike<number>[],
): number {
  const total = references.reduce((sum, { length }) => sum + length, 0)
  if (decoded.length !== references.length || total === 0) {
    throw new DataError(
      `labelErrorRate: expected as many decoded sequences as references, and labels in these; received ${decoded.length} ` +
        `for ${references.length} with ${total} labels`,
    )
  }
  return references.reduce((sum, each, i) => sum + editDistance(decoded[i]!, each), 0) / total
}

function editDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
