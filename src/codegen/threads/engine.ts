/** An engine whose code runs on the workers of the pool, over shared memory. */
import { type Bindings, evaluateSize } from '../../tensor/size.ts'
import type { Arena } from '../arena.ts'
import type { Engine } from '../arena-executable.ts'
import type { Executable } from '../executable.ts'
import type { Share, Threads } from '../program.ts'
import { warnOnce } from '../warn.ts'
import { Pace } from './pace.ts'
import { evenEnds, ragged } from './parts.ts'
import { cores, type Job, poolOf, ThreadsUnavailable } from './pool.ts'
import { type Code, SYNC, SYNC_BYTES } from './protocol.ts'

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
  /** The function that runs on the caller's thread by the table at a place. */
  here(table: number): Promise<() => unknown>
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
  /** Whether no worker starts. */
  #alone = false
  #isPrepared = false

  /** @throws {ThreadsUnavailable} */
  constructor(code: ThreadedCode, threads: Threads, count: number | 'auto') {
    this.#code = code
    this.#threads = threads
    this.backend = code.backend
    this.#most = count === 'auto' ? cores() : count
    this.#pace = new Pace(count === 'auto' ? 1 : count, this.#most)
    this.begin = SYNC_BYTES + this.#most * code.tableBytes
    const tableOf = (worker: number) => SYNC_BYTES + worker * code.tableBytes
    this.#job = {
      id: ++jobs,
      tableOf,
      code: () => code.code(),
      memory: () => code.buffer(),
      isPrepared: () => this.#isPrepared,
    }
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
    this.#isPrepared = false
  }

  /** An input has changed on which depends what was prepared. */
  changed(): void {
    this.#isPrepared = false
  }

  async run(): Promise<void> {
    const threads = this.#alone ? 1 : this.#pace.next()
    const isRagged = this.#threads.shares.some(({ packed }) => packed !== undefined)
    if (threads !== this.#filled || isRagged) this.#fill(threads)
    this.#filled = threads
    if (this.#alone) return this.#runHere()
    try {
      await this.#pace.measure(threads, () => poolOf(this.#most).run(this.#job, threads))
      this.#isPrepared = true
    } catch (error) {
      if (!(error instanceof ThreadsUnavailable)) throw error
      // Nothing has run yet.
      warnOnce(`one thread, the caller's: no worker starts: ${error.message}`)
      this.#alone = true
      await this.run()
    }
  }

  /** Where no worker can be had. */
  async #runHere(): Promise<void> {
    const sync = new Int32Array(this.buffer(), 0, SYNC_BYTES / 4).fill(0)
    sync[SYNC.threads] = 1
    sync[SYNC.prepared] = this.#isPrepared ? 1 : 0
    const run = await this.#code.here(this.#job.tableOf(0))
    run()
    this.#isPrepared = true
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
