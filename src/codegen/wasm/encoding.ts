/** The binary format's pieces: numbers, vectors and sections. */

/** Unsigned LEB128, of at most 32 bits. */
export function unsignedLeb(value: number): number[] {
  const bytes: number[] = []
  let rest = value >>> 0
  while (rest > 127) {
    bytes.push((rest & 127) | 128)
    rest >>>= 7
  }
  bytes.push(rest)
  return bytes
}

/** Signed LEB128, of at most 64 bits. */
export function signedLeb(value: bigint): number[] {
  const bytes: number[] = []
  let rest = value
  for (;;) {
    const low = Number(rest & 127n)
    rest >>= 7n
    const done = rest === ((low & 64) !== 0 ? -1n : 0n)
    bytes.push(done ? low : low | 128)
    if (done) return bytes
  }
}

export const sized = (bytes: number[]): number[] => unsignedLeb(bytes.length).concat(bytes)
export const section = (id: number, bytes: number[]): number[] => [id].concat(sized(bytes))
export const vector = (items: number[][]): number[] => unsignedLeb(items.length).concat(...items)
export const text = (value: string): number[] => sized([...new TextEncoder().encode(value)])
