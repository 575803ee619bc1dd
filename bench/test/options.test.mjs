import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { readOptions, UsageError } from '../options.mjs'
import { plan } from '../suites/core.mjs'
import { parseShape, SHAPES, shapeName } from '../workload.mjs'

test('by default the first shape meets every peer, the rest only those that run everywhere', () => {
  const parts = plan(readOptions(['core']))
  assert.deepEqual(
    parts.map(({ shape }) => shape),
    SHAPES,
  )
  assert.ok(parts[0].peers.includes('tfjs-wasm'))
  for (const { peers } of parts.slice(1)) assert.deepEqual(peers, ['pytorch'])
})

test('--shape and --peers choose', () => {
  const parts = plan(readOptions(['--shape', 'T5B2I3H4', '--peers', 'tfjs-wasm,pytorch']))
  assert.deepEqual(parts, [{ shape: { T: 5, B: 2, I: 3, H: 4 }, peers: ['tfjs-wasm', 'pytorch'] }])
})

test('a shape reads back from its name', () => {
  for (const shape of SHAPES) assert.deepEqual(parseShape(shapeName(shape)), shape)
  assert.equal(parseShape('T0B1I1H1'), undefined)
})

test('what is unknown or malformed is an error that names it', () => {
  const cases = [
    [['cores'], /suite 'cores'.*core/],
    [['--speed'], /--speed/],
    [['--only', 'memory'], /part 'memory'.*ratios, costs/],
    [['--shape', '28'], /shape '28'.*T28B64I28H128/],
    [['--peers', 'keras'], /peer 'keras'.*pytorch/],
    [['--backend', 'gpu'], /backend 'gpu'.*wasm/],
    [['grid', '--kinds', 'speed'], /kind 'speed'.*train, infer/],
    [['grid', '--cells', 'tree'], /cell 'tree'.*lstm/],
    [['grid', '--threads', 'two'], /threads 'two'.*1, 2/],
    [['--rounds', '0'], /--rounds.*'0'/],
    [['--json'], /--json/],
  ]
  for (const [args, message] of cases) {
    assert.throws(
      () => readOptions(args),
      (error) => error instanceof UsageError && message.test(error.message),
      args.join(' '),
    )
  }
})

test('the command prints its help, and leaves with 2 for a wrong word', () => {
  const run = fileURLToPath(new URL('../run.mjs', import.meta.url))
  const help = spawnSync(process.execPath, [run, '--help'], { encoding: 'utf8' })
  assert.equal(help.status, 0)
  assert.match(help.stdout, /--json FILE/)
  const wrong = spawnSync(process.execPath, [run, 'cores'], { encoding: 'utf8' })
  assert.equal(wrong.status, 2)
  assert.match(wrong.stderr, /^bench: unknown suite 'cores'/)
  const nowhere = spawnSync(process.execPath, [run, 'grid', '--doc', '/nowhere/at-all.md'], {
    encoding: 'utf8',
  })
  assert.equal(nowhere.status, 2)
  assert.match(nowhere.stderr, /^bench: --doc: .*ENOENT/)
})
