/** Dates to translate: 'April 22, 2019' → '2019-04-22'. */
import { Draws, SEEDED, type Seeded } from './draws.ts'
import { requireInteger, requireOptions } from './guards.ts'

const MONTHS = 'January February March April May June July August September October November December'.split(
  ' ',
)

const DAY = 86_400_000
const FIRST = Date.UTC(1000, 0, 1) / DAY
const LAST = Date.UTC(9999, 11, 31) / DAY

/** Row n of each list belongs to row n of the other. */
export interface DatePairs {
  /** As 'April 02, 2019': 12 to 18 characters. */
  readonly inputs: readonly string[]
  /** As '2019-04-02': 10 characters. */
  readonly targets: readonly string[]
}

/**
 * Days from 1000-01-01 to 9999-12-31, all equally likely, in two forms; the calendar is the Gregorian throughout.
 * `Vocabulary.of(inputs.join(''))` makes ids of the characters.
 *
 * Source: Géron, "Hands-On Machine Learning", 2nd edition, chapter 16, with 10,000 pairs. (Its last day never comes.)
 *
 * @throws {ArgumentError} unless `count` is an integer of at least 1
 */
export function datePairs(options: Seeded & { readonly count: number }): DatePairs {
  requireOptions('datePairs', options, ['count', ...SEEDED])
  requireInteger('datePairs: count', options.count, 1)
  const draws = new Draws('datePairs', options)
  const targets = Array.from({ length: options.count }, () => {
    const day = FIRST + draws.below(LAST - FIRST + 1)
    return new Date(day * DAY).toISOString().slice(0, 10)
  })
  const inputs = targets.map((target) => {
    const [year, month, day] = target.split('-')
    return `${MONTHS[Number(month) - 1]} ${day}, ${year}`
  })
  return { inputs, targets }
}
