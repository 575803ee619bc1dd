/**
 * From a program to a WebAssembly module: one function for each kernel (the engine optimizes function by function, so
 * one function for all would stay slow) and `run`, which holds the loops over time and calls them.
 */
import { ONE } from '../../tensor/size.ts'
import {
  type Kernel,
  type Loop,
  type LoopTerm,
  type Program,
  reads,
  type Step,
  type View,
  writes,
} from '../program.ts'
import { type Code, type FunctionRef, type Local, ModuleBuilder } from './assembler.ts'
import { KernelCode } from './kernel.ts'
import { emitMap } from './map.ts'
import { emitMatmul } from './matmul.ts'
import { emitReduce } from './reduce.ts'
import { emitGather, emitPack, emitScatterAdd } from './rows.ts'
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
  const run = module.func('run', [], [], (f) => emitSteps(f, table, program.steps, functions, new Map()))
  module.exportFunction('run', run)
  return { bytes: module.build(), table }
}

function viewsOf(kernel: Kernel): View[] {
  return [...new Set([...reads(kernel), ...writes(kernel)])]
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

function emitSteps(
  f: Code,
  table: SizeTable,
  steps: readonly Step[],
  functions: ReadonlyMap<Kernel, FunctionRef>,
  loops: ReadonlyMap<Loop, Local>,
): void {
  const k = new KernelCode(f, table, new Map())
  for (const step of steps) {
    if (step.kind === 'call') {
      for (const view of viewsOf(step.kernel)) pushPointer(k, table, view, loops)
      f.call(functions.get(step.kernel)!)
    } else {
      const i = f.local('i32')
      k.loop(i, k.operand(step.loop.steps), 1, () =>
        emitSteps(f, table, step.body, functions, new Map([...loops, [step.loop, i]])),
      )
    }
  }
}

/** Pushes a view's address in this iteration. */
function pushPointer(k: KernelCode, table: SizeTable, view: View, loops: ReadonlyMap<Loop, Local>): void {
  const { f } = k
  f.i32.const(0)
  f.i32.load(table.address(view.buffer, view.offset))
  for (const term of view.terms) {
    pushPosition(k, term, loops.get(term.loop)!)
    k.pushSize(term.stride)
    f.i32.mul()
    f.i32.const(2)
    f.i32.shl()
    f.i32.add()
  }
}

function pushPosition(k: KernelCode, { loop, by }: LoopTerm, i: Local): void {
  const { f } = k
  if (by === 'time' && loop.reverse) {
    k.pushSize(loop.steps)
    f.get(i)
    f.i32.sub()
    k.pushSize(ONE)
    f.i32.sub()
    return
  }
  f.get(i)
  if (by === 'time') return
  f.i32.const(1)
  f.i32.and()
  if (by === 'parity') return
  f.i32.const(1)
  f.i32.xor()
}
