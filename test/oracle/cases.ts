/** A model and a batch as another library is told of them, and the comparison with what it answers. */
import { expect } from 'vitest'
import { predictWithStates, sequential, type Tensor, tensor } from '../../src/index.ts'
import type { Layer } from '../../src/layers/layer.ts'
import { constantOf } from '../../src/tensor/size.ts'
import { elementCount } from '../../src/tensor/tensor.ts'
import { finalOutput, stateInput } from '../../src/train/leaves.ts'
import {
  type Bound,
  type Named,
  openWasm,
  outside,
  random,
  runOracle,
  traceLoss,
} from '../contract/support.ts'

export const OUTPUTS = 3
export const VOCABULARY = 7
export const SIZES = [
  { T: 1, B: 1, I: 1 },
  { T: 6, B: 4, I: 3 },
  { T: 4, B: 9, I: 5 },
]

/** Every choice of one value for each name. */
export function product<A extends Readonly<Record<string, readonly unknown[]>>>(axes: A) {
  const rows = Object.entries(axes).reduce<object[]>(
    (rows, [name, values]) => rows.flatMap((row) => values.map((value) => ({ ...row, [name]: value }))),
    [{}],
  )
  return rows as { readonly [K in keyof A]: A[K][number] }[]
}

/** The options of a model's last recurrent layer. A dense layer follows. */
export interface Last {
  readonly units: number
  readonly returnSequences: boolean
  readonly initialState: 'zeros' | 'trainable'
}

export interface Shape {
  readonly T: number
  readonly B: number
  /** The number of features, or the shape of a step. */
  readonly I: number | readonly number[]
  /** Rows that end before the last step, or that have steps missing anywhere. */
  readonly padding: 'none' | 'lengths' | 'mask'
  /** Steps that are masked are zeros, which a layer of the model finds. Default: false. */
  readonly found?: boolean
  /** Longer rows first. Default: false. */
  readonly sorted?: boolean
  /** No row's first or last step is masked. Default: false. */
  readonly edges?: boolean
  /** One output a step. */
  readonly sequences: boolean
  /** States come in from outside, for each row its own. */
  readonly carried?: boolean
  /** Weights and states are drawn from within ± this. Default: 1. */
  readonly largest?: number
  /** In and out, instead of numbers. Token 0 stands where steps are masked. */
  readonly tokens?: boolean
  /** How often the batch is given, in a row, each time with the states of the time before. Default: 1. */
  readonly calls?: number
  /** Whether it is a training step; otherwise there is no loss. Default: true. */
  readonly training?: boolean
}

/**
 * `told` is what the library needs: layers as they describe themselves, weights, variables (and states) by path in our
 * layout, the batch, and `more`.
 */
export function caseOf(layers: readonly Layer[], shape: Shape, seed: number, more: object = {}) {
  const { T, B, I, padding, sorted = false, edges = false, sequences, carried = false } = shape
  const { largest = 1, tokens = false, calls = 1, training = true, found = false } = shape
  const inputs = tokens ? [] : [I].flat()
  const input = tokens
    ? ({ shape: [null], dtype: 'i32' } as const)
    : ({ shape: [null, ...inputs], dtype: 'f32' } as const)
  const model = sequential(layers, { input })
  const { params, variables, states, calls: built } = model.built
  const { numbers, integers } = random(seed)
  const carry = carried ? [...states] : []
  const own = [...params, ...variables].map(([path, { shape }]) => [path, shape] as const)
  const drawn = [...own, ...carry.map(([path, shape]) => [stateInput(path), [B, ...shape]] as const)].map(
    ([path, shape]) => {
      const data = numbers(elementCount(shape)).map((number) => number * largest)
      // A variance is one of the variables.
      return [path, { shape, data: variables.has(path) ? data.map(Math.abs) : data }] as const
    },
  )
  const drawnLengths = padding === 'lengths' ? integers(B, 1, T) : null
  const there = Array.from({ length: padding === 'mask' ? B : 0 }, () => {
    const [row, [sure]] = [integers(T, 0, 1), integers(1, 0, T - 1)]
    return row.map((bit, t) => (t === sure || (edges && (t === 0 || t === T - 1)) ? 1 : bit))
  })
  const mask = padding === 'mask' ? there.flat() : null
  const outputs = [B, ...model.output.shape.map((size) => constantOf(size) ?? T)]
  const features = elementCount(inputs)
  const told = {
    ...{ T, B, sequences, inputs, calls, training, mask, found },
    lengths: sorted ? (drawnLengths?.toSorted((a, b) => b - a) ?? null) : drawnLengths,
    layers: model.calls.map((each, k) => ({
      ...each,
      reads: [B, ...built[k]!.inputs[0]!.shape.map((size) => constantOf(size) ?? T)],
    })),
    loss: tokens ? ('softmaxCrossEntropy' as const) : ('meanSquaredError' as const),
    leaves: Object.fromEntries(drawn),
    x: tokens
      ? integers(B * T, 1, VOCABULARY - 1).map((token, i) => (mask?.[i] === 0 ? 0 : token))
      : numbers(B * T * features).map((number, i) =>
          found && !mask![Math.floor(i / features)] ? 0 : number,
        ),
    y: tokens
      ? integers(elementCount(outputs.slice(0, -1)), 0, VOCABULARY - 1)
      : numbers(elementCount(outputs)),
    ...more,
  }
  const given: Named = {
    ...Object.fromEntries(drawn.map(([path, { data }]) => [path, data])),
    ...{ x: told.x, y: told.y, lengths: told.lengths ?? [], mask: mask ?? [] },
    fresh: new Array<number>(B).fill(0),
  }
  return { model, told, given, carry: carry.map(([path]) => path) }
}
type Case = ReturnType<typeof caseOf>

/** An answer as we would give it: beyond a row's length, where others go on computing, outputs are 0. */
export function withinLengths(
  answer: Named,
  { T, B, lengths, sequences }: Pick<Case['told'], 'T' | 'B' | 'lengths' | 'sequences'>,
): Named {
  if (lengths === null || !sequences) return answer
  const width = answer['output']!.length / B / T
  const there = (i: number) => Math.floor(i / width) % T < lengths[Math.floor(i / width / T)]!
  return { ...answer, output: Array.from(answer['output']!, (value, i) => (there(i) ? value : 0)) }
}

/** Loss, outputs, final states and every gradient of the last call: by the f64 oracle and in WASM. */
async function trained({ model, told, given, carry }: Case) {
  const { loss, lengths, mask, found, inputs, calls, T, B } = told
  const numbers = inputs.length > 0 ? ['x'] : []
  const named = traceLoss(model, loss, lengths !== null, mask !== null && !found, carry, numbers)
  const sizes = new Map(Object.entries({ T, B }))
  const wasm = await openWasm(named)
  const last = async (call: (values: Named) => Named | Promise<Named>) => {
    let results = await call(given)
    for (let i = 1; i < calls; i++) {
      const states = carry.map((path) => [stateInput(path), results[finalOutput(path)]!])
      results = await call({ ...given, ...Object.fromEntries(states) })
    }
    return results
  }
  return {
    f64: await last((values) => runOracle(named, values, sizes)),
    WASM: await last((values) => wasm(values, sizes)),
  }
}

/** Outputs and final states of the last call as users get them. */
async function predicted({ model, told, given, carry }: Case) {
  const { T, B, inputs, lengths, mask, found, calls, leaves } = told
  const { params, variables, states } = model.built
  const leaf = (path: string) => tensor(leaves[path]!.data, leaves[path]!.shape)
  model.setWeights(new Map([...params.keys(), ...variables.keys()].map((path) => [path, leaf(path)])))
  const x = tensor(Array.from(given['x']!), [B, T, ...inputs], model.input.dtype)
  const last = async (backend: 'interpret' | 'wasm'): Promise<Named> => {
    let ended: Readonly<Record<string, Tensor>> = Object.fromEntries(
      carry.map((path) => [path, leaf(stateInput(path))]),
    )
    let output = x
    for (let i = 0; i < calls; i++) {
      const initialState = Object.fromEntries(carry.map((path) => [path, ended[path]!]))
      const there = {
        ...(lengths && { lengths: tensor(lengths, [B], 'i32') }),
        ...(mask && !found && { mask: tensor(mask, [B, T], 'i32') }),
      }
      ;({ output, states: ended } = await predictWithStates(model, x, { ...there, initialState, backend }))
    }
    const finals = [...states.keys()].map((path) => [finalOutput(path), ended[path]!.data])
    return { output: output.data, ...Object.fromEntries(finals) }
  }
  return { interpreter: await last('interpret'), WASM: await last('wasm') }
}

/** What a case gives, against another library's numbers; `bound` holds in f64. */
export async function compare(own: Case, theirs: Named, bound: Bound, what: string): Promise<void> {
  const answer = withinLengths(theirs, own.told)
  for (const [by, results] of Object.entries(await (own.told.training ? trained : predicted)(own))) {
    // Where a library keeps states itself, it does not say what their gradients are.
    const names = Object.keys(results).filter((name) => own.told.calls === 1 || !name.startsWith('d state'))
    expect(names.toSorted(), what).toEqual(Object.keys(answer).toSorted())
    expect(outside(by === 'f64' ? bound : 'f32', results, answer), `${by}, ${what}`).toEqual([])
  }
}
