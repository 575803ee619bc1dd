/** The workers that run programs, the same for all of them: the main thread only waits, so it never stands still. */
import { RecurraError } from '../../tensor/errors.ts'
import {
  type Code,
  controlWords,
  type FromWorker,
  jobOf,
  LEFT,
  runsOf,
  SYNC,
  SYNC_BYTES,
  sentOf,
  signalOf,
  type ToWorker,
} from './protocol.ts'

/** Why there are no threads here; one thread, the caller's, takes their place. */
export class ThreadsUnavailable extends Error {}

/** What is run: the same code by each thread, over one memory. */
export interface Job {
  readonly id: number
  /** Where the table of a thread stands. */
  tableOf(worker: number): number
  /** Another object where workers have to load it anew. */
  code(): Code
  memory(): SharedArrayBuffer
  /** Whether what depends on constant inputs alone stands as it is. */
  isPrepared(): boolean
}

/** What is used of workers, Node's and browsers'. */
interface Thread {
  postMessage(message: ToWorker): void
  terminate(): unknown
  ref?(): void
  unref?(): void
}

interface Started {
  readonly thread: Thread
  /** Settles once it is known whether the worker runs at all. */
  readonly ready: Promise<void>
}

interface Under {
  readonly resolve: () => void
  readonly reject: (reason: Error) => void
  readonly job: Job
  failure: string | undefined
}

const MOST_THREADS = 64

/** How many threads the machine runs at once. */
export function cores(): number {
  const { navigator } = globalThis as { navigator?: { hardwareConcurrency?: number } }
  const inNode = globalThis.process?.getBuiltinModule?.('node:os')?.availableParallelism()
  return Math.min(inNode ?? navigator?.hardwareConcurrency ?? 1, MOST_THREADS)
}

let current: Pool | undefined

/** The pool, with at least so many workers. @throws {ThreadsUnavailable} */
export function poolOf(threads: number): Pool {
  current ??= new Pool()
  current.grow(threads)
  return current
}

export class Pool {
  readonly #control = new Int32Array(new SharedArrayBuffer(4 * controlWords(MOST_THREADS)))
  readonly #threads: Started[] = []
  /** What each worker has loaded, by job. */
  readonly #loaded: Map<number, Code>[] = []
  readonly #forgotten = new FinalizationRegistry<number>((id) => this.#forget(id))
  #under: Under | undefined
  #ended = false
  #turn: Promise<unknown> = Promise.resolve()

  /** @throws {ThreadsUnavailable} where workers cannot be had */
  grow(threads: number): void {
    while (this.#threads.length < Math.min(threads, MOST_THREADS)) {
      const worker = this.#threads.length
      this.#threads.push(this.#start())
      this.#loaded.push(new Map())
      this.#send(worker, { kind: 'begin', worker, control: this.#control })
    }
  }

  /** Runs a job on some of the workers, once those before it are done. */
  run(job: Job, threads: number): Promise<void> {
    const result = this.#turn.then(() => this.#run(job, threads))
    this.#turn = result.catch(() => {})
    return result
  }

  /** Workers forget a job when its owner is no more. */
  forgetWith(owner: object, { id }: Job): void {
    this.#forgotten.register(owner, id)
  }

  async #run(job: Job, threads: number): Promise<void> {
    if (this.#ended) return poolOf(threads).run(job, threads)
    const part = this.#threads.slice(0, threads)
    // A process does not end while a call is under way.
    for (const { thread } of part) thread.ref?.()
    try {
      await Promise.all(part.map(({ ready }) => ready))
      if (this.#ended) return await poolOf(threads).run(job, threads)
      for (let worker = 0; worker < threads; worker++) this.#load(worker, job)
      await this.#wakeAll(job, threads)
    } finally {
      for (const { thread } of part) thread.unref?.()
    }
  }

  #wakeAll(job: Job, threads: number): Promise<void> {
    const sync = new Int32Array(job.memory(), 0, SYNC_BYTES / 4)
    sync.fill(0)
    sync[SYNC.threads] = threads
    sync[SYNC.prepared] = job.isPrepared() ? 1 : 0
    Atomics.store(this.#control, LEFT, threads)
    return new Promise((resolve, reject) => {
      this.#under = { resolve, reject, job, failure: undefined }
      for (let worker = 0; worker < threads; worker++) {
        Atomics.store(this.#control, jobOf(worker), job.id)
        Atomics.add(this.#control, runsOf(worker), 1)
        this.#wake(worker)
      }
    })
  }

  #load(worker: number, job: Job): void {
    const [loaded, code] = [this.#loaded[worker]!, job.code()]
    if (loaded.get(job.id) === code) return
    loaded.set(job.id, code)
    this.#send(worker, { kind: 'load', job: job.id, code, table: job.tableOf(worker) })
  }

  #forget(job: number): void {
    for (const [worker, loaded] of this.#loaded.entries())
      if (loaded.delete(job)) this.#send(worker, { kind: 'forget', job })
  }

  #send(worker: number, message: ToWorker): void {
    Atomics.add(this.#control, sentOf(worker), 1)
    this.#threads[worker]!.thread.postMessage(message)
    this.#wake(worker)
  }

  #wake(worker: number): void {
    Atomics.add(this.#control, signalOf(worker), 1)
    Atomics.notify(this.#control, signalOf(worker))
  }

  #receive(message: Exclude<FromWorker, { kind: 'ready' }>): void {
    const under = this.#under
    if (under === undefined) return
    if (message.kind === 'failed') {
      under.failure ??= message.reason
      return
    }
    this.#under = undefined
    if (under.failure === undefined) under.resolve()
    else under.reject(new RecurraError('threads', `a worker failed: ${under.failure}`))
  }

  /** A worker ended that nobody told to: all end, and the next call begins with new ones. */
  #end(reason: string): void {
    if (this.#ended) return
    this.#close()
    console.warn(`recurra: a worker ended (${reason}); the next call starts new ones`)
    const under = this.#under
    this.#under = undefined
    if (under === undefined) return
    Atomics.store(new Int32Array(under.job.memory()), SYNC.failed, 1)
    under.reject(
      new RecurraError(
        'threads',
        `a worker ended during a call (${reason}); what that call updates may be half done: begin anew from a saved state`,
      ),
    )
  }

  #close(): void {
    this.#ended = true
    if (current === this) current = undefined
    for (const { thread } of this.#threads) thread.terminate()
  }

  #start(): Started {
    let begin: (() => void) | undefined
    let refuse: ((reason: ThreadsUnavailable) => void) | undefined
    const ready = new Promise<void>((resolve, reject) => {
      ;[begin, refuse] = [resolve, reject]
    })
    // Whoever runs a job hears of it.
    ready.catch(() => {})
    let runs = false
    const receive = (message: FromWorker) => {
      if (message.kind === 'ready') {
        runs = true
        begin!()
      } else this.#receive(message)
    }
    const end = (reason: string) => {
      if (runs) this.#end(reason)
      else {
        this.#close()
        refuse!(new ThreadsUnavailable(reason))
      }
    }
    return { thread: startThread(receive, end), ready }
  }
}

/** @throws {ThreadsUnavailable} */
function startThread(receive: (message: FromWorker) => void, end: (reason: string) => void): Thread {
  const threads = globalThis.process?.getBuiltinModule?.('node:worker_threads')
  try {
    if (threads !== undefined) {
      const worker = new threads.Worker(new URL('./worker.js', import.meta.url), { execArgv: [] })
      worker.on('message', receive)
      worker.on('error', ({ message }) => end(message))
      worker.on('exit', (code) => end(`exit code ${code}`))
      worker.unref()
      return worker
    }
    const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => receive(data)
    worker.onerror = ({ message }) => end(message || 'its script could not be loaded')
    return worker
  } catch (error) {
    throw new ThreadsUnavailable(error instanceof Error ? error.message : String(error))
  }
}
