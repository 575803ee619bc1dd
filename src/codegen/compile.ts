/** From a graph to something that runs. The order of everything: PASSES, then lower (fuse, layout), plan, emit. */
import type { Graph } from '../graph/node.ts'
import { brought } from '../passes/lift.ts'
import { packsRows } from '../passes/scans.ts'
import { requireChoice } from '../tensor/checks.ts'
import { type Bindings, constantOf } from '../tensor/size.ts'
import type { Executable } from './executable.ts'
import { lower } from './lower.ts'
import { runPasses } from './passes.ts'
import { WIDE } from './program.ts'
import { instantiate } from './wasm/backend.ts'

/**
 * `native` is C, built by the machine's compiler; where that cannot be, a warning says why and WebAssembly runs. `wasm` runs
 * everywhere; `interpret` is the f64 oracle. `auto` decides by the sizes of a call: see auto.ts.
 */
export const BACKENDS = ['auto', 'native', 'wasm', 'interpret'] as const
export type Backend = (typeof BACKENDS)[number]

export interface CompileOptions {
  /** Default: 'wasm'. */
  readonly backend?: Exclude<Backend, 'auto'>
  /** Outputs that take the place of inputs: output number → input number. The next call finds them there. */
  readonly donate?: ReadonlyMap<number, number>
  /** Check the graph's validity after each pass. */
  readonly verify?: boolean
}

/** What `auto` takes for calls of these sizes. */
export async function backendFor(
  graph: Graph,
  backend: Backend = 'auto',
  sizes: Bindings,
): Promise<Exclude<Backend, 'auto'>> {
  requireChoice('compile', 'backend', backend, BACKENDS)
  if (backend !== 'auto') return backend
  return inNode() ? (await import('./auto.ts')).chooseBackend(graph, sizes) : 'wasm'
}

const inNode = () => globalThis.process?.versions?.node !== undefined

/** Compiles a graph once, for every value of its symbols. */
export async function compile(graph: Graph, options: CompileOptions = {}): Promise<Executable> {
  const { backend = 'wasm', donate = new Map<number, number>() } = options
  requireChoice('compile', 'backend', backend, BACKENDS.slice(1))
  if (backend === 'interpret') {
    // Loaded only where it is asked for: pages that train do without.
    const { InterpreterExecutable } = await import('./interpreter.ts')
    return new InterpreterExecutable(graph, donate)
  }
  const check = options.verify === true ? (await import('../graph/verify.ts')).verify : undefined
  if (packsRows(graph)) brought.rows = (await import('../passes/lift-rows.ts')).ROWS
  const optimized = runPasses(graph, check).at(-1)!.graph
  const lengths = optimized.params.flatMap(({ shape }) => shape.map(constantOf))
  const isWide = lengths.some((each) => each! >= WIDE)
  const rows = isWide ? (await import('./row-loops.ts')).rowLoops : undefined
  const lowered = (panel?: number) => lower(optimized, { donate, rows, panel })
  const native = backend === 'native' ? await import('./native/backend.ts') : undefined
  return (await native?.instantiateNative(lowered)) ?? instantiate(lowered())
}
