/** Whether a result can be written, asked before the work that makes it. */
import { access, constants, realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { RecurraError } from '../tensor/errors.ts'

/**
 * @param inputs files that must not be written over
 * @throws {RecurraError} with the code `file`: no such folder, not a regular file, no permission, or one of the inputs
 */
export async function requireWritable(path: string, inputs: readonly string[] = []): Promise<void> {
  const refuse = (reason: string) => new RecurraError('file', `cannot write ${path}: ${reason}`)
  if (path === '') throw refuse('its name is empty: name a file')
  const folder = dirname(path)
  if (!(await stat(folder).catch(() => undefined))?.isDirectory()) {
    throw refuse(`there is no folder ${folder}: make it first, or name another`)
  }
  const target = await realpath(path).catch(() => undefined)
  if (target !== undefined && !(await stat(target)).isFile()) throw refuse('it is not a file: name a file')
  for (const place of target === undefined ? [folder] : [target, dirname(target)]) {
    await access(place, constants.W_OK).catch(() => {
      throw refuse('permission denied: change its permissions or choose another place')
    })
  }
  const sources = await Promise.all(inputs.map((input) => realpath(input).catch(() => undefined)))
  if (target !== undefined && sources.includes(target)) {
    throw refuse('it is a text to train on: choose another name')
  }
}
