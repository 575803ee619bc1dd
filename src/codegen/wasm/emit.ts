/**
 * From a program to a WebAssembly module: one function for each kernel (the engine optimizes function by function, so
 * one function for all would stay slow) and `run`, which holds the loops over time and calls them.
 */
import type { Kernel, Program, Step } from '../program.ts'
import { type FunctionRef, ModuleBuilder } from './assembler.ts'
import { KernelCode } from './kernel.ts'
import { emitMap } from './map.ts'
import { emitMatmul } from './matmul.ts'
import { emitReduce } from './reduce.ts'
import { emitGather, emitPack, emitScatterAdd } from './rows.ts'
import { emitRun, viewsOf } from './run.ts'
import { emitArgsort } from './sort.ts'
import { SizeTable } from './table.ts'

export interface Emitted {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly table: SizeTable
}

const EMIT: {
  readonly [K in Kernel['kind']]: (k: KernelCode, kernel: Extract<Kernel, { kind: K }>) => void
} = {
  map: emitMap,
  reduce: emitReduce,
  pack: emitPack,
  matmul: emitMatmul,
  gather: emitGather,
  argsort: emitArgsort,
  scatterAdd: emitScatterAdd,
}

export function emitWasm(program: Program): Emitted {
  const module = new ModuleBuilder()
  const table = new SizeTable()
  module.importMemory('host', 'memory', { initial: 1 })
  const functions = new Map<Kernel, FunctionRef>()
  const declare = (steps: readonly Step[]): void => {
    for (const step of steps) {
      if (step.kind === 'loop') declare(step.body)
      else functions.set(step.kernel, emitKernel(module, table, step.kernel, functions.size))
    }
  }
  declare(program.steps)
  const run = module.func('run', [], [], (f) => emitRun(f, table, program.steps, functions))
  module.exportFunction('run', run)
  return { bytes: module.build(), table }
}

function emitKernel(module: ModuleBuilder, table: SizeTable, kernel: Kernel, number: number): FunctionRef {
  const views = viewsOf(kernel)
  return module.func(
    `${kernel.kind} ${number}`,
    views.map(() => 'i32'),
    [],
    (f, ...pointers) => {
      const k = new KernelCode(f, table, new Map(views.map((view, i) => [view, pointers[i]!])))
      const emit = EMIT[kernel.kind] as (k: KernelCode, kernel: Kernel) => void
      emit(k, kernel)
    },
  )
}
