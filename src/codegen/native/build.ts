/** Builds C with the machine's compiler, once: what was built is kept in the user's cache folder. */
/** Why there is no native code here; WebAssembly takes its place. */
export class NativeUnavailable extends Error {}

const COMPILERS = ['cc', 'clang', 'gcc']
/** Nothing is contracted or taken for finite: what a lane gives depends on that lane alone. */
const FLAGS = [
  '-march=native',
  '-std=gnu11',
  '-shared',
  '-fPIC',
  '-pipe',
  '-w',
  '-fno-math-errno',
  '-fno-trapping-math',
]
const LIMIT_MS = 10_000
const OUTPUT_BYTES = 2 ** 24
/** Objects in the cache; half of them go when there are more. */
const MOST_KEPT = 1024

export interface Compiler {
  readonly command: string
  /** Lanes of its widest vectors of f32. */
  readonly lanes: 4 | 8 | 16
  /** Whether it is the one that the prelude names instructions for; others find them in loops over lanes. */
  readonly isDirect: boolean
  /** Tells apart what it builds from what another one, or another processor, would. */
  readonly identity: string
}

/** What is built, and how. */
export interface Source {
  readonly text: string
  readonly flags: readonly string[]
  /** Shared objects it is linked against. */
  readonly libraries: readonly string[]
}

/**
 * One of Node's own modules. No import names them: a page's bundler finds nothing here that a browser lacks.
 *
 * @throws {NativeUnavailable} outside of Node
 */
function builtin<K extends keyof Builtins>(name: K): Builtins[K] {
  const found = globalThis.process?.getBuiltinModule?.(name)
  if (found === undefined) throw new NativeUnavailable('this is not Node, or one before 20.16')
  return found as Builtins[K]
}

interface Builtins {
  'node:child_process': typeof import('node:child_process')
  'node:crypto': typeof import('node:crypto')
  'node:fs': typeof import('node:fs')
  'node:module': typeof import('node:module')
  'node:os': typeof import('node:os')
  'node:path': typeof import('node:path')
}

/** How an optional package is loaded. @throws {NativeUnavailable} where it is not installed, or not for this machine */
export function requireOptional(name: string): unknown {
  try {
    return builtin('node:module').createRequire(import.meta.url)(name)
  } catch (error) {
    throw new NativeUnavailable(`${name} cannot be loaded: ${messageOf(error).split('\n')[0]}`)
  }
}

/** The machine's memory in bytes. */
export const machineBytes = (): number => builtin('node:os').totalmem()

let found: Promise<Compiler> | undefined

/** The first compiler that works; rejects with {@link NativeUnavailable} where there is none. */
export function compilerOf(): Promise<Compiler> {
  found ??= findCompiler()
  return found
}

async function findCompiler(): Promise<Compiler> {
  const folder = cacheFolder()
  const reasons: string[] = []
  for (const command of COMPILERS) {
    try {
      return await knownOr(folder, command, () => ask(command))
    } catch (error) {
      reasons.push(messageOf(error))
    }
  }
  throw new NativeUnavailable(`no C compiler works here: ${reasons.join('; ')}`)
}

/** The macros of a compiler say what the processor can do, and which compiler it is. */
async function ask(command: string): Promise<Compiler> {
  const macros = await run(command, ['-march=native', '-dM', '-E', '-x', 'c', '/dev/null'])
  const has = (macro: string) => macros.includes(`#define ${macro} `)
  const lanes = has('__AVX512F__') ? 16 : has('__AVX__') ? 8 : 4
  const isDirect = has('__x86_64__') && !has('__clang__')
  return { command, lanes, isDirect, identity: digest(`${command}\n${processor()}\n${macros}`) }
}

/** What the first processor is called and can do: machines of one name may differ in what is switched on. */
function processor(): string {
  try {
    const [first] = builtin('node:fs').readFileSync('/proc/cpuinfo', 'utf8').split('\n\n')
    return first!.match(/^(model name|flags|Features|CPU part)\s*:.*$/gm)!.join('\n')
  } catch {
    return builtin('node:os').cpus()[0]?.model ?? ''
  }
}

/** What was found out of this very file on this processor before; asking it takes as long as all else together. */
async function knownOr(folder: string, command: string, ask: () => Promise<Compiler>): Promise<Compiler> {
  const { delimiter, join } = builtin('node:path')
  const { readFileSync, renameSync, statSync, writeFileSync } = builtin('node:fs')
  for (const each of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(each, command)
    const file = statSync(path, { throwIfNoEntry: false })
    if (file === undefined) continue
    const key = digest([path, file.ino, file.size, file.mtimeMs, processor()].join('\n'))
    const note = join(folder, `${key}.json`)
    try {
      return compilerFrom(JSON.parse(readFileSync(note, 'utf8')))
    } catch {
      const compiler = await ask()
      writeFileSync(`${note}.${process.pid}`, JSON.stringify(compiler))
      renameSync(`${note}.${process.pid}`, note)
      return compiler
    }
  }
  throw new NativeUnavailable(`${command} is not there`)
}

/** @throws {Error} for a note that was cut short or altered */
function compilerFrom({ command, lanes, isDirect, identity }: Compiler): Compiler {
  const isKnown = COMPILERS.includes(command) && [4, 8, 16].includes(lanes)
  if (isKnown && typeof isDirect === 'boolean' && typeof identity === 'string')
    return { command, lanes, isDirect, identity }
  throw new Error('this is no compiler')
}

/** What a command prints. Rejects with one line that says what went wrong. */
function run(command: string, args: readonly string[]): Promise<string> {
  const { execFile } = builtin('node:child_process')
  return new Promise((resolve, reject) => {
    const options = { timeout: LIMIT_MS, killSignal: 'SIGKILL', maxBuffer: OUTPUT_BYTES } as const
    execFile(command, [...args], options, (error, stdout, stderr) => {
      if (error === null) {
        resolve(stdout)
        return
      }
      const said =
        stderr.split('\n').find((line) => line.includes('error')) ?? messageOf(error).split('\n')[0]
      const why = error.killed ? `took over ${LIMIT_MS / 1000} s` : said
      reject(new NativeUnavailable(`${command} ${why}`))
    })
  })
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

function digest(content: string | Uint8Array): string {
  return builtin('node:crypto').createHash('sha256').update(content).digest('hex')
}

/** The user's cache folder, this user's alone. @throws {NativeUnavailable} */
function cacheFolder(): string {
  const { mkdirSync, statSync } = builtin('node:fs')
  const folder = builtin('node:path').join(
    process.env['XDG_CACHE_HOME'] || builtin('node:path').join(builtin('node:os').homedir(), '.cache'),
    'recurra',
  )
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const { uid, mode } = statSync(folder)
    if (process.getuid !== undefined && uid !== process.getuid())
      throw new Error('it belongs to another user')
    if ((mode & 0o077) !== 0)
      throw new Error('others than its owner may read or write it (chmod 700 mends that)')
    return folder
  } catch (error) {
    throw new NativeUnavailable(`the cache folder ${folder} cannot be used: ${messageOf(error)}`)
  }
}

/** The path of the shared object that a source makes; rejects with {@link NativeUnavailable} where it cannot be built. */
export async function build({ text, flags, libraries }: Source): Promise<string> {
  const { join } = builtin('node:path')
  const { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } = builtin('node:fs')
  const [{ command, identity }, folder] = [await compilerOf(), cacheFolder()]
  const all = [...flags, ...FLAGS]
  const key = digest([identity, ...all, ...libraries, text].join('\n'))
  const [file, seal] = [join(folder, `${key}.so`), join(folder, `${key}.sha256`)]
  if (isWhole(file, seal)) return file
  try {
    const work = mkdtempSync(join(folder, 'building-'))
    try {
      const [from, to] = [join(work, 'program.c'), join(work, 'program.so')]
      writeFileSync(from, text)
      await run(command, [...all, '-o', to, from, ...libraries])
      writeFileSync(`${to}.sha256`, digest(readFileSync(to)))
      // Files move into their place whole.
      renameSync(to, file)
      renameSync(`${to}.sha256`, seal)
      prune(folder)
      return file
    } finally {
      rmSync(work, { recursive: true, force: true })
    }
  } catch (error) {
    throw error instanceof NativeUnavailable ? error : new NativeUnavailable(messageOf(error))
  }
}

/** A file that was cut short would take down the process that loads it. */
function isWhole(file: string, seal: string): boolean {
  const { readFileSync } = builtin('node:fs')
  try {
    return digest(readFileSync(file)) === readFileSync(seal, 'utf8')
  } catch {
    return false
  }
}

/** Of what is kept, what was not used for the longest time goes. */
function prune(folder: string): void {
  const { readdirSync, rmSync, statSync } = builtin('node:fs')
  const { join } = builtin('node:path')
  const kept = readdirSync(folder).filter((name) => name.endsWith('.so'))
  if (kept.length <= MOST_KEPT) return
  const used = (name: string) => statSync(join(folder, name), { throwIfNoEntry: false })?.atimeMs ?? 0
  const byUse = kept.map((name) => ({ name, used: used(name) })).sort((a, b) => a.used - b.used)
  for (const { name } of byUse.slice(0, kept.length - MOST_KEPT / 2)) {
    for (const each of [name, name.replace('.so', '.sha256')]) rmSync(join(folder, each), { force: true })
  }
}
