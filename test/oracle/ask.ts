/** Asks another program about cases: COMMAND SCRIPT CASES.json ANSWERS.json, one process for all. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Named } from '../contract/support.ts'

export const wanted = process.env['RECURRA_ORACLES'] === '1'

/** Why a peer is not asked, if it is not; said once. */
export function unless(absent: string | undefined, peer: string): boolean {
  const reason = wanted ? absent : 'RECURRA_ORACLES is not 1'
  if (reason !== undefined) console.log(`skipped: against ${peer}: ${reason}`)
  return reason !== undefined
}

/** The answers of a script of this folder, one for each case. */
export function ask(command: string, script: string, cases: readonly object[]): Named[] {
  const folder = mkdtempSync(join(tmpdir(), 'recurra-oracle-'))
  try {
    const [asked, answered] = [join(folder, 'cases.json'), join(folder, 'answers.json')]
    writeFileSync(asked, JSON.stringify(cases))
    execFileSync(command, [fileURLToPath(new URL(script, import.meta.url)), asked, answered])
    return JSON.parse(readFileSync(answered, 'utf8')) as Named[]
  } finally {
    rmSync(folder, { recursive: true })
  }
}
