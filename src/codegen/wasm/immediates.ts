/** The bytes that follow an instruction's code, by the kind of its immediates. */
import { signedLeb, unsignedLeb } from './encoding.ts'
import type { Immediate, Immediates, Op } from './opcodes.ts'

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
    return signedLeb(value | 0)
  },
  f32: (_, value) => littleEndian((view) => view.setFloat32(0, value, true)),
  i32Lanes: (_, ...values) =>
    fourLanes(values).flatMap((value) => littleEndian((view) => view.setInt32(0, value, true))),
  f32Lanes: (_, ...values) =>
    fourLanes(values).flatMap((value) => littleEndian((view) => view.setFloat32(0, value, true))),
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

function littleEndian(write: (view: DataView) => void): number[] {
  const view = new DataView(new ArrayBuffer(4))
  write(view)
  return [...new Uint8Array(view.buffer)]
}
