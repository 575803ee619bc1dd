/** An engine whose code runs on the workers of the pool, over shared memory. */
import { type Bindings, evaluateSize } from '../../tensor/size.ts'
import type { Arena } from '../arena.ts'
import type { Engine } from '../arena-executable.ts'
import type { Executable } from '../executable.ts'
import type { Share, Threads } from '../program.ts'
import { Pace } from './pace.ts'
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
    await this.#pace.measure(threads, () => poolOf(this.#most).run(this.#job, threads))
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
