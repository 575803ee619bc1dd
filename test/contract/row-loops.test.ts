import { expect, test } from 'vitest'
import { lower } from '../../src/codegen/lower.ts'
import { runPasses } from '../../src/codegen/passes.ts'
import { rowLoops } from '../../src/codegen/row-loops.ts'
import { instantiate } from '../../src/codegen/wasm/backend.ts'
import { gradient } from '../../src/graph/grad.ts'
import type { Graph } from '../../src/graph/node.ts'
import { trace } from '../../src/graph/trace.ts'
import { dense } from '../../src/layers/dense.ts'
import { sequential } from '../../src/layers/sequential.ts'
import type { TensorData } from '../../src/tensor/dtype.ts'
import { lossOf } from '../../src/train/losses.ts'
import { adam } from '../../src/train/optimizers.ts'
import { trainingGraph } from '../../src/train/training-graph.ts'

/** The cross entropy of x · w [T, B, V], targets batch-first, and its gradients. */
const graphOf = (V: number) =>
  trace([{ shape: ['T', 'B', 4] }, { shape: [4, V] }, { shape: ['B', 'T'], dtype: 'i32' }], (x, w, y) => {
    const loss = lossOf('softmaxCrossEntropy').terms(x.matmul(w), y.transpose()).mean()
    return [loss, ...gradient(loss, [x, w])]
  })
const lowered = (graph: Graph, rows?: typeof rowLoops) => lower(runPasses(graph).at(-1)!.graph, { rows })

test('wide rows: one loop, a row of its own for what only it reads, the gradient over the logits; the same bits', async () => {
  const V = 1500
  const [plain, program] = [lowered(graphOf(V)), lowered(graphOf(V), rowLoops)]
  const [loop, ...others] = program.steps.filter((step) => step.kind === 'loop')
  expect(others).toEqual([])
  expect(loop!.loop.steps.key).toBe('B·T')
  // The maximum, exp and its sum, its logarithm, the target's share, the gradient.
  const kinds = loop!.body.flatMap((step) => (step.kind === 'call' ? [step.kernel.kind] : []))
  expect(kinds).toEqual(['reduce', 'map', 'reduce', 'map', 'reduce', 'reduce', 'map', 'map'])
  const wide = program.buffers.filter(
    ({ elements, persistent }) => !persistent && elements.key === `${V}·B·T`,
  )
  expect(wide.map((buffer) => program.aliases.has(buffer))).toContain(true)
  const bindings = new Map(Object.entries({ T: 3, B: 5 }))
  const numbers = (length: number) => Float32Array.from({ length }, (_, i) => Math.sqrt(7 * i + 1) % 1)
  const targets = Int32Array.from({ length: 15 }, (_, i) => (i * 101) % V)
  const inputs = new Map<number, TensorData>([numbers(60), numbers(4 * V), targets].entries())
  const results = [plain, program].map(async (each) => {
    const executable = await instantiate(each)
    return {
      bytes: executable.memoryBytes(bindings),
      outputs: await executable.call({ bindings, inputs, outputs: [0, 1, 2] }),
    }
  })
  const [before, after] = await Promise.all(results)
  expect(after!.outputs).toEqual(before!.outputs)
  expect(after!.bytes).toBeLessThan(0.6 * before!.bytes)
})

test('narrow rows stay in kernels over all of them', () => {
  expect(lowered(graphOf(100), rowLoops).steps.some(({ kind }) => kind === 'loop')).toBe(false)
})

test('updates of wide weights are no rows of one loop: only what a reduction of rows hangs together with is', () => {
  const net = sequential([dense({ units: 1500 }), dense({ units: 1500 })], {
    input: { shape: [1500], dtype: 'f32' },
  })
  const step = trainingGraph(net, { loss: 'softmaxCrossEntropy', optimizer: adam(), clipGlobalNorm: 1 })
  const { steps } = lowered(step, rowLoops)
  const loops = steps.flatMap((each) => (each.kind === 'loop' ? [each.loop.steps.key] : []))
  expect(loops).toEqual(['B'])
  // Each weight's update is one sweep over it, its moments and its gradient.
  const sweeps = steps.flatMap((each) => {
    const kernel = each.kind === 'call' && each.kernel.kind === 'map' ? each.kernel : undefined
    return kernel?.shape.length === 2 ? [kernel.stores.length] : []
  })
  expect(sweeps).toEqual([3, 3])
})
