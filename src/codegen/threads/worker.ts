/** What a worker of the pool runs: it waits in shared memory for jobs, and only for messages in its event loop. */
import { type FromWorker, jobOf, LEFT, runsOf, SYNC, sentOf, signalOf, type ToWorker } from './protocol.ts'

interface Job {
  /** Gives 0, or 1 where another thread failed. */
  readonly run: () => unknown
  readonly sync: () => Int32Array
}

const port = globalThis.process?.getBuiltinModule?.('node:worker_threads')?.parentPort ?? undefined
const jobs = new Map<number, Job>()
let control: Int32Array = new Int32Array()
let worker = 0
/** Messages handled, and jobs run. */
let [handled, ran] = [0, 0]

function post(message: FromWorker): void {
  if (port !== undefined) port.postMessage(message)
  else (postMessage as (message: FromWorker) => void)(message)
}

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

async function handle(message: ToWorker): Promise<void> {
  if (message.kind === 'begin') {
    control = message.control
    worker = message.worker
    post({ kind: 'ready' })
  } else if (message.kind === 'forget') jobs.delete(message.job)
  else {
    try {
      jobs.set(message.job, await jobFrom(message))
    } catch (error) {
      jobs.delete(message.job)
      post({ kind: 'failed', reason: reasonOf(error) })
    }
  }
}

async function jobFrom({ code, table }: Extract<ToWorker, { kind: 'load' }>): Promise<Job> {
  if (code.kind === 'wasm') {
    const { memory } = code
    const { exports } = await WebAssembly.instantiate(code.module, { host: { memory, table } })
    return { run: exports['run'] as () => number, sync: () => new Int32Array(memory.buffer, 0, 16) }
  }
  const { loadRun } = await import('../native/load.ts')
  const [run, memory] = [loadRun(code.file), new Float32Array(code.memory)]
  const sync = new Int32Array(code.memory, 0, 16)
  return { run: () => run(memory, table), sync: () => sync }
}

/** Runs what it is woken for, until a message is on its way. */
function serve(): void {
  for (;;) {
    const signal = Atomics.load(control, signalOf(worker))
    // First how often, then what was sent: a job's code is sent before the job.
    const runs = Atomics.load(control, runsOf(worker))
    if (Atomics.load(control, sentOf(worker)) !== handled) return
    if (runs === ran) Atomics.wait(control, signalOf(worker), signal)
    else work(jobs.get(Atomics.load(control, jobOf(worker))))
    ran = runs
  }
}

function work(job: Job | undefined): void {
  try {
    if (job === undefined) throw new Error('the code was not loaded')
    job.run()
  } catch (error) {
    post({ kind: 'failed', reason: reasonOf(error) })
    // The others wait for this thread no longer.
    if (job !== undefined) Atomics.store(job.sync(), SYNC.failed, 1)
  }
  if (Atomics.sub(control, LEFT, 1) === 1) post({ kind: 'done' })
}

let turn = Promise.resolve()
const receive = (message: ToWorker) => {
  turn = turn.then(async () => {
    await handle(message)
    handled++
    serve()
  })
}
if (port !== undefined) port.on('message', receive)
else addEventListener('message', ({ data }: MessageEvent<ToWorker>) => receive(data))
