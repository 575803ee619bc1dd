/** A built program and the memory it runs over. */
import { RecurraError } from '../../tensor/errors.ts'
import type { Bindings } from '../../tensor/size.ts'
import type { Arena } from '../arena.ts'
import type { ThreadedCode } from '../threads/engine.ts'
import type { Code } from '../threads/protocol.ts'
import { machineBytes } from './build.ts'
import { loadRun } from './load.ts'
import type { Names } from './names.ts'

/** Elements that a typed array can have. */
const MOST_WORDS = 2 ** 32 - 1

export class NativeCode implements ThreadedCode {
  readonly backend = 'native'
  readonly tableBytes: number
  readonly #names: Names
  readonly #file: string
  #code: Code
  /** All of the memory; workers see the same. */
  words = new Float32Array(new SharedArrayBuffer(0))

  /** @param more words behind a table, for the code's own use */
  constructor(names: Names, file: string, more = 0) {
    this.#names = names
    this.#file = file
    this.#code = { kind: 'native', file, memory: this.buffer() }
    this.tableBytes = Math.ceil((names.symbols.length + names.buffers.length + more) / 8) * 64
  }

  code(): Code {
    return this.#code
  }

  async here(table: number): Promise<() => number> {
    const run = loadRun(this.#file)
    return () => run(this.words, table)
  }

  buffer(): SharedArrayBuffer {
    return this.words.buffer
  }

  grow(bytes: number): void {
    if (bytes <= this.words.byteLength) return
    const count = Math.ceil(bytes / 4)
    let words: typeof this.words
    try {
      if (bytes > machineBytes() || count > MOST_WORDS) throw new RangeError('that is more than there can be')
      words = new Float32Array(new SharedArrayBuffer(4 * count))
    } catch (cause) {
      throw new RecurraError(
        'memory',
        `a step of these sizes needs ${Math.ceil(bytes / 2 ** 20)} MiB, more than there is; ` +
          'use a smaller batch or shorter windows',
        { cause },
      )
    }
    words.set(this.words)
    this.words = words
    this.#code = { kind: 'native', file: this.#file, memory: words.buffer }
  }

  /** Symbols first, then where buffers begin. */
  fill(at: number, { addresses }: Arena, bindings: Bindings): void {
    const { symbols, buffers } = this.#names
    const table = new BigInt64Array(this.buffer(), at, symbols.length + buffers.length)
    for (const [i, name] of symbols.entries()) table[i] = BigInt(bindings.get(name)!)
    for (const [i, buffer] of buffers.entries()) table[symbols.length + i] = BigInt(addresses.get(buffer)!)
  }
}
