/**
 * Trains an LSTM of the largest shape in this process, `node memory-once.mjs BACKEND THREADS`, and prints as JSON the bytes
 * that were resident when most were, and those of its arena.
 */

import { existsSync, readFileSync } from 'node:fs'
import { createTraining } from './recurra.mjs'
import { LARGEST, LEARNING_RATE } from './workload.mjs'

const STEPS = 10
const [backend, threads] = process.argv.slice(2)
const how = { backend: /** @type {import('./recurra.mjs').Backend} */ (backend), threads: Number(threads) }
const { training, batch } = await createTraining({ cell: 'lstm', shape: LARGEST }, how)
const arena = await training.memoryBytes(batch)
for (let i = 0; i < STEPS; i++) await training.run(batch, LEARNING_RATE)
console.log(JSON.stringify({ resident: mostResident(), arena }))

/** Linux hands a process's maxRSS on to those it starts, its peak to none. */
function mostResident() {
  const status = '/proc/self/status'
  if (!existsSync(status)) return process.resourceUsage().maxRSS * 1024
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(status, 'utf8'))?.[1]) * 1024
}
