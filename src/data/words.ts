/**
 * Text → words and sentences; words ↔ ids.
 * Splitting is that of Intl.Segmenter (Unicode Annex 29 and dictionaries for scripts without spaces); engines may differ in
 * rare texts as their versions of Unicode do, so keep what was split with a model, not only the text.
 */
import { requireFlag, said } from '../tensor/checks.ts'
import { ArgumentError, DataError } from '../tensor/errors.ts'
import { requireInteger, requireOptions, requireText } from './guards.ts'

export interface SegmentOptions {
  /** The language, a BCP 47 tag. Default: 'en'. */
  readonly locale?: string
  /** Whether letters become small. Default: false. */
  readonly lowercase?: boolean
  /** Whether marks that are no words stay, each as a token. Spaces never do. Default: true. */
  readonly punctuation?: boolean
}

const SEGMENT = ['locale', 'lowercase', 'punctuation'] as const

/**
 * The words of a text, in order.
 *
 *     segmentWords('She sang a song.')              // 'She', 'sang', 'a', 'song', '.'
 *
 * @throws {ArgumentError} for what is no text, and no language tag
 */
export function segmentWords(text: string, options: SegmentOptions = {}): string[] {
  requireText('segmentWords', text)
  requireOptions('segmentWords', options, SEGMENT)
  const { locale = 'en', lowercase = false, punctuation = true } = options
  requireFlag('segmentWords', 'lowercase', lowercase)
  requireFlag('segmentWords', 'punctuation', punctuation)
  const words = [...segmenter(locale, 'word').segment(text)]
    .filter(({ segment, isWordLike }) => (punctuation ? segment.trim() !== '' : isWordLike === true))
    .map(({ segment }) => segment)
  return lowercase ? words.map((word) => word.toLocaleLowerCase(locale)) : words
}

/** The sentences of a text, in order, without spaces around them. Throws as `segmentWords`. */
export function segmentSentences(text: string, options: Pick<SegmentOptions, 'locale'> = {}): string[] {
  requireText('segmentSentences', text)
  requireOptions('segmentSentences', options, ['locale'])
  const segments = [...segmenter(options.locale ?? 'en', 'sentence').segment(text)]
  return segments.map(({ segment }) => segment.trim()).filter((sentence) => sentence !== '')
}

/**
 * A passage as chapters of sentences of words: chapters are parted by empty lines. `padNested` makes a tensor of what a
 * vocabulary makes of it.
 *
 *     segmentPassage('One. Two.\n\nThree.')         // [[['One', '.'], ['Two', '.']], [['Three', '.']]]
 */
export function segmentPassage(text: string, options: SegmentOptions = {}): string[][][] {
  requireText('segmentPassage', text)
  requireOptions('segmentPassage', options, SEGMENT)
  const { locale = 'en' } = options
  const chapters = text.split(/\r?\n(?:[^\S\r\n]*\r?\n)+/)
  return chapters
    .map((chapter) =>
      segmentSentences(chapter, { locale })
        .map((sentence) => segmentWords(sentence, options))
        .filter((words) => words.length > 0),
    )
    .filter((sentences) => sentences.length > 0)
}

function segmenter(locale: string, granularity: 'word' | 'sentence'): Intl.Segmenter {
  try {
    return new Intl.Segmenter(locale, { granularity })
  } catch {
    throw new ArgumentError(`locale must be a language tag such as 'en'; received ${JSON.stringify(locale)}`)
  }
}

/** Words, or any tokens, ↔ ids; for a network that must take words that it has never seen. */
export class WordVocabulary {
  /** The word of each id from 2 on, at its place; '' at 0 and '[UNK]' at 1, as in Keras's StringLookup with a mask. */
  readonly words: readonly string[]
  readonly #ids: ReadonlyMap<string, number>

  /** The id of padding, which stands for no word. */
  static readonly PADDING = 0
  /** The id of every word outside the vocabulary. */
  static readonly UNKNOWN = 1

  private constructor(words: readonly string[]) {
    this.words = ['', '[UNK]', ...words]
    this.#ids = new Map(words.map((word, i) => [word, i + 2]))
  }

  /**
   * The words that occur, most frequent first; of two as frequent the one that comes first in UTF-16 order.
   *
   * @param tokens those of the part that is trained on
   * @param options.maxTokens at most so many ids, padding and unknown included; default: no limit
   * @param options.minCount words that occur more rarely are left out; default 1
   * @throws {ArgumentError} for options outside their range, and what is no list of words
   * @throws {DataError} when no word is left
   */
  static of(
    tokens: readonly string[],
    options: { readonly maxTokens?: number; readonly minCount?: number } = {},
  ): WordVocabulary {
    requireWords('WordVocabulary.of', tokens)
    requireOptions('WordVocabulary.of', options, ['maxTokens', 'minCount'])
    const { maxTokens = Number.MAX_SAFE_INTEGER, minCount = 1 } = options
    requireInteger('WordVocabulary.of: maxTokens', maxTokens, 3)
    requireInteger('WordVocabulary.of: minCount', minCount, 1)
    const counts = new Map<string, number>()
    for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1)
    const words = [...counts]
      .filter(([, count]) => count >= minCount)
      .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
      .slice(0, maxTokens - 2)
      .map(([word]) => word)
    if (words.length === 0) {
      throw new DataError(
        `WordVocabulary.of: none of ${tokens.length} words occurs ${minCount} times; there has to be one`,
      )
    }
    return new WordVocabulary(words)
  }

  /**
   * A vocabulary known from elsewhere: the words of the ids from 2 on, in order.
   *
   * @throws {ArgumentError} unless it is a list of at least one word, none twice
   */
  static from(words: readonly string[]): WordVocabulary {
    requireWords('WordVocabulary.from', words)
    const again = words.findIndex((word, i) => words.indexOf(word) !== i)
    if (again >= 0 || words.length === 0) {
      const found = words.length === 0 ? 'none' : `${JSON.stringify(words[again])} again at ${again}`
      throw new ArgumentError(`WordVocabulary.from: expected words, none twice; received ${found}`)
    }
    return new WordVocabulary(words)
  }

  /** V, the number of ids: padding, unknown and the words. */
  get size(): number {
    return this.words.length
  }

  /** The id of each token, 1 for those outside the vocabulary. */
  encode(tokens: readonly string[]): Int32Array {
    requireWords('encode', tokens)
    return Int32Array.from(tokens, (token) => this.#ids.get(token) ?? WordVocabulary.UNKNOWN)
  }

  /**
   * The words of ids; '' for padding, '[UNK]' for what is unknown.
   *
   * @throws {DataError} at the first number that is no id of this vocabulary
   */
  decode(ids: ArrayLike<number>): string[] {
    return Array.from(ids, (id, at) => {
      const word = this.words[id]
      if (word !== undefined) return word
      throw new DataError(`expected ids from 0 to ${this.size - 1}; received ${said(id)} at ${at}`)
    })
  }
}

function requireWords(what: string, words: readonly string[]): void {
  if (!Array.isArray(words)) {
    throw new ArgumentError(`${what}: expected a list of words; received ${typeof words}`)
  }
  const odd = words.findIndex((word) => typeof word !== 'string')
  if (odd >= 0) throw new ArgumentError(`${what}: expected words; received ${typeof words[odd]} at ${odd}`)
}
