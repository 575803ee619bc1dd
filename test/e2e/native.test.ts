/** Native code where the machine has no use for it: each failure is one line that says why, and a broken cache mends itself. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const library = new URL('../../dist/index.js', import.meta.url).href
const hasCompiler = spawnSync('cc', ['--version']).status === 0
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'recurra-native-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** What a prediction by native code prints: its numbers, or why there are none. */
function predict(environment: NodeJS.ProcessEnv = {}): string {
  const program = `
    const { lstm, predict, sequential } = await import(${JSON.stringify(library)})
    const net = sequential([lstm({ units: 5 })])
    try {
      const { data } = await predict(net, [[[1, 2], [3, 4], [5, 6]]], { backend: 'native' })
      console.log(data.join(' '))
    } catch (error) {
      console.log(error.constructor.name, error.message)
    }`
  const env = { ...process.env, XDG_CACHE_HOME: join(folder, 'cache'), ...environment }
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    env,
    encoding: 'utf8',
  })
  expect(stderr).toBe('')
  return stdout.trim()
}

/** A folder with a compiler of one's own as `cc`, and nothing else. */
function compiler(name: string, script: string): NodeJS.ProcessEnv {
  const bin = join(folder, name)
  mkdirSync(bin)
  writeFileSync(join(bin, 'cc'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  return { PATH: bin, XDG_CACHE_HOME: join(folder, `${name}-cache`) }
}

test('no compiler, or one that fails', () => {
  expect(predict({ PATH: folder })).toMatch(
    /^NativeUnavailable no C compiler works here: cc is not there; clang is not there; gcc is not there$/,
  )
  expect(predict(compiler('failing', 'echo "error: out of order" >&2; exit 1'))).toMatch(
    /cc error: out of order/,
  )
})

test.skipIf(!hasCompiler)('one that makes no program', () => {
  const script =
    'for last; do :; done\ncase "$*" in *-dM*) exit 0;; esac\nwhile [ "$1" != -o ]; do shift; done\necho broken > "$2"'
  expect(predict(compiler('broken', script))).toMatch(/^NativeUnavailable .*cannot be loaded/)
})

test.skipIf(!hasCompiler)('a cache that is cut short is built anew; one of others is not used', () => {
  const first = predict()
  expect(first).toMatch(/^[-\d.e ]+$/)
  const cache = join(folder, 'cache', 'recurra')
  const objects = readdirSync(cache).filter((name) => name.endsWith('.so'))
  expect(objects).toHaveLength(2)
  for (const name of objects) truncateSync(join(cache, name), 1000)
  expect(predict()).toBe(first)
  chmodSync(cache, 0o755)
  expect(predict()).toMatch(/^NativeUnavailable the cache folder .* cannot be used: others/)
  chmodSync(cache, 0o700)
  writeFileSync(join(folder, 'file'), '')
  expect(predict({ XDG_CACHE_HOME: join(folder, 'file') })).toMatch(
    /^NativeUnavailable the cache folder .* cannot be used/,
  )
})
