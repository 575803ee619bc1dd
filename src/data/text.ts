/**
 * Bytes of a file → text.
 * Enters: what a reader found, untrusted. Leaves: well-formed text without byte order mark, lines ended by "\n".
 */
import { requireChoice } from '../tensor/checks.ts'
import { ArgumentError, DataError } from '../tensor/errors.ts'

/** How bytes stand for characters: UTF-8, or one byte a character (ISO 8859-1), as in many old corpora. */
export type TextEncoding = 'utf-8' | 'latin1'

/**
 * Decodes strictly: nothing is guessed or replaced. A byte order mark is dropped; CRLF and CR become LF.
 *
 * @param name what error messages call the text, usually its path
 * @throws {DataError} when the text is empty, binary (holds zero bytes) or not UTF-8; names the offset of the first fault
 */
export function decodeText(bytes: Uint8Array, name: string, encoding: TextEncoding = 'utf-8'): string {
  if (!(bytes instanceof Uint8Array)) {
    throw new ArgumentError(`${name}: expected bytes in a Uint8Array; received ${typeof bytes}`)
  }
  requireChoice('decodeText', 'encoding', encoding, ['utf-8', 'latin1'])
  const zero = bytes.indexOf(0)
  if (zero >= 0) {
    throw new DataError(
      `${name}: expected plain text, but byte ${zero} is zero, as in binary files and UTF-16. ` +
        'Give a text file saved as UTF-8.',
    )
  }
  const text = encoding === 'utf-8' ? decodeUtf8(bytes, name) : decodeLatin1(bytes)
  if (text === '')
    throw new DataError(`${name}: expected text, but it is empty. Give a file with text in it.`)
  return text.replace(/\r\n?/g, '\n')
}

function decodeUtf8(bytes: Uint8Array, name: string): string {
  const fault = firstFault(bytes)
  if (fault < bytes.length) {
    throw new DataError(
      `${name}: expected UTF-8, but byte ${fault} (0x${bytes[fault]!.toString(16).padStart(2, '0')}) begins no valid ` +
        'character. Save the file as UTF-8, or convert it: iconv -f latin1 -t utf-8',
    )
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
}

/** Not by TextDecoder, whose "latin1" is windows-1252. */
function decodeLatin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')
}

/** Where the first malformed or unfinished character begins; the length when there is none. Unicode 15, table 3-7. */
function firstFault(bytes: Uint8Array): number {
  let start = 0
  while (start < bytes.length) {
    const lead = bytes[start]!
    const length = sequenceLength(lead)
    if (length === 0) return start
    // The second byte is what rules out overlong forms, surrogates and code points above U+10FFFF.
    let lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
    let highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
    for (let at = start + 1; at < start + length; at++) {
      const byte = bytes[at] ?? 0
      if (byte < lowest || byte > highest) return start
      lowest = 0x80
      highest = 0xbf
    }
    start += length
  }
  return bytes.length
}

/** The number of bytes of the character that `lead` begins; 0 when it begins none. */
function sequenceLength(lead: number): number {
  if (lead < 0x80) return 1
  if (lead < 0xc2 || lead > 0xf4) return 0
  return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
}
