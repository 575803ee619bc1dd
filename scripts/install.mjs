/** Brings the dependencies of a package that the repository's own install leaves out because of their size. */

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Runs `npm ci` in a folder unless it was done before.
 *
 * @param {string} folder
 * @param {() => void} beforehand called if it has to run
 * @returns {string | undefined} why the dependencies are absent, if they are
 */
export function installOnFirstUse(folder, beforehand) {
  // npm writes this file last, so an install that was cut off is done again.
  if (existsSync(join(folder, 'node_modules/.package-lock.json'))) return undefined
  beforehand()
  const { error, status, stderr } = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: folder,
    encoding: 'utf8',
    shell: process.platform === 'win32',
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  if (status === 0) return undefined
  const complaint = stderr?.split('\n').find((line) => /^npm (error|ERR!)/.test(line))
  return `npm ci failed: ${error?.message ?? complaint ?? `exit code ${status}`}`
}
