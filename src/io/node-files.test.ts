import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readFileBytes, writeFileAtomic } from './node-files.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'recurra-files-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const fault = (message: RegExp) => ({
  name: 'RecurraError',
  code: 'file',
  message: expect.stringMatching(message),
})

test('a file is written, replaced and read, and nothing stays beside it', async () => {
  const path = join(folder, 'model')
  for (const bytes of [Uint8Array.of(1, 2, 3), new Uint8Array(100_000).fill(7), new Uint8Array()]) {
    await writeFileAtomic(path, bytes)
    expect(await readFileBytes(path)).toEqual(bytes)
  }
  expect(await readdir(folder)).toEqual(['model'])
})

test('saves at the same time leave one of them whole', async () => {
  const path = join(folder, 'model')
  await Promise.all([1, 2, 3, 4].map((byte) => writeFileAtomic(path, new Uint8Array(50_000).fill(byte))))
  const bytes = await readFileBytes(path)
  expect(bytes).toEqual(new Uint8Array(50_000).fill(bytes[0]!))
  expect(await readdir(folder)).toEqual(['model'])
})

test('a link and the permissions of what it names stay', async () => {
  await writeFile(join(folder, 'real'), 'old')
  await chmod(join(folder, 'real'), 0o600)
  await symlink('real', join(folder, 'link'))
  await writeFileAtomic(join(folder, 'link'), Uint8Array.of(78))
  expect((await lstat(join(folder, 'link'))).isSymbolicLink()).toBe(true)
  expect((await stat(join(folder, 'real'))).mode & 0o777).toBe(0o600)
  expect(await readFile(join(folder, 'real'), 'utf8')).toBe('N')
})

test('failures are one typed error, change nothing and leave nothing behind', async () => {
  await mkdir(join(folder, 'inner'))
  await writeFile(join(folder, 'text'), 'old')
  const bytes = Uint8Array.of(1)
  await expect(readFileBytes(join(folder, 'none'))).rejects.toMatchObject(fault(/cannot read .*no such file/))
  await expect(readFileBytes(folder)).rejects.toMatchObject(fault(/it is a folder/))
  await expect(writeFileAtomic(join(folder, 'inner'), bytes)).rejects.toMatchObject(fault(/it is a folder/))
  await expect(writeFileAtomic(join(folder, 'none', 'x'), bytes)).rejects.toMatchObject(fault(/none exists/))
  await expect(writeFileAtomic(join(folder, 'text', 'x'), bytes)).rejects.toMatchObject(fault(/not a folder/))
  const broken = 7 as unknown as Uint8Array
  await expect(writeFileAtomic(join(folder, 'text'), broken)).rejects.toMatchObject(fault(/cannot write/))
  expect(await readFile(join(folder, 'text'), 'utf8')).toBe('old')
  expect((await readdir(folder)).sort()).toEqual(['inner', 'text'])
})

test.skipIf(process.platform === 'win32')('a device is not replaced by a file', async () => {
  await expect(writeFileAtomic('/dev/null', Uint8Array.of(1))).rejects.toMatchObject(
    fault(/not a regular file/),
  )
})
