/** Sizes and addresses as C: symbols and buffers are numbered, so that no name of the user's reaches the text. */
import type { Size } from '../../tensor/size.ts'
import type { Buffer, View } from '../program.ts'

/** Numbers the symbols and buffers of a program; at run time their values stand in `env`, symbols first. */
export class Names {
  readonly symbols: string[] = []
  readonly buffers: Buffer[] = []

  /** An expression of int64_t. */
  size({ terms }: Size): string {
    if (terms.length === 0) return '0'
    return `(${terms
      .map(({ coefficient, atoms }) =>
        [String(coefficient), ...atoms.map((atom) => this.#atom(atom))].join(' * '),
      )
      .join(' + ')})`
  }

  /** A local that holds a symbol's value. */
  symbol(name: string): string {
    return `s${indexIn(this.symbols, name)}`
  }

  #atom({ kind, name, operands }: Size['terms'][number]['atoms'][number]): string {
    if (kind === 'symbol') return this.symbol(name)
    const [a, b] = operands.map((operand) => this.size(operand)) as [string, string]
    return `${{ floorDiv: 'divided', min: 'least', max: 'greatest' }[kind]}(${a}, ${b})`
  }

  /** The address of a buffer's first element. */
  buffer(buffer: Buffer): string {
    return `at[${indexIn(this.buffers, buffer)}]`
  }

  /** Declares the symbols that a text reads. */
  declare(text: string): string {
    const read = new Set(text.match(/\bs\d+\b/g))
    return this.symbols.map((_, i) => (read.has(`s${i}`) ? `int64_t s${i} = env[${i}];\n` : '')).join('')
  }

  /** The address of a view's first element, without what loops add. */
  start(view: View): string {
    return `${this.buffer(view.buffer)} + ${this.size(view.offset)}`
  }
}

function indexIn<T>(list: T[], item: T): number {
  const known = list.indexOf(item)
  return known < 0 ? list.push(item) - 1 : known
}
