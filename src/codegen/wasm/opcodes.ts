/**
 * The instructions of WebAssembly (version 2, SIMD, no relaxed SIMD) as one table an operand type:
 * bytes, what is popped, what is pushed, and which immediates follow.
 * Source: WebAssembly core specification 2.0, "Index of Instructions".
 */
import { unsignedLeb } from './encoding.ts'

export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128'

/** The arguments that the emitter of an instruction takes, by the kind of its immediates. */
export interface Immediates {
  none: []
  memory: [offset?: number]
  lane: [lane: number]
  memoryLane: [lane: number, offset?: number]
  i32: [value: number]
  i64: [value: bigint]
  f32: [value: number]
  f64: [value: number]
  bytes: [lanes: Uint8Array | Int32Array | Float32Array]
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
const vectorTest = (code: number) => plain(simd(code), ['v128'], ['i32'])
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
  load8S: load(0x2c, 'i32', 0),
  load8U: load(0x2d, 'i32', 0),
  load16S: load(0x2e, 'i32', 1),
  load16U: load(0x2f, 'i32', 1),
  store: store(0x36, 'i32', 2),
  store8: store(0x3a, 'i32', 0),
  store16: store(0x3b, 'i32', 1),
  eqz: convert(0x45, 'i32', 'i32'),
  eq: compare(0x46, 'i32'),
  ne: compare(0x47, 'i32'),
  ltS: compare(0x48, 'i32'),
  ltU: compare(0x49, 'i32'),
  gtS: compare(0x4a, 'i32'),
  gtU: compare(0x4b, 'i32'),
  leS: compare(0x4c, 'i32'),
  leU: compare(0x4d, 'i32'),
  geS: compare(0x4e, 'i32'),
  geU: compare(0x4f, 'i32'),
  clz: unary(0x67, 'i32'),
  ctz: unary(0x68, 'i32'),
  popcnt: unary(0x69, 'i32'),
  add: binary(0x6a, 'i32'),
  sub: binary(0x6b, 'i32'),
  mul: binary(0x6c, 'i32'),
  divS: binary(0x6d, 'i32'),
  divU: binary(0x6e, 'i32'),
  remS: binary(0x6f, 'i32'),
  remU: binary(0x70, 'i32'),
  and: binary(0x71, 'i32'),
  or: binary(0x72, 'i32'),
  xor: binary(0x73, 'i32'),
  shl: binary(0x74, 'i32'),
  shrS: binary(0x75, 'i32'),
  shrU: binary(0x76, 'i32'),
  rotl: binary(0x77, 'i32'),
  rotr: binary(0x78, 'i32'),
  wrapI64: convert(0xa7, 'i64', 'i32'),
  reinterpretF32: convert(0xbc, 'f32', 'i32'),
  truncSatF32S: convert([0xfc, 0], 'f32', 'i32'),
  truncSatF32U: convert([0xfc, 1], 'f32', 'i32'),
  truncSatF64S: convert([0xfc, 2], 'f64', 'i32'),
}

export const i64Ops = {
  const: op(0x42, [], ['i64'], 'i64'),
  load: load(0x29, 'i64', 3),
  store: store(0x37, 'i64', 3),
  eqz: convert(0x50, 'i64', 'i32'),
  eq: compare(0x51, 'i64'),
  ne: compare(0x52, 'i64'),
  ltS: compare(0x53, 'i64'),
  ltU: compare(0x54, 'i64'),
  add: binary(0x7c, 'i64'),
  sub: binary(0x7d, 'i64'),
  mul: binary(0x7e, 'i64'),
  and: binary(0x83, 'i64'),
  or: binary(0x84, 'i64'),
  xor: binary(0x85, 'i64'),
  shl: binary(0x86, 'i64'),
  shrS: binary(0x87, 'i64'),
  shrU: binary(0x88, 'i64'),
  extendI32S: convert(0xac, 'i32', 'i64'),
  extendI32U: convert(0xad, 'i32', 'i64'),
  reinterpretF64: convert(0xbd, 'f64', 'i64'),
}

export const f32Ops = {
  const: op(0x43, [], ['f32'], 'f32'),
  load: load(0x2a, 'f32', 2),
  store: store(0x38, 'f32', 2),
  eq: compare(0x5b, 'f32'),
  ne: compare(0x5c, 'f32'),
  lt: compare(0x5d, 'f32'),
  gt: compare(0x5e, 'f32'),
  le: compare(0x5f, 'f32'),
  ge: compare(0x60, 'f32'),
  abs: unary(0x8b, 'f32'),
  neg: unary(0x8c, 'f32'),
  ceil: unary(0x8d, 'f32'),
  floor: unary(0x8e, 'f32'),
  trunc: unary(0x8f, 'f32'),
  nearest: unary(0x90, 'f32'),
  sqrt: unary(0x91, 'f32'),
  add: binary(0x92, 'f32'),
  sub: binary(0x93, 'f32'),
  mul: binary(0x94, 'f32'),
  div: binary(0x95, 'f32'),
  min: binary(0x96, 'f32'),
  max: binary(0x97, 'f32'),
  copysign: binary(0x98, 'f32'),
  convertI32S: convert(0xb2, 'i32', 'f32'),
  convertI32U: convert(0xb3, 'i32', 'f32'),
  demoteF64: convert(0xb6, 'f64', 'f32'),
  reinterpretI32: convert(0xbe, 'i32', 'f32'),
}

export const f64Ops = {
  const: op(0x44, [], ['f64'], 'f64'),
  load: load(0x2b, 'f64', 3),
  store: store(0x39, 'f64', 3),
  eq: compare(0x61, 'f64'),
  ne: compare(0x62, 'f64'),
  lt: compare(0x63, 'f64'),
  gt: compare(0x64, 'f64'),
  le: compare(0x65, 'f64'),
  ge: compare(0x66, 'f64'),
  abs: unary(0x99, 'f64'),
  neg: unary(0x9a, 'f64'),
  sqrt: unary(0x9f, 'f64'),
  add: binary(0xa0, 'f64'),
  sub: binary(0xa1, 'f64'),
  mul: binary(0xa2, 'f64'),
  div: binary(0xa3, 'f64'),
  min: binary(0xa4, 'f64'),
  max: binary(0xa5, 'f64'),
  convertI32S: convert(0xb7, 'i32', 'f64'),
  convertI32U: convert(0xb8, 'i32', 'f64'),
  promoteF32: convert(0xbb, 'f32', 'f64'),
  reinterpretI64: convert(0xbf, 'i64', 'f64'),
}

export const v128Ops = {
  const: op(simd(12), [], ['v128'], 'bytes'),
  load: load(simd(0), 'v128', 4),
  load8Splat: load(simd(7), 'v128', 0),
  load16Splat: load(simd(8), 'v128', 1),
  load32Splat: load(simd(9), 'v128', 2),
  load64Splat: load(simd(10), 'v128', 3),
  load32Zero: load(simd(92), 'v128', 2),
  load64Zero: load(simd(93), 'v128', 3),
  load32Lane: loadLane(86, 2),
  load64Lane: loadLane(87, 3),
  store: store(simd(11), 'v128', 4),
  store32Lane: storeLane(90, 2),
  store64Lane: storeLane(91, 3),
  not: vectorUnary(77),
  and: vectorBinary(78),
  /** a & ~b */
  andnot: vectorBinary(79),
  or: vectorBinary(80),
  xor: vectorBinary(81),
  /** (a, b, mask) → bits of a where the mask is 1, of b where it is 0. */
  bitselect: plain(simd(82), ['v128', 'v128', 'v128'], ['v128']),
  anyTrue: vectorTest(83),
}

export const i8x16Ops = {
  /** Lane i of the result is lane lanes[i] of the 32 bytes (a, b). */
  shuffle: op(simd(13), ['v128', 'v128'], ['v128'], 'shuffle', { lanes: 32 }),
  swizzle: vectorBinary(14),
  splat: splat(15, 'i32'),
}

export const i32x4Ops = {
  /** `v128.const` of four integers, or of one in every lane. */
  const: op(simd(12), [], ['v128'], 'i32Lanes'),
  splat: splat(17, 'i32'),
  extractLane: extractLane(27, 'i32', 4),
  replaceLane: replaceLane(28, 'i32', 4),
  eq: vectorBinary(55),
  ne: vectorBinary(56),
  ltS: vectorBinary(57),
  ltU: vectorBinary(58),
  gtS: vectorBinary(59),
  gtU: vectorBinary(60),
  leS: vectorBinary(61),
  leU: vectorBinary(62),
  geS: vectorBinary(63),
  geU: vectorBinary(64),
  abs: vectorUnary(160),
  neg: vectorUnary(161),
  allTrue: vectorTest(163),
  bitmask: vectorTest(164),
  shl: vectorShift(171),
  shrS: vectorShift(172),
  shrU: vectorShift(173),
  add: vectorBinary(174),
  sub: vectorBinary(177),
  mul: vectorBinary(181),
  minS: vectorBinary(182),
  minU: vectorBinary(183),
  maxS: vectorBinary(184),
  maxU: vectorBinary(185),
  truncSatF32x4S: vectorUnary(248),
  truncSatF32x4U: vectorUnary(249),
}

/** Products of 32-bit lanes, 64 bits wide: of lanes 0 and 1, of lanes 2 and 3. */
export const i64x2Ops = {
  extmulLowI32x4U: vectorBinary(222),
  extmulHighI32x4U: vectorBinary(223),
}

export const f32x4Ops = {
  /** `v128.const` of four floats, or of one in every lane. */
  const: op(simd(12), [], ['v128'], 'f32Lanes'),
  splat: splat(19, 'f32'),
  extractLane: extractLane(31, 'f32', 4),
  replaceLane: replaceLane(32, 'f32', 4),
  eq: vectorBinary(65),
  ne: vectorBinary(66),
  lt: vectorBinary(67),
  gt: vectorBinary(68),
  le: vectorBinary(69),
  ge: vectorBinary(70),
  ceil: vectorUnary(103),
  floor: vectorUnary(104),
  trunc: vectorUnary(105),
  nearest: vectorUnary(106),
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
  convertI32x4U: vectorUnary(251),
}

/** Instructions of no group; `drop` and `select` take any type and live in the assembler. */
export const memoryCopy = plain([0xfc, 10, 0, 0], ['i32', 'i32', 'i32'], [])
export const memoryFill = plain([0xfc, 11, 0], ['i32', 'i32', 'i32'], [])
