import { expect, test } from 'vitest'
import { explain } from '../../src/codegen/explain.ts'
import { lower } from '../../src/codegen/lower.ts'
import { runPasses } from '../../src/codegen/passes.ts'
import { printProgram } from '../../src/codegen/print.ts'
import { gradient } from '../../src/graph/grad.ts'
import { printGraph } from '../../src/graph/print.ts'
import { scan } from '../../src/graph/scan.ts'
import { trace } from '../../src/graph/trace.ts'
import { zeros } from '../../src/graph/value.ts'
import { verify } from '../../src/graph/verify.ts'
import { dense } from '../../src/layers/dense.ts'
import { lstm } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { adam } from '../../src/train/optimizers.ts'
import { trainingGraph } from '../../src/train/training-graph.ts'

const specs = [
  { name: 'x', shape: ['T', 'B', 3] },
  { name: 'U', shape: [3, 2] },
  { name: 'W', shape: [2, 2] },
  { name: 'b', shape: [2] },
]

/** h(t) = tanh(x U + h(t−1) W + b), the sum of h² over time, and its gradients for U, W and b. */
const vanilla = trace(specs, (x, U, W, b) => {
  const { ys } = scan({ carry: { h: zeros(['B', 2]) }, xs: { x: x! } }, ({ carry: { h }, x: { x } }) => {
    const next = x.matmul(U!).add(h.matmul(W!)).add(b!).tanh()
    return { carry: { h: next }, y: { h: next } }
  })
  const loss = ys.h.square().sum()
  return [loss, ...gradient(loss, [U!, W!, b!])]
})

test('a traced graph and its gradients, as text', () => {
  expect(printGraph(vanilla)).toMatchSnapshot()
})

test('the graph after all passes, and its program, as text', () => {
  const optimized = runPasses(vanilla, verify).at(-1)!.graph
  expect(`${printGraph(optimized)}\n\n${printProgram(lower(optimized))}`).toMatchSnapshot()
})

test('explain, on a training step of an LSTM', () => {
  const net = sequential([lstm({ units: 128 }), dense({ units: 10 })], {
    input: { shape: [null, 28], dtype: 'f32' },
  })
  const graph = trainingGraph(net, { loss: 'softmaxCrossEntropy', optimizer: adam(), clipGlobalNorm: 1 })
  const text = explain(graph, { sizes: { T: 28, B: 64 } })
  expect(text).toMatchSnapshot()
  // Each weight gradient is one product over all steps and rows; x·U left the loop; one product a step is left each way.
  expect(text).toMatch(/outside loops: \[B, T, 28\] · \[T, B, 512\] → \[28, 512\], sums over B·T/)
  expect(text).toMatch(/outside loops: \[T, B, 128\] · \[T, B, 512\] → \[128, 512\], sums over B·T/)
  expect(text).toMatch(/outside loops: \[B, T, 28\] · \[28, 512\] → \[T, B, 512\], sums over 28/)
  expect(text).toMatch(
    /a step forward over T: 2 \(1 matmul, 1 map\)\n {2}a step back over T: 2 \(1 map, 1 matmul\)/,
  )
})
