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

/** Signed LEB128, of at most 32 bits. */
export function signedLeb(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (;;) {
    const low = rest & 127
    rest >>= 7
    const done = rest === ((low & 64) !== 0 ? -1 : 0)
    bytes.push(done ? low : low | 128)
    if (done) return bytes
  }
}

export const sized = (bytes: number[]): number[] => unsignedLeb(bytes.length).concat(bytes)
export const section = (id: number, bytes: number[]): number[] => [id].concat(sized(bytes))
export const vector = (items: number[][]): number[] => unsignedLeb(items.length).concat(...items)
export const text = (value: string): number[] => sized([...new TextEncoder().encode(value)])
