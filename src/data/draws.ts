/**
 * Random numbers for the generators of this folder, one after another.
 * Enters: a seed and a stream. Holds: the same seed and stream give the same numbers on every machine.
 */
import { requireSeed, said } from '../tensor/checks.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { uniform } from '../tensor/random.ts'

/** What every generator takes. */
export interface Seeded {
  /** Default: 0. */
  readonly seed?: number
  /** One of the 2³² independent streams of a seed: another for each fresh batch. Default: 0. */
  readonly stream?: number
}

export const SEEDED = ['seed', 'stream'] as const

/** @throws {ArgumentError} where seed or stream is none; both with their defaults */
export function seededBy(what: string, { seed = 0, stream = 0 }: Seeded): Required<Seeded> {
  requireSeed(what, seed)
  if (!Number.isInteger(stream) || stream < 0 || stream >= 2 ** 32) {
    throw new ArgumentError(`${what}: stream must be an integer from 0 to 2³² − 1; received ${said(stream)}`)
  }
  return { seed, stream }
}

/** The elements of a stream in order. */
export class Draws {
  readonly #seed: number
  readonly #stream: number
  #drawn = 0

  constructor(what: string, seeded: Seeded) {
    const { seed, stream } = seededBy(what, seeded)
    this.#seed = seed
    this.#stream = stream
  }

  /** A multiple of 2⁻³² in [0, 1). */
  uniform(): number {
    return uniform(this.#seed, this.#stream, this.#drawn++)
  }

  /** An integer from 0 to count − 1; their chances differ by 2⁻³² at most. */
  below(count: number): number {
    return Math.floor(this.uniform() * count)
  }

  pick<T>(list: ArrayLike<T>): T {
    return list[this.below(list.length)]!
  }
}
