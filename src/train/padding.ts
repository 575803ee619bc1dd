/**
 * What `predict` is given as one padded tensor, with lengths or a mask where some steps are not there; and either as
 * inputs of a traced function.
 */
import type { Named, NamedBatch } from '../data/batches.ts'
import type { Model } from '../layers/model.ts'
import { type InputSpec, isOpen, SOLE_INPUT } from '../layers/parts.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { alike, asLong, isTensor, pad, requireSameSize, type Sequence } from '../tensor/padding.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import { asTensor, requireInput, type TensorLike, type Time, timesIn } from './inputs.ts'
import type { LeafOptions } from './leaves.ts'

/** Nested arrays or a tensor, [B, T, …]; or a list of sequences, [T, …] each, whose lengths may differ. */
export type InputLike = TensorLike | readonly Sequence[]

type Padding = Pick<NamedBatch, 'lengths' | 'mask'>
export type Padded = Padding & Pick<NamedBatch, 'inputs'>

interface Rows {
  readonly lengths?: TensorLike | Readonly<Record<string, TensorLike>>
  readonly mask?: InputLike | Readonly<Record<string, InputLike>>
}

/** `what` begins errors: 'predict: '. @throws {RecurraError} that names the row, for sequences that are not alike in all but length */
export function paddedInputs(
  what: string,
  model: Model,
  x: Named<InputLike>,
  { lengths, mask }: Rows,
): Padded {
  if (isOne(x)) return soleInput(what, model, x, { lengths, mask } as OneRows)
  for (const given of [lengths, mask]) {
    const names = isOne(given as InputLike) ? [SOLE_INPUT] : Object.keys(given!)
    if (given !== undefined) for (const name of names) requireInput(model, name)
  }
  const padded = Object.entries(x).map(([name, own]) => {
    const of = { lengths: ofName(lengths, name), mask: ofName(mask, name) } as OneRows
    return [name, paddedInput(what, model.built.inputs.get(name), own, of)] as const
  })
  const timeOf = (name: string) => model.built.inputs.get(name)?.shape[0]
  const said = Object.keys(lengths ?? {}).map(timeOf)
  const ragged = padded.flatMap(([name, own]) => (own.lengths ? [timeOf(name)] : []))
  // Beside sequences of unlike lengths one that is whole says so, unless the option speaks of their time.
  const all = padded.map(([name, own]) => {
    const [time, { shape }] = [timeOf(name), own.inputs]
    if (own.lengths || own.mask || !ragged.includes(time) || said.includes(time)) return [name, own] as const
    return [name, { ...own, lengths: tensor(new Int32Array(shape[0]!).fill(shape[1]!)) }] as const
  })
  const named = (field: 'inputs' | 'lengths' | 'mask') =>
    Object.fromEntries(all.flatMap(([name, own]) => (own[field] === undefined ? [] : [[name, own[field]]])))
  return {
    inputs: named('inputs'),
    ...(all.some(([, own]) => own.lengths) && { lengths: named('lengths') }),
    ...(all.some(([, own]) => own.mask) && { mask: named('mask') }),
  }
}

/** Of a model with one input. */
export function soleInput(what: string, model: Model, x: InputLike, rows: OneRows): Time {
  return paddedInput(what, model.isBuilt ? model.input : undefined, x, rows)
}

interface OneRows {
  readonly lengths?: TensorLike
  readonly mask?: InputLike
}

const ofName = (given: Rows['lengths'] | Rows['mask'], name: string) =>
  (given as Readonly<Record<string, TensorLike>> | undefined)?.[name]

function isOne(x: Named<InputLike>): x is InputLike {
  return Array.isArray(x) || typeof x !== 'object' || x === null || isTensor(x) || 'shape' in x
}

function paddedInput(
  what: string,
  spec: InputSpec | undefined,
  x: InputLike,
  { lengths, mask }: OneRows,
): Time {
  const dtype = spec?.dtype ?? 'f32'
  const rows = isList(x) ? alike('inputs', x, dtype) : undefined
  const inputs = rows === undefined ? asTensor(x as TensorLike, dtype, what) : pad(rows)
  const own = rows
    ? Int32Array.from(rows, ({ shape }) => shape[0]!)
    : new Int32Array(inputs.shape[0] ?? 0).fill(inputs.shape[1] ?? 0)
  const ragged = own.some((length) => length !== own[0])
  if (ragged && !takesTime(spec, inputs)) requireSameSize(own)
  if (ragged && lengths !== undefined) {
    throw new ArgumentError(
      'sequences of unlike lengths say their lengths themselves: leave the option lengths out',
    )
  }
  const ends = ragged && mask === undefined ? tensor(own) : lengths && asTensor(lengths, 'i32')
  return {
    inputs,
    ...(ends && { lengths: ends }),
    ...(mask && { mask: maskTensor(mask, own, ragged) }),
  }
}

function maskTensor(mask: InputLike, lengths: Int32Array, ragged: boolean): Tensor {
  if (isList(mask)) return pad(asLong('mask', mask, lengths, 'Give 0 or 1 for each step.', 'i32'))
  if (!ragged) return asTensor(mask as TensorLike)
  throw new ArgumentError('sequences of unlike lengths need a list of masks, each as long as its sequence')
}

function isList(values: InputLike): values is readonly Sequence[] {
  return Array.isArray(values)
}

function takesTime(spec: InputSpec | undefined, { shape, dtype }: Tensor): boolean {
  return spec === undefined ? shape.length > 2 || dtype === 'i32' : isOpen(spec)
}

/** What a function of the model takes in to know which steps are there. */
export async function kindOf(model: Model, batch: Padded): Promise<Pick<LeafOptions, 'packing' | 'mask'>> {
  const times = [...timesIn(model, batch).values()]
  const mask = times.some((time) => time.mask !== undefined)
  if (mask || times.every(({ lengths }) => lengths === undefined)) return { mask }
  return { packing: await import('../layers/packing.ts') }
}

/** That, checked, and the sizes that it brings. */
export async function paddingInputs(
  model: Model,
  batch: Padded,
  { packing, mask }: Pick<LeafOptions, 'packing' | 'mask'>,
): Promise<{
  readonly inputs: readonly (readonly [string, Int32Array])[]
  readonly sizes: readonly (readonly [string, number])[]
}> {
  if (!mask && !packing) return { inputs: [], sizes: [] }
  const times = timesIn(model, batch)
  const { masksOf, partsOf } = await import('./masks.ts')
  if (mask) return { inputs: masksOf(times), sizes: [] }
  const packings = partsOf(times).map(({ part, lengths, steps }) =>
    packing!.packingInputs(lengths, steps, part),
  )
  return { inputs: packings.flatMap(({ inputs }) => inputs), sizes: packings.map(({ size }) => size) }
}
