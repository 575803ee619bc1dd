/** Runs a program as native code: C, built by the machine's compiler and called through koffi. */
import { type Bindings, productOf, symbolsOf } from '../../tensor/size.ts'
import type { Arena } from '../arena.ts'
import { ArenaExecutable, type Engine, type Here } from '../arena-executable.ts'
import { prepare as prepared } from '../prepare.ts'
import type { Program } from '../program.ts'
import { ThreadedEngine } from '../threads/engine.ts'
import { split } from '../threads/split.ts'
import { warnOnce } from '../warn.ts'
import { build, compilerOf, NativeUnavailable } from './build.ts'
import { NativeCode } from './code.ts'
import { emitC } from './emit.ts'
import { joinProducts } from './join.ts'
import { KeepingExecutable } from './keeping.ts'
import { loadRun, type NativeRun } from './load.ts'
import { columnsOf, rowsOf, tileSource } from './tiles.ts'

/**
 * Builds a program for this machine; where that cannot be, a line says why, once, and there is none. With `keeps`, what
 * depends on inputs of fixed shapes alone is computed again only where one of them changes.
 */
export async function instantiateNative(
  lowered: (panel: number) => Program,
  threads: number | 'auto' | undefined,
  keeps = false,
): Promise<ArenaExecutable | undefined> {
  try {
    const { lanes } = await compilerOf()
    const panel = columnsOf(lanes)
    const lower = joinProducts(lowered(panel), panel)
    const constants = keeps ? fixedInputs(lower) : undefined
    const whole = constants === undefined ? lower : prepared(lower, constants)
    const program = threads === undefined ? whole : split(whole, { panel, tileRows: rowsOf(lanes) })
    const { source, names } = emitC(program, lanes)
    const file = await built(source, lanes)
    // Loaded here too: what cannot be loaded is found out before it runs.
    const run = loadRun(file)
    const code = new NativeCode(names, file)
    const prepare = threads === undefined && program.prepared ? loadRun(file, 'prepare') : undefined
    const engine =
      threads === undefined
        ? new HereEngine(code, run, prepare)
        : new ThreadedEngine(code, program.threads!, threads)
    return constants === undefined
      ? new ArenaExecutable(program, engine)
      : new KeepingExecutable(program, engine, constants)
  } catch (error) {
    if (!(error instanceof NativeUnavailable)) throw error
    warnOnce(`WebAssembly instead of native code: ${error.message}`)
    return undefined
  }
}

function fixedInputs({ inputs }: Program): Set<number> {
  return new Set(inputs.flatMap(({ shape }, i) => (symbolsOf(productOf(shape)).size === 0 ? i : [])))
}

/** The path of a program's code; the tile of matrix products is built once a machine. */
export async function built(source: string, lanes: number): Promise<string> {
  const tiles = await build({ text: tileSource(lanes), flags: ['-O3', '-ffp-contract=fast'], libraries: [] })
  const { isDirect } = await compilerOf()
  // What -O2 would add takes a quarter of the time more, and 1 % of a step's at most.
  const flags = ['-O1', '-fschedule-insns2', '-ffp-contract=off', ...(isDirect ? [] : ['-ftree-vectorize'])]
  return build({ text: source, flags, libraries: [tiles] })
}

/** On the caller's thread. */
export class HereEngine implements Engine {
  readonly backend = 'native'
  readonly begin: number
  readonly #code: NativeCode
  readonly #run: NativeRun
  readonly #prepare: NativeRun | undefined
  #isPrepared = false

  constructor(code: NativeCode, run: NativeRun, prepare?: NativeRun) {
    this.#code = code
    this.#run = run
    this.#prepare = prepare
    this.begin = code.tableBytes
  }

  buffer(): SharedArrayBuffer {
    return this.#code.buffer()
  }

  grow(bytes: number): void {
    this.#code.grow(bytes)
  }

  bind(arena: Arena, bindings: Bindings): void {
    this.#code.fill(0, arena, bindings)
    this.#isPrepared = false
  }

  /** An input has changed on which depends what was prepared. */
  changed(): void {
    this.#isPrepared = false
  }

  get here(): Here {
    const [words, run, prepare] = [this.#code.words, this.#run, this.#prepare]
    return { prepare: prepare && (() => prepare(words, 0)), run: () => run(words, 0) }
  }

  run(): void {
    if (!this.#isPrepared) this.#prepare?.(this.#code.words, 0)
    this.#isPrepared = true
    this.#run(this.#code.words, 0)
  }
}
