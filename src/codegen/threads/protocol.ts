/** What the main thread and the workers of a pool say to each other: words of shared memory, and messages. */

/**
 * Words at the start of an arena: where its threads wait for each other, and whether what was prepared stands as it is.
 * native/emit.ts and wasm/wait.ts read them too.
 */
export const SYNC = { arrived: 0, phase: 1, threads: 2, failed: 3, prepared: 4 } as const
export const SYNC_BYTES = 64

/** Words of a pool's control: how many workers are at work, then some for each worker. */
export const LEFT = 0
const [FIRST, WORDS] = [16, 16]
export const signalOf = (worker: number): number => FIRST + WORDS * worker
/** The job to run. */
export const jobOf = (worker: number): number => signalOf(worker) + 1
/** How often it was told to run one. */
export const runsOf = (worker: number): number => signalOf(worker) + 2
/** Messages that were sent to the worker. */
export const sentOf = (worker: number): number => signalOf(worker) + 3
export const controlWords = (workers: number): number => FIRST + WORDS * workers

/** How a worker comes to the code of a job, and the place of its own table in the memory. */
export type Code =
  | { readonly kind: 'wasm'; readonly module: WebAssembly.Module; readonly memory: WebAssembly.Memory }
  | { readonly kind: 'native'; readonly file: string; readonly memory: SharedArrayBuffer }

export type ToWorker =
  | { readonly kind: 'begin'; readonly worker: number; readonly control: Int32Array }
  | { readonly kind: 'load'; readonly job: number; readonly code: Code; readonly table: number }
  | { readonly kind: 'forget'; readonly job: number }

/** `ready` comes once from each worker, `done` from the last of them to end a job. */
export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly reason: string }
