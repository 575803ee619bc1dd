/** An engine whose code runs on the workers of the pool, over shared memory. */
import { type Bindings, evaluateSize } from '../../tensor/size.ts'
import type { Arena } from '../arena.ts'
import type { Engine } from '../arena-executable.ts'
import type { Executable } from '../executable.ts'
import type { Share, Threads } from '../program.ts'
import { evenEnds, ragged } from './parts.ts'
import { cores, type Job, poolOf } from './pool.ts'
import { type Code, SYNC_BYTES } from './protocol.ts'

/** What a backend compiled for threads. */
export interface ThreadedCode {
  readonly backend: Executable['backend']
  /** Bytes of one thread's table of sizes and addresses, a multiple of 64. */
  readonly tableBytes: number
  buffer(): SharedArrayBuffer
  grow(bytes: number): void
  /** Fills in the table at a place. */
  fill(at: number, arena: Arena, bindings: Bindings): void
  code(): Code
}

let jobs = 0
/** Calls that are not measured: engines compile hot code on the way. */
const WARM = 3
/** Calls that are measured for each number of threads. */
const MEASURED = 3

export class ThreadedEngine implements Engine {
  readonly backend: Executable['backend']
  readonly begin: number
  readonly #code: ThreadedCode
  readonly #threads: Threads
  readonly #most: number
  readonly #job: Job
  readonly #pace: Pace
  #bound: { readonly arena: Arena; readonly bindings: Bindings } | undefined
  /** For how many threads the tables are filled in. */
  #filled = 0

  /** @throws {ThreadsUnavailable} */
  constructor(code: ThreadedCode, threads: Threads, count: number | 'auto') {
    this.#code = code
    this.#threads = threads
    this.backend = code.backend
    this.#most = count === 'auto' ? cores() : count
    this.#pace = new Pace(count === 'auto' ? 1 : count, this.#most)
    this.begin = SYNC_BYTES + this.#most * code.tableBytes
    const tableOf = (worker: number) => SYNC_BYTES + worker * code.tableBytes
    this.#job = { id: ++jobs, tableOf, code: () => code.code(), memory: () => code.buffer() }
    poolOf(this.#most).forgetWith(this, this.#job)
  }

  buffer(): SharedArrayBuffer {
    return this.#code.buffer()
  }

  grow(bytes: number): void {
    this.#code.grow(bytes)
  }

  bind(arena: Arena, bindings: Bindings): void {
    this.#bound = { arena, bindings }
    this.#filled = 0
  }

  async run(): Promise<void> {
    const threads = this.#pace.next()
    const isRagged = this.#threads.shares.some(({ packed }) => packed !== undefined)
    if (threads !== this.#filled || isRagged) this.#fill(threads)
    this.#filled = threads
    const begun = performance.now()
    await poolOf(this.#most).run(this.#job, threads)
    this.#pace.took(threads, performance.now() - begun)
  }

  /** Fills in each thread's table with its own parts. */
  #fill(threads: number): void {
    const { arena, bindings } = this.#bound!
    const ends = this.#threads.shares.map((share) => this.#endsOf(share, threads))
    for (let thread = 0; thread < threads; thread++) {
      const own = new Map(bindings)
      for (const [i, { begin, count }] of this.#threads.shares.entries()) {
        const from = thread === 0 ? 0 : ends[i]![thread - 1]!
        own.set(begin.key, from)
        own.set(count.key, ends[i]![thread]! - from)
      }
      this.#code.fill(this.#job.tableOf(thread), arena, own)
    }
  }

  #endsOf({ total, unit, packed }: Share, threads: number): number[] {
    const { arena, bindings } = this.#bound!
    const size = evaluateSize(total, bindings)
    if (packed === undefined || !packed.counts.buffer.persistent) return evenEnds(size, unit, threads)
    const { buffer, offset } = packed.counts
    const at = arena.addresses.get(buffer)! + 4 * evaluateSize(offset, bindings)
    return ragged(size, new Int32Array(this.buffer(), at, evaluateSize(buffer.elements, bindings)), threads)
  }
}

/** How many threads take part: some calls are measured with one, two, four …, then the fastest stays. The bits are the same. */
class Pace {
  readonly #candidates: number[]
  readonly #best = new Map<number, number>()
  #calls = 0
  #chosen: number | undefined

  constructor(least: number, most: number) {
    this.#candidates = [most]
    for (let threads = least; threads < most; threads *= 2) this.#candidates.push(threads)
    if (this.#candidates.length === 1) this.#chosen = most
  }

  next(): number {
    if (this.#chosen !== undefined) return this.#chosen
    const measured = Math.max(0, this.#calls++ - WARM)
    return this.#candidates[measured % this.#candidates.length]!
  }

  took(threads: number, ms: number): void {
    if (this.#chosen !== undefined || this.#calls <= WARM) return
    this.#best.set(threads, Math.min(ms, this.#best.get(threads) ?? Number.POSITIVE_INFINITY))
    if (this.#calls < WARM + MEASURED * this.#candidates.length) return
    this.#chosen = [...this.#best].sort(([, a], [, b]) => a - b)[0]![0]
  }
}
