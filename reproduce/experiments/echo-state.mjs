/**
 * The series of the task mackey-glass forecast by NumPy, as pyESN does it: the reservoir is driven by its own output.
 *
 *     npm run build; node reproduce/experiments/echo-state.mjs 16
 */

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { series } from '../tasks/mackey-glass.mjs'
import { experiment } from './seeds.mjs'

const script = fileURLToPath(new URL('echo_state.py', import.meta.url))

experiment(
  'echo-state',
  'Prints the RMSE of 2,000 free-running steps, of each seed, from least to largest. Needs python3 with NumPy.',
  (seeds) => {
    const { status } = spawnSync('python3', [script, String(seeds)], {
      input: JSON.stringify([...series()]),
      stdio: ['pipe', 'inherit', 'inherit'],
    })
    if (status === 0) return
    console.error('echo-state: it did not run: is there python3 with NumPy?')
    process.exitCode = 1
  },
)
