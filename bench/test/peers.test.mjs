/** The peers against each other through the runner: that they run and learn, not how fast they are. */

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { PEERS } from '../peers/list.mjs'
import { createPytorch, isReferenceBlas, threadWarning } from '../peers/pytorch.mjs'
import { compare, reasonOf } from '../suites/core.mjs'

const SHAPE = { T: 6, B: 4, I: 3, H: 8 }
const PYTHON = process.env.RECURRA_BENCH_PYTHON ?? '/usr/bin/python3'
const installed = ['.package-lock.json', 'onnxruntime-node', '@jax-js'].every((name) =>
  existsSync(new URL(`../node_modules/${name}`, import.meta.url)),
)

const WORK = { kind: 'train', cell: 'lstm', shape: SHAPE }

/** @param {string} name */
const create = (name, work = WORK) =>
  PEERS[name].create(work, { backend: 'wasm', threads: 1, python: PYTHON })

/** @returns {Promise<string | false>} why PyTorch cannot run here */
async function pytorchAbsent() {
  try {
    await (await create('pytorch')).close()
    return false
  } catch (error) {
    return `pytorch: ${reasonOf(error)}`
  }
}

async function rowOf(first, second) {
  const rows = []
  const report = { row: (row) => rows.push(row), skipped: assert.fail, warning() {} }
  const ours = await create(first)
  await compare(ours, await create(second), { cell: 'lstm', shape: SHAPE, rounds: 2, minMs: 5, report })
  await ours.close()
  assert.equal(rows.length, 1)
  const { ms, peerMs, ratio, ...rest } = rows[0]
  for (const value of [ms, peerMs, ratio]) assert.ok(Number.isFinite(value) && value > 0)
  const about = { peer: second, backend: 'wasm', cell: 'lstm', ...SHAPE, threads: 1, peerThreads: 1 }
  assert.deepEqual(rest, { ...about, kind: 'train' })
}

test('both forms of TensorFlow.js meet', { skip: !installed && 'not installed: npm ci' }, async () => {
  await rowOf('tfjs-wasm', 'tfjs-wasm-tuned')
})

test('TensorFlow.js meets PyTorch', {
  skip: installed ? await pytorchAbsent() : 'not installed: npm ci',
}, async () => {
  await rowOf('tfjs-wasm-tuned', 'pytorch')
})

test('every peer of the grid does the work that it says it does', {
  skip: !installed && 'not installed: npm ci',
}, async () => {
  const works = ['lstm', 'gru', 'elman', 'minimalGated', 'layerNormLstm'].map((cell) => ({ ...WORK, cell }))
  works.push({ ...WORK, kind: 'infer' }, { ...WORK, kind: 'stream', shape: { ...SHAPE, T: 1, B: 1 } })
  const pytorch = !(await pytorchAbsent())
  for (const [name, { does }] of Object.entries(PEERS)) {
    if (name === 'brain.js' || (name === 'pytorch' && !pytorch)) continue
    for (const work of works.filter(does)) {
      const contender = await create(name, work)
      assert.ok((await contender.step(2)) > 0, `${name} ${work.kind} ${work.cell}`)
      await contender.close()
    }
  }
})

test('a Python that is not there is an error that says so', async () => {
  await assert.rejects(createPytorch(WORK, { threads: 1, python: '/nowhere/python3' }), /ENOENT/)
})

test('a program that is no peer is an error, not a wait', async () => {
  await assert.rejects(createPytorch(WORK, { threads: 1, python: process.execPath }), /./)
})

test('the reference BLAS is told from optimized ones', () => {
  assert.ok(isReferenceBlas(['/usr/lib/blas/libblas.so.3.11.0']))
  assert.ok(!isReferenceBlas(['/usr/lib/openblas-pthread/libblas.so.3', '/usr/lib/libopenblasp-r0.3.21.so']))
  assert.ok(!isReferenceBlas([]))
})

test('CPU time that is not wall time is noticed', () => {
  assert.equal(threadWarning(100, 101, 1), undefined)
  assert.match(threadWarning(100, 190, 1) ?? '', /one thread/)
  assert.match(threadWarning(100, 60, 1) ?? '', /busy/)
  assert.equal(threadWarning(100, 190, 2), undefined)
  assert.match(threadWarning(100, 220, 2) ?? '', /2 threads/)
})
