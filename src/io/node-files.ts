/**
 * Whole files in Node: read at once, replaced at once.
 * Holds: whoever opens the path of `writeFileAtomic` finds the old file whole or the new file whole, also when the
 * process or the machine stops in the middle (what may then stay behind is a hidden `.recurra-….tmp` beside it).
 * Every failure is a RecurraError with the code `file`.
 */
import { randomUUID } from 'node:crypto'
import { access, constants, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { RecurraError } from '../tensor/errors.ts'

/** What a system's error code means, and what to do; `folder` is where the file is to stand. */
const advice: ReadonlyMap<string, (folder: string) => string> = new Map<string, (folder: string) => string>([
  ['ENOENT', (folder) => `there is no such file or folder: check the name and that ${folder} exists`],
  ['ENOTDIR', (folder) => `${folder} is not a folder: check the name`],
  ['EISDIR', () => 'it is a folder: name a file'],
  ['EACCES', () => 'permission denied: change its permissions or choose another place'],
  ['EPERM', () => 'permission denied: change its permissions or choose another place'],
  ['EROFS', () => 'it is on a read-only file system: choose another place'],
  ['ENOSPC', () => 'the disk is full: make room or choose another place'],
  ['ENAMETOOLONG', () => 'the name is too long: choose a shorter one'],
])

/**
 * The bytes of a file.
 *
 * @throws {RecurraError} with the code `file` when it is missing, a folder, or not readable
 */
export async function readFileBytes(path: string): Promise<Uint8Array> {
  try {
    const { buffer, byteOffset, byteLength } = await readFile(path)
    return new Uint8Array(buffer, byteOffset, byteLength)
  } catch (cause) {
    throw fileError('read', path, cause)
  }
}

/**
 * Writes a file so that it appears whole or not at all: to a temporary file in the same folder, to the disk, then
 * to its name. A link stays a link, and permissions stay as they were. Folders are not created.
 *
 * @throws {RecurraError} with the code `file` when the folder is missing, the name is not that of a file, or
 * writing fails; what stood there before is then untouched
 */
export async function writeFileAtomic(path: string, bytes: Uint8Array): Promise<void> {
  try {
    const target = await realpath(path).catch(unlessMissing(path))
    const old = await stat(target).catch(unlessMissing(undefined))
    if (old?.isDirectory()) throw Object.assign(new Error('a folder'), { code: 'EISDIR' })
    if (old?.isFile() === false) throw new Error('it is not a regular file: name another')
    if (old !== undefined) await access(target, constants.W_OK)
    await replace(target, bytes, old === undefined ? 0o666 : old.mode & 0o777)
  } catch (cause) {
    throw fileError('write', path, cause)
  }
}

async function replace(target: string, bytes: Uint8Array, mode: number): Promise<void> {
  const temporary = join(dirname(target), `.recurra-${randomUUID()}.tmp`)
  try {
    const file = await open(temporary, 'wx', mode)
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, target)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw error
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

function unlessMissing<T>(otherwise: T): (error: unknown) => T {
  return (error) => {
    if (codeOf(error) !== 'ENOENT') throw error
    return otherwise
  }
}

function fileError(action: 'read' | 'write', path: string, cause: unknown): RecurraError {
  const message = cause instanceof Error ? cause.message : String(cause)
  const reason = advice.get(codeOf(cause))?.(dirname(path)) ?? message
  return new RecurraError('file', `cannot ${action} ${path}: ${reason}`, { cause })
}
