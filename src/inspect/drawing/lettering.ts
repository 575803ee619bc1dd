/** Text in a picture: how wide it is at most in the fonts that browsers take, and how it is written in XML. */

const NARROW = /^[\sijltfrI.,:;'|!()[\]/\\-]$/
const WIDE = /^[mwMW@%→]$/

/** Of the font's size: of DejaVu Sans, which is wider than what most systems have. */
function advance(character: string): number {
  if (NARROW.test(character)) return 0.42
  if (WIDE.test(character)) return 1
  if (/^\p{M}$/u.test(character)) return 0
  if (character.codePointAt(0)! > 0x2fff) return 1.1
  return /^[A-Z]$/.test(character) ? 0.73 : 0.65
}

export function widthOf(text: string, size: number): number {
  return Math.ceil(size * [...text].reduce((sum, character) => sum + advance(character), 0))
}

/** The text, or its beginning and … where it is wider. */
export function fitted(text: string, size: number, width: number): string {
  if (widthOf(text, size) <= width) return text
  const all = [...text]
  while (all.length > 0 && widthOf(`${all.join('')}…`, size) > width) all.pop()
  return `${all.join('')}…`
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** For text and for attributes in double quotes; what XML cannot hold becomes �. */
export function escaped(text: string): string {
  return text
    .replace(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '\u{FFFD}')
    .replace(/[&<>"]/g, (character) => ENTITIES[character]!)
}
