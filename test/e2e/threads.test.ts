/** Workers over shared memory, with the built library: the bits of one thread, and what happens where workers fail. */
import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'

const library = new URL('../../dist/', import.meta.url).href
const hasCompiler = spawnSync('cc', ['--version']).status === 0
const backends = ['wasm', ...(hasCompiler ? ['native'] : [])]

/** What a program prints that imports the library. */
function run(body: string) {
  const text = `
    import { createHash } from 'node:crypto'
    import * as recurra from '${library}index.js'
    import { sequences } from '${library}data/index.js'
    import { TrainingStep } from '${library}train/index.js'
    const { adam, attention, bidirectional, call, conv1d, dense, dropout, embedding, fit, gru, input, layerNormLstmCell, lstm,
      minimalGatedCell, model, predict, recurrent, sequential } = recurra
    const hash = (net) => {
      const hash = createHash('sha256')
      for (const { data } of net.weights().values()) hash.update(data)
      return hash.digest('hex')
    }
    /** Rows of numbers that depend on their place alone. */
    const rows = (lengths, features) =>
      lengths.map((T, b) => Array.from({ length: T }, (_, t) => Array.from({ length: features }, (_, i) => Math.sin(7 * b + 3 * t + i))))
    const even = Array(11).fill(9), ragged = [9, 3, 1, 7, 7, 2, 9, 5, 4, 1, 8]
    ${body}`
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', text], {
    encoding: 'utf8',
  })
  expect(stderr.includes('Error') ? stderr : '').toBe('')
  return { status, lines: stdout.trim().split('\n'), stderr }
}

/** Models by what they are made of; each reads 6 features a step and says 3 numbers a row. */
const MODELS = `{
  lstm: () => sequential([lstm({ units: 24 }), dense({ units: 3 })]),
  'gru, two layers, dropout': () => sequential([gru({ units: 17, returnSequences: true, dropout: 0.3 }), gru({ units: 9 }), dense({ units: 3 })]),
  'both ways': () => sequential([bidirectional(lstm({ units: 10 })), dropout({ rate: 0.2 }), dense({ units: 3 })]),
  'a stack of cells': () => sequential([recurrent([minimalGatedCell({ units: 8 }), layerNormLstmCell({ units: 12 })]), dense({ units: 3 })]),
  'convolution, then a cell': () => sequential([conv1d({ filters: 12, kernelSize: 3, padding: 'same' }), gru({ units: 9 }), dense({ units: 3 })]),
}`

describe.each(backends)('%s', (backend) => {
  test('50 steps end in the same bits on 1, 2, 3 and 4 threads, whatever the lengths', () => {
    // What is built takes longer.
    const count = backend === 'wasm' || process.env['RECURRA_LONG'] !== undefined ? 5 : 2
    const { lines } = run(`
      for (const [name, make] of Object.entries(${MODELS}).slice(0, ${count})) for (const lengths of [even, ragged]) {
        const hashes = new Set()
        for (const threads of [undefined, 2, 3, 4]) {
          const net = make()
          const batches = sequences(rows(lengths, 6), lengths.map((_, b) => b % 3), { batch: 11 })
          await fit(net, batches, { loss: 'softmaxCrossEntropy', optimizer: adam(), clipGlobalNorm: 1, epochs: 50, seed: 3, backend: '${backend}', threads })
          hashes.add(hash(net))
        }
        console.log(name, hashes.size)
      }`)
    expect(lines).toHaveLength(2 * count)
    for (const line of lines) expect(line).toMatch(/ 1$/)
  })

  test('a large step runs on workers: the event loop turns meanwhile, and one thread gives the same', () => {
    const { lines } = run(`
      import { monitorEventLoopDelay } from 'node:perf_hooks'
      const hashes = new Set()
      for (const threads of [1, 2, undefined]) {
        const net = sequential([lstm({ units: 160 }), dense({ units: 3 })])
        const batches = sequences(rows(Array(32).fill(40), 6), Array(32).fill(1), { batch: 32 })
        const options = { loss: 'softmaxCrossEntropy', seed: 1, backend: '${backend}', threads }
        const begun = fit(net, batches, options)
        await begun
        const delay = monitorEventLoopDelay({ resolution: 1 })
        delay.enable()
        await fit(net, batches, { ...options, epochs: 12, resume: await begun.state() })
        hashes.add(hash(net))
        console.log(threads, (delay.percentile(90) / 1e6).toFixed(1), (delay.max / 1e6).toFixed(1))
      }
      console.log(hashes.size)`)
    console.log(lines.join('\n'))
    expect(lines.at(-1)).toBe('1')
    for (const line of lines.slice(0, -1)) expect(Number(line.split(' ')[1])).toBeLessThan(20)
  })
})

test('a worker that dies: the call says so, and the next one works', () => {
  const { lines, stderr } = run(`
    import { Worker } from 'node:worker_threads'
    const started = []
    const post = Worker.prototype.postMessage
    Worker.prototype.postMessage = function (message) { started.includes(this) || started.push(this); post.call(this, message) }
    const net = sequential([lstm({ units: 8 })])
    const x = rows(even, 6)
    const before = (await predict(net, x, { backend: 'wasm' })).data
    const on = () => predict(net, x, { backend: 'wasm', threads: 2 }).then(({ data }) => String(data) === String(before), ({ code }) => code)
    console.log(await on())
    await started[1].terminate()
    console.log(await on())
    console.log(await on())`)
  expect(lines).toEqual(['true', 'true', 'true'])
  expect(stderr).toMatch(/^recurra: a worker ended \(exit code 1\); the next call starts new ones\n$/)
})

test.each(backends)(
  '%s: a worker that dies in the middle: the run ends with an error that says so, and the next works',
  // Between two steps, which take next to nothing of the time, it would be noticed by none.
  { retry: 3 },
  (backend) => {
    // Steps long enough to be under way when it dies.
    const units = backend === 'wasm' ? 200 : 400
    const { lines } = run(`
    import { Worker } from 'node:worker_threads'
    const started = []
    const post = Worker.prototype.postMessage
    Worker.prototype.postMessage = function (message) { started.includes(this) || started.push(this); post.call(this, message) }
    const net = sequential([lstm({ units: ${units} }), dense({ units: 3 })])
    const batches = sequences(rows(Array(32).fill(80), 6), Array(32).fill(1), { batch: 32 })
    const train = (epochs) => fit(net, batches, { loss: 'softmaxCrossEntropy', backend: '${backend}', threads: 2, epochs })
    const first = train(40)
    for await (const event of first) if (event.kind === 'step' && event.step === 2) break
    await started[0].terminate()
    console.log(await first.then(() => 'done', ({ code, message }) => code + ': ' + message))
    console.log((await train(2)).steps)`)
    expect(lines[0]).toMatch(/^threads: a worker ended during a call .*begin anew from a saved state$/)
    expect(lines[1]).toBe('2')
  },
)

test.each(backends)(
  '%s: no worker starts, as in a bundle without its script: one thread, and a line that says so',
  (backend) => {
    const { lines, stderr } = run(`
    import { Worker } from 'node:worker_threads'
    const threads = process.getBuiltinModule('node:worker_threads')
    threads.Worker = class extends Worker { constructor(url, options) { super(new URL('./nowhere.js', url), options) } }
    const net = sequential([lstm({ units: 8 })])
    const on = async (threads) => String((await predict(net, rows(even, 6), { backend: '${backend}', threads })).data)
    console.log((await on(2)) === (await on(undefined)), (await on(2)) === (await on(3)))`)
    expect(lines).toEqual(['true true'])
    expect(stderr).toMatch(
      /^recurra: one thread, the caller's: no worker starts: Cannot find module .*nowhere\.js/,
    )
  },
)

test('no shared memory: one thread, and a line that says so', () => {
  const { lines, stderr } = run(`
    const { Memory } = WebAssembly
    WebAssembly.Memory = function (limits) {
      if (limits.shared) throw new RangeError('could not allocate memory')
      return new Memory(limits)
    }
    const net = sequential([lstm({ units: 8 })])
    const on = async (threads) => String((await predict(net, rows(even, 6), { backend: 'wasm', threads })).data)
    console.log((await on(2)) === (await on(undefined)), (await on(2)) === (await on(2)))`)
  expect(lines).toEqual(['true true'])
  expect(stderr).toBe('recurra: one thread: could not allocate memory\n')
})
