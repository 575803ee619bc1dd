/** Programs that count the time of each kernel, on the caller's thread. */
import type { Graph } from '../graph/node.ts'
import { brought } from '../passes/lift.ts'
import { ROWS } from '../passes/lift-rows.ts'
import { packsRows } from '../passes/scans.ts'
import { ArenaExecutable } from './arena-executable.ts'
import type { Executable } from './executable.ts'
import { lower } from './lower.ts'
import { runPasses } from './passes.ts'
import type { Kernel, Program } from './program.ts'
import { WasmEngine } from './wasm/backend.ts'
import { emitWasm } from './wasm/emit.ts'

export interface Profiled {
  readonly executable: Executable
  readonly program: Program
  /** Milliseconds of each kernel in the calls since this was last asked. */
  takeTimes(): ReadonlyMap<Kernel, number>
}

/** @param clock milliseconds */
export async function compileProfiled(
  graph: Graph,
  backend: 'native' | 'wasm',
  clock: () => number,
): Promise<Profiled> {
  if (packsRows(graph)) brought.rows = ROWS
  const optimized = runPasses(graph).at(-1)!.graph
  if (backend === 'wasm') return profileWasm(lower(optimized), clock)
  const { profileNative } = await import('./native/backend.ts')
  return profileNative((panel) => lower(optimized, { panel }))
}

async function profileWasm(program: Program, clock: () => number): Promise<Profiled> {
  const { bytes, table, kernels } = await emitWasm(program, undefined, true)
  const memory = new WebAssembly.Memory({ initial: 1 })
  let times = new Map<Kernel, number>()
  let last = 0
  const mark = (number: number) => {
    const [kernel, now] = [kernels[number]!, clock()]
    times.set(kernel, (times.get(kernel) ?? 0) + now - last)
    last = clock()
  }
  const { instance } = await WebAssembly.instantiate(bytes, { host: { memory, mark } })
  const { run } = instance.exports as { run: () => void }
  const begin = () => {
    last = clock()
    run()
  }
  return {
    executable: new ArenaExecutable(program, new WasmEngine(table, memory, { run: begin })),
    program,
    takeTimes: () => {
      const taken = times
      times = new Map()
      return taken
    },
  }
}
