/** Programs that count the time of each kernel, on the caller's thread. */
import type { Graph } from '../graph/node.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { ArenaExecutable } from './arena-executable.ts'
import { lowering } from './compile.ts'
import type { Profiled } from './executable.ts'
import type { Kernel, Program } from './program.ts'
import { WasmEngine } from './wasm/backend.ts'
import { emitWasm } from './wasm/emit.ts'

/**
 * @param clock milliseconds
 * @throws {ArgumentError} for native code where there is none
 */
export async function compileProfiled(
  graph: Graph,
  backend: 'native' | 'wasm',
  clock: () => number,
): Promise<Profiled> {
  const lowered = await lowering(graph, {})
  if (backend === 'wasm') return profileWasm(lowered(), clock)
  const { profileNative } = await import('./native/profile.ts')
  const { NativeUnavailable } = await import('./native/build.ts')
  try {
    return await profileNative(lowered)
  } catch (error) {
    if (!(error instanceof NativeUnavailable)) throw error
    throw new ArgumentError(`profile: there is no native code here: ${error.message}; take the backend wasm`)
  }
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
