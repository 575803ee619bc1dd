import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tensor } from '../tensor/tensor.ts'
import { predict } from '../train/predict.ts'
import { type EndEvent, type TextEvent, type TextTrainingOptions, trainText } from './text.ts'
import { loadTextModel, textOf } from './text-model.ts'

const text = Array.from({ length: 300 }, (_, i) => ['rain ', 'and snow ', 'wind\n'][((i * i) % 7) % 3]).join(
  '',
)
const documents = [{ name: 'weather', text }]
const sizes = { units: 8, batch: 2, steps: 16, learningRate: 0.02, seed: 3, until: { epochs: 2 } }
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'recurra-text-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function events(name: string, options: Partial<TextTrainingOptions> = {}, seen?: () => void) {
  const all: TextEvent[] = []
  for await (const event of trainText(documents, { ...sizes, out: join(folder, name), ...options })) {
    all.push(event)
    if (event.kind === 'step') seen?.()
  }
  return all
}

test('a run: start, steps to the end, saved, and bits that are those of the saved model', async () => {
  const all = await events('whole')
  const steps = all.filter((event) => event.kind === 'step')
  expect(all.map(({ kind }) => kind).filter((kind) => kind !== 'step')).toEqual([
    'start',
    'backend',
    'saved',
    'end',
  ])
  expect(steps.map((event) => event.progress)).toEqual(steps.map((_, i) => (i + 1) / steps.length))
  expect(steps.at(-1)!.bits).toBeLessThan(0.7 * steps[0]!.bits)

  const { model, vocabulary } = await loadTextModel(join(folder, 'whole'))
  const ids = vocabulary.encode(text).slice(-Math.round(text.length / 10))
  const { data } = await predict(model, tensor(ids.slice(0, -1), [1, ids.length - 1]))
  const V = vocabulary.size
  const bits = Array.from(ids.slice(1), (id, t) => {
    const logits = Array.from(data.subarray(t * V, (t + 1) * V))
    return Math.log2(logits.reduce((sum, logit) => sum + Math.exp(logit - logits[id]!), 0))
  })
  const end = all.at(-1) as EndEvent
  expect(end.heldOut).toBe(bits.length)
  expect(end.bits).toBeCloseTo(bits.reduce((sum, each) => sum + each) / bits.length, 5)
  expect(end.sample).toBe(await textOf({ model, vocabulary }, { length: 400, temperature: 0.8, seed: 3 }))
})

test('a run that is stopped saves after its step; one that never began saves nothing', async () => {
  const controller = new AbortController()
  const { signal } = controller
  const stopped = await events('stopped', { signal, until: { seconds: 60 } }, () => controller.abort())
  expect(stopped.map(({ kind }) => kind)).toEqual(['start', 'backend', 'step', 'saved'])
  expect((await events('never', { signal })).map(({ kind }) => kind)).toEqual(['start'])
  expect((await readdir(folder)).sort()).toEqual(['stopped', 'whole'])
})
