/** A model and a batch as another library is told of them, and the comparison with what it answers. */
import { expect } from 'vitest'
import type { Layer } from '../../src/layers/layer.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { elementCount } from '../../src/tensor/tensor.ts'
import { stateInput } from '../../src/train/leaves.ts'
import { type Named, openWasm, outside, random, runOracle, traceLoss } from '../contract/support.ts'

export const OUTPUTS = 3
export const VOCABULARY = 7
export const SIZES = [
  { T: 1, B: 1, I: 1 },
  { T: 6, B: 4, I: 3 },
  { T: 4, B: 9, I: 5 },
]

/** The options of a model's last recurrent layer. A dense layer follows. */
export interface Last {
  readonly units: number
  readonly returnSequences: boolean
  readonly initialState: 'zeros' | 'trainable'
}

export interface Shape {
  readonly T: number
  readonly B: number
  readonly I: number
  readonly ragged: boolean
  /** One output a step. */
  readonly sequences: boolean
  /** States come in from outside, for each row its own. */
  readonly carried?: boolean
  /** Weights and states are drawn from within ± this. Default: 1. */
  readonly largest?: number
  /** In and out, instead of numbers. */
  readonly tokens?: boolean
}

/** `told` is what the library needs: layers as they describe themselves, weights (and states) by path in our layout, the batch. */
export function caseOf(layers: readonly Layer[], shape: Shape, seed: number) {
  const { T, B, I, ragged, sequences, carried = false, largest = 1, tokens = false } = shape
  const input = tokens
    ? ({ shape: [null], dtype: 'i32' } as const)
    : ({ shape: [null, I], dtype: 'f32' } as const)
  const model = sequential(layers, { input })
  const { numbers, integers } = random(seed)
  const rows = B * (sequences ? T : 1)
  const carry = carried ? [...model.built.states] : []
  const shapes: (readonly [string, readonly number[]])[] = [
    ...[...model.built.params].map(([path, { shape }]) => [path, shape] as const),
    ...carry.map(([path, shape]) => [stateInput(path), [B, ...shape]] as const),
  ]
  const leaves = Object.fromEntries(
    shapes.map(([path, shape]) => [
      path,
      { shape, data: numbers(elementCount(shape)).map((number) => number * largest) },
    ]),
  )
  const told = {
    ...{ T, B, sequences, inputs: tokens ? [] : [I], lengths: ragged ? integers(B, 1, T) : null },
    layers: model.calls,
    loss: tokens ? ('softmaxCrossEntropy' as const) : ('meanSquaredError' as const),
    leaves,
    x: tokens ? integers(B * T, 0, VOCABULARY - 1) : numbers(B * T * I),
    y: tokens ? integers(rows, 0, VOCABULARY - 1) : numbers(rows * OUTPUTS),
  }
  const numbersOf = Object.entries(leaves).map(([path, { data }]) => [path, data])
  const given: Named = {
    ...Object.fromEntries(numbersOf),
    ...{ x: told.x, y: told.y, lengths: told.lengths ?? [], fresh: new Array<number>(B).fill(0) },
  }
  return { model, told, given, carry: carry.map(([path]) => path) }
}

/** An answer as we would give it: beyond a row's length, where others go on computing, outputs are 0. */
export function withinLengths(
  answer: Named,
  { T, B, lengths, sequences }: Pick<ReturnType<typeof caseOf>['told'], 'T' | 'B' | 'lengths' | 'sequences'>,
): Named {
  if (lengths === null || !sequences) return answer
  const width = answer['output']!.length / B / T
  const there = (i: number) => Math.floor(i / width) % T < lengths[Math.floor(i / width / T)]!
  return { ...answer, output: Array.from(answer['output']!, (value, i) => (there(i) ? value : 0)) }
}

/** Loss, outputs, final states and every gradient: by the f64 oracle and in WASM, against numbers of `type`. */
export async function compare(
  { model, told, given, carry }: ReturnType<typeof caseOf>,
  theirs: Named,
  type: 'f64' | 'f32',
  what: string,
): Promise<void> {
  const answer = withinLengths(theirs, told)
  const named = traceLoss(model, told.loss, told.lengths !== null, false, carry)
  const sizes = new Map(Object.entries({ T: told.T, B: told.B }))
  expect(named.outputs.toSorted(), what).toEqual(Object.keys(answer).toSorted())
  expect(outside(type, runOracle(named, given, sizes), answer), `f64, ${what}`).toEqual([])
  const wasm = await openWasm(named)
  expect(outside('f32', await wasm(given, sizes), answer), `WASM, ${what}`).toEqual([])
}
