/** Addresses for a program's buffers under given sizes: what persists first, then temporaries by their lifetimes. */
import { alignUp, placeRegions } from '../passes/plan.ts'
import { type Bindings, evaluateSize, symbolsOf } from '../tensor/size.ts'
import { type Buffer, type Program, reads, type Step, writes } from './program.ts'

export interface Arena {
  readonly addresses: ReadonlyMap<Buffer, number>
  /** Where what persists ends, in bytes from 0. */
  readonly persistentEnd: number
  /** Where the arena ends. */
  readonly end: number
}

const ELEMENT_BYTES = 4

export function placeBuffers(program: Program, bindings: Bindings, base: number): Arena {
  const addresses = new Map<Buffer, number>()
  const bytesOf = (buffer: Buffer) => ELEMENT_BYTES * evaluateSize(buffer.elements, bindings)
  const owners = program.buffers.filter((buffer) => !program.aliases.has(buffer))
  let end = alignUp(base)
  // What has a fixed size first: it keeps its place when lengths change.
  const persistent = owners.filter((buffer) => buffer.persistent)
  const isFixed = (buffer: Buffer) => symbolsOf(buffer.elements).size === 0
  for (const buffer of [...persistent.filter(isFixed), ...persistent.filter((each) => !isFixed(each))]) {
    addresses.set(buffer, end)
    end += alignUp(bytesOf(buffer))
  }
  const lifetimes = lifetimesOf(program)
  const temporaries = owners.filter((buffer) => !buffer.persistent && lifetimes.has(buffer))
  const regions = temporaries.map((buffer) => ({ bytes: bytesOf(buffer), ...lifetimes.get(buffer)! }))
  const placement = placeRegions(regions, end)
  for (const [i, buffer] of temporaries.entries()) addresses.set(buffer, placement.offsets[i]!)
  for (const [alias, owner] of program.aliases) addresses.set(alias, addresses.get(owner)!)
  return { addresses, persistentEnd: end, end: placement.bytes }
}

/** Bytes of what persists (inputs, outputs), and of all. */
export function memoryOf(program: Program, bindings: Bindings): { persistent: number; total: number } {
  const { persistentEnd, end } = placeBuffers(program, bindings, 0)
  return { persistent: persistentEnd, total: end }
}

/** The first and the last top-level step that touches each buffer. A loop is one step: what it uses lives through it. */
function lifetimesOf(program: Program): Map<Buffer, { first: number; last: number }> {
  const lifetimes = new Map<Buffer, { first: number; last: number }>()
  const touch = (step: Step, at: number): void => {
    if (step.kind === 'loop') {
      for (const inner of step.body) touch(inner, at)
      return
    }
    for (const { buffer } of [...reads(step.kernel), ...writes(step.kernel)]) {
      const owner = program.aliases.get(buffer) ?? buffer
      const known = lifetimes.get(owner)
      if (known === undefined) lifetimes.set(owner, { first: at, last: at })
      else known.last = at
    }
  }
  for (const [at, step] of program.steps.entries()) touch(step, at)
  return lifetimes
}
