/** Runs a program as native code: C, built by the machine's compiler and called through koffi. */
import { RecurraError } from '../../tensor/errors.ts'
import type { Bindings } from '../../tensor/size.ts'
import type { Arena } from '../arena.ts'
import { ArenaExecutable, type Engine, type Here } from '../arena-executable.ts'
import type { Program } from '../program.ts'
import { build, compilerOf, machineBytes, NativeUnavailable, requireOptional } from './build.ts'
import { emitC } from './emit.ts'
import type { Names } from './names.ts'
import { columnsOf, tileSource } from './tiles.ts'

/** Reasons that were told. */
const told = new Set<string>()

/** Builds a program for this machine; where that cannot be, a line says why, once, and there is none. */
export async function instantiateNative(
  lowered: (panel: number) => Program,
): Promise<ArenaExecutable | undefined> {
  try {
    const koffi = requireOptional('koffi') as Koffi
    const { lanes } = await compilerOf()
    const program = lowered(columnsOf(lanes))
    const { source, names } = emitC(program, lanes)
    const tiles = await build({
      text: tileSource(lanes),
      flags: ['-O3', '-ffp-contract=fast'],
      libraries: [],
    })
    const file = await build({ text: source, flags: ['-O2', '-ffp-contract=off'], libraries: [tiles] })
    const prepare = program.prepared ? load(koffi, file, 'prepare') : undefined
    return new ArenaExecutable(program, new NativeEngine(names, load(koffi, file, 'run'), prepare))
  } catch (error) {
    if (!(error instanceof NativeUnavailable)) throw error
    if (!told.has(error.message))
      console.warn(`recurra: WebAssembly instead of native code: ${error.message}`)
    told.add(error.message)
    return undefined
  }
}

/** @throws {NativeUnavailable} for a file that holds no program of this machine */
function load(koffi: Koffi, file: string, name: string): NativeRun {
  try {
    return koffi.load(file).func(`void ${name}(void *base, void *env)`) as NativeRun
  } catch (error) {
    throw new NativeUnavailable(`${file} cannot be loaded: ${error instanceof Error ? error.message : error}`)
  }
}

/** What is used of koffi. */
interface Koffi {
  load(file: string): { func(declaration: string): unknown }
}

interface NativeRun {
  /** Runs here. */
  (base: Uint8Array, env: BigInt64Array): void
  /** Runs on another thread, and calls back. */
  async(base: Uint8Array, env: BigInt64Array, done: (error: Error | null) => void): void
}

class NativeEngine implements Engine {
  readonly backend = 'native'
  readonly begin = 0
  readonly #names: Names
  readonly #run: NativeRun
  readonly #prepare: NativeRun | undefined
  readonly #env: BigInt64Array
  #memory = new ArrayBuffer(0)

  constructor(names: Names, run: NativeRun, prepare: NativeRun | undefined) {
    this.#names = names
    this.#run = run
    this.#prepare = prepare
    this.#env = new BigInt64Array(names.symbols.length + names.buffers.length)
  }

  buffer(): ArrayBuffer {
    return this.#memory
  }

  grow(bytes: number): void {
    if (bytes <= this.#memory.byteLength) return
    let memory: ArrayBuffer
    try {
      if (bytes > machineBytes())
        throw new RangeError(`this machine has ${Math.floor(machineBytes() / 2 ** 20)} MiB`)
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

  get here(): Here {
    const [memory, env, run, prepare] = [new Uint8Array(this.#memory), this.#env, this.#run, this.#prepare]
    return { prepare: prepare && (() => prepare(memory, env)), run: () => run(memory, env) }
  }

  run(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#run.async(new Uint8Array(this.#memory), this.#env, (error) => (error ? reject(error) : resolve()))
    })
  }
}
