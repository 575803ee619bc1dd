/** Sizes and addresses as C: symbols and buffers are numbered, so that no name of the user's reaches the text. */
import type { Size } from '../../tensor/size.ts'
import type { Buffer, View } from '../program.ts'

/** Sizes as C expressions of int64_t. */
export interface Sizes {
  size(size: Size): string
}

/** What stands for the parts of a size. */
interface Parts extends Sizes {
  symbol(name: string): string
  number(value: number): string
}

const CALLS = { floorDiv: 'divided', min: 'least', max: 'greatest' }

/** Numbers the symbols and buffers of a program; at run time their values stand in `env`, symbols first. */
export class Names implements Parts {
  readonly #symbols = new Map<string, number>()
  readonly #buffers = new Map<Buffer, number>()
  readonly #sizes = new Map<Size, string>()

  get symbols(): readonly string[] {
    return [...this.#symbols.keys()]
  }

  get buffers(): readonly Buffer[] {
    return [...this.#buffers.keys()]
  }

  size(size: Size): string {
    const known = this.#sizes.get(size)
    if (known !== undefined) return known
    const text = printed(size, this)
    this.#sizes.set(size, text)
    return text
  }

  /** A local that holds a symbol's value. */
  symbol(name: string): string {
    return `s${indexIn(this.#symbols, name)}`
  }

  /** The address of a buffer's first element. */
  buffer(buffer: Buffer): string {
    return `at[${indexIn(this.#buffers, buffer)}]`
  }

  number(value: number): string {
    return String(value)
  }

  /** Declares all symbols. */
  declare(): string {
    return declared([...this.#symbols.values()].map((i) => `s${i}`))
  }

  /** The address of a view's first element, without what loops add. */
  start(view: View): string {
    const offset = this.size(view.offset)
    return offset === '0' ? this.buffer(view.buffer) : `${this.buffer(view.buffer)} + ${offset}`
  }
}

/** The sizes of one kernel. Numbers have names, so that the texts of kernels that differ in nothing else are equal. */
export class KernelSizes implements Parts {
  /** Of `n0`, `n1` …; 0 and 1 stand for themselves. */
  readonly numbers: number[] = []
  readonly #names: Names
  readonly #read = new Set<string>()
  readonly #sizes = new Map<Size, string>()

  constructor(names: Names) {
    this.#names = names
  }

  size(size: Size): string {
    const known = this.#sizes.get(size)
    if (known !== undefined) return known
    const text = printed(size, this)
    this.#sizes.set(size, text)
    return text
  }

  /** Declares the symbols that were read. */
  declare(): string {
    return declared([...this.#read])
  }

  symbol(name: string): string {
    const local = this.#names.symbol(name)
    this.#read.add(local)
    return local
  }

  number(number: number): string {
    if (number === 0 || number === 1) return String(number)
    const known = this.numbers.indexOf(number)
    return `n${known < 0 ? this.numbers.push(number) - 1 : known}`
  }
}

function printed({ terms }: Size, parts: Parts): string {
  if (terms.length === 0) return '0'
  let text = ''
  for (const { coefficient, atoms } of terms) {
    let product = coefficient === 1 && atoms.length > 0 ? '' : parts.number(coefficient)
    for (const { kind, name, operands } of atoms) {
      if (product !== '') product += ' * '
      if (kind === 'symbol') product += parts.symbol(name)
      else product += `${CALLS[kind]}(${parts.size(operands[0]!)}, ${parts.size(operands[1]!)})`
    }
    text += text === '' ? product : ` + ${product}`
  }
  const [only] = terms
  const isWord =
    terms.length === 1 &&
    (only!.atoms.length === 0 ? only!.coefficient >= 0 : only!.coefficient === 1 && only!.atoms.length === 1)
  return isWord ? text : `(${text})`
}

function declared(locals: readonly string[]): string {
  return locals.map((local) => `int64_t ${local} = env[${local.slice(1)}];\n`).join('')
}

function indexIn<T>(map: Map<T, number>, item: T): number {
  const known = map.get(item)
  if (known !== undefined) return known
  map.set(item, map.size)
  return map.size - 1
}
