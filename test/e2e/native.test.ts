/** Native code where the machine has no use for it: each failure is one line that says why, and a broken cache mends itself. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
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

/** Runs a program that imports the library, with a cache of its own. */
function run(program: string, environment: NodeJS.ProcessEnv) {
  const env = { ...process.env, XDG_CACHE_HOME: join(folder, 'cache'), ...environment }
  const text = `const { fit, lstm, predict, sequential } = await import(${JSON.stringify(library)})\n${program}`
  return spawnSync(process.execPath, ['--input-type=module', '-e', text], { env, encoding: 'utf8' })
}

/** What a prediction prints that asks for native code: its numbers, and in one line why that is not what runs. */
function predict(environment: NodeJS.ProcessEnv = {}, before = '') {
  const program = `
    ${before}
    const net = sequential([lstm({ units: 5 })])
    const x = [[[1, 2], [3, 4], [5, 6]]]
    const { data } = await predict(net, x, { backend: 'native' })
    await predict(net, x, { backend: 'native' })
    console.log(data.join(' '))`
  const { stdout, stderr } = run(program, environment)
  expect(stdout).toMatch(/^[-\d.e ]+\n$/)
  return { numbers: stdout, why: stderr }
}

/** What `fit` says of where it runs, and where it goes on from its state, which may be altered in between. */
function train(units: number, options: object, environment: NodeJS.ProcessEnv = {}, between = ''): string {
  const program = `
    const net = sequential([lstm({ units: ${units} })])
    const tensor = (...shape) => ({ data: new Float32Array(shape.reduce((a, b) => a * b)).fill(0.5), shape, dtype: 'f32' })
    const batches = [{ inputs: tensor(4, 30, 8), targets: tensor(4, ${units}), reset: true }]
    const options = { loss: 'meanSquaredError', ...${JSON.stringify(options)} }
    const first = fit(net, batches, options)
    for await (const { kind, backend } of first) console.log(kind, backend ?? '')
    const resume = await first.state()
    ${between}
    for await (const { kind, backend } of fit(net, batches, { ...options, epochs: 2, resume })) console.log(kind, backend ?? '')`
  const { stdout, stderr } = run(program, environment)
  return stdout + stderr
}

/** A folder with a compiler of one's own as `cc`, and nothing else. */
function compiler(name: string, script: string): NodeJS.ProcessEnv {
  const bin = join(folder, name)
  mkdirSync(bin)
  writeFileSync(join(bin, 'cc'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  return { PATH: bin, XDG_CACHE_HOME: join(folder, `${name}-cache`) }
}

const instead = (why: string) =>
  expect.stringMatching(new RegExp(`^recurra: WebAssembly instead of native code: ${why}.*\\n$`))

test('no compiler, or one that fails', () => {
  const reason = 'no C compiler works here: cc is not there; clang is not there; gcc is not there'
  expect(predict({ PATH: folder }).why).toEqual(instead(reason))
  const failing = predict(compiler('failing', 'echo "error: out of order" >&2; exit 1'))
  expect(failing.why).toEqual(instead('no C compiler works here: cc error: out of order'))
})

test.skipIf(process.env['RECURRA_LONG'] === undefined)('a compiler that hangs is left', () => {
  expect(predict(compiler('hanging', 'exec /bin/sleep 60')).why).toEqual(instead('.*cc took over 10 s'))
})

test.skipIf(!hasCompiler)(
  'weights that change count at the next prediction, also while one is under way',
  () => {
    const { stdout, stderr } = run(
      `
    for (const threads of [1, 2]) {
      const net = sequential([lstm({ units: 40, returnSequences: true }), lstm({ units: 3 })])
      const rows = (B, T) => Array.from({ length: B }, (_, b) => Array.from({ length: T }, (_, t) => [Math.sin(b + t), 1]))
      const told = async (x, backend) => (await predict(net, x, { backend, threads })).data
      const isRight = async (x) => {
        const [own, other] = [await told(x, 'native'), await told(x, 'wasm')]
        return own.every((each, i) => Math.abs(each - other[i]) < 1e-5)
      }
      const right = [await isRight(rows(9, 4))]
      const weight = [...net.weights().values()][0].data
      for (const x of [rows(9, 4), rows(12, 7), rows(9, 4)]) {
        weight[0] += 1
        right.push(await isRight(x))
      }
      const calls = []
      for (let i = 0; i < 4; i++) {
        calls.push(told(rows(9, 4), 'native'))
        await null
        weight[1] += 1
      }
      await Promise.all(calls)
      console.log(...right, await isRight(rows(9, 4)))
    }`,
      { XDG_CACHE_HOME: join(folder, 'weights-cache') },
    )
    const all = 'true true true true true\n'
    expect(stdout + stderr).toBe(all + all)
  },
)

test('no koffi', () => {
  const { why } = predict(
    {},
    `
    const module = process.getBuiltinModule('node:module')
    const resolve = module._resolveFilename
    module._resolveFilename = (name, ...rest) => {
      if (name === 'koffi') throw new Error("Cannot find module 'koffi'")
      return resolve(name, ...rest)
    }`,
  )
  expect(why).toEqual(instead(hasCompiler ? "koffi cannot be loaded: Cannot find module 'koffi'" : ''))
})

test.skipIf(!hasCompiler || !existsSync('/proc/cpuinfo'))('another processor gets code of its own', () => {
  const env = { XDG_CACHE_HOME: join(folder, 'processors') }
  const built = () =>
    readdirSync(join(folder, 'processors', 'recurra')).filter((name) => name.endsWith('.so'))
  const { numbers } = predict(env)
  const before = built()
  const other = predict(
    env,
    `
    const fs = process.getBuiltinModule('node:fs')
    const read = fs.readFileSync
    fs.readFileSync = (path, ...rest) => path === '/proc/cpuinfo' ? 'model name : the same\\nflags : fewer' : read(path, ...rest)`,
  )
  expect(other).toEqual({ numbers, why: '' })
  expect(built()).toHaveLength(2 * before.length)
})

test('a profile of native code without a compiler is refused in one line', () => {
  const { stdout } = run(
    `
    const { dense, trainingGraph, adam } = await import(${JSON.stringify(library)})
    const { profile } = await import(${JSON.stringify(library.replace('index.js', 'train/index.js'))})
    const net = sequential([lstm({ units: 5 }), dense({ units: 2 })], { input: { shape: [null, 3], dtype: 'f32' } })
    const graph = trainingGraph(net, { loss: 'softmaxCrossEntropy', optimizer: adam() })
    await profile(graph, { sizes: { B: 2, T: 3 }, backend: 'native' }).catch(({ name, message }) => console.log(name, message))`,
    { PATH: folder },
  )
  expect(stdout).toMatch(
    /^ArgumentError profile: there is no native code here: no C compiler works here.*take the backend wasm.*\n$/,
  )
})

test.skipIf(!hasCompiler)('one that makes no program', () => {
  const script =
    'for last; do :; done\ncase "$*" in *-dM*) exit 0;; esac\nwhile [ "$1" != -o ]; do shift; done\necho broken > "$2"'
  expect(predict(compiler('broken', script)).why).toEqual(instead('.*cannot be loaded'))
})

test.skipIf(!hasCompiler)('a cache that is cut short is built anew; one of others is not used', () => {
  const { numbers, why } = predict()
  expect(why).toBe('')
  const cache = join(folder, 'cache', 'recurra')
  const objects = readdirSync(cache).filter((name) => name.endsWith('.so'))
  expect(objects).toHaveLength(2)
  for (const name of objects) truncateSync(join(cache, name), 1000)
  expect(predict()).toEqual({ numbers, why: '' })
  chmodSync(cache, 0o755)
  expect(predict().why).toEqual(instead('the cache folder .* cannot be used: others'))
  chmodSync(cache, 0o700)
  writeFileSync(join(folder, 'file'), '')
  const beside = predict({ XDG_CACHE_HOME: join(folder, 'file') })
  expect(beside.why).toEqual(instead('the cache folder .* cannot be used'))
})

test.skipIf(!hasCompiler)('fit chooses by sizes, says so, and goes on with what it began with', () => {
  const said = (backend: string) => `start ${backend}\nstep \nepoch \nend \n`
  expect(train(200, {})).toBe(said('native').repeat(2))
  expect(train(200, { backend: 'wasm' })).toBe(said('wasm').repeat(2))
  expect(train(5, {})).toBe(said('wasm').repeat(2))
  const altered = "resume.set('training backend', { data: Int32Array.of(1), shape: [], dtype: 'i32' })"
  expect(train(5, {}, {}, altered)).toBe(`${said('wasm')}${said('native')}`)
  const lacking = train(5, {}, { PATH: folder }, altered)
  expect(lacking).toContain(
    "ran on the backend native, which this machine does not have; give backend: 'wasm'",
  )
})
