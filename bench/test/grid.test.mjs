/** The grid: what is compared with what, and what becomes of the times. How fast anything is, is no matter here. */

import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { chartOf } from '../chart.mjs'
import { BEGIN, END, requireMarkers, writeDocument } from '../document.mjs'
import { readOptions } from '../options.mjs'
import { points, runGrid } from '../suites/grid.mjs'
import { rowsOf } from '../suites/grid-rows.mjs'
import { fastest, verdictLine, verdicts } from '../targets.mjs'
import { flopsOf, GRID_CELLS, GRID_SHAPES } from '../workload.mjs'

const built = existsSync(new URL('../../dist/index.js', import.meta.url))
const SHAPE = { T: 28, B: 64, I: 28, H: 128 }
const WORK = { kind: 'train', cell: 'lstm', shape: SHAPE }

const contender = (name, backend, threads) => ({ name, backend, threads, step: async () => 1, close() {} })

/** Rows of a point at which ours takes 2 ms, on two threads 1, and PyTorch 10, on two threads 8. */
function exampleRows() {
  const ours = [contender('recurra', 'native', 1), contender('recurra', 'native', 2)]
  const peers = [contender('pytorch', 'native', 1), contender('pytorch', 'native', 2)]
  const times = [
    [2, 2, 2],
    [1, 1, 1],
    [10, 10, 10],
    [8, 8, 8],
  ]
  return rowsOf(WORK, ours, peers, times, { flops: 2 * 1024 ** 3, times: [8, 8, 8] })
}

test('every cell is trained at every shape; slow peers meet the first alone', () => {
  const train = points('train', readOptions(['grid']))
  assert.equal(train.length, GRID_CELLS.length * GRID_SHAPES.length)
  assert.deepEqual(train[0].peers, ['pytorch', 'tfjs-wasm', 'tfjs-cpu', 'jax-js', 'brain.js'])
  assert.deepEqual(train[1].peers, ['pytorch', 'jax-js'])
  assert.deepEqual(train.at(-1).peers, ['pytorch'])
  for (const kind of ['infer', 'stream']) {
    for (const { work, peers } of points(kind, readOptions(['grid']))) {
      assert.equal(work.cell, 'lstm')
      assert.deepEqual(peers, ['onnxruntime'])
    }
  }
})

test('operations of a step', () => {
  assert.equal(flopsOf(WORK), 3 * 2 * 28 * 64 * 4 * 128 * 156)
  assert.equal(flopsOf({ ...WORK, kind: 'infer', cell: 'gru' }), 2 * 28 * 64 * 3 * 128 * 156)
})

test("rows: the peer's better number of threads, ours on two against one, the share of the peak", () => {
  const rows = exampleRows()
  const about = rows.map(({ peer, threads, peerThreads, ratio, best }) => [
    peer,
    threads,
    peerThreads,
    ratio,
    best,
  ])
  assert.deepEqual(about, [
    ['pytorch', 1, 1, 5, false],
    ['pytorch', 1, 2, 4, true],
    ['pytorch', 2, 1, 10, false],
    ['pytorch', 2, 2, 8, true],
    ['recurra', 2, 1, 2, true],
  ])
  const flops = flopsOf(WORK)
  assert.equal(rows[0].gflops, flops / 2 / 1e6)
  assert.equal(rows[0].share, flops / 2 / ((2 * 1024 ** 3) / 8))
  assert.deepEqual(
    fastest(rows).map(({ threads }) => threads),
    [2, 2, 2],
  )
})

test('targets: met, not met, not measured', () => {
  const lines = verdicts(exampleRows()).map(verdictLine)
  const line = (pattern) => lines.find((each) => pattern.test(each)) ?? assert.fail(`${pattern}: ${lines}`)
  assert.match(line(/native against PyTorch, geometric mean/), /^met .*at least 5.00: 8.00 over 1 row$/)
  assert.match(line(/the same, H 128/), /^met /)
  assert.match(line(/WASM against jax-js/), /^– .*not measured/)
  const slow = exampleRows().map((row) => ({ ...row, ratio: 1.4 }))
  assert.match(
    verdicts(slow).map(verdictLine).join('\n'),
    /not met {2}native against PyTorch, every row .*: 1.40 at lstm T28/,
  )
})

test('the document keeps what is around its markers; the chart has a mark for each best row', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'recurra-bench-')), 'doc.md')
  writeFileSync(file, 'no markers')
  assert.throws(() => requireMarkers(file), /expected the lines/)
  writeFileSync(file, `before\n${BEGIN}\nold\n${END}\nafter\n`)
  writeDocument(file, exampleRows(), { rounds: 3, minMs: 20 })
  const text = readFileSync(file, 'utf8')
  assert.ok(text.startsWith(`before\n${BEGIN}\n`) && text.endsWith(`${END}\nafter\n`))
  assert.ok(!text.includes('old'))
  assert.match(text, /\| lstm \| 28 \| 64 \| 28 \| 128 \| pytorch \| 8.00 on 2 \| 2.00 \(4.00, \d+%\) \|/)
  assert.match(text, /\| one thread \| train \| lstm .* native \| 2 \| 1.00 \| 2.00 \| 2.00 \|/)
  const rows = exampleRows()
  assert.equal(chartOf(rows).match(/<title>/g)?.length, rows.filter(({ best }) => best).length + 2)
})

test('a run gives rows, and says once what is not there', {
  skip: !built && 'not built: npm run build',
}, async () => {
  const rows = []
  const skipped = []
  const report = {
    row: (row) => rows.push(row),
    skipped: (...why) => skipped.push(why.join(': ')),
    warning() {},
  }
  const args = [
    'grid',
    '--kinds',
    'train,ragged,memory',
    '--backend',
    'wasm',
    '--threads',
    '1',
    '--shape',
    'T6B4I3H8',
  ]
  const options = {
    ...readOptions([...args, '--peers', 'pytorch,brain.js', '--cells', 'lstm,gru', '--quick']),
  }
  await runGrid({ ...options, python: '/nowhere/python3' }, new Map(), report)
  assert.deepEqual(
    rows.map(({ kind, peer }) => [kind, peer]),
    [
      ['train', 'recurra-padded'],
      ['cost', undefined],
    ],
  )
  assert.deepEqual(
    skipped.map((why) => why.split(':')[0]),
    ["share of the machine's peak", 'pytorch on 1 thread', 'pytorch on 2 threads', 'brain.js'],
  )
})
