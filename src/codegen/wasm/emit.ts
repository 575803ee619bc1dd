/**
 * From a program to a WebAssembly module: one function for each kernel (the engine optimizes function by function, so
 * one function for all would stay slow) and `run`, which holds the loops over time and calls them.
 */
import { type Expr, exprsOf, type Kernel, type Program, type Step, viewsOf } from '../program.ts'
import { type FunctionRef, ModuleBuilder } from './assembler.ts'
import { type Emitters, KernelCode, type Rare, type RareKernel } from './kernel.ts'
import { isRare } from './lanes.ts'
import { emitMap } from './map.ts'
import { emitMatmul } from './matmul.ts'
import { emitPack } from './panels.ts'
import { emitReduce } from './reduce.ts'
import { emitRun, type Wait } from './run.ts'
import { SizeTable } from './table.ts'

export interface Emitted {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly table: SizeTable
  /** In the order in which marks count them. */
  readonly kernels: readonly Kernel[]
}

/** Of memory that threads share: all that addresses reach. */
export const MOST_PAGES = 65536

const EMIT: Emitters<Exclude<Kernel['kind'], RareKernel>> = {
  map: emitMap,
  reduce: emitReduce,
  pack: emitPack,
  matmul: emitMatmul,
}

/**
 * @param wait for a program of several threads, over shared memory
 * @param marks whether the host is told after each kernel which it was, counted from 0
 */
export async function emitWasm(program: Program, wait?: Wait, marks = false): Promise<Emitted> {
  const rare = needsRare(program.steps) ? (await import('./rare.ts')).RARE : undefined
  const module = new ModuleBuilder()
  const table = new SizeTable(wait !== undefined)
  if (wait === undefined) module.importMemory('host', 'memory', { initial: 1 })
  else {
    module.importMemory('host', 'memory', { initial: 1, maximum: MOST_PAGES, shared: true })
    module.importTable('host', 'table')
  }
  const mark = marks ? module.importFunction('host', 'mark', ['i32']) : undefined
  const functions = new Map<Kernel, FunctionRef>()
  const declare = (steps: readonly Step[]): void => {
    for (const step of steps) {
      if (step.kind === 'loop') declare(step.body)
      else functions.set(step.kernel, emitKernel(module, table, step.kernel, functions.size, rare))
    }
  }
  declare(program.steps)
  const { steps, threads, prepared = 0 } = program
  const parts = {
    prepare: { steps: steps.slice(0, prepared) },
    run: { steps: steps.slice(prepared), threads },
  }
  for (const [name, part] of Object.entries(parts)) {
    module.exportFunction(
      name,
      module.func(name, [], [], (f) => emitRun(f, table, part, functions, wait, mark)),
    )
  }
  return { bytes: module.build(), table, kernels: [...functions.keys()] }
}

function needsRare(steps: readonly Step[]): boolean {
  return steps.some((step) => {
    if (step.kind === 'loop') return needsRare(step.body)
    if (!(step.kernel.kind in EMIT)) return true
    const seen = new Set<Expr>(exprsOf(step.kernel))
    for (const expr of seen) if (expr.kind === 'apply') for (const arg of expr.args) seen.add(arg)
    return [...seen].some((expr) => expr.kind === 'apply' && isRare(expr.fn))
  })
}

function emitKernel(
  module: ModuleBuilder,
  table: SizeTable,
  kernel: Kernel,
  number: number,
  rare: Rare | undefined,
): FunctionRef {
  const views = viewsOf(kernel)
  return module.func(
    `${kernel.kind} ${number}`,
    views.map(() => 'i32'),
    [],
    (f, ...pointers) => {
      const k = new KernelCode(f, table, new Map(views.map((view, i) => [view, pointers[i]!])), rare)
      const { [kernel.kind]: emit } = { ...EMIT, ...rare?.kernels } as Emitters<string>
      emit!(k, kernel)
    },
  )
}
