/** Brings the dependencies of a package that the repository's own install leaves out because of their size. */

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Runs `npm ci` in a folder unless what it installs is there.
 *
 * @param {string} folder
 * @param {() => void} beforehand called if it has to run
 * @returns {string | undefined} why the dependencies are absent, if they are
 */
export function installOnFirstUse(folder, beforehand) {
  if (isInstalled(folder)) return undefined
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

/**
 * Whether every package of the lockfile is there, as the version that it names. What is optional may be another platform's.
 *
 * @param {string} folder
 */
function isInstalled(folder) {
  // npm writes this file last, so an install that was cut off is done again.
  const written = join(folder, 'node_modules/.package-lock.json')
  if (!existsSync(written)) return false
  const [wanted, there] = [join(folder, 'package-lock.json'), written].map(
    (file) => JSON.parse(readFileSync(file, 'utf8')).packages,
  )
  return Object.entries(wanted).every(
    ([path, { optional, version }]) =>
      path === '' || (path in there ? there[path].version === version : optional),
  )
}
