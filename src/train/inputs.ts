/** What users pass in, checked against what a model and a loss expect. */
import type { Batch } from '../data/batches.ts'
import type { InputSpec, Sequential } from '../layers/sequential.ts'
import { requireFlag } from '../tensor/checks.ts'
import type { Dtype } from '../tensor/dtype.ts'
import { ArgumentError, DataError, ShapeError } from '../tensor/errors.ts'
import type { Bindings } from '../tensor/size.ts'
import { elementCount, type NestedNumbers, type Tensor, tensor } from '../tensor/tensor.ts'
import type { Loss } from './losses.ts'

export type TensorLike = Tensor | readonly NestedNumbers[]

export function asTensor(values: TensorLike, dtype?: Dtype): Tensor {
  if (Array.isArray(values)) return tensor(values as readonly NestedNumbers[], undefined, dtype)
  const { data, shape, dtype: own } = (values ?? {}) as Tensor
  if (!Array.isArray(shape) || !ArrayBuffer.isView(data)) {
    throw new ShapeError(
      `expected nested arrays or a tensor { data, shape, dtype }; received ${typeof values}`,
    )
  }
  return tensor(data, shape, own)
}

/** Builds the model for this input if it is not built, and binds B and T. */
export function bindInput(model: Sequential, x: Tensor): Bindings {
  const spec = model.isBuilt ? model.built.input : specOf(x)
  const expected = spec.shape
  const fits = x.dtype === spec.dtype && x.shape.length === expected.length + 1
  if (!fits || expected.some((size, axis) => size !== null && size !== x.shape[axis + 1])) {
    throw new ShapeError(
      `the model takes ${spec.dtype}[${['B', ...expected.map((size) => size ?? 'T')].join(', ')}]; ` +
        `received ${x.dtype}[${x.shape.join(', ')}]`,
    )
  }
  if (x.shape.includes(0)) throw new DataError(`inputs are empty: their shape is [${x.shape.join(', ')}]`)
  model.build(spec)
  return new Map([['B', x.shape[0]!], ...(expected[0] === null ? ([['T', x.shape[1]!]] as const) : [])])
}

/** What an input says of itself: tokens [B, T], sequences [B, T, features], rows [B, features]. */
function specOf({ shape, dtype }: Tensor): InputSpec {
  if (dtype === 'i32' && shape.length === 2) return { shape: [null], dtype }
  if (dtype === 'f32' && shape.length >= 3) return { shape: [null, ...shape.slice(2)], dtype }
  if (dtype === 'f32' && shape.length === 2) return { shape: [shape[1]!], dtype }
  throw new ShapeError(
    `expected f32 sequences [B, T, features], f32 rows [B, features] or i32 tokens [B, T]; received ${dtype}[${shape.join(', ')}]`,
  )
}

/** Checks a batch for training or evaluation, builds the model if it is not built, and binds its sizes. */
export function bindBatch(model: Sequential, loss: Loss, batch: Batch): Bindings {
  requireTensors(batch)
  const bindings = bindInput(model, asTensor(batch.inputs))
  if (loss.rows) return new Map([...bindings, ...loss.rows.bind(model, batch)])
  checkTargets(model, loss, batch, presence(model, batch))
  return bindings
}

/** Says whether a step is there, by lengths or mask, both checked. */
export function presence(model: Sequential, batch: Batch): (row: number, step: number) => boolean {
  const steps = batch.inputs.shape[1]!
  if (batch.mask === undefined) {
    const lengths = lengthsOf(batch)
    return (row, step) => step < lengths[row]!
  }
  requireTime(model)
  const mask = maskOf(batch)
  return (row, step) => mask[row * steps + step] !== 0
}

/** @throws {ShapeError} where lengths or a mask have nothing to say: the model takes no sequences */
export function requireTime(model: Sequential): void {
  if (model.built.input.shape[0] === null) return
  throw new ShapeError(
    'lengths and masks say which steps are there, but the model takes rows without time: leave them out',
  )
}

/** @throws {ShapeError} where something else stands in the place of a batch or of its tensors */
function requireTensors(batch: Batch): void {
  for (const name of ['inputs', 'targets', 'lengths', 'mask', 'weights'] as const) {
    const value = batch?.[name]
    if (value === undefined && batch && name !== 'inputs') continue
    if (Array.isArray(value?.shape) && ArrayBuffer.isView(value.data)) continue
    throw new ShapeError(
      `a batch's ${name} must be a tensor { data, shape, dtype }, such as tensor([…]) makes; received ${typeof value}`,
    )
  }
  requireFlag('batch', 'reset', batch.reset)
}

/** Throws unless targets fit the model's output under the loss, their numbers included. */
function checkTargets(
  model: Sequential,
  loss: Loss,
  { inputs, targets }: Batch,
  isThere: ReturnType<typeof presence>,
): void {
  const [rows, steps] = inputs.shape as [number, number]
  const output = model.built.shapes[model.built.shapes.length - 1]!
  const sizes = [rows, ...output.map((size) => size ?? steps)]
  const classes = loss.targets === 'classes' ? sizes[sizes.length - 1]! : undefined
  const expected = classes === undefined ? sizes : sizes.slice(0, -1)
  const dtype = classes === undefined ? 'f32' : 'i32'
  const fits = targets?.dtype === dtype && String(targets.shape) === String(expected)
  if (!fits || targets.data.length !== elementCount(expected)) {
    throw new ShapeError(
      `${loss.name} takes targets ${dtype}[${expected.join(', ')}] for the model's output [${sizes.join(', ')}]; ` +
        `received ${targets === undefined ? 'none' : `${targets.dtype}[${targets.shape.join(', ')}]`}`,
    )
  }
  const accepts = classes === undefined ? loss.accepts : classBelow(classes)
  if (accepts === undefined) return
  const sequence = output[0] === null
  const width = elementCount(expected.slice(sequence ? 2 : 1))
  for (const [i, target] of targets.data.entries()) {
    if (accepts.test(target)) continue
    const [row, step] = sequence
      ? [Math.floor(i / width / steps), Math.floor(i / width) % steps]
      : [Math.floor(i / width), undefined]
    if (step !== undefined && !isThere(row, step)) continue
    throw new DataError(
      `${loss.name}: a target must be ${accepts.what}; received ${target} in row ${row}` +
        `${step === undefined ? '' : `, step ${step}`}`,
    )
  }
}

function classBelow(classes: number): Loss['accepts'] {
  return {
    what: `a class 0 … ${classes - 1}`,
    test: (target) => Number.isInteger(target) && target >= 0 && target < classes,
  }
}

/** Lengths as i32 [B], checked against T; all T where the batch has none. */
export function lengthsOf({ inputs, lengths }: Pick<Batch, 'inputs' | 'lengths'>): Int32Array {
  const [rows, steps] = inputs.shape as [number, number]
  if (lengths === undefined) return new Int32Array(rows).fill(steps)
  if (lengths.dtype !== 'i32' || String(lengths.shape) !== String([rows])) {
    throw new ShapeError(
      `lengths are i32[${rows}], one a row; received ${lengths.dtype}[${lengths.shape.join(', ')}]`,
    )
  }
  for (const [row, length] of lengths.data.entries()) {
    if (length < 1 || length > steps) {
      throw new DataError(`a length must lie in 1 … ${steps}; received ${length} in row ${row}`)
    }
  }
  return lengths.data as Int32Array
}

/**
 * A mask as 0 or 1 for every row and step, [B, T], checked; from lengths, or all 1, where the batch has none.
 * @throws {ArgumentError} for lengths and a mask at once
 * @throws {DataError} for other numbers, and for a row that has no step
 */
export function maskOf(batch: Pick<Batch, 'inputs' | 'lengths' | 'mask'>): Int32Array {
  const [rows, steps] = batch.inputs.shape as [number, number]
  if (batch.mask === undefined) {
    const lengths = lengthsOf(batch)
    return Int32Array.from({ length: rows * steps }, (_, i) =>
      i % steps < lengths[Math.floor(i / steps)]! ? 1 : 0,
    )
  }
  if (batch.lengths !== undefined) {
    throw new ArgumentError('expected lengths or a mask, which says all that lengths say; received both')
  }
  const { data, shape, dtype } = asTensor(batch.mask)
  if (dtype === 'f32' || String(shape) !== String([rows, steps])) {
    throw new ShapeError(
      `a mask is bool[${rows}, ${steps}] or i32 of 0 and 1, one a step; received ${dtype}[${shape.join(', ')}]`,
    )
  }
  for (let row = 0; row < rows; row++) {
    const own = data.subarray(row * steps, (row + 1) * steps)
    const odd = own.findIndex((value: number) => value !== 0 && value !== 1)
    if (odd >= 0) throw new DataError(`a mask holds 0 and 1; received ${own[odd]} in row ${row}, step ${odd}`)
    if (!own.includes(1)) throw new DataError(`the mask leaves no step of row ${row}: leave the row out`)
  }
  return Int32Array.from(data)
}

/** Over how much a batch's loss is the mean: steps of sequences, padding apart; rows where there is no time or they are wholes. */
export function tokensOf(model: Sequential, batch: Batch, { rows }: Loss): number {
  const output = model.built.shapes[model.built.shapes.length - 1]!
  if (output[0] !== null || rows) return batch.inputs.shape[0]!
  const counted = batch.mask === undefined ? lengthsOf(batch) : maskOf(batch)
  return counted.reduce((sum, count) => sum + count, 0)
}
