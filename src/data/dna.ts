/**
 * DNA: files, ids, vectors, k-mers, the other strand.
 * Letters are those of IUPAC (Cornish-Bowden 1985), either case: A C G T, U for T, and R Y S W K M B D H V N for what is
 * not known exactly.
 */
import { said } from '../tensor/checks.ts'
import { ArgumentError, DataError } from '../tensor/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { requireIds, requireInteger, requireOptions, requireText } from './guards.ts'
import { oneHot } from './one-hot.ts'

/** The letter of each id. */
const BASES = 'ACGTN'
const KNOWN = new Map([...'ACGT'].map((base, id) => [base, id]))
/** The letter that pairs with each; A is what pairs with U too. */
const PAIRS = new Map(
  ['AT', 'CG', 'RY', 'KM', 'BV', 'DH', 'SS', 'WW', 'NN'].flatMap((pair): [string, string][] => [
    [pair[0]!, pair[1]!],
    [pair[1]!, pair[0]!],
  ]),
).set('U', 'A')

/** A record of a FASTA file. */
export interface FastaRecord {
  /** What stands behind ">" up to the first space. */
  readonly id: string
  /** What follows it on that line; may be empty. */
  readonly description: string
  /** The lines after it, joined. */
  readonly sequence: string
}

/**
 * The records of a FASTA file: a line that begins with ">", then the lines of its sequence. Empty lines and lines that begin
 * with ";" are passed over. Sequences are letters, "*" and "-"; what letters mean is for the encoders to judge.
 *
 * Source: Pearson and Lipman 1988; NCBI's description of the format.
 *
 * @param text as `decodeText` gives it
 * @param name what error messages call the text, usually its path
 * @throws {DataError} without records, for a sequence before the first ">", a record without id or sequence, and a
 * character that stands in no sequence; names the line
 */
export function parseFasta(text: string, name = 'the FASTA'): FastaRecord[] {
  requireText('parseFasta: name', name)
  requireText(name, text)
  const records: { id: string; description: string; lines: string[]; line: number }[] = []
  const fail = (line: number, found: string) => new DataError(`${name}, line ${line}: ${found}`)
  for (const [i, raw] of text.split(/\r\n|\r|\n/).entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith(';')) continue
    if (line.startsWith('>')) {
      const [, id, description] = /^>\s*(\S*)\s*(.*)$/.exec(line)!
      if (!id) throw fail(i + 1, 'expected an id behind ">"')
      records.push({ id, description: description!, lines: [], line: i + 1 })
      continue
    }
    const record = records[records.length - 1]
    if (record === undefined) throw fail(i + 1, 'expected a line that begins with ">" before any sequence')
    const odd = /[^A-Za-z*-]/.exec(line)
    if (odd) {
      throw fail(
        i + 1,
        `expected the letters of a sequence; received ${JSON.stringify(odd[0])} at ${odd.index}`,
      )
    }
    record.lines.push(line)
  }
  if (records.length === 0) throw new DataError(`${name}: expected records that begin with ">"; found none`)
  return records.map(({ id, description, lines, line }) => {
    if (lines.length === 0) throw fail(line, `record ${id} has no sequence`)
    return { id, description, sequence: lines.join('') }
  })
}

/**
 * A sequence as ids, i32 [T]: A 0, C 1, G 2, T and U 3; 4 for N and every other letter that leaves the base open.
 *
 *     encodeDna('ACGTN')                            // 0, 1, 2, 3, 4
 *
 * @throws {DataError} at the first character that is no letter of DNA
 */
export function encodeDna(sequence: string): Int32Array {
  return Int32Array.from(lettersOf('encodeDna', sequence), (letter) => {
    return KNOWN.get(letter === 'U' ? 'T' : letter) ?? 4
  })
}

/** The sequence of ids, in upper case; N for 4. The inverse of `encodeDna` on A, C, G, T, N. */
export function decodeDna(ids: Int32Array): string {
  requireIds('decodeDna', ids)
  return Array.from(ids, (id, at) => {
    const base = BASES[id]
    if (base !== undefined) return base
    throw new DataError(`decodeDna: expected ids from 0 to 4; received ${id} at ${at}`)
  }).join('')
}

/** One-hot vectors, f32 [T, 5], columns A, C, G, T, N; see `encodeDna`. */
export function oneHotDna(sequence: string): Tensor {
  return oneHot(encodeDna(sequence), BASES.length)
}

/**
 * The other strand, read in its own direction: the pair of each letter, last first, case kept; U pairs with A.
 *
 *     reverseComplement('AACG')                     // 'CGTT'
 *
 * @throws {DataError} at the first character that is no letter of DNA
 */
export function reverseComplement(sequence: string): string {
  return lettersOf('reverseComplement', sequence)
    .map((letter, at) => {
      const pair = PAIRS.get(letter)!
      return sequence[at] === letter ? pair : pair.toLowerCase()
    })
    .reverse()
    .join('')
}

/**
 * The k-mers of a sequence as ids, i32 [⌊(T − k) / stride⌋ + 1]: the number Σ 4^(k−1−i) · id(letter i), from 0 to
 * 4^k − 1; and 4^k for one with a letter that leaves its base open. A vocabulary of 4^k + 1 for an embedding.
 *
 *     kmers('ACGT', 2)                              // AC 1, CG 6, GT 11
 *
 * @param k 1 … 12
 * @throws {ArgumentError} for k and stride outside their range
 * @throws {DataError} when the sequence is shorter than k, or at the first character that is no letter of DNA
 */
export function kmers(sequence: string, k: number, options: { readonly stride?: number } = {}): Int32Array {
  requireSizeOfKmers(k)
  requireOptions('kmers', options, ['stride'])
  const { stride = 1 } = options
  requireInteger('kmers: stride', stride, 1)
  const ids = encodeDna(sequence)
  if (ids.length < k) {
    throw new DataError(`kmers: a sequence of ${ids.length} letters has none of ${k}`)
  }
  return Int32Array.from({ length: Math.floor((ids.length - k) / stride) + 1 }, (_, n) => {
    const letters = ids.subarray(n * stride, n * stride + k)
    return letters.includes(4) ? places(k) : letters.reduce((sum, id) => sum * 4 + id, 0)
  })
}

/** The letters of a k-mer's id: k times N for 4^k. */
export function decodeKmer(id: number, k: number): string {
  requireSizeOfKmers(k)
  const unknown = places(k)
  if (!Number.isInteger(id) || id < 0 || id > unknown) {
    throw new DataError(`decodeKmer: expected an id from 0 to ${unknown}; received ${said(id)}`)
  }
  if (id === unknown) return 'N'.repeat(k)
  return Array.from({ length: k }, (_, i) => BASES[Math.floor(id / places(k - 1 - i)) % 4]).join('')
}

/** 4^k, exactly. */
function places(k: number): number {
  return 1 << (2 * k)
}

function requireSizeOfKmers(k: number): void {
  requireInteger('k', k, 1)
  if (k > 12)
    throw new ArgumentError(`k must be at most 12, which has 4¹² = 16,777,216 k-mers; received ${k}`)
}

/** The letters in upper case. */
function lettersOf(what: string, sequence: string): string[] {
  requireText(what, sequence)
  return Array.from(sequence, (character, at) => {
    const letter = character.toUpperCase()
    if (PAIRS.has(letter)) return letter
    throw new DataError(
      `${what}: expected letters of DNA (A, C, G, T, N and those of IUPAC); received ${JSON.stringify(character)} at ${at}`,
    )
  })
}
