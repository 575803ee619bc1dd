/** Brings this package's dependencies, which the repository's own install leaves out because of their size. */

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('.', import.meta.url))

/**
 * Runs `npm ci` here unless it was done before.
 *
 * @param {(line: string) => void} say
 * @returns {string | undefined} why the dependencies are absent, if they are
 */
export function installPeers(say) {
  // npm writes this file last, so an install that was cut off is done again.
  if (existsSync(`${FOLDER}node_modules/.package-lock.json`)) return undefined
  say('bench: installing the peers on first use (npm ci in bench)')
  const { error, status, stderr } = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: FOLDER,
    encoding: 'utf8',
    shell: process.platform === 'win32',
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  if (status === 0) return undefined
  const complaint = stderr?.split('\n').find((line) => /^npm (error|ERR!)/.test(line))
  return `npm ci failed: ${error?.message ?? complaint ?? `exit code ${status}`}`
}
