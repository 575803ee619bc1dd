import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeText, holdOut, Vocabulary } from './index.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text)
const isUtf8 = (bytes: Uint8Array) => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes) !== undefined
  } catch {
    return false
  }
}
const faultIn = (bytes: Uint8Array) => {
  try {
    decodeText(bytes, 'x')
    return undefined
  } catch (error) {
    return Number(/UTF-8, but byte (\d+)/.exec((error as Error).message)![1])
  }
}

test('decoding drops the byte order mark and mends line ends', () => {
  expect(decodeText(bytesOf('\uFEFFa\r\nb\rc\n\r\u{1F600}'), 'x')).toBe('a\nb\nc\n\n\u{1F600}')
  expect(decodeText(Uint8Array.of(0x43, 0xe6, 0x73, 0x0d, 0x92), 'x', 'latin1')).toBe('C\u00E6s\n\u0092')
})

test('the offset is that of the first malformed character', () => {
  const piece = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 2 }).map((text) => [...bytesOf(text)]),
    },
    // The bytes at which the rules for the second byte change.
    fc.subarray([0xe0, 0x9f, 0xed, 0xa0, 0xf0, 0x8f, 0xf4, 0x90, 0xc1, 0xf5, 0xbf, 0x80], { maxLength: 4 }),
  )
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const bytes = Uint8Array.from([0x61, ...pieces.flat()], (byte) => byte || 0x20)
      const fault = faultIn(bytes)
      expect(fault === undefined).toBe(isUtf8(bytes))
      if (fault === undefined) return
      expect(isUtf8(bytes.slice(0, fault))).toBe(true)
      for (let end = fault + 1; end <= fault + 4; end++) expect(isUtf8(bytes.slice(0, end))).toBe(false)
    }),
    { numRuns: 1000 },
  )
})

test('a vocabulary is in code point order and gives texts back', () => {
  // In UTF-16 order the emoji would stand before U+FF21.
  expect(Vocabulary.of('b\u{1F600}a\uFF21\nb').characters).toEqual(['\n', 'a', 'b', '\uFF21', '\u{1F600}'])
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1 }), (text) => {
      const vocabulary = Vocabulary.of(text)
      const ids = vocabulary.encode(text)
      expect(ids.length).toBe(Array.from(text).length)
      expect(vocabulary.decode(ids)).toBe(text)
      expect(Vocabulary.from(vocabulary.characters).encode(text)).toEqual(ids)
    }),
  )
  expect([...Vocabulary.of('ab').encode('\u{1F600}b', { unknown: 0 })]).toEqual([0, 1])
})

test('the end of each document is held out', () => {
  const documents = [Int32Array.of(0, 1, 2, 3), Int32Array.of(4, 5), Int32Array.of(6, 7, 8, 9)]
  const { train, heldOut } = holdOut(documents, 0.25)
  expect([...train]).toEqual([0, 1, 2, 4, 6, 7, 8])
  expect([...heldOut]).toEqual([3, 5, 9])
})
