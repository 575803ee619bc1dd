import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inProcess, median, paired, warmUp } from '../measure.mjs'

/** A contender whose clock is made up: step k of its life takes `msOf(k)`. */
function scripted(name, msOf, calls = []) {
  let round = 0
  return {
    name,
    backend: 'none',
    threads: 1,
    async step(n) {
      calls.push([name, n])
      return msOf(round++)
    },
    close() {},
  }
}

test('median of an odd and of an even number of values, in any order', () => {
  assert.equal(median([3, 1, 2]), 2)
  assert.equal(median([4, 1, 3, 2]), 2.5)
})

test('rounds take turns and are at least minMs long', async () => {
  const calls = []
  const timing = await paired(
    scripted('ours', () => 4, calls),
    scripted('peer', () => 10, calls),
    { rounds: 3, minMs: 100 },
  )
  assert.deepEqual(timing, { ms: 4, peerMs: 10, ratio: 2.5 })
  assert.deepEqual(calls.slice(-6), [
    ['ours', 25],
    ['peer', 10],
    ['ours', 25],
    ['peer', 10],
    ['ours', 25],
    ['peer', 10],
  ])
})

test('a slow spell that hits both sides of a round leaves its ratio alone', async () => {
  // 50 ms and 150 ms steps: after the warm-up each round is twice as slow as the one before it.
  const timing = await paired(
    scripted('ours', (round) => 50 * 2 ** Math.max(0, round - 5)),
    scripted('peer', (round) => 150 * 2 ** Math.max(0, round - 1)),
    { rounds: 3, minMs: 50 },
  )
  assert.equal(timing.ratio, 3)
})

test('the warm-up runs a slow contender few times and a fast one many', async () => {
  assert.equal(
    await warmUp(
      scripted('slow', () => 500),
      100,
    ),
    1,
  )
  assert.equal(
    await warmUp(
      scripted('fast', () => 0.5),
      100,
    ),
    200,
  )
})

test('a contender in this process runs n steps, waiting for those that are promises', async () => {
  let done = 0
  const contender = inProcess(
    { name: 'timer', backend: 'none', threads: 1 },
    {
      step: () =>
        new Promise((resolve) =>
          setTimeout(() => {
            done++
            resolve()
          }, 5),
        ),
      close() {},
    },
  )
  const ms = await contender.step(4)
  assert.equal(done, 4)
  assert.ok(ms >= 4, `${ms} ms a step`)
})
