/** A model's traced loss with everything that follows from it, and two ways to run it: the f64 oracle and WASM. */
import { compile } from '../../src/codegen/compile.ts'
import { gradient } from '../../src/graph/grad.ts'
import { interpret } from '../../src/graph/interpret.ts'
import { type Sequential, swapped } from '../../src/layers/sequential.ts'
import { type Bindings, evaluateSize } from '../../src/tensor/size.ts'
import { leafScope, leafSpecs } from '../../src/train/leaves.ts'
import { type LossName, lossOf, meanLoss } from '../../src/train/losses.ts'
import { type NamedGraph, traceNamed } from '../../src/train/session.ts'
import { targetSpec } from '../../src/train/step.ts'

export type Numbers = ArrayLike<number>
export type Named = Readonly<Record<string, Numbers>>

/** Numbers in [−1, 1) that depend on the seed alone and are exact in f32. */
export function random(seed: number) {
  let state = (seed ^ 0x5bd1e995) >>> 0
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  return {
    numbers: (length: number, scale = 1) =>
      Array.from({ length }, () => Math.fround(scale * (2 * next() - 1))),
    integers: (length: number, low: number, high: number) =>
      Array.from({ length }, () => low + Math.floor(next() * (high - low + 1))),
  }
}

/** loss; output, batch-first; `final PATH` of states; `d PATH`, the loss's gradient for every parameter. */
export function traceLoss(model: Sequential, name: LossName, lengths: boolean): NamedGraph {
  const [loss, leaves] = [lossOf(name), { training: true, carry: false, lengths }]
  return traceNamed([...leafSpecs(model, leaves), targetSpec(model, loss)], (get) => {
    const { output, states } = model.forward(get('x'), leafScope(get, leaves))
    const target = swapped({ value: get('y'), sequence: output.sequence }).value
    const mean = meanLoss(loss, output, target, lengths ? get('lengths') : undefined)
    const paths = [...model.built.params.keys()]
    const gradients = gradient(mean, paths.map(get))
    const named = [
      ...[...states].map(([path, value]) => [`final ${path}`, value] as const),
      ...paths.map((path, i) => [`d ${path}`, gradients[i]!] as const),
    ]
    return { outputs: { loss: mean, output: swapped(output).value, ...Object.fromEntries(named) } }
  })
}

/** In f64 throughout, updates of inputs included: what `updates` holds is the next call's input. */
export function runOracle({ graph, inputs, outputs, donate }: NamedGraph, values: Named, bindings: Bindings) {
  const args = graph.params.map((param, i) => ({
    data: Float64Array.from(values[inputs[i]!]!),
    shape: param.shape.map((size) => evaluateSize(size, bindings)),
  }))
  const results = interpret(graph, args, bindings).map(({ data }) => data)
  const updates = [...donate].map(([output, input]) => [inputs[input]!, results[output]!] as const)
  return {
    outputs: Object.fromEntries(outputs.map((name, i) => [name, results[i]!])),
    updates: Object.fromEntries(updates),
  }
}

/** Compiled once; verified after every pass. */
export async function openWasm({ graph, inputs, outputs, donate }: NamedGraph) {
  const executable = await compile(graph, { donate, verify: true })
  return async (values: Named, bindings: Bindings): Promise<Named> => {
    const given = graph.params.map(
      ({ dtype }, i) => [i, (dtype === 'f32' ? Float32Array : Int32Array).from(values[inputs[i]!]!)] as const,
    )
    const wanted = outputs.map((_, i) => i)
    const results = await executable.call({ bindings, inputs: new Map(given), outputs: wanted })
    return Object.fromEntries(outputs.map((name, i) => [name, results[i]!]))
  }
}

const largest = (values: Numbers) =>
  Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 0)

/** ‖a − reference‖∞; not finite (and so above every bound) where anything is NaN or sizes differ. */
export function distance(a: Numbers, reference: Numbers): number {
  if (a.length !== reference.length) return Number.POSITIVE_INFINITY
  let most = 0
  for (let i = 0; i < a.length; i++) {
    const error = Math.abs(a[i]! - reference[i]!)
    if (!(error <= most)) most = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error
  }
  return most
}

/** What is further from its reference than ‖a − n‖∞ / max(‖n‖∞, 1e-6) ≤ 1e-6 allows (f64). */
export function outsideF64(received: Named, reference: Named): string[] {
  return outside(received, reference, (n) => 1e-6 * Math.max(largest(n), 1e-6))
}

/** What is further from its reference than 1e-5 · max(1, ‖n‖∞) (f32). */
export function outsideF32(received: Named, reference: Named): string[] {
  return outside(received, reference, (n) => 1e-5 * Math.max(1, largest(n)))
}

function outside(received: Named, reference: Named, bound: (reference: Numbers) => number): string[] {
  return Object.entries(reference).flatMap(([name, expected]) => {
    const error = distance(received[name] ?? [], expected)
    return error <= bound(expected) ? [] : [`${name}: off by ${error}, allowed ${bound(expected)}`]
  })
}
