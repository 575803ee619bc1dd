/** Native code that counts the time of each kernel. */
import { ArenaExecutable } from '../arena-executable.ts'
import type { Profiled } from '../executable.ts'
import type { Program } from '../program.ts'
import { built, HereEngine } from './backend.ts'
import { compilerOf } from './build.ts'
import { NativeCode } from './code.ts'
import { emitC } from './emit.ts'
import { joinProducts } from './join.ts'
import { loadRun } from './load.ts'
import { columnsOf } from './tiles.ts'

/** As code that counts the time of each kernel, here. */
export async function profileNative(lowered: (panel: number) => Program): Promise<Profiled> {
  const { lanes } = await compilerOf()
  const panel = columnsOf(lanes)
  const program = joinProducts(lowered(panel), panel)
  const { source, names, kernels } = emitC(program, lanes, true)
  const file = await built(source, lanes)
  const code = new NativeCode(names, file, kernels.length)
  return {
    executable: new ArenaExecutable(program, new HereEngine(code, loadRun(file))),
    program,
    takeTimes: () => {
      // Before the first call there is no memory.
      if (code.buffer().byteLength === 0) return new Map()
      const counted = new BigInt64Array(
        code.buffer(),
        8 * (names.symbols.length + names.buffers.length),
        kernels.length,
      )
      const times = new Map(kernels.map((kernel, i) => [kernel, Number(counted[i]) / 1e6]))
      counted.fill(0n)
      return times
    },
  }
}
