/** From a graph to something that runs. The order of everything: PASSES, then lower (fuse, layout), plan, emit. */
import type { Graph } from '../graph/node.ts'
import { brought } from '../passes/lift.ts'
import { packsRows } from '../passes/scans.ts'
import { requireChoice } from '../tensor/checks.ts'
import type { Executable } from './executable.ts'
import { lower } from './lower.ts'
import { runPasses } from './passes.ts'
import { instantiate } from './wasm/backend.ts'

/** `wasm` runs everywhere at full speed; `interpreter` is the f64 oracle. */
export const BACKENDS = ['native', 'wasm', 'interpreter'] as const
export type Backend = (typeof BACKENDS)[number]

export interface CompileOptions {
  readonly backend?: Backend
  /** Outputs that take the place of inputs: output number → input number. The next call finds them there. */
  readonly donate?: ReadonlyMap<number, number>
  /** Check the graph's validity after each pass. */
  readonly verify?: boolean
}

/** Compiles a graph once, for every value of its symbols. */
export async function compile(graph: Graph, options: CompileOptions = {}): Promise<Executable> {
  requireChoice('compile', 'backend', options.backend ?? 'wasm', BACKENDS)
  const donate = options.donate ?? new Map<number, number>()
  if (options.backend === 'interpreter') {
    // Loaded only where it is asked for: pages that train do without.
    const { InterpreterExecutable } = await import('./interpreter.ts')
    return new InterpreterExecutable(graph, donate)
  }
  const check = options.verify === true ? (await import('../graph/verify.ts')).verify : undefined
  if (packsRows(graph)) brought.rows = (await import('../passes/lift-rows.ts')).ROWS
  const optimized = runPasses(graph, check).at(-1)!.graph
  if (options.backend === 'native') {
    const { instantiateNative, panelColumns } = await import('./native/backend.ts')
    return instantiateNative(lower(optimized, { donate, panel: await panelColumns() }))
  }
  return instantiate(lower(optimized, { donate }))
}
