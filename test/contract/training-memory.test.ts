/** The memory of a training step is known before it runs, and asking for it changes nothing. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Batch } from '../../src/data/batches.ts'
import { adam } from '../../src/train/optimizers.ts'
import type { StepOptions } from '../../src/train/step.ts'
import { TrainingStep } from '../../src/train/training-step.ts'
import { batchOf, i32, lstmNet, squared, windowsOf } from './models.ts'

const PAGE = 65536
const options = { ...squared, optimizer: adam() }
const long = batchOf(1, 100, 30)
const ending = (batch: Batch, lengthOf: (row: number, steps: number) => number): Batch => {
  const [rows, steps] = batch.inputs.shape as [number, number]
  const lengths = Array.from({ length: rows }, (_, row) => lengthOf(row, steps))
  return { ...batch, lengths: i32(lengths, rows) }
}
const ragged = (batch: Batch) => ending(batch, (row, steps) => 1 + ((row * 7) % steps))
const masked = (batch: Batch): Batch => {
  const [rows, steps] = batch.inputs.shape as [number, number]
  const mask = Array.from({ length: rows * steps }, (_, at) => (at % steps === 0 || at % 3 ? 1 : 0))
  return { ...batch, mask: i32(mask, rows, steps) }
}
const windows = windowsOf(long, 15)
const raggedWindows = [ending(windows[0]!, (_, steps) => steps), ragged(windows[1]!)]

afterEach(() => {
  vi.restoreAllMocks()
})

describe('what is reported is what the engine is asked for', () => {
  test.each<readonly [string, readonly Batch[], Partial<StepOptions>]>([
    ['a larger batch after a smaller one', [batchOf(1, 8, 20), long, batchOf(2, 120, 40)], {}],
    ['unlike lengths', [ragged(long)], {}],
    ['a mask', [masked(long)], {}],
    ['windows', windows, { truncate: { k1: 15, k2: 15 } }],
    ['windows that share steps', windows, { truncate: { k1: 15, k2: 25 } }],
    ['windows of unlike lengths that share steps', raggedWindows, { truncate: { k1: 15, k2: 25 } }],
  ])('%s', async (_, batches, more) => {
    const grow = vi.spyOn(WebAssembly.Memory.prototype, 'grow')
    const pages = () => grow.mock.calls.reduce((sum, [delta]) => sum + delta, 1)
    const step = new TrainingStep(lstmNet(), { ...options, ...more })
    for (const batch of batches) {
      const before = pages()
      const bytes = await step.memoryBytes(batch)
      expect(pages()).toBe(before)
      await step.run(batch, 0.01)
      expect(pages()).toBe(Math.max(before, Math.ceil(bytes / PAGE)))
    }
    expect(pages()).toBeGreaterThan(2)
  })
})

test('asking changes no loss and compiles nothing twice', async () => {
  const compiled = vi.spyOn(WebAssembly, 'instantiate')
  const [a, b, c] = [batchOf(1, 2, 3), batchOf(2, 2, 3), batchOf(3, 4, 3)]
  const run = async (asked: readonly Batch[]) => {
    compiled.mockClear()
    const step = new TrainingStep(lstmNet(), { ...options, carry: true })
    const losses = []
    for (const batch of [a, b, c, ragged(c), b, masked(b), a]) {
      for (const each of asked) await step.memoryBytes(each)
      losses.push((await step.run({ ...batch, reset: false }, 0.01)).loss)
    }
    return { losses, compiled: compiled.mock.calls.length }
  }
  const unasked = await run([])
  expect(unasked.compiled).toBe(3)
  expect(await run([masked(a), c, ragged(b), a])).toEqual(unasked)
})

test('truncated, memory grows with k2 and not with the stream', async () => {
  const [batch, k1] = [100, 15]
  const grow = vi.spyOn(WebAssembly.Memory.prototype, 'grow')
  const pages = async (T: number, k2: number) => {
    grow.mockClear()
    const step = new TrainingStep(lstmNet(), { ...options, truncate: { k1, k2 } })
    for (const window of windowsOf(batchOf(1, batch, T), k1)) await step.run(window, 0.01)
    return grow.mock.calls.reduce((sum, [delta]) => sum + delta, 1)
  }
  const short = await pages(60, 30)
  expect(await pages(240, 30)).toBe(short)
  expect(await pages(240, 60)).toBeGreaterThan(1.3 * short)
  expect(await pages(240, 15)).toBeLessThan(short)
})
