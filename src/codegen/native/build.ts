/** Builds C with the machine's compiler, once: what was built is kept in the user's cache folder. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { cpus, homedir, tmpdir } from 'node:os'
import { join } from 'node:path'

/** Why there is no native code here; WebAssembly takes its place. */
export class NativeUnavailable extends Error {}

const COMPILERS = ['cc', 'clang', 'gcc']
const FLAGS = [
  ...['-O2', '-march=native', '-std=gnu11', '-shared', '-fPIC', '-w'],
  ...['-fno-math-errno', '-fno-trapping-math', '-Wno-psabi'],
]
const LIMIT_MS = 10_000

export interface Compiler {
  readonly command: string
  /** Lanes of its widest vectors of f32. */
  readonly lanes: 4 | 8 | 16
  /** Tells apart what it builds from what another one, or another processor, would. */
  readonly identity: string
}

let found: Compiler | undefined

/** The first compiler that works. @throws {NativeUnavailable} */
export function compilerOf(): Compiler {
  found ??= findCompiler()
  return found
}

function findCompiler(): Compiler {
  for (const command of COMPILERS) {
    // The macros of a compiler say what the processor can do, and which compiler it is.
    const { status, stdout } = spawnSync(command, ['-march=native', '-dM', '-E', '-x', 'c', '-'], {
      input: '',
      encoding: 'utf8',
      timeout: LIMIT_MS,
    })
    if (status !== 0) continue
    const has = (macro: string) => stdout.includes(`#define ${macro} `)
    const lanes = has('__AVX512F__') ? 16 : has('__AVX__') ? 8 : 4
    const identity = digest([command, stdout, cpus()[0]?.model ?? '', process.arch].join('\n'))
    return { command, lanes, identity }
  }
  throw new NativeUnavailable(`no C compiler works here (tried ${COMPILERS.join(', ')})`)
}

const digest = (text: string | Uint8Array) => createHash('sha256').update(text).digest('hex')

/** The user's cache folder, only for this user. @throws {NativeUnavailable} */
function cacheFolder(): string {
  const root = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache')
  const folder = join(root, 'recurra')
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const { uid, mode } = statSync(folder)
    if (process.getuid && uid !== process.getuid()) throw new Error('it belongs to another user')
    if ((mode & 0o077) !== 0) throw new Error('other users may write or read it')
    return folder
  } catch (error) {
    throw new NativeUnavailable(`cannot use ${folder}: ${error instanceof Error ? error.message : error}`)
  }
}

/**
 * The path of a shared object made from a source and what it is linked against.
 *
 * @throws {NativeUnavailable} where it cannot be built
 */
export function build(
  source: string,
  extra: readonly string[] = [],
  libraries: readonly string[] = [],
): string {
  const { command, identity } = compilerOf()
  const flags = [...FLAGS, ...extra]
  const key = digest([identity, ...flags, ...libraries, source].join('\n'))
  const folder = cacheFolder()
  const [file, seal] = [join(folder, `${key}.so`), join(folder, `${key}.sha256`)]
  if (isWhole(file, seal)) return file
  const work = mkdtempSync(join(tmpdir(), 'recurra-'))
  try {
    const [from, to] = [join(work, 'program.c'), join(work, 'program.so')]
    writeFileSync(from, source)
    const { status, stderr, error } = spawnSync(command, [...flags, '-o', to, from, ...libraries], {
      encoding: 'utf8',
      timeout: LIMIT_MS,
    })
    if (status !== 0) {
      const reason =
        error?.message ?? stderr.split('\n').find((line) => line.includes('error')) ?? `status ${status}`
      throw new NativeUnavailable(`${command} failed: ${reason}`)
    }
    const bytes = readFileSync(to)
    // Files move into their place whole.
    const near = join(folder, `${key}.${process.pid}`)
    writeFileSync(near, bytes, { mode: 0o700 })
    renameSync(near, file)
    writeFileSync(near, digest(bytes), { mode: 0o600 })
    renameSync(near, seal)
    return file
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** A file cut short would crash the process that loads it. */
function isWhole(file: string, seal: string): boolean {
  return existsSync(file) && existsSync(seal) && digest(readFileSync(file)) === readFileSync(seal, 'utf8')
}
