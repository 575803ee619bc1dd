/** A model's traced loss with everything that follows from it, and two ways to run it: the f64 oracle and WASM. */
import { compile, type Place } from '../../src/codegen/compile.ts'
import { runPasses } from '../../src/codegen/passes.ts'
import { gradient } from '../../src/graph/grad.ts'
import { type F64Array, interpret } from '../../src/graph/interpret.ts'
import type { Graph } from '../../src/graph/node.ts'
import type { Model } from '../../src/layers/model.ts'
import { noiseOf } from '../../src/layers/noise.ts'
import * as packing from '../../src/layers/packing.ts'
import { SOLE_OUTPUT } from '../../src/layers/parts.ts'
import { outside as batchFirst } from '../../src/layers/signals.ts'
import { brought } from '../../src/passes/lift.ts'
import { ROWS } from '../../src/passes/lift-rows.ts'
import { type Bindings, evaluateSize } from '../../src/tensor/size.ts'
import { elementCount } from '../../src/tensor/tensor.ts'
import { leafSpecs, stateInput, WHOLE } from '../../src/train/leaves.ts'
import { type LossOption, lossOf, measured } from '../../src/train/losses.ts'
import { type NamedGraph, traceNamed } from '../../src/train/session.ts'
import { targetSpecs } from '../../src/train/step.ts'

export type Named = Readonly<Record<string, ArrayLike<number>>>

/** The graph after all passes. */
export function optimized(graph: Graph, check?: Parameters<typeof runPasses>[1]): Graph {
  brought.rows = ROWS
  return runPasses(graph, check).at(-1)!.graph
}

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
  const weights = (model: Model): Record<string, number[]> =>
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
 * for the states that are carried in; `d x` where `more` names it.
 */
export function traceLoss(
  model: Model,
  option: LossOption,
  lengths: boolean,
  mask = false,
  carry: readonly string[] = [],
  more: readonly string[] = [],
  reading = WHOLE,
): NamedGraph {
  const [loss, leaves] = [
    lossOf(option),
    { training: true, carry, packing: lengths ? packing : undefined, mask, noise: noiseOf },
  ]
  return traceNamed(
    [...leafSpecs(model, leaves), ...targetSpecs(model, new Map([[SOLE_OUTPUT, loss]]))],
    (get) => {
      const { outputs, states, variables } = reading.forward(model, get, leaves)
      const output = outputs.get(SOLE_OUTPUT)!
      const { mean } = measured(loss, output, get('y'))
      const paths = [...model.built.params.keys(), ...carry.map(stateInput), ...more]
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
    },
  )
}

/** Outputs by name; what updates an input by the input's, so that results are the next call's values. */
const namesOf = ({ inputs, outputs, donate }: NamedGraph) => [
  ...outputs,
  ...[...donate.values()].map((input) => inputs[input]!),
]

/** Values and sizes with what says how rows of these lengths are packed, in every time of which that is not given. */
function withPacking({ inputs: names }: NamedGraph, values: Named, bindings: Bindings) {
  const parts = names.flatMap((name) =>
    /^counts( |$)/.test(name) && !(name in values) ? [name.slice('counts '.length)] : [],
  )
  const packings = parts.map((part) => {
    const lengths = Int32Array.from(values[packing.packingInput('lengths', part)]!)
    return packing.packingInputs(lengths, bindings.get(part || 'T')!, part)
  })
  return {
    values: { ...values, ...Object.fromEntries(packings.flatMap(({ inputs }) => inputs)) },
    bindings: new Map([...bindings, ...packings.map(({ size }) => size)]),
  }
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

/** Arguments of the oracle, in order, as what a compiled graph takes. */
export function inputsOf(graph: Graph, args: readonly F64Array[]): Map<number, Float32Array | Int32Array> {
  const typed = graph.params.map(({ dtype }, i) =>
    dtype === 'f32' ? Float32Array.from(args[i]!.data) : Int32Array.from(args[i]!.data),
  )
  return new Map(typed.entries())
}

/** Compiled once; verified after every pass. */
export async function openWasm(named: NamedGraph, place: Partial<Place> = {}) {
  const { graph, inputs, donate } = named
  const [executable, names] = [await compile(graph, { ...place, donate, verify: true }), namesOf(named)]
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

/** How large ‖a − n‖∞ may be for ‖n‖∞. */
const BOUNDS = {
  /** Where one of both is a numeric derivative. */
  f64: (largest: number) => 1e-6 * Math.max(largest, 1e-6),
  /** One calculation, twice in f64: nothing differs but the order of additions. */
  rounding: (largest: number) => 1e-12 * Math.max(1, largest),
  f32: (largest: number) => 1e-5 * Math.max(1, largest),
}
export type Bound = keyof typeof BOUNDS

/** What is further from its reference than that. */
export function outside(type: Bound, received: Named, reference: Named): string[] {
  return Object.entries(reference).flatMap(([name, expected]) => {
    const values = Array.from(expected)
    const largest = Math.max(0, ...values.map(Math.abs))
    const bound = BOUNDS[type](largest)
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

/** Where code runs that is held to the oracle: natively too where that is asked for, as by the long suites, and a C compiler works. */
export async function compiled(
  natively = process.env['RECURRA_LONG'] !== undefined,
): Promise<[name: string, Place][]> {
  const wasm: [string, Place][] = [
    ['wasm', { backend: 'wasm' }],
    ['wasm on 3 threads', { backend: 'wasm', threads: 3 }],
  ]
  if (!natively) return wasm
  const { compilerOf } = await import('../../src/codegen/native/build.ts')
  const native: [string, Place][] = [
    ['native', { backend: 'native' }],
    ['native on 2 threads', { backend: 'native', threads: 2 }],
  ]
  return compilerOf().then(
    () => [...wasm, ...native],
    () => wasm,
  )
}
