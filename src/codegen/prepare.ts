/** What of a program depends on constant inputs alone moves before all runs: panels of weights, copies in another order. */
import { constantOf, mulSize, ONE, type Size, size } from '../tensor/size.ts'
import {
  type Buffer,
  denseView,
  type Kernel,
  kernelsOf,
  type Program,
  readBy,
  reads,
  type Step,
  shifted,
  writtenBy,
} from './program.ts'

/**
 * Puts first the steps that give the same at every run while the inputs of these numbers stay as they are. A buffer moves
 * where something of it differs from run to run, or it stands in another's place; a step runs where it touches one.
 */
export function prepare(program: Program, constants: ReadonlySet<number>): Program {
  const ownerOf = ({ buffer }: { readonly buffer: Buffer }) => program.aliases.get(buffer) ?? buffer
  const inputs = program.inputs.filter((_, i) => !constants.has(i)).map(({ view }) => ownerOf(view))
  const moving = new Set([...inputs, ...program.aliases.values()])
  const running = new Set<Step>()
  // What a step that runs writes moves: others that write there run too.
  for (let before = -1; before < running.size; ) {
    before = running.size
    for (const step of program.steps) {
      const written = writtenBy(step)
      if (running.has(step) || ![...readBy(step), ...written].some((view) => moving.has(ownerOf(view))))
        continue
      running.add(step)
      for (const view of written) moving.add(ownerOf(view))
    }
  }
  const first = program.steps.filter((step) => !running.has(step))
  const rest = program.steps.filter((step) => running.has(step))
  return { ...program, steps: [...first, ...rest], prepared: first.length }
}

/**
 * Products of a single row become kernels of their own, over blocks as wide as keep sums from waiting for each other, and read
 * from end to end.
 */
export function singleRows(program: Program, block: number): Program {
  const packs = program.steps.flatMap((step) =>
    step.kind === 'call' && step.kernel.kind === 'pack' ? [step.kernel] : [],
  )
  const packed = new Map(packs.map((pack) => [pack.into.buffer, pack]))
  // What another kernel reads stays in panels.
  const readers = kernelsOf(program.steps).filter((kernel) => kernel.kind !== 'pack')
  for (const kernel of readers) {
    for (const { buffer } of reads(kernel)) if (!isSingleRow(kernel)) packed.delete(buffer)
  }
  const after = (step: Step): Step[] => {
    if (step.kind === 'loop') return [{ ...step, body: step.body.flatMap(after) }]
    const { kernel } = step
    const kernels =
      kernel.kind === 'pack' && packed.has(kernel.into.buffer)
        ? inBlocks(kernel, block)
        : [isSingleRow(kernel) && packed.has(kernel.b.buffer) ? rowOf(kernel, block) : kernel]
    return kernels.map((each) => ({ kind: 'call', kernel: each }))
  }
  return { ...program, steps: program.steps.flatMap(after) }
}

type Matmul = Extract<Kernel, { kind: 'matmul' }>

function isSingleRow(kernel: Kernel): kernel is Matmul {
  return (
    kernel.kind === 'matmul' &&
    kernel.packed &&
    kernel.m === ONE &&
    [kernel.n, kernel.k].every((size) => constantOf(size) !== undefined)
  )
}

function rowOf({ n, k, a, b, into, epilogue }: Matmul, block: number): Kernel {
  return { kind: 'row', block, n, k, a, b, into, epilogue }
}

/** Copies of a matrix [K, N] as blocks of columns: all whole ones at once, then what is left. */
function inBlocks({ k, n, from, into }: Extract<Kernel, { kind: 'pack' }>, block: number): Kernel[] {
  const columns = constantOf(n)!
  const blocks = Math.floor(columns / block)
  const [row, column] = from.strides as [Size, Size]
  const copy = (first: number, count: number, width: number): Kernel[] => {
    if (count * width === 0) return []
    const shape = [size(count), k, size(width)]
    const source = {
      ...shifted(from, mulSize(column, first)),
      strides: [mulSize(column, width), row, column],
    }
    const view = { ...denseView(into.buffer, shape), offset: mulSize(k, first) }
    return [
      {
        kind: 'map',
        shape,
        stores: [{ view, expr: { kind: 'load', view: source, dtype: 'f32' }, dtype: 'f32' }],
      },
    ]
  }
  return [...copy(0, blocks, block), ...copy(blocks * block, 1, columns - blocks * block)]
}
