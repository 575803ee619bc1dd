/**
 * A checksum of 64 bits that stands within the file it is of: 16 digits at one place, which it leaves out.
 * It detects damage (a changed byte always, other damage but for one case in 2⁶⁴), not forgery: whoever alters a file
 * on purpose can write the checksum that fits.
 */

export const CHECKSUM = 'checksum'
/** What stands in its place until it is known. */
export const NO_CHECKSUM = '0'.repeat(16)

/** Where the digits begin: the writer puts metadata first and sorts it, and no other name comes before this one. */
const PLACE = 8 + `{"__metadata__":{"${CHECKSUM}":"`.length

/** The digits for these bytes. */
export function checksumOf(file: Uint8Array): string {
  // Every step is one-to-one in the sums and in the byte, so one changed byte changes both.
  let [a, b] = [0x2f0b4c47, 0x6a09e667]
  const add = (from: number, to: number) => {
    for (let i = from; i < to; i++) {
      a = Math.imul(a ^ file[i]!, 0x9e3779b1)
      a ^= a >>> 15
      b = Math.imul(b ^ file[i]!, 0x5f356495)
      b = (b << 13) | (b >>> 19)
    }
  }
  add(0, Math.min(PLACE, file.length))
  add(PLACE + NO_CHECKSUM.length, file.length)
  return [a, b].map((sum) => (sum >>> 0).toString(16).padStart(8, '0')).join('')
}

/** Writes the digits to their place in a file that holds `NO_CHECKSUM` there; returns the file. */
export function sealed(file: Uint8Array): Uint8Array {
  file.set(new TextEncoder().encode(checksumOf(file)), PLACE)
  return file
}
