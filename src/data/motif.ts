/** A task on DNA whose answer is known: which sequences contain a motif, and where. */
import { requireFlag } from '../tensor/checks.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { reverseComplement } from './dna.ts'
import { Draws, SEEDED, type Seeded } from './draws.ts'
import { requireInteger, requireOptions } from './guards.ts'

export interface MotifOptions extends Seeded {
  /** How many sequences. */
  readonly count: number
  /** T, the letters of each. */
  readonly length: number
  /** What is planted, letters A, C, G, T; default 'TATAAT', the box at −10 of bacterial promoters (Pribnow 1975). */
  readonly motif?: string
  /** Whether the motif may stand on either strand, as itself or as its reverse complement. Default: false. */
  readonly bothStrands?: boolean
}

/** Row n of each list belongs to row n of the others. */
export interface MotifExamples {
  readonly sequences: readonly string[]
  /** i32 [N]: 1 where the motif is, else 0; half of them, one more if N is odd. */
  readonly contains: Int32Array
  /** i32 [N]: where it begins; −1 where it is not. */
  readonly positions: Int32Array
}

/**
 * Sequences of random bases, half of them with a motif planted at a random place. It stands there once, and nowhere by
 * chance: letters where it would are drawn again. So both questions have one answer, and letters alone do not tell.
 *
 *     const { sequences, contains } = plantedMotif({ count: 1000, length: 60, seed: 1 })
 *
 * @throws {ArgumentError} for options outside their range, and a motif longer than the sequences
 */
export function plantedMotif(options: MotifOptions): MotifExamples {
  requireOptions('plantedMotif', options, ['count', 'length', 'motif', 'bothStrands', ...SEEDED])
  const { count, length, motif = 'TATAAT', bothStrands = false } = options
  requireInteger('plantedMotif: count', count, 1)
  requireInteger('plantedMotif: length', length, 1)
  requireFlag('plantedMotif', 'bothStrands', bothStrands)
  if (typeof motif !== 'string' || !/^[ACGT]+$/.test(motif) || motif.length > length) {
    throw new ArgumentError(
      `plantedMotif: motif must be 1 to ${length} letters A, C, G, T; received ${JSON.stringify(motif)}`,
    )
  }
  const forms = bothStrands ? [motif, reverseComplement(motif)] : [motif]
  const draws = new Draws('plantedMotif', options)
  const contains = new Int32Array(count)
  const positions = new Int32Array(count).fill(-1)
  // Exactly half, in random order: of the rows that are left, so many still need one.
  let needed = Math.ceil(count / 2)
  const sequences = Array.from({ length: count }, (_, n) => {
    const letters = Array.from({ length }, () => draws.pick('ACGT'))
    if (draws.below(count - n) < needed) {
      needed--
      contains[n] = 1
      positions[n] = draws.below(length - motif.length + 1)
      letters.splice(positions[n]!, motif.length, ...draws.pick(forms))
    }
    clear(letters, forms, positions[n]!, draws)
    return letters.join('')
  })
  return { sequences, contains, positions }
}

/** Draws letters again until no form stands anywhere but at `planted`, which stays. */
function clear(letters: string[], forms: readonly string[], planted: number, draws: Draws): void {
  const size = forms[0]!.length
  const isFree = (at: number) => planted < 0 || at < planted || at >= planted + size
  for (;;) {
    const text = letters.join('')
    const found = letters.findIndex(
      (_, at) => at !== planted && forms.some((form) => text.startsWith(form, at)),
    )
    if (found < 0) return
    for (let at = found; at < found + size; at++) {
      if (isFree(at)) letters[at] = draws.pick('ACGT')
    }
  }
}
