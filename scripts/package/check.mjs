/**
 * The command `npm run package`: packs what npm would publish, then looks at it: which files are in it, publint,
 * arethetypeswrong, and the sizes of bundles (.size-limit.js).
 */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installOnFirstUse } from '../install.mjs'

const FOLDER = fileURLToPath(new URL('.', import.meta.url))
const ROOT = join(FOLDER, '../..')
const BELONGS = /^(dist\/.+(?<!\.test)\.(js|d\.ts)|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/
const NEEDED = ['README.md', 'LICENSE', 'CHANGELOG.md']

/**
 * @param {string} cwd
 * @param {string[]} args
 * @param {import('node:child_process').StdioOptions} stdio
 */
function npm(cwd, args, stdio = 'inherit') {
  return spawnSync('npm', args, { cwd, stdio, encoding: 'utf8', shell: process.platform === 'win32' })
}

/**
 * @param {{ path: string }[]} files
 * @returns {string[]} complaints
 */
function lookAtFiles(files) {
  const paths = files.map(({ path }) => path)
  return [
    ...paths.filter((path) => !BELONGS.test(path)).map((path) => `${path} does not belong in the package`),
    ...NEEDED.filter((path) => !paths.includes(path)).map((path) => `${path} is not in the package`),
  ]
}

/**
 * @param {string} target folder for the tarball
 * @returns {string[]} the names of what failed
 */
function check(target) {
  const { status, stdout } = npm(
    ROOT,
    ['pack', '--json', '--pack-destination', target],
    ['ignore', 'pipe', 'inherit'],
  )
  if (status !== 0) return ['npm pack']
  const [{ filename, files, size, unpackedSize }] = JSON.parse(stdout)
  const tarball = join(target, filename)
  console.log(
    `${filename}: ${files.length} files, ${Math.ceil(size / 1000)} kB packed, ${Math.ceil(unpackedSize / 1000)} kB unpacked`,
  )
  const complaints = lookAtFiles(files)
  for (const complaint of complaints) console.log(complaint)

  const types = [
    '--profile',
    'esm-only',
    '--no-definitely-typed',
    '--format',
    'table-flipped',
    '--no-summary',
  ]
  const tools = [
    ['publint', 'run', tarball, '--strict'],
    ['attw', tarball, ...types, '--no-emoji', '--no-color'],
    ['size-limit'],
  ]
  const failed = tools.filter((tool) => npm(FOLDER, ['exec', '--', ...tool]).status !== 0)
  return [...(complaints.length > 0 ? ['files'] : []), ...failed.map(([name]) => name)]
}

const reason = installOnFirstUse(FOLDER, () =>
  console.log('package: installing what checks it on first use (npm ci in scripts/package)'),
)
const target = mkdtempSync(join(tmpdir(), 'recurra-package-'))
try {
  const failed = reason === undefined ? check(target) : [reason]
  for (const name of failed) console.error(`package: failed: ${name}`)
  process.exitCode = failed.length === 0 ? 0 : 1
} finally {
  rmSync(target, { recursive: true, force: true })
}
