/** Asks a script of this folder, in a Python that can import torch. Only with RECURRA_ORACLES=1. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Named } from '../contract/support.ts'

const wanted = process.env['RECURRA_ORACLES'] === '1'
const python = (wanted ? ['/usr/bin/python3', 'python3'] : []).find(
  (command) => spawnSync(command, ['-c', 'import torch']).status === 0,
)
export const skipped = python === undefined
const reason = wanted ? 'no python3 can import torch' : 'RECURRA_ORACLES is not 1'
if (skipped) console.log(`skipped: against PyTorch: ${reason}`)

/** One process answers all cases; where tests are skipped there are none. */
export function ask(script: string, cases: readonly object[]): Named[] {
  if (python === undefined) return []
  const folder = mkdtempSync(join(tmpdir(), 'recurra-pytorch-'))
  try {
    const [asked, answered] = [join(folder, 'cases.json'), join(folder, 'answers.json')]
    writeFileSync(asked, JSON.stringify(cases))
    execFileSync(python, [fileURLToPath(new URL(script, import.meta.url)), asked, answered])
    return JSON.parse(readFileSync(answered, 'utf8')) as Named[]
  } finally {
    rmSync(folder, { recursive: true })
  }
}
