/**
 * The grammar of Reber (1967), and the one that embeds it, whose second letter must be remembered to the last but one.
 * Source: Cleeremans, Servan-Schreiber and McClelland 1989; Hochreiter and Schmidhuber 1997, section 5.1; as a task of
 * telling strings apart, Géron, "Hands-On Machine Learning", 2nd edition, chapter 16.
 */
import { requireFlag } from '../tensor/checks.ts'
import { Draws, SEEDED, type Seeded } from './draws.ts'
import { requireInteger, requireOptions, requireText } from './guards.ts'

/** The letters of both grammars; `Vocabulary.from` makes ids of them. */
export const REBER_LETTERS: readonly string[] = [...'BEPSTVX']

/** For each state, the letters that may come and the states they lead to; none after the last. */
type Grammar = readonly Readonly<Record<string, number>>[]

const REBER: Grammar = [
  { B: 1 },
  { T: 2, P: 3 },
  { S: 2, X: 4 },
  { T: 3, V: 5 },
  { X: 3, S: 6 },
  { P: 4, V: 6 },
  { E: 7 },
  {},
]

/** B, then T or P, a whole string of Reber's, the same T or P, and E: its states once for each way. */
const EMBEDDED: Grammar = [
  { B: 1 },
  { T: 2, P: 2 + REBER.length },
  ...[0, 1].flatMap((way) => {
    const first = 2 + way * REBER.length
    const end = 2 + 2 * REBER.length
    return REBER.map((letters, state) =>
      state === REBER.length - 1
        ? { [way === 0 ? 'T' : 'P']: end }
        : Object.fromEntries(Object.entries(letters).map(([letter, next]) => [letter, first + next])),
    )
  }),
  { E: 3 + 2 * REBER.length },
  {},
]

/** Row n of each list belongs to row n of the other. */
export interface ReberExamples {
  readonly strings: readonly string[]
  /** i32 [N]: 1 for strings of the grammar, 0 for corrupted ones; half of them, one more if N is odd. */
  readonly grammatical: Int32Array
}

/**
 * Strings of the grammar, where all ways on are equally likely, and as many corrupted ones, in random order. A corrupted
 * string is one of the grammar with one letter changed to another, so that it is no string of the grammar.
 *
 *     reberStrings({ count: 10000, seed: 1 })       // strings 'BTBTXSETE', 'BPBPVVEPX', …; grammatical 1, 0, …
 *
 * @param options.embedded whether the grammar is the embedded one; default true
 * @throws {ArgumentError} for options outside their range
 */
export function reberStrings(
  options: Seeded & { readonly count: number; readonly embedded?: boolean },
): ReberExamples {
  requireOptions('reberStrings', options, ['count', 'embedded', ...SEEDED])
  const { count, embedded = true } = options
  requireInteger('reberStrings: count', count, 1)
  requireFlag('reberStrings', 'embedded', embedded)
  const grammar = embedded ? EMBEDDED : REBER
  const draws = new Draws('reberStrings', options)
  const grammatical = new Int32Array(count)
  let needed = Math.ceil(count / 2)
  const strings = Array.from({ length: count }, (_, n) => {
    const string = generated(grammar, draws)
    // Exactly half, in random order: of the rows that are left, so many still have to be of the grammar.
    if (draws.below(count - n) >= needed) return corrupted(string, grammar, draws)
    needed--
    grammatical[n] = 1
    return string
  })
  return { strings, grammatical }
}

/** Whether a text is a string of the (embedded) grammar of Reber. */
export function isReber(text: string, options: { readonly embedded?: boolean } = {}): boolean {
  requireText('isReber', text)
  requireOptions('isReber', options, ['embedded'])
  const { embedded = true } = options
  requireFlag('isReber', 'embedded', embedded)
  return accepts(embedded ? EMBEDDED : REBER, text)
}

function accepts(grammar: Grammar, text: string): boolean {
  let state: number | undefined = 0
  for (const letter of text) {
    const ways: Readonly<Record<string, number>> = grammar[state]!
    state = Object.hasOwn(ways, letter) ? ways[letter] : undefined
    if (state === undefined) return false
  }
  return state === grammar.length - 1
}

function generated(grammar: Grammar, draws: Draws): string {
  let text = ''
  for (let state = 0; state < grammar.length - 1; ) {
    const [letter, next] = draws.pick(Object.entries(grammar[state]!))
    text += letter
    state = next
  }
  return text
}

function corrupted(text: string, grammar: Grammar, draws: Draws): string {
  for (;;) {
    const at = draws.below(text.length)
    const letter = draws.pick(REBER_LETTERS.filter((each) => each !== text[at]))
    const changed = text.slice(0, at) + letter + text.slice(at + 1)
    // A few changes lead to another string of the grammar.
    if (!accepts(grammar, changed)) return changed
  }
}
