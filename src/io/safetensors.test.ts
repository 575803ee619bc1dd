import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FormatError } from '../tensor/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { elementCount, tensor } from '../tensor/tensor.ts'
import { readSafetensors, writeSafetensors } from './safetensors.ts'

/** A file with this header and this data; `claimed` is the length it states. */
function fileOf(header: object | string | Uint8Array, data: Uint8Array = new Uint8Array(), claimed?: bigint) {
  const text = typeof header === 'string' || header instanceof Uint8Array ? header : JSON.stringify(header)
  const json = typeof text === 'string' ? new TextEncoder().encode(text) : text
  const length = new DataView(new ArrayBuffer(8))
  length.setBigUint64(0, claimed ?? BigInt(json.length), true)
  return Uint8Array.from([...new Uint8Array(length.buffer), ...json, ...data])
}

const entry = (shape: unknown, begin: unknown, end: unknown, dtype: unknown = 'F32') => ({
  dtype,
  shape,
  data_offsets: [begin, end],
})

/** Compared by bits, so that every NaN and -0 counts; i32 and bool are their own bits. */
const bitsOf = ({ data, shape, dtype }: Tensor) => ({ bits: [...new Int32Array(data.buffer)], shape, dtype })

const names = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'toString', '', '10', '2', 'a"\\:{', 'ß→😀'),
  fc.string({ unit: 'grapheme', maxLength: 6 }),
)
const tensors: fc.Arbitrary<Tensor> = fc
  .tuple(
    fc.array(fc.nat(4), { maxLength: 3 }),
    fc.constantFrom('f32', 'i32', 'bool'),
    fc.infiniteStream(fc.integer()),
  )
  .map(([shape, dtype, stream]) => {
    const bits = Int32Array.from(stream.take(elementCount(shape)), (value) =>
      dtype === 'bool' ? value & 1 : value,
    )
    return tensor(dtype === 'f32' ? new Float32Array(bits.buffer) : bits, shape, dtype)
  })
const named = fc.array(fc.tuple(names, tensors), { maxLength: 5 }).map((pairs) => new Map(pairs))
const texts = fc.dictionary(names, names, { maxKeys: 3 })

const sample = new Map([
  [
    'W',
    tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]),
  ],
  ['ids', tensor(Int32Array.of(7, -8))],
  ['mask', tensor(Int32Array.of(1, 0, 1), [3], 'bool')],
])
const sampleShapes = [[2, 3], [2], [3]]

/** Reads; a refusal must be a FormatError. What is accepted must hold as many elements as its shapes say. */
function readOrRefuse(bytes: Uint8Array): readonly Tensor[] | undefined {
  try {
    const read = [...readSafetensors(bytes).tensors.values()]
    for (const { data, shape } of read) expect(data.length).toBe(elementCount(shape))
    return read
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    return undefined
  }
}

describe('writing', () => {
  test('what is written is read again, bit for bit, from any place in memory', () => {
    fc.assert(
      fc.property(named, texts, fc.nat(9), (written, metadata, shift) => {
        const file = writeSafetensors(written, metadata)
        const shifted = new Uint8Array(file.length + shift)
        shifted.set(file, shift)
        const read = readSafetensors(shifted.subarray(shift))
        expect(read.tensors.size).toBe(written.size)
        for (const [name, value] of written) expect(bitsOf(read.tensors.get(name)!)).toEqual(bitsOf(value))
        expect(Object.entries(read.metadata).sort()).toEqual(Object.entries(metadata).sort())
        const reversed = Object.fromEntries(Object.entries(metadata).reverse())
        expect(writeSafetensors(new Map([...written].reverse()), reversed)).toEqual(file)
      }),
    )
  })

  test('a file is these bytes', () => {
    const file = writeSafetensors(
      new Map([
        ['m', sample.get('mask')!],
        ['i', sample.get('ids')!],
      ]),
      { k: 'v' },
    )
    const header =
      '{"__metadata__":{"k":"v"},"i":{"dtype":"I32","shape":[2],"data_offsets":[0,8]},' +
      '"m":{"dtype":"BOOL","shape":[3],"data_offsets":[8,11]}}'
    const data = Uint8Array.of(7, 0, 0, 0, 248, 255, 255, 255, 1, 0, 1)
    expect(file).toEqual(fileOf(header.padEnd(Math.ceil(header.length / 8) * 8), data))
  })

  test.each<[string, string, Tensor, Record<string, string>]>([
    ['a reserved name', '__metadata__', tensor([1]), {}],
    ['half a surrogate pair', '\ud800', tensor([1]), {}],
    ['half a surrogate pair in a text', 'a', tensor([1]), { k: '\udc00' }],
    ['a shape that does not hold the data', 'a', { data: Float32Array.of(1), shape: [2], dtype: 'f32' }, {}],
    ['data of another type', 'a', { data: Float32Array.of(1), shape: [1], dtype: 'i32' }, {}],
    ['a bool of 2', 'a', { data: Int32Array.of(2), shape: [1], dtype: 'bool' }, {}],
    ['metadata over 16 MiB', 'a', tensor([1]), { k: 'x'.repeat(2 ** 24) }],
  ])('refuses %s', (_, name, value, metadata) => {
    expect(() => writeSafetensors(new Map([[name, value]]), metadata)).toThrow(
      /__metadata__|pair|shape|Float32|bool|take/,
    )
  })
})

describe('reading', () => {
  test.each<[string, number[], number[]]>([
    [
      'F16',
      [0, 0x3c, 0, 0xc0, 1, 0, 0xff, 0x7b, 0, 0xfc, 0, 0x80],
      [1, -2, 2 ** -24, 65504, Number.NEGATIVE_INFINITY, -0],
    ],
    ['BF16', [0x80, 0x3f, 0x49, 0xc0], [1, -3.140625]],
    ['F64', [...new Uint8Array(Float64Array.of(0.1, 1 / 0).buffer)], [Math.fround(0.1), 1 / 0]],
    ['I64', [255, 255, 255, 127, 0, 0, 0, 0, 0, 0, 0, 128, 255, 255, 255, 255], [2 ** 31 - 1, -(2 ** 31)]],
    ['U8', [0, 255], [0, 255]],
  ])('converts %s', (dtype, data, expected) => {
    const header = { x: entry([expected.length], 0, data.length, dtype) }
    expect([...readSafetensors(fileOf(header, Uint8Array.from(data))).tensors.get('x')!.data]).toEqual(
      expected,
    )
  })

  test('refuses a file cut short at any length', () => {
    const file = writeSafetensors(sample, { made: 'by hand' })
    for (let length = 0; length < file.length; length++) {
      expect(() => readSafetensors(file.subarray(0, length))).toThrow(FormatError)
    }
  })

  test('any flipped bit is refused or leaves every shape', () => {
    const file = writeSafetensors(sample, { made: 'by hand' })
    for (let bit = 0; bit < file.length * 8; bit++) {
      const flipped = file.slice()
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      const read = readOrRefuse(flipped)
      if (read !== undefined) expect(read.map(({ shape }) => shape)).toEqual(sampleShapes)
    }
  })

  test('random damage is refused or harmless', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 })
    const check = (bytes: Uint8Array) => void readOrRefuse(bytes)
    fc.assert(
      fc.property(named, texts, damage, (written, metadata, edits) => {
        const file = writeSafetensors(written, metadata)
        for (const [at, byte] of edits) file[at % file.length] = byte
        check(file)
      }),
      { numRuns: 1000 },
    )
    fc.assert(fc.property(fc.json(), fc.uint8Array(), (json, data) => check(fileOf(json, data))))
  })

  const eight = new Uint8Array(8)
  const bytes = (...values: number[]) => Uint8Array.from(values)
  test.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(), /at least 8 bytes/],
    ['a header of 2^60 bytes', fileOf('{}', eight, 2n ** 60n), /1152921504606846976 bytes, but 10 bytes/],
    ['a header of 2^64 - 1 bytes', fileOf('{}', eight, 2n ** 64n - 1n), /18446744073709551615/],
    ['a header over 16 MiB', writeLarge(2 ** 24 + 8), /16777216 is the most/],
    ['no header', fileOf(''), /begin with/],
    ['a byte order mark', fileOf('\ufeff{}'), /begin with/],
    ['text that is not UTF-8', fileOf(bytes(0x7b, 0xff, 0x7d)), /UTF-8/],
    ['text that is not JSON', fileOf('{"a":[}'), /not JSON/],
    ['an array', fileOf('[]'), /begin with/],
    ['100,000 levels', fileOf(`{"a":${'['.repeat(100_000)}`), /too deep/],
    ['a tensor that is an array', fileOf({ a: [] }), /"a" is not an object/],
    ['metadata that is not text', fileOf({ __metadata__: { k: 1 } }), /not a string/],
    ['a key twice', fileOf('{"__metadata__":{"k":"1","\\u006b":"2"}}'), /stands twice/],
    ['an unknown field', fileOf({ a: { ...entry([2], 0, 8), code: '' } }, eight), /unknown field "code"/],
    ['a missing field', fileOf({ a: { dtype: 'F32', shape: [2] } }, eight), /data_offsets of "a"/],
    ['an unknown type', fileOf({ a: entry([2], 0, 8, 'F8_E4M3') }, eight), /"F8_E4M3".*F32, BF16/],
    ['a type called __proto__', fileOf({ a: entry([2], 0, 8, '__proto__') }, eight), /"__proto__"/],
    ['a negative size', fileOf({ a: entry([-2], 0, 8) }, eight), /stands -/],
    ['a size in fractions', fileOf({ a: entry([2.5], 0, 8) }, eight), /stands \./],
    ['a size that is text', fileOf({ a: entry(['2'], 0, 8) }, eight), /whole numbers/],
    [
      'a size past 2^53',
      fileOf(`{"a":${JSON.stringify(entry([1], 0, 8)).replace('[1]', '[9007199254740993]')}}`, eight),
      /whole/,
    ],
    ['a product of 2^64', fileOf({ a: entry([2 ** 32, 2 ** 32], 0, 0) }), /needs/],
    ['an infinite product', fileOf({ a: entry([...Array(30).fill(2 ** 50), 0], 0, 0) }), /needs NaN/],
    ['three offsets', fileOf({ a: { ...entry([2], 0, 8), data_offsets: [0, 8, 8] } }, eight), /begin, end/],
    ['offsets that run back', fileOf({ a: entry([0], 8, 0) }, eight), /begin, end/],
    ['a size that does not fit', fileOf({ a: entry([3], 0, 8) }, eight), /needs 12 bytes.*has 8/],
    ['offsets past the end', fileOf({ a: entry([4], 0, 16) }, eight), /take 16 bytes of data, but 8/],
    ['data that belongs to nothing', fileOf({ a: entry([1], 0, 4) }, eight), /take 4 bytes of data, but 8/],
    ['a hole', fileOf({ a: entry([1], 4, 8) }, eight), /"a" leaves a hole/],
    ['an overlap', fileOf({ a: entry([2], 0, 8), b: entry([1], 4, 8) }, eight), /"b" overlaps/],
    ['a bool of 2', fileOf({ a: entry([1], 0, 1, 'BOOL') }, bytes(2)), /holds 2 at element 0/],
    [
      'an I64 outside i32',
      fileOf({ a: entry([1], 0, 8, 'I64') }, bytes(0, 0, 0, 128, 0, 0, 0, 0)),
      /holds 2147483648/,
    ],
    [
      'an F64 outside f32',
      fileOf({ a: entry([1], 0, 8, 'F64') }, new Uint8Array(Float64Array.of(1e300).buffer)),
      /1e\+300/,
    ],
  ])('refuses %s', (_, file, message) => {
    expect(() => readSafetensors(file)).toThrow(FormatError)
    expect(() => readSafetensors(file)).toThrow(message)
  })

  test('files of other writers', ({ skip }) => {
    const folder = process.env.RECURRA_TEST_DATA ?? ''
    const files = existsSync(folder)
      ? readdirSync(folder).filter((file) => file.endsWith('.safetensors'))
      : []
    skip(files.length === 0, 'RECURRA_TEST_DATA names no folder with .safetensors files')
    for (const file of files) expect(readOrRefuse(readFileSync(join(folder, file))), file).toBeDefined()
  })
})

function writeLarge(headerBytes: number): Uint8Array {
  const file = new Uint8Array(8 + headerBytes).fill(32)
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true)
  return file
}
