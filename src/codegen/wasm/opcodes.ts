/**
 * The instructions of WebAssembly (version 2, SIMD, no relaxed SIMD) that kernels use, as one table an operand type:
 * bytes, what is popped, what is pushed, and which immediates follow.
 * Source: WebAssembly core specification 2.0, "Index of Instructions".
 */
import { unsignedLeb } from './encoding.ts'

export type ValueType = 'i32' | 'f32' | 'v128'

/** The arguments that the emitter of an instruction takes, by the kind of its immediates. */
export interface Immediates {
  none: []
  memory: [offset?: number]
  lane: [lane: number]
  memoryLane: [lane: number, offset?: number]
  i32: [value: number]
  f32: [value: number]
  i32Lanes: readonly [all: number] | readonly [a: number, b: number, c: number, d: number]
  f32Lanes: readonly [all: number] | readonly [a: number, b: number, c: number, d: number]
  shuffle: [lanes: readonly number[]]
}

export type Immediate = keyof Immediates

export interface Op<Kind extends Immediate = Immediate> {
  readonly code: readonly number[]
  /** Operand types, the top of the stack last. */
  readonly inputs: readonly ValueType[]
  readonly outputs: readonly ValueType[]
  readonly immediate: Kind
  /** Memory accesses: log2 of the natural alignment in bytes. */
  readonly align: number
  /** Instructions that name a lane: how many lanes there are. */
  readonly lanes: number
}

function op<Kind extends Immediate>(
  code: number | readonly number[],
  inputs: readonly ValueType[],
  outputs: readonly ValueType[],
  immediate: Kind,
  details: { align?: number; lanes?: number } = {},
): Op<Kind> {
  const bytes = typeof code === 'number' ? [code] : code
  return { code: bytes, inputs, outputs, immediate, align: details.align ?? 0, lanes: details.lanes ?? 0 }
}

const simd = (code: number): readonly number[] => [0xfd, ...unsignedLeb(code)]
const plain = (
  code: number | readonly number[],
  inputs: readonly ValueType[],
  outputs: readonly ValueType[],
) => op(code, inputs, outputs, 'none')

const unary = (code: number, type: ValueType) => plain(code, [type], [type])
const binary = (code: number, type: ValueType) => plain(code, [type, type], [type])
const compare = (code: number, type: ValueType) => plain(code, [type, type], ['i32'])
const convert = (code: number | readonly number[], from: ValueType, to: ValueType) =>
  plain(code, [from], [to])
const load = (code: number | readonly number[], type: ValueType, align: number) =>
  op(code, ['i32'], [type], 'memory', { align })
const store = (code: number | readonly number[], type: ValueType, align: number) =>
  op(code, ['i32', type], [], 'memory', { align })

const vectorUnary = (code: number) => plain(simd(code), ['v128'], ['v128'])
const vectorBinary = (code: number) => plain(simd(code), ['v128', 'v128'], ['v128'])
const vectorShift = (code: number) => plain(simd(code), ['v128', 'i32'], ['v128'])
const splat = (code: number, lane: ValueType) => plain(simd(code), [lane], ['v128'])
const extractLane = (code: number, lane: ValueType, lanes: number) =>
  op(simd(code), ['v128'], [lane], 'lane', { lanes })
const replaceLane = (code: number, lane: ValueType, lanes: number) =>
  op(simd(code), ['v128', lane], ['v128'], 'lane', { lanes })
const loadLane = (code: number, align: number) =>
  op(simd(code), ['i32', 'v128'], ['v128'], 'memoryLane', { align, lanes: 16 >> align })
const storeLane = (code: number, align: number) =>
  op(simd(code), ['i32', 'v128'], [], 'memoryLane', { align, lanes: 16 >> align })

export const i32Ops = {
  const: op(0x41, [], ['i32'], 'i32'),
  load: load(0x28, 'i32', 2),
  store: store(0x36, 'i32', 2),
  eqz: convert(0x45, 'i32', 'i32'),
  eq: compare(0x46, 'i32'),
  ne: compare(0x47, 'i32'),
  ltS: compare(0x48, 'i32'),
  ltU: compare(0x49, 'i32'),
  gtS: compare(0x4a, 'i32'),
  gtU: compare(0x4b, 'i32'),
  leU: compare(0x4d, 'i32'),
  geU: compare(0x4f, 'i32'),
  add: binary(0x6a, 'i32'),
  sub: binary(0x6b, 'i32'),
  mul: binary(0x6c, 'i32'),
  divS: binary(0x6d, 'i32'),
  remS: binary(0x6f, 'i32'),
  and: binary(0x71, 'i32'),
  xor: binary(0x73, 'i32'),
  shl: binary(0x74, 'i32'),
  shrU: binary(0x76, 'i32'),
}

export const f32Ops = {
  const: op(0x43, [], ['f32'], 'f32'),
  load: load(0x2a, 'f32', 2),
  store: store(0x38, 'f32', 2),
  eq: compare(0x5b, 'f32'),
  lt: compare(0x5d, 'f32'),
  abs: unary(0x8b, 'f32'),
  neg: unary(0x8c, 'f32'),
  add: binary(0x92, 'f32'),
  sub: binary(0x93, 'f32'),
  mul: binary(0x94, 'f32'),
}

export const v128Ops = {
  load: load(simd(0), 'v128', 4),
  load32Splat: load(simd(9), 'v128', 2),
  load32Zero: load(simd(92), 'v128', 2),
  load32Lane: loadLane(86, 2),
  store: store(simd(11), 'v128', 4),
  store32Lane: storeLane(90, 2),
  not: vectorUnary(77),
  and: vectorBinary(78),
  or: vectorBinary(80),
  xor: vectorBinary(81),
  /** (a, b, mask) → bits of a where the mask is 1, of b where it is 0. */
  bitselect: plain(simd(82), ['v128', 'v128', 'v128'], ['v128']),
}

export const i8x16Ops = {
  /** Lane i of the result is lane lanes[i] of the 32 bytes (a, b). */
  shuffle: op(simd(13), ['v128', 'v128'], ['v128'], 'shuffle', { lanes: 32 }),
}

export const i32x4Ops = {
  /** `v128.const` of four integers, or of one in every lane. */
  const: op(simd(12), [], ['v128'], 'i32Lanes'),
  splat: splat(17, 'i32'),
  extractLane: extractLane(27, 'i32', 4),
  replaceLane: replaceLane(28, 'i32', 4),
  eq: vectorBinary(55),
  ltS: vectorBinary(57),
  leS: vectorBinary(61),
  abs: vectorUnary(160),
  neg: vectorUnary(161),
  shl: vectorShift(171),
  shrS: vectorShift(172),
  shrU: vectorShift(173),
  add: vectorBinary(174),
  sub: vectorBinary(177),
  mul: vectorBinary(181),
  minS: vectorBinary(182),
  maxS: vectorBinary(184),
  truncSatF32x4S: vectorUnary(248),
}

/** Products of 32-bit lanes, 64 bits wide: of lanes 0 and 1, of lanes 2 and 3. */
export const i64x2Ops = {
  extmulLowI32x4U: vectorBinary(222),
  extmulHighI32x4U: vectorBinary(223),
}

export const f32x4Ops = {
  /** `v128.const` of four floats, or of one in every lane. */
  const: op(simd(12), [], ['v128'], 'f32Lanes'),
  eq: vectorBinary(65),
  lt: vectorBinary(67),
  gt: vectorBinary(68),
  le: vectorBinary(69),
  floor: vectorUnary(104),
  abs: vectorUnary(224),
  neg: vectorUnary(225),
  sqrt: vectorUnary(227),
  add: vectorBinary(228),
  sub: vectorBinary(229),
  mul: vectorBinary(230),
  div: vectorBinary(231),
  min: vectorBinary(232),
  max: vectorBinary(233),
  /** (a, b) → b < a ? b : a, one instruction where `min` needs several for NaN and −0. */
  pmin: vectorBinary(234),
  /** (a, b) → a < b ? b : a */
  pmax: vectorBinary(235),
  convertI32x4S: vectorUnary(250),
}

/** Instructions of no group; `drop` and `select` take any type and live in the assembler. */
export const memoryCopy = plain([0xfc, 10, 0, 0], ['i32', 'i32', 'i32'], [])
export const memoryFill = plain([0xfc, 11, 0], ['i32', 'i32', 'i32'], [])
