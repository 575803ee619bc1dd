/**
 * Characters ↔ ids. A character is one Unicode code point, as `Array.from(text)` splits.
 * Holds: ids are 0 … size−1; `characters[id]` is the character of `id`; no character stands twice.
 */
import { requireKnown, said } from '../tensor/checks.ts'
import { ArgumentError, DataError } from '../tensor/errors.ts'
import { requireText } from './guards.ts'

/** The closed set of characters that a model reads and writes. */
export class Vocabulary {
  /** The character of each id. */
  readonly characters: readonly string[]
  readonly #ids: ReadonlyMap<string, number>

  private constructor(characters: readonly string[]) {
    this.characters = characters
    this.#ids = new Map(characters.map((character, id) => [character, id]))
  }

  /**
   * The characters that occur in `text`, in code point order.
   *
   *     Vocabulary.of('banana').characters            // ['a', 'b', 'n']
   *
   * @throws {DataError} when the text is empty
   */
  static of(text: string): Vocabulary {
    requireText('Vocabulary.of', text)
    if (text === '') throw new DataError('a vocabulary needs at least one character, but the text is empty')
    return new Vocabulary([...new Set(text)].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!))
  }

  /**
   * A vocabulary known from elsewhere, such as a saved model; the order given is the order of the ids.
   *
   * @throws {ArgumentError} unless the characters are single code points, at least one, none twice
   */
  static from(characters: readonly string[]): Vocabulary {
    if (!Array.isArray(characters) || characters.length === 0) {
      const received = Array.isArray(characters) ? 'none' : typeof characters
      throw new ArgumentError(`a vocabulary needs a list of at least one character; received ${received}`)
    }
    const seen = new Set<string>()
    for (const [id, character] of characters.entries()) {
      if (typeof character !== 'string' || Array.from(character).length !== 1) {
        throw new ArgumentError(
          `a vocabulary consists of single characters; received ${JSON.stringify(character)} at ${id}`,
        )
      }
      if (seen.has(character)) {
        throw new ArgumentError(
          `each character stands once in a vocabulary; ${describe(character)} stands again at ${id}`,
        )
      }
      seen.add(character)
    }
    return new Vocabulary([...characters])
  }

  /** V, the number of characters. */
  get size(): number {
    return this.characters.length
  }

  /**
   * The id of each character of `text`.
   *
   * @param options.unknown the id that stands for every character outside the vocabulary; without it they are errors
   * @throws {DataError} at the first character outside the vocabulary, unless `unknown` is given
   * @throws {ArgumentError} when `unknown` is no id of this vocabulary
   */
  encode(text: string, options: { readonly unknown?: number } = {}): Int32Array {
    requireText('encode', text)
    requireKnown('encode', options, ['unknown'])
    const { unknown } = options
    if (unknown !== undefined && !this.#has(unknown)) {
      throw new ArgumentError(`unknown must be an id from 0 to ${this.size - 1}; received ${said(unknown)}`)
    }
    const ids = new Int32Array(text.length)
    let length = 0
    for (const character of text) {
      const id = this.#ids.get(character) ?? unknown
      if (id === undefined) {
        throw new DataError(
          `character ${length} of the text, ${describe(character)}, is not among the ${this.size} of the vocabulary. ` +
            'Leave it out, pass { unknown: id }, or build the vocabulary from a text that has it.',
        )
      }
      ids[length++] = id
    }
    return ids.slice(0, length)
  }

  /**
   * The text of `ids`; the inverse of `encode`.
   *
   * @throws {DataError} at the first number that is no id of this vocabulary
   */
  decode(ids: ArrayLike<number>): string {
    if (typeof ids !== 'object' || !Number.isInteger(ids?.length)) {
      throw new ArgumentError(
        `decode: expected a list of ids; received ${ids === null ? 'null' : typeof ids}`,
      )
    }
    const characters = Array.from(ids, (id, at) => {
      if (this.#has(id)) return this.characters[id]!
      throw new DataError(`expected ids from 0 to ${this.size - 1}; received ${said(id)} at ${at}`)
    })
    return characters.join('')
  }

  #has(id: number): boolean {
    return Number.isInteger(id) && id >= 0 && id < this.size
  }
}

/** `"é" (U+00E9)`: controls and look-alikes can be told apart. */
function describe(character: string): string {
  const codePoint = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')
  return `${JSON.stringify(character)} (U+${codePoint})`
}
