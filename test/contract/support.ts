/** A model's traced loss with everything that follows from it, and two ways to run it: the f64 oracle and WASM. */
import { compile } from '../../src/codegen/compile.ts'
import { gradient } from '../../src/graph/grad.ts'
import { interpret } from '../../src/graph/interpret.ts'
import { noiseOf } from '../../src/layers/noise.ts'
import { packingInputs } from '../../src/layers/packing.ts'
import { outside as batchFirst, type Sequential } from '../../src/layers/sequential.ts'
import { type Bindings, evaluateSize } from '../../src/tensor/size.ts'
import { elementCount } from '../../src/tensor/tensor.ts'
import { forwardWhole, leafSpecs, stateInput } from '../../src/train/leaves.ts'
import { type LossOption, lossOf, measured } from '../../src/train/losses.ts'
import { type NamedGraph, traceNamed } from '../../src/train/session.ts'
import { targetSpec } from '../../src/train/step.ts'

export type Named = Readonly<Record<string, ArrayLike<number>>>

/** Numbers that depend on the seed alone and are exact in f32. */
export function random(seed: number) {
  let state = (seed ^ 0x5bd1e995) >>> 0
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  const numbers = (length: number) => Array.from({ length }, () => Math.fround(2 * next() - 1))
  const integers = (length: number, low: number, high: number) =>
    Array.from({ length }, () => low + Math.floor(next() * (high - low + 1)))
  const weights = (model: Sequential): Record<string, number[]> =>
    Object.fromEntries(
      [...model.built.params, ...model.built.variables].map(([path, { shape }]) => [
        path,
        numbers(elementCount(shape)),
      ]),
    )
  return { numbers, integers, weights }
}

/**
 * loss; output, batch-first; `final PATH` of states; `next PATH` of variables; `d PATH`, the loss's gradient for every parameter, and `d state PATH`
 * for the states that are carried in.
 */
export function traceLoss(
  model: Sequential,
  option: LossOption,
  lengths: boolean,
  mask = false,
  carry: readonly string[] = [],
): NamedGraph {
  const [loss, leaves] = [lossOf(option), { training: true, carry, lengths, mask, noise: noiseOf }]
  return traceNamed([...leafSpecs(model, leaves), targetSpec(model, loss)], (get) => {
    const { output, states, variables, counted } = forwardWhole(model, get, leaves)
    const { mean } = measured(loss, output, get('y'), counted)
    const paths = [...model.built.params.keys(), ...carry.map(stateInput)]
    const gradients = gradient(mean, paths.map(get)).map((value, i) => [`d ${paths[i]}`, value] as const)
    const finals = [...states].map(([path, value]) => [`final ${path}`, value] as const)
    const nexts = [...variables].map(([path, value]) => [`next ${path}`, value] as const)
    return {
      outputs: {
        loss: mean,
        output: batchFirst(output),
        ...Object.fromEntries([...finals, ...nexts, ...gradients]),
      },
    }
  })
}

/** Outputs by name; what updates an input by the input's, so that results are the next call's values. */
const namesOf = ({ inputs, outputs, donate }: NamedGraph) => [
  ...outputs,
  ...[...donate.values()].map((input) => inputs[input]!),
]

/** Values and sizes with what says how rows of these lengths are packed. */
function withPacking({ inputs: names }: NamedGraph, values: Named, bindings: Bindings) {
  if (!names.includes('counts')) return { values, bindings }
  const { inputs, size } = packingInputs(Int32Array.from(values['lengths']!), bindings.get('T')!)
  return { values: { ...values, ...Object.fromEntries(inputs) }, bindings: new Map([...bindings, size]) }
}

/** In f64 throughout. */
export function runOracle(named: NamedGraph, given: Named, sizes: Bindings): Record<string, Float64Array> {
  const { values, bindings } = withPacking(named, given, sizes)
  const args = named.graph.params.map((param, i) => ({
    data: Float64Array.from(values[named.inputs[i]!]!),
    shape: param.shape.map((size) => evaluateSize(size, bindings)),
  }))
  const results = interpret(named.graph, args, bindings)
  return Object.fromEntries(namesOf(named).map((name, i) => [name, results[i]!.data]))
}

/** Compiled once; verified after every pass. */
export async function openWasm(named: NamedGraph) {
  const { graph, inputs, donate } = named
  const [executable, names] = [await compile(graph, { donate, verify: true }), namesOf(named)]
  return async (own: Named, sizes: Bindings): Promise<Named> => {
    const { values, bindings } = withPacking(named, own, sizes)
    const given = graph.params.map(({ dtype }, i) => {
      const numbers = values[inputs[i]!]!
      return [i, dtype === 'f32' ? Float32Array.from(numbers) : Int32Array.from(numbers)] as const
    })
    const results = await executable.call({ bindings, inputs: new Map(given), outputs: [...names.keys()] })
    return Object.fromEntries(names.map((name, i) => [name, results[i]!]))
  }
}

/**
 * What is further from its reference than the numbers of an element type may be: in f64 ‖a − n‖∞ / max(‖n‖∞, 1e-6) ≤
 * 1e-6, in f32 ‖a − n‖∞ ≤ 1e-5 · max(1, ‖n‖∞).
 */
export function outside(type: 'f64' | 'f32', received: Named, reference: Named): string[] {
  return Object.entries(reference).flatMap(([name, expected]) => {
    const values = Array.from(expected)
    const largest = Math.max(0, ...values.map(Math.abs))
    const bound = type === 'f64' ? 1e-6 * Math.max(largest, 1e-6) : 1e-5 * Math.max(1, largest)
    const wrong = values.findIndex(
      (value, i) => !(Math.abs((received[name]?.[i] ?? Number.NaN) - value) <= bound),
    )
    if (wrong < 0 && received[name]?.length === values.length) return []
    return [`${name}, element ${wrong}: ${received[name]?.[wrong]} for ${values[wrong]}`]
  })
}

/**
 * Whether f32 cannot be held to its bound here: the f64 answer itself moves further than that when every number given
 * moves by half a unit in its last f32 place. Some draws of a linear feedback amplify roundings so.
 */
export function amplifiesRounding(
  named: NamedGraph,
  values: Named,
  sizes: Bindings,
  reference: Named,
): boolean {
  const floats = named.inputs.filter((_, i) => named.graph.params[i]!.dtype === 'f32')
  return Array.from({ length: 8 }, (_, seed) => random(seed)).some(({ integers }) => {
    const nudged = floats.map((name) => {
      const numbers = Array.from(values[name]!)
      const signs = integers(numbers.length, 0, 1)
      return [name, numbers.map((number, i) => number * (1 + (2 * signs[i]! - 1) * 2 ** -24))] as const
    })
    const moved = runOracle(named, { ...values, ...Object.fromEntries(nudged) }, sizes)
    return outside('f32', moved, reference).length > 0
  })
}
