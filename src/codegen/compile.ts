/** From a graph to something that runs. The order of everything: PASSES, then lower (fuse, layout), plan, emit. */
import type { Graph } from '../graph/node.ts'
import { brought } from '../passes/lift.ts'
import { movesRows, packsRows } from '../passes/scans.ts'
import { requireChoice, requireInteger } from '../tensor/checks.ts'
import { type Bindings, constantOf } from '../tensor/size.ts'
import type { Executable } from './executable.ts'
import { lower } from './lower.ts'
import { runPasses } from './passes.ts'
import { type Program, WIDE } from './program.ts'
import { instantiate } from './wasm/backend.ts'

/**
 * `native` is C, built by the machine's compiler; where that cannot be, a warning says why and WebAssembly runs. `wasm` runs
 * everywhere; `interpret` is the f64 oracle. `auto` decides by the sizes of a call: see auto.ts.
 */
export const BACKENDS = ['auto', 'native', 'wasm', 'interpret'] as const
export type Backend = (typeof BACKENDS)[number]

export interface CompileOptions extends Partial<Place> {
  /** Outputs that take the place of inputs: output number → input number. The next call finds them there. */
  readonly donate?: ReadonlyMap<number, number>
  /** Inputs of fixed shapes mostly stay as they are from call to call: natively, what depends on them alone is kept. */
  readonly keeps?: boolean | undefined
  /** Check the graph's validity after each pass. */
  readonly verify?: boolean
}

/** Where calls run. */
export interface Place {
  readonly backend: Exclude<Backend, 'auto'>
  /** On workers, so that the caller's thread never stands still: on so many, or on as many as are seen to pay. Default: here. */
  readonly threads?: number | 'auto' | undefined
}

/** What a caller asks for. */
export interface PlaceOptions {
  /** Default: 'auto'. */
  readonly backend?: Backend | undefined
  /** Default: as many as are seen to pay. */
  readonly threads?: number | undefined
}

/** Where calls of these sizes run; `calls`: how many there are to be at least. */
export async function placeFor(
  graph: Graph,
  options: PlaceOptions,
  sizes: Bindings,
  calls = 1,
): Promise<Place> {
  const { backend = 'auto', threads } = options
  requireChoice('compile', 'backend', backend, BACKENDS)
  if (threads !== undefined) requireInteger('compile', 'threads', threads, 1)
  if (backend === 'interpret') return { backend }
  const isNode = globalThis.process?.versions?.node !== undefined
  if (!isNode && !globalThis.crossOriginIsolated) return { backend: backend === 'auto' ? 'wasm' : backend }
  const { ruleFor } = await import('./auto.ts')
  const { native, long } = ruleFor(graph, sizes, calls, threads === 1 && backend !== 'wasm')
  return {
    backend: backend === 'auto' ? (native && isNode ? 'native' : 'wasm') : backend,
    threads: long ? (threads ?? 'auto') : (threads ?? 1) > 1 ? threads : undefined,
  }
}

/** Compiles a graph once, for every value of its symbols. */
export async function compile(graph: Graph, options: CompileOptions = {}): Promise<Executable> {
  const { backend = 'wasm' } = options
  requireChoice('compile', 'backend', backend, BACKENDS.slice(1))
  if (backend === 'interpret') {
    // Loaded only where it is asked for: pages that train do without.
    const { InterpreterExecutable } = await import('./interpreter.ts')
    return new InterpreterExecutable(graph, options.donate ?? new Map())
  }
  const lowered = await lowering(graph, options)
  const { threads } = options
  if (backend === 'native') {
    const { instantiateNative } = await import('./native/backend.ts')
    const native = await instantiateNative(lowered, threads, options.keeps)
    if (native !== undefined) return native
  }
  if (threads !== undefined) {
    const { instantiateThreaded } = await import('./wasm/threaded.ts')
    const threaded = await instantiateThreaded(lowered(), threads)
    if (threaded !== undefined) return threaded
  }
  return instantiate(lowered())
}

/** The graph's program after all passes, for panels of so many columns. */
export async function lowering(
  graph: Graph,
  { donate = new Map(), verify }: CompileOptions,
): Promise<(panel?: number) => Program> {
  const check = verify === true ? (await import('../graph/verify.ts')).verify : undefined
  if (packsRows(graph)) brought.rows = (await import('../passes/lift-rows.ts')).ROWS
  let optimized = runPasses(graph, check).at(-1)!.graph
  const moves = movesRows(optimized) ? (await import('./moves.ts')).MOVES : undefined
  if (moves) optimized = runPasses(optimized, check, moves.passes).at(-1)!.graph
  const isWide = optimized.params.some(({ shape }) => shape.some((each) => constantOf(each)! >= WIDE))
  const rows = isWide ? (await import('./row-loops.ts')).rowLoops : undefined
  return (panel) => lower(optimized, { donate, rows, moves, panel })
}
