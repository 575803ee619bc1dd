/** Sums as text: '535+61' → '596'. */
import { requireFlag } from '../tensor/checks.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { Draws, SEEDED, type Seeded } from './draws.ts'
import { requireInteger, requireOptions } from './guards.ts'

/** The characters of questions and answers, in code point order as in the source; `Vocabulary.from` makes ids of them. */
export const ADDITION_CHARACTERS: readonly string[] = [...' +0123456789']

/** Row n of each list belongs to row n of the other. */
export interface Sums {
  /** 2 · digits + 1 characters each, filled up with spaces. */
  readonly questions: readonly string[]
  /** digits + 1 characters each, filled up with spaces. */
  readonly answers: readonly string[]
}

/**
 * Distinct sums a + b, where b + a counts as the same. Each number has 1 to `digits` digits, all equally likely, and zeros
 * before others are dropped: short numbers are more frequent.
 *
 *     additionSums({ count: 1, reverse: false })    // questions ['535+61 '], answers ['596 ']
 *
 * Source: Keras's example addition_rnn, with 50,000 sums of up to 3 digits.
 *
 * @param options.digits 1 … 7, default 3
 * @param options.reverse whether questions are written backwards, padding first, as in the source: '535+61 ' becomes
 * ' 16+535'; default true
 * @throws {ArgumentError} for options outside their range, and a count above all sums there are, n(n + 1) / 2 of
 * n = 10^digits numbers
 */
export function additionSums(
  options: Seeded & { readonly count: number; readonly digits?: number; readonly reverse?: boolean },
): Sums {
  requireOptions('additionSums', options, ['count', 'digits', 'reverse', ...SEEDED])
  const { count, digits = 3, reverse = true } = options
  requireInteger('additionSums: count', count, 1)
  requireInteger('additionSums: digits', digits, 1)
  requireFlag('additionSums', 'reverse', reverse)
  if (digits > 7) throw new ArgumentError(`additionSums: digits must be at most 7; received ${digits}`)
  const numbers = Number(`1e${digits}`)
  const most = (numbers * (numbers + 1)) / 2
  if (count > most) {
    throw new ArgumentError(
      `additionSums: there are ${most} sums of ${digits} digits; received count ${count}`,
    )
  }
  const draws = new Draws('additionSums', options)
  const draw = () => Number(Array.from({ length: 1 + draws.below(digits) }, () => draws.below(10)).join(''))
  const seen = new Set<number>()
  const [questions, answers]: string[][] = [[], []]
  while (questions!.length < count) {
    const [a, b] = [draw(), draw()]
    const key = Math.min(a, b) * numbers + Math.max(a, b)
    if (seen.has(key)) continue
    seen.add(key)
    const question = `${a}+${b}`.padEnd(2 * digits + 1)
    questions!.push(reverse ? [...question].reverse().join('') : question)
    answers!.push(String(a + b).padEnd(digits + 1))
  }
  return { questions: questions!, answers: answers! }
}
