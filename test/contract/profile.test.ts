/** Where the time of a call goes: all kernels, as often as they run, and no more than the call took. */
import { expect, test } from 'vitest'
import { dense } from '../../src/layers/dense.ts'
import { lstm } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { adam } from '../../src/train/optimizers.ts'
import { profile, profileTable } from '../../src/train/profile.ts'
import { trainingGraph } from '../../src/train/training-graph.ts'
import { compiled } from './support.ts'

const net = sequential([lstm({ units: 12 }), dense({ units: 3 })], {
  input: { shape: [null, 2], dtype: 'f32' },
})
const graph = trainingGraph(net, { loss: 'softmaxCrossEntropy', optimizer: adam(), clipGlobalNorm: 1 })
const backends = [...new Set((await compiled()).map(([, { backend }]) => backend))] as ('native' | 'wasm')[]

test.each(backends)('%s', async (backend) => {
  const found = await profile(graph, { sizes: { B: 5, T: 7 }, backend, calls: 5 })
  const { kernels, ms } = found
  const sum = kernels.reduce((total, each) => total + each.ms, 0)
  expect(sum).toBeGreaterThan(0)
  expect(sum).toBeLessThanOrEqual(ms)
  const product = kernels.find(({ what }) => what === 'matmul B × 48 × 12')!
  expect(product).toMatchObject({ where: 'a step forward over T', times: 7 })
  expect(product.gflops).toBeCloseTo((2 * 7 * 5 * 48 * 12) / product.ms / 1e6)
  expect(found.peakGflops).toBeGreaterThan(0)
  expect(profileTable(found)).toMatch(/matmul B × 48 × 12 .* 7 × a step forward over T, \d+ GFLOP\/s/)
})

test('refused', async () => {
  await expect(profile(graph, { sizes: { B: 5 } })).rejects.toThrow('sizes lack T')
  await expect(profile(graph, { sizes: { B: 5, T: 7 }, calls: 0 })).rejects.toThrow('calls')
})
