/**
 * Text for terminals: what of it may be shown, how wide it is, and an area that is redrawn in place.
 * Widths are in columns; a line is text without line ends or escape sequences.
 */

/** What a model or a file says may hold escape sequences: controls become visible, tabs a space. */
export function printable(text: string): string {
  return text.replaceAll('\t', ' ').replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => {
    return character === '\n' ? '\n' : '\u{FFFD}'
  })
}

const none = /\p{Mn}|\p{Me}/u
const double =
  /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Emoji_Presentation}|[\u3000-\u303E\uFF01-\uFF60]/u

/** Columns of one character: near enough to what terminals do. */
function widthOf(character: string): number {
  if (character < '\u0300') return 1
  return none.test(character) ? 0 : double.test(character) ? 2 : 1
}

function width(line: string): number {
  return Array.from(line).reduce((sum, character) => sum + widthOf(character), 0)
}

/** Cuts texts into lines of at most `columns`, between words where it can. */
export function wrap(text: string, columns: number): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines: string[] = []
    let line = ''
    for (const word of paragraph.split(/(?<= )/)) {
      if (line !== '' && width(line) + width(word.trimEnd()) > columns) {
        lines.push(line.trimEnd())
        line = ''
      }
      for (const character of word) {
        if (width(line) + widthOf(character) > columns && character !== ' ') {
          lines.push(line)
          line = ''
        }
        line += character
      }
    }
    return [...lines, line.trimEnd()]
  })
}

/** Puts pieces side by side, `gap` between them, on as few lines as they need. */
export function flow(pieces: readonly string[], columns: number, gap = '   '): string[] {
  const lines: string[] = []
  for (const piece of pieces) {
    const longer = `${lines.at(-1)}${gap}${piece}`
    if (lines.length > 0 && width(longer) <= columns) lines[lines.length - 1] = longer
    else lines.push(...wrap(piece, columns))
  }
  return lines
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they begin an escape sequence
const escapes = /\u001B\[[\d;]*m/g

const HIDE = '\u001B[?25l'
const SHOW = '\u001B[?25h'

/** Lines at the end of a terminal's output that are drawn over again. The cursor is hidden until `close`. */
export class LiveArea {
  readonly #stream: NodeJS.WriteStream
  #widths: number[] = []
  #open = false
  readonly #restore = () => this.#stream.write(SHOW)

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
  }

  /** @param lines not wider than the terminal; colors are not counted */
  draw(lines: readonly string[]): void {
    if (!this.#open) {
      this.#open = true
      process.on('exit', this.#restore)
    }
    this.#stream.write(`${HIDE}${this.#back()}${lines.map((line) => `${line}\u001B[K\n`).join('')}\u001B[J`)
    this.#widths = lines.map((line) => width(line.replace(escapes, '')))
  }

  /** Leaves the lines as they are and gives the cursor back. */
  close(): void {
    if (!this.#open) return
    this.#open = false
    this.#widths = []
    process.off('exit', this.#restore)
    this.#restore()
  }

  /** To the first line. A terminal that became narrower has broken the wider ones. */
  #back(): string {
    const columns = Math.max(1, this.#stream.columns)
    const rows = this.#widths.reduce((sum, each) => sum + Math.max(1, Math.ceil(each / columns)), 0)
    return rows === 0 ? '\r' : `\r\u001B[${rows}A`
  }
}
