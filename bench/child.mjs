/** Measurements that a process must begin anew for. */

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/**
 * @param {string} program a file of this folder, which prints JSON
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [variables] over those of this process
 * @returns {Promise<any>} what it printed
 * @throws {Error} as it did there
 */
export async function inFreshProcess(program, args, variables = {}) {
  const file = fileURLToPath(new URL(program, import.meta.url))
  try {
    const env = { ...process.env, ...variables }
    return JSON.parse((await promisify(execFile)(process.execPath, [file, ...args], { env })).stdout)
  } catch (error) {
    const text =
      error instanceof Error ? `${/** @type {any} */ (error).stderr ?? ''}\n${error.message}` : String(error)
    throw new Error(/^\w*Error[^:\n]*: (.*)$/m.exec(text)?.[1] ?? text.trim().split('\n')[0])
  }
}
