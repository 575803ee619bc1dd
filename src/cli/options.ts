/** Numbers on the command line, checked while they are read. */
import { InvalidArgumentError } from 'commander'

/** A whole number from `least` to `most`. */
export function whole(least: number, most: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= least && value <= most) return value
    const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`
    throw new InvalidArgumentError(`Expected a whole number ${range}.`)
  }
}

/** A number above 0, such as 0.5, 60 or 2e-3. */
export function positive(text: string): number {
  const value = decimal(text)
  if (value > 0) return value
  throw new InvalidArgumentError('Expected a number above 0.')
}

/** A number of at least 0. */
export function notNegative(text: string): number {
  const value = decimal(text)
  if (value >= 0) return value
  throw new InvalidArgumentError('Expected a number of at least 0.')
}

/** The name of a file. */
export function fileName(text: string): string {
  if (text !== '') return text
  throw new InvalidArgumentError('Expected the name of a file.')
}

/** NaN where the text is not a plain finite number. */
function decimal(text: string): number {
  return /^(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) && Number.isFinite(Number(text))
    ? Number(text)
    : Number.NaN
}

/** Sizes of a network: beyond it a slip of the finger is likelier than a wish. */
export const LARGEST_SIZE = 4096
export const LARGEST_SEED = 2 ** 32 - 1
