/** Addresses for a program's buffers under given sizes: what persists first, then temporaries by their lifetimes. */
import type { Packing } from '../graph/ops.ts'
import { alignUp, placeRegions } from '../passes/plan.ts'
import { type Bindings, evaluateSize, type Size, symbolsOf } from '../tensor/size.ts'
import { type Buffer, type Program, type Step, viewsIn } from './program.ts'

export interface Arena {
  readonly addresses: ReadonlyMap<Buffer, number>
  /** Where what persists ends, in bytes from 0. */
  readonly persistentEnd: number
  /** Where the arena ends. */
  readonly end: number
}

const ELEMENT_BYTES = 4

interface Lifetime {
  first: number
  last: number
}

/** Places a program's buffers; what does not depend on sizes is found out once. */
export class Planner {
  readonly #persistent: readonly Buffer[]
  readonly #temporaries: readonly { readonly buffer: Buffer; readonly life: Lifetime }[]
  readonly #aliases: ReadonlyMap<Buffer, Buffer>
  readonly #packed: readonly Packing[]

  constructor(program: Program) {
    const owners = program.buffers.filter((buffer) => !program.aliases.has(buffer))
    const persistent = owners.filter((buffer) => buffer.persistent)
    const isFixed = (buffer: Buffer) => symbolsOf(buffer.elements).size === 0
    // What has a fixed size first: it keeps its place when lengths change.
    this.#persistent = [...persistent.filter(isFixed), ...persistent.filter((each) => !isFixed(each))]
    const lifetimes = lifetimesOf(program)
    this.#temporaries = owners.flatMap((buffer) => {
      const life = lifetimes.get(buffer)
      return buffer.persistent || life === undefined ? [] : [{ buffer, life }]
    })
    this.#aliases = program.aliases
    this.#packed = packingsOf(program.steps)
  }

  /** Sizes that loops over packed rows set themselves. */
  get counted(): readonly string[] {
    return this.#packed.map(({ alive }) => alive.key)
  }

  /** The bindings, with as many rows alive as there can be. */
  withRows(bindings: Bindings): Bindings {
    const all = new Map(bindings)
    for (const { alive, rows } of this.#packed) all.set(alive.key, evaluateSize(rows, all))
    return all
  }

  place(given: Bindings, base: number): Arena {
    const bindings = this.withRows(given)
    const values = new Map<Size, number>()
    const bytesOf = ({ elements }: Buffer) => {
      const known = values.get(elements) ?? ELEMENT_BYTES * evaluateSize(elements, bindings)
      values.set(elements, known)
      return known
    }
    const addresses = new Map<Buffer, number>()
    let end = alignUp(base)
    for (const buffer of this.#persistent) {
      addresses.set(buffer, end)
      end += alignUp(bytesOf(buffer))
    }
    const regions = this.#temporaries.map(({ buffer, life }) => ({ bytes: bytesOf(buffer), ...life }))
    const placement = placeRegions(regions, end)
    for (const [i, { buffer }] of this.#temporaries.entries()) addresses.set(buffer, placement.offsets[i]!)
    for (const [alias, owner] of this.#aliases) addresses.set(alias, addresses.get(owner)!)
    return { addresses, persistentEnd: end, end: placement.bytes }
  }
}

/** How loops pack their rows, outer ones first. */
function packingsOf(steps: readonly Step[]): Packing[] {
  return steps.flatMap((step) => {
    if (step.kind === 'call') return []
    const inner = packingsOf(step.body)
    return step.loop.rows === undefined ? inner : [step.loop.rows, ...inner]
  })
}

/**
 * The first and the last top-level step, or phase, that touches each buffer. A loop is one step: what it uses lives
 * through it. What was made once, before all runs, stays.
 */
function lifetimesOf(program: Program): Map<Buffer, Lifetime> {
  const lifetimes = new Map<Buffer, Lifetime>()
  const touch = (step: Step, at: number): void => {
    for (const { buffer } of viewsIn(step)) {
      const owner = program.aliases.get(buffer) ?? buffer
      const known = lifetimes.get(owner)
      if (known === undefined) lifetimes.set(owner, { first: at, last: at })
      else known.last = known.first < prepared && at >= prepared ? Number.POSITIVE_INFINITY : at
    }
  }
  // Threads are at any step of a phase at once.
  const phases = program.threads?.phases.map(({ alone, shared }) => [...alone, ...shared])
  const { prepared = 0 } = program.threads ?? program
  for (const [at, steps] of (phases ?? program.steps.map((step) => [step])).entries())
    for (const step of steps) touch(step, at)
  return lifetimes
}
