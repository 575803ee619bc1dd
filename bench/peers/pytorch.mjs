/**
 * PyTorch on one thread, in a child process that speaks lines (pytorch.py). The clock runs in the child, so
 * that the pipe is not measured.
 *
 * It takes three settings to hold it to one thread, and what the CPU spent is compared with the wall to see
 * that they held. Debian's PyTorch computes its products with whatever BLAS the system has: without an
 * optimized one it is some ten times slower, and a ratio against it would mean nothing, so it is refused.
 */

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const SCRIPT = fileURLToPath(new URL('pytorch.py', import.meta.url))

/** @returns {NodeJS.ProcessEnv} one thread, and OpenBLAS's own choice of kernels */
function environment() {
  const { OPENBLAS_CORETYPE, OPENBLAS_L2_SIZE, ...rest } = process.env
  return { ...rest, OPENBLAS_NUM_THREADS: '1', OMP_NUM_THREADS: '1', MKL_NUM_THREADS: '1' }
}

/**
 * A child process that answers every line with a line of JSON.
 *
 * @param {string} command
 * @param {string[]} args
 */
function startPeer(command, args) {
  const child = spawn(command, args, { env: environment(), stdio: ['pipe', 'pipe', 'pipe'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    complaint += text
  })
  child.on('error', (error) => {
    complaint += error.message
  })
  child.stdin.on('error', () => {}) // it has died: the next answer says so
  const ended = new Promise((resolve) => child.on('close', resolve))

  return {
    /** @returns {Promise<any>} the next line that the child writes */
    async answer() {
      const { done, value } = await lines.next()
      if (!done) return JSON.parse(value)
      await ended
      throw new Error(complaint.trim().split('\n').at(-1) || 'it ended without a word')
    },
    /** @param {string} line */
    send(line) {
      child.stdin.write(`${line}\n`)
    },
    async close() {
      child.stdin.end()
      await ended
    },
  }
}

/** @param {string[]} files the BLAS libraries that are loaded @returns {boolean} whether only the reference one is */
export function isReferenceBlas(files) {
  return files.length > 0 && !files.some((file) => /openblas|mkl|blis|atlas|armpl/i.test(file))
}

/**
 * @param {number} wallMs
 * @param {number} cpuMs
 * @returns {string | undefined} what is wrong if the two are not the same time
 */
export function threadWarning(wallMs, cpuMs) {
  const share = cpuMs / wallMs
  if (share > 1.05) return `CPU time is ${share.toFixed(2)} times wall time: it does not keep to one thread`
  if (share < 0.95)
    return `CPU time is ${share.toFixed(2)} times wall time: the machine is busy with other work`
  return undefined
}

/**
 * @param {import('../workload.mjs').Shape} shape
 * @param {string} python the interpreter to run
 * @returns {Promise<import('../measure.mjs').Contender>}
 */
export async function createPytorch({ T, B, I, H }, python) {
  const peer = startPeer(python, [SCRIPT, ...[T, B, I, H].map(String)])
  let wallMs = 0
  let cpuMs = 0
  try {
    const { blas, threads } = await peer.answer()
    if (threads !== 1) throw new Error(`it runs on ${threads} threads`)
    if (isReferenceBlas(blas)) {
      throw new Error(
        `it would compute with the reference BLAS (${blas.join(', ')}), many times slower than an optimized one; ` +
          'on Debian: apt-get install libopenblas0-pthread',
      )
    }
  } catch (error) {
    await peer.close()
    throw error
  }
  return {
    name: 'pytorch',
    backend: 'native',
    threads: 1,
    async step(n) {
      peer.send(`run ${n}`)
      const answer = await peer.answer()
      wallMs += n * answer.ms
      cpuMs += n * answer.cpuMs
      return answer.ms
    },
    warning: () => threadWarning(wallMs, cpuMs),
    close: () => peer.close(),
  }
}
