/** Costs: the line through points, and that each is measured, not how fast anything is. */

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { fitLine } from '../line.mjs'
import { QUESTIONS, runCosts } from '../suites/costs.mjs'

const built = existsSync(new URL('../../dist/index.js', import.meta.url))

/** @param {import('../recurra.mjs').Backend} backend */
async function costs(backend) {
  const rows = []
  const skipped = []
  const report = { row: (row) => rows.push(row), skipped: (...why) => skipped.push(why), warning() {} }
  await runCosts({ backends: [backend], rounds: 1, minMs: 1 }, report)
  return { rows, skipped }
}

test('the nearest line, how much it explains, and the point furthest from it', () => {
  const near = (actual, expected) =>
    assert.ok(Math.abs(actual - expected) < 1e-12, `${actual}, not ${expected}`)
  const exact = fitLine([25, 50, 100, 200].map((x) => [x, 3 + 0.5 * x]))
  near(exact.a, 3)
  near(exact.b, 0.5)
  near(exact.r2, 1)
  near(exact.deviation, 0)
  // Σ(x − 2)(t − 3) = 4, Σ(x − 2)² = 2, Σ(t − 3)² = 14: residuals 1, −2, 1 from the line −1 + 2x.
  const bent = fitLine([
    [1, 2],
    [2, 1],
    [3, 6],
  ])
  near(bent.a, -1)
  near(bent.b, 2)
  near(bent.r2, 1 - 6 / 14)
  near(bent.deviation, 2)
})

test('time that grows faster than its size is far from any line', () => {
  assert.ok(fitLine([25, 50, 100, 200].map((x) => [x, x ** 1.2])).deviation > 0.1)
  assert.ok(fitLine([25, 50, 100, 200].map((x) => [x, x ** 2])).deviation > 1)
})

test('every cost is measured against its bound', { skip: !built && 'not built: npm run build' }, async () => {
  const { rows, skipped } = await costs('wasm')
  assert.deepEqual(skipped, [])
  assert.deepEqual(
    rows.map(({ name, unit, bound }) => ({ name, unit, bound })),
    QUESTIONS.map(({ name, unit, bound }) => ({ name, unit, bound })),
  )
  for (const { kind, name, value, bound, met, how } of rows) {
    assert.equal(kind, 'cost')
    assert.ok(Number.isFinite(value), name)
    assert.equal(met, value <= bound, name)
    assert.ok(how.length > 0, name)
  }
  const [inT, inB, memory, compilation] = rows
  for (const { fit } of [inT, inB]) assert.ok(fit.b > 0)
  assert.ok(compilation.value > 0)
  // Memory is no matter of speed: it holds on every machine.
  assert.ok(memory.value > 0 && memory.met, memory.how)
})

test('a backend that is not there is skipped, and says so', async () => {
  const { rows, skipped } = await costs(/** @type {never} */ ('gpu'))
  assert.deepEqual(rows, [])
  assert.equal(skipped.length, QUESTIONS.length)
  for (const [, reason] of skipped) assert.match(reason, /backend.*gpu|gpu.*native/)
})
