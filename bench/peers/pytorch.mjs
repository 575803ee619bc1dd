/**
 * PyTorch on a number of threads, in a child process that speaks lines (pytorch.py). The clock runs in the child, so
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

/** @param {number} threads @returns {NodeJS.ProcessEnv} with OpenBLAS's own choice of kernels */
function environment(threads) {
  const { OPENBLAS_CORETYPE, OPENBLAS_L2_SIZE, ...rest } = process.env
  const count = String(threads)
  return { ...rest, OPENBLAS_NUM_THREADS: count, OMP_NUM_THREADS: count, MKL_NUM_THREADS: count }
}

/**
 * A child process that answers every line with a line of JSON.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {number} threads
 */
function startPeer(command, args, threads) {
  const child = spawn(command, args, { env: environment(threads), stdio: ['pipe', 'pipe', 'pipe'] })
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
 * @param {number} threads
 * @returns {string | undefined} what is wrong if the two are not the same time, or more apart than threads explain
 */
export function threadWarning(wallMs, cpuMs, threads) {
  const share = cpuMs / wallMs
  const count = threads === 1 ? 'one thread' : `${threads} threads`
  if (share > 1.05 * threads)
    return `CPU time is ${share.toFixed(2)} times wall time: it does not keep to ${count}`
  if (share < 0.95)
    return `CPU time is ${share.toFixed(2)} times wall time: the machine is busy with other work`
  return undefined
}

/** @typedef {import('../measure.mjs').Contender} Contender */
/** @typedef {{ threads: number, python: string }} How python: the interpreter to run */

const SGEMM = 1024

/** @param {import('../workload.mjs').Work} work a training @param {How} how @returns {Promise<Contender>} */
export function createPytorch({ cell, shape: { T, B, I, H } }, how) {
  return start('pytorch', [cell, T, B, I, H], how)
}

/** @param {string} python @returns {Promise<{ contender: Contender, flops: number }>} a product of its BLAS, on one thread */
export async function createSgemm(python) {
  const contender = await start('sgemm', ['sgemm', SGEMM, SGEMM, SGEMM, SGEMM], { threads: 1, python })
  return { contender, flops: 2 * SGEMM ** 3 }
}

/**
 * @param {string} name
 * @param {(string | number)[]} args what pytorch.py is started with, but for the threads
 * @param {How} how
 * @returns {Promise<Contender>}
 */
async function start(name, args, { threads, python }) {
  const peer = startPeer(python, [SCRIPT, ...[...args, threads].map(String)], threads)
  let wallMs = 0
  let cpuMs = 0
  try {
    const { blas, threads: actual } = await peer.answer()
    if (actual !== threads) throw new Error(`it runs on ${actual} threads`)
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
    name,
    backend: 'native',
    threads,
    async step(n) {
      peer.send(`run ${n}`)
      const answer = await peer.answer()
      wallMs += n * answer.ms
      cpuMs += n * answer.cpuMs
      return answer.ms
    },
    warning: () => threadWarning(wallMs, cpuMs, threads),
    close: () => peer.close(),
  }
}
