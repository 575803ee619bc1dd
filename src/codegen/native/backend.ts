/** Runs a program as native code: C, built by the machine's compiler and called through koffi. */
import { RecurraError } from '../../tensor/errors.ts'
import type { Bindings } from '../../tensor/size.ts'
import type { Arena } from '../arena.ts'
import { ArenaExecutable, type Engine } from '../arena-executable.ts'
import type { Executable } from '../executable.ts'
import type { Program } from '../program.ts'
import { build, compilerOf, NativeUnavailable } from './build.ts'
import { emitC } from './emit.ts'
import type { Names } from './names.ts'
import { columnsOf, tileSource } from './tiles.ts'

/** Columns of the panels that the tile of this machine takes. @throws {NativeUnavailable} */
export function panelColumns(): number {
  return columnsOf(compilerOf().lanes)
}

/** Builds a program for this machine. @throws {NativeUnavailable} */
export async function instantiateNative(program: Program): Promise<Executable> {
  const koffi = await loadKoffi()
  const { lanes } = compilerOf()
  const { source, names } = emitC(program, lanes)
  const tiles = build(tileSource(lanes), ['-ffp-contract=fast'])
  const file = build(source, ['-ffp-contract=off'], [tiles])
  const run = koffi.load(file).func('void run(void *base, void *env)') as (
    base: Uint8Array,
    env: BigInt64Array,
  ) => void
  return new ArenaExecutable(program, new NativeEngine(names, run))
}

type Koffi = Pick<typeof import('koffi'), 'load'>

async function loadKoffi(): Promise<Koffi> {
  try {
    return (await import('koffi')).default
  } catch (error) {
    throw new NativeUnavailable(`koffi cannot be loaded: ${error instanceof Error ? error.message : error}`)
  }
}

class NativeEngine implements Engine {
  readonly begin = 0
  readonly #names: Names
  readonly #run: (base: Uint8Array, env: BigInt64Array) => void
  readonly #env: BigInt64Array
  #memory = new ArrayBuffer(0)

  constructor(names: Names, run: (base: Uint8Array, env: BigInt64Array) => void) {
    this.#names = names
    this.#run = run
    this.#env = new BigInt64Array(names.symbols.length + names.buffers.length)
  }

  buffer(): ArrayBuffer {
    return this.#memory
  }

  grow(bytes: number): void {
    if (bytes <= this.#memory.byteLength) return
    let memory: ArrayBuffer
    try {
      memory = new ArrayBuffer(bytes)
    } catch (cause) {
      throw new RecurraError(
        'memory',
        `a step of these sizes needs ${Math.ceil(bytes / 2 ** 20)} MiB, more than there is; ` +
          'use a smaller batch or shorter windows',
        { cause },
      )
    }
    new Uint8Array(memory).set(new Uint8Array(this.#memory))
    this.#memory = memory
  }

  bind({ addresses }: Arena, bindings: Bindings): void {
    const { symbols, buffers } = this.#names
    for (const [i, name] of symbols.entries()) this.#env[i] = BigInt(bindings.get(name)!)
    for (const [i, buffer] of buffers.entries())
      this.#env[symbols.length + i] = BigInt(addresses.get(buffer)!)
  }

  run(): void {
    this.#run(new Uint8Array(this.#memory), this.#env)
  }
}
