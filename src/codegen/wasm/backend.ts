/** Runs an emitted module. No `eval`: bytes are compiled by the engine's own WebAssembly. */
import { RecurraError } from '../../tensor/errors.ts'
import type { Bindings } from '../../tensor/size.ts'
import type { Arena } from '../arena.ts'
import { ArenaExecutable, type Engine, type Here } from '../arena-executable.ts'
import type { Program } from '../program.ts'
import { emitWasm } from './emit.ts'
import type { SizeTable } from './table.ts'

const PAGE = 65536

/** Compiles a program for this engine. */
export async function instantiate(program: Program): Promise<ArenaExecutable> {
  const { bytes, table } = await emitWasm(program)
  const memory = new WebAssembly.Memory({ initial: 1 })
  const { instance } = await WebAssembly.instantiate(bytes, { host: { memory } })
  return new ArenaExecutable(program, new WasmEngine(table, memory, instance.exports as unknown as Here))
}

export class WasmEngine implements Engine {
  readonly backend = 'wasm'
  readonly run: () => void
  readonly here: Here
  readonly #table: SizeTable
  readonly #memory: WebAssembly.Memory

  constructor(table: SizeTable, memory: WebAssembly.Memory, functions: Here) {
    this.#table = table
    this.#memory = memory
    this.run = functions.run
    this.here = functions
  }

  get begin(): number {
    return this.#table.end
  }

  buffer(): ArrayBuffer {
    return this.#memory.buffer
  }

  grow(bytes: number): void {
    grow(this.#memory, bytes)
  }

  bind(arena: Arena, bindings: Bindings): void {
    this.#table.fill(this.#memory.buffer, 0, arena, bindings)
  }
}

/** Makes room for so many bytes. */
export function grow(memory: WebAssembly.Memory, bytes: number): void {
  const missing = bytes - memory.buffer.byteLength
  if (missing <= 0) return
  try {
    memory.grow(Math.ceil(missing / PAGE))
  } catch (cause) {
    throw new RecurraError(
      'memory',
      `a step of these sizes needs ${Math.ceil(bytes / 2 ** 20)} MiB, more than this engine gives; ` +
        'use a smaller batch or shorter windows',
      { cause },
    )
  }
}
