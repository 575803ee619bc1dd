/**
 * What `predict` is given as one padded tensor, with lengths or a mask where some steps are not there; and either as
 * inputs of a traced function.
 */
import type { Batch } from '../data/batches.ts'
import { packingInputs } from '../layers/packing.ts'
import type { Sequential } from '../layers/sequential.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { alike, asLong, pad, requireSameSize, type Sequence } from '../tensor/padding.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import { asTensor, lengthsOf, maskOf, requireTime, type TensorLike } from './inputs.ts'

/** Nested arrays or a tensor, [B, T, …]; or a list of sequences, [T, …] each, whose lengths may differ. */
export type InputLike = TensorLike | readonly Sequence[]

type Padding = Pick<Batch, 'lengths' | 'mask'>
export type Padded = Padding & Pick<Batch, 'inputs'>

interface Rows {
  readonly lengths?: TensorLike
  readonly mask?: InputLike
}

/** @throws {RecurraError} that names the row, for sequences that are not alike in all but length */
export function paddedInputs(model: Sequential, x: InputLike, { lengths, mask }: Rows): Padded {
  const dtype = model.isBuilt ? model.built.input.dtype : 'f32'
  const rows = isList(x) ? alike('inputs', x, dtype) : undefined
  const inputs = rows === undefined ? asTensor(x as TensorLike) : pad(rows)
  const own = rows
    ? Int32Array.from(rows, ({ shape }) => shape[0]!)
    : new Int32Array(inputs.shape[0] ?? 0).fill(inputs.shape[1] ?? 0)
  const ragged = own.some((length) => length !== own[0])
  if (ragged && !takesTime(model, inputs)) requireSameSize(own)
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

function takesTime(model: Sequential, { shape, dtype }: Tensor): boolean {
  return model.isBuilt ? model.built.input.shape[0] === null : shape.length > 2 || dtype === 'i32'
}

/** What a function of the model takes in to know which steps are there. */
export const kindOf = ({ lengths, mask }: Padding) => ({
  lengths: lengths !== undefined && mask === undefined,
  mask: mask !== undefined,
})

/** That, checked, and the sizes that it brings. */
export function paddingInputs(
  model: Sequential,
  batch: Padded,
): { readonly inputs: readonly (readonly [string, Int32Array])[]; readonly sizes: [string, number][] } {
  const { lengths, mask } = batch
  if (lengths === undefined && mask === undefined) return { inputs: [], sizes: [] }
  requireTime(model)
  if (mask !== undefined) return { inputs: [['mask', maskOf(batch)]], sizes: [] }
  const { inputs, size } = packingInputs(lengthsOf(batch), batch.inputs.shape[1]!)
  return { inputs, sizes: [[...size]] }
}
