/** Asks a script of this folder, in a Python that can import torch. Only with RECURRA_ORACLES=1. */
import { spawnSync } from 'node:child_process'
import type { Named } from '../contract/support.ts'
import { ask, unless, wanted } from './ask.ts'

const python = (wanted ? ['/usr/bin/python3', 'python3'] : []).find(
  (command) => spawnSync(command, ['-c', 'import torch']).status === 0,
)
export const skipped = unless(python === undefined ? 'no python3 can import torch' : undefined, 'PyTorch')

/** One process answers all cases; where tests are skipped there are none. */
export function askPyTorch(script: string, cases: readonly object[]): Named[] {
  return python === undefined ? [] : ask(python, script, cases)
}
