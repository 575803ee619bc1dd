/**
 * The series of the task mackey-glass forecast by NumPy, as pyESN does it: the reservoir is driven by its own output.
 *
 *     npm run build; node reproduce/experiments/echo-state.mjs 16
 *
 * Prints the RMSE of 2,000 free-running steps for so many seeds, from least to largest. Needs python3 with NumPy.
 */

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { series } from '../tasks/mackey-glass.mjs'

const script = fileURLToPath(new URL('echo_state.py', import.meta.url))
const { status, error } = spawnSync('python3', [script, process.argv[2] ?? '16'], {
  input: JSON.stringify([...series()]),
  stdio: ['pipe', 'inherit', 'inherit'],
})
if (error) console.error(`python3: ${error.message}`)
process.exitCode = status ?? 1
