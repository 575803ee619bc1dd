/** The binary format's pieces: numbers, vectors, sections, and the immediates of instructions. */
import type { Immediate, Immediates, Op } from './opcodes.ts'

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

function signedLeb(value: bigint): number[] {
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

/** Immediates to bytes; a string says what is wrong with them. */
export const encodeImmediates: {
  [Kind in Immediate]: (op: Op<Kind>, ...values: Immediates[Kind]) => number[] | string
} = {
  none: () => [],
  memory: (op, offset = 0) => memoryArgument(op, offset),
  lane: (op, lane) => checkedLanes(op, [lane]),
  memoryLane: (op, lane, offset = 0) => {
    const lanes = checkedLanes(op, [lane])
    const argument = memoryArgument(op, offset)
    if (typeof argument === 'string') return argument
    return typeof lanes === 'string' ? lanes : argument.concat(lanes)
  },
  i32: (_, value) => {
    if (!Number.isInteger(value) || value < -(2 ** 31) || value >= 2 ** 32) {
      return `expects an integer of 32 bits; received ${value}`
    }
    return signedLeb(BigInt(value | 0))
  },
  i64: (_, value) => signedLeb(BigInt.asIntN(64, value)),
  f32: (_, value) => littleEndian(4, (view) => view.setFloat32(0, value, true)),
  f64: (_, value) => littleEndian(8, (view) => view.setFloat64(0, value, true)),
  bytes: (_, lanes) => {
    if (lanes.byteLength !== 16) return `expects 16 bytes; received ${lanes.byteLength}`
    return [...new Uint8Array(lanes.buffer, lanes.byteOffset, 16)]
  },
  i32Lanes: (_, ...values) =>
    fourLanes(values).flatMap((value) => littleEndian(4, (view) => view.setInt32(0, value, true))),
  f32Lanes: (_, ...values) =>
    fourLanes(values).flatMap((value) => littleEndian(4, (view) => view.setFloat32(0, value, true))),
  shuffle: (op, lanes) =>
    lanes.length === 16 ? checkedLanes(op, lanes) : `expects 16 lanes; received ${lanes.length}`,
}

function memoryArgument(op: Op, offset: number): number[] | string {
  if (!Number.isInteger(offset) || offset < 0 || offset >= 2 ** 32) {
    return `expects an offset of 32 bits; received ${offset}`
  }
  return [op.align, ...unsignedLeb(offset)]
}

function checkedLanes(op: Op, lanes: readonly number[]): number[] | string {
  const wrong = lanes.find((lane) => !Number.isInteger(lane) || lane < 0 || lane >= op.lanes)
  return wrong === undefined ? [...lanes] : `expects lanes from 0 to ${op.lanes - 1}; received ${wrong}`
}

function fourLanes(values: readonly number[]): readonly number[] {
  return values.length === 1 ? new Array<number>(4).fill(values[0]!) : values
}

function littleEndian(bytes: number, write: (view: DataView) => void): number[] {
  const view = new DataView(new ArrayBuffer(bytes))
  write(view)
  return [...new Uint8Array(view.buffer)]
}
