/** The command `npm run study`: reads the command line, runs the study, writes its files. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HELP, readOptions, UsageError } from './options.mjs'

/**
 * @param {string[]} args
 * @throws {UsageError}
 */
async function main(args) {
  const options = readOptions(args)
  if (options === 'help') {
    process.stdout.write(HELP)
    return
  }
  write(options.out, {}) // before the work, so that a folder which cannot be made does not cost a run
  // Only now: `--help` works without a build.
  const { gradients } = await import('./gradients.mjs')
  const files = await gradients(options, (text) => console.log(text))
  write(options.out, files)
  console.log(
    `\nwritten: ${Object.keys(files)
      .map((name) => join(options.out, name))
      .join(', ')}`,
  )
}

/**
 * @param {string} folder
 * @param {Record<string, string>} files
 * @throws {UsageError} if they cannot be written
 */
function write(folder, files) {
  try {
    mkdirSync(folder, { recursive: true })
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  } catch (error) {
    throw new UsageError(
      `--out: cannot write to ${folder}: ${error instanceof Error ? error.message : error}`,
    )
  }
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(`study: ${error.message}\nSee: npm run study -- --help`)
  process.exitCode = 2
}
