/** Runs a program as native code: C, built by the machine's compiler and called through koffi. */
import { RecurraError } from '../../tensor/errors.ts'
import type { Bindings } from '../../tensor/size.ts'
import type { Arena } from '../arena.ts'
import { ArenaExecutable, type Engine, type Here } from '../arena-executable.ts'
import type { Executable } from '../executable.ts'
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
): Promise<Executable | undefined> {
  const built = await buildNative(lowered)
  return built && new ArenaExecutable(built.program, built.engine)
}

export async function buildNative(
  lowered: (panel: number) => Program,
): Promise<{ readonly program: Program; readonly engine: Engine } | undefined> {
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
    return {
      program,
      engine: new NativeEngine(names, koffi, load(koffi, file, 'run'), prepareOf(koffi, file, program)),
    }
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

const prepareOf = (koffi: Koffi, file: string, { prepared = 0 }: Program) =>
  prepared > 0 ? load(koffi, file, 'prepare') : undefined

/** What is used of koffi. */
interface Koffi {
  load(file: string): { func(declaration: string): unknown }
  address(memory: ArrayBufferView): bigint
}

interface NativeRun {
  /** Runs here, on memory at these addresses. */
  (base: bigint, env: bigint): void
  /** Runs on another thread, and calls back. */
  async(base: Uint8Array, env: BigInt64Array, done: (error: Error | null) => void): void
}

class NativeEngine implements Engine {
  readonly backend = 'native'
  readonly begin = 0
  readonly #names: Names
  readonly #koffi: Koffi
  readonly #run: NativeRun
  readonly #prepare: NativeRun | undefined
  readonly #env: BigInt64Array
  #memory = new ArrayBuffer(0)

  constructor(names: Names, koffi: Koffi, run: NativeRun, prepare: NativeRun | undefined) {
    this.#names = names
    this.#koffi = koffi
    this.#run = run
    this.#prepare = prepare
    // In a buffer of its own, which is never moved.
    this.#env = new BigInt64Array(new ArrayBuffer(8 * (names.symbols.length + names.buffers.length)))
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

  here(): Here {
    const [memory, env] = [new Uint8Array(this.#memory), this.#env]
    const [base, sizes] = [memory, env].map((each) => this.#koffi.address(each)) as [bigint, bigint]
    const [run, prepare] = [this.#run, this.#prepare]
    // Addresses keep nothing alive: the closures do, holding what they name.
    const held = {
      memory,
      env,
      run: () => run(base, sizes),
      prepare: prepare && (() => prepare(base, sizes)),
    }
    return held
  }

  run(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#run.async(new Uint8Array(this.#memory), this.#env, (error) => (error ? reject(error) : resolve()))
    })
  }
}
