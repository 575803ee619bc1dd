/** WebAssembly on the workers of the pool, over shared memory. */
import type { Bindings } from '../../tensor/size.ts'
import type { Arena } from '../arena.ts'
import { ArenaExecutable } from '../arena-executable.ts'
import type { Executable } from '../executable.ts'
import { PANEL, type Program } from '../program.ts'
import { type ThreadedCode, ThreadedEngine } from '../threads/engine.ts'
import { ThreadsUnavailable } from '../threads/pool.ts'
import type { Code } from '../threads/protocol.ts'
import { split } from '../threads/split.ts'
import { warnOnce } from '../warn.ts'
import { grow } from './backend.ts'
import { emitWasm, MOST_PAGES } from './emit.ts'
import { ROWS } from './matmul.ts'
import type { SizeTable } from './table.ts'
import { emitPhases } from './wait.ts'

/** Undefined where there is no shared memory, or are no workers; a line says why, once. */
export async function instantiateThreaded(
  whole: Program,
  threads: number | 'auto',
): Promise<Executable | undefined> {
  const program = split(whole, { panel: PANEL, tileRows: ROWS })
  const { bytes, table } = await emitWasm(program, emitPhases)
  try {
    const code = new SharedWasm(await WebAssembly.compile(bytes), table)
    return new ArenaExecutable(program, new ThreadedEngine(code, program.threads!, threads))
  } catch (error) {
    if (!(error instanceof ThreadsUnavailable)) throw error
    warnOnce(`one thread: ${error.message}`)
    return undefined
  }
}

class SharedWasm implements ThreadedCode {
  readonly backend = 'wasm'
  readonly tableBytes: number
  readonly #code: Code
  readonly #module: WebAssembly.Module
  readonly #table: SizeTable
  readonly #memory: WebAssembly.Memory

  constructor(module: WebAssembly.Module, table: SizeTable) {
    this.#table = table
    this.tableBytes = Math.ceil(table.end / 64) * 64
    try {
      this.#memory = new WebAssembly.Memory({ initial: 1, maximum: MOST_PAGES, shared: true })
    } catch (error) {
      throw new ThreadsUnavailable(error instanceof Error ? error.message : String(error))
    }
    this.#module = module
    this.#code = { kind: 'wasm', module, memory: this.#memory }
  }

  code(): Code {
    return this.#code
  }

  async here(table: number): Promise<() => unknown> {
    const { exports } = await WebAssembly.instantiate(this.#module, { host: { memory: this.#memory, table } })
    return exports['run'] as () => unknown
  }

  buffer(): SharedArrayBuffer {
    return this.#memory.buffer as unknown as SharedArrayBuffer
  }

  grow(bytes: number): void {
    grow(this.#memory, bytes)
  }

  fill(at: number, arena: Arena, bindings: Bindings): void {
    this.#table.fill(this.buffer(), at, arena, bindings)
  }
}
