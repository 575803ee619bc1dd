/** What users pass in, checked against what a model and a loss expect. */
import type { Batch, Named, NamedBatch } from '../data/batches.ts'
import {
  type InputSpec,
  isOpen,
  type Model,
  type OpenShape,
  openShape,
  printInput,
  SOLE_INPUT,
  SOLE_OUTPUT,
} from '../layers/model.ts'
import { requireFlag } from '../tensor/checks.ts'
import type { Dtype } from '../tensor/dtype.ts'
import { ArgumentError, DataError, ShapeError } from '../tensor/errors.ts'
import { isTensor } from '../tensor/padding.ts'
import { type Bindings, evaluateSize } from '../tensor/size.ts'
import { elementCount, type NestedNumbers, type Tensor, tensor } from '../tensor/tensor.ts'
import type { Loss, Losses } from './losses.ts'

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

/** One of a kind, or several by name, as a list of names and tensors. */
export function entriesOf(values: Named<Tensor> | undefined, sole: string): [string, Tensor][] {
  if (values === undefined) return []
  return isTensor(values) ? [[sole, values]] : Object.entries(values)
}

/** Builds the model for these inputs if it is not built, and binds the sizes of batch and times. */
export function bindInputs(model: Model, given: Named<Tensor>): Bindings {
  const inputs = entriesOf(given, SOLE_INPUT)
  if (!model.isBuilt) model.build(specOf(inputs[0]![1]))
  const expected = model.built.inputs
  requireNames('inputs', inputs, [...expected.keys()])
  const bindings = new Map<string, number>()
  for (const [name, x] of inputs) {
    const spec = expected.get(name)!
    const what = expected.size === 1 ? 'the model takes' : `the model's input ${name} takes`
    const fits = x.dtype === spec.dtype && x.shape.length === spec.shape.length + 1
    if (!fits || spec.shape.some((size, axis) => isSize(size) && size !== x.shape[axis + 1])) {
      throw new ShapeError(`${what} ${printInput(spec)}; received ${x.dtype}[${x.shape.join(', ')}]`)
    }
    if (x.shape.includes(0)) throw new DataError(`inputs are empty: their shape is [${x.shape.join(', ')}]`)
    for (const [axis, size] of openShape(spec.shape).entries()) {
      if (typeof size !== 'string') continue
      const known = bindings.get(size)
      bindings.set(size, x.shape[axis]!)
      if (known === undefined || known === x.shape[axis]) continue
      throw new ShapeError(
        `${what} ${printInput(spec)}, whose ${size} another input has too; received ${x.shape[axis]} and ${known}`,
      )
    }
  }
  return bindings
}

const isSize = (size: number | string | null) => typeof size === 'number'

/** @throws {ShapeError} unless these are the names */
function requireNames(
  what: string,
  given: readonly (readonly [string, Tensor])[],
  names: readonly string[],
): void {
  const received = given.map(([name]) => name)
  if (received.length === names.length && names.every((name) => received.includes(name))) return
  const several = names.length === 1 ? 'one tensor' : `{ ${names.join(', ')} }`
  throw new ShapeError(
    `the model's ${what} are ${several}; received ${received.length === 1 ? 'one tensor' : `{ ${received.join(', ')} }`}`,
  )
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

/** Checks a batch for training or evaluation, builds the model if it is not built, and binds the sizes. */
export function bindBatch(model: Model, losses: Losses, batch: NamedBatch): Bindings {
  requireTensors(batch)
  const bindings = bindInputs(model, mapNamed(batch.inputs, asTensor))
  return checkTargets(model, losses, batch, bindings)
}

/** What a batch says of a time: a sequence that has it, and which steps are there. */
export type Time = Pick<Batch, 'inputs' | 'lengths' | 'mask'>

/** The times of a batch by their names. */
export function timesIn(model: Model, batch: Omit<NamedBatch, 'targets' | 'reset'>): Map<string, Time> {
  const [inputs, lengths, masks] = [batch.inputs, batch.lengths, batch.mask].map(
    (each) => new Map(entriesOf(each, SOLE_INPUT)),
  )
  for (const name of [...lengths!.keys(), ...masks!.keys()]) requireInput(model, name)
  const times = new Map<string, Time>()
  for (const [name, spec] of model.built.inputs) {
    const own = { inputs: inputs!.get(name)!, lengths: lengths!.get(name), mask: masks!.get(name) }
    const given = own.lengths !== undefined || own.mask !== undefined
    if (!isOpen(spec)) {
      if (given) requireTime(name)
      continue
    }
    const time = String(spec.shape[0] ?? 'T')
    if (given || !times.has(time))
      times.set(time, {
        inputs: own.inputs,
        ...(own.lengths && { lengths: own.lengths }),
        ...(own.mask && { mask: own.mask }),
      })
  }
  return times
}

/** @throws {ShapeError} for lengths or a mask of what is no input, or of several without their names */
export function requireInput({ built: { inputs } }: Model, name: string): void {
  if (inputs.has(name)) return
  throw new ShapeError(
    `lengths and masks of several inputs come by name, of one for all that share its time: { ${[...inputs.keys()].join(', ')} }; ` +
      `received ${name === SOLE_INPUT ? 'them without a name' : name}`,
  )
}

/** The time of an output that is a sequence, if an input has it. */
export function timeOf({ shape, sequence }: OpenShape, times: ReadonlyMap<string, Time>): Time | undefined {
  return sequence ? times.get(shape[0]!.key) : undefined
}

/** Says whether a step of an output is there, by lengths or mask, both checked. */
export function presence(
  model: Model,
  batch: NamedBatch,
  output: OpenShape,
): (row: number, step: number) => boolean {
  const time = timeOf(output, timesIn(model, batch))
  if (time === undefined) return () => true
  const steps = time.inputs.shape[1]!
  if (time.mask === undefined) {
    const lengths = lengthsOf(time)
    return (row, step) => step < lengths[row]!
  }
  const mask = maskOf(time)
  return (row, step) => mask[row * steps + step] !== 0
}

/** @throws {ShapeError} where lengths or a mask have nothing to say: an input is no sequence */
function requireTime(name: string): never {
  throw new ShapeError(
    `lengths and masks say which steps are there, but the model takes rows without time as its input ${name}: leave them out`,
  )
}

/** @throws {ShapeError} where something else stands in the place of a batch or of its tensors */
function requireTensors(batch: NamedBatch): void {
  for (const name of ['inputs', 'targets', 'lengths', 'mask', 'weights'] as const) {
    const value = batch?.[name]
    if (value === undefined && batch && name !== 'inputs') continue
    const all = Object.values(value ?? {})
    if (isTensor(value) || (all.length > 0 && all.every(isTensor))) continue
    throw new ShapeError(
      `a batch's ${name} must be a tensor { data, shape, dtype }, such as tensor([…]) makes; received ${typeof value}`,
    )
  }
  requireFlag('batch', 'reset', batch.reset)
}

/** Throws unless targets fit the model's outputs under their losses, their numbers included; the sizes with theirs. */
function checkTargets(model: Model, losses: Losses, batch: NamedBatch, bindings: Bindings): Bindings {
  const { outputs } = model.built
  const targets = entriesOf(batch.targets, SOLE_OUTPUT)
  if (batch.targets !== undefined) requireNames('targets', targets, [...outputs.keys()])
  const all = new Map(bindings)
  for (const [name, loss] of losses) {
    const own = targets.find(([each]) => each === name)?.[1]
    const output = outputs.get(name)!
    const isThere = presence(model, batch, output)
    if (!loss.rows) checkTarget(loss, own, output, bindings, isThere)
    else for (const [size, bound] of loss.rows.bind(own, bindings.get('B')!, output)) all.set(size, bound)
  }
  return all
}

function checkTarget(
  loss: Loss,
  targets: Tensor | undefined,
  { shape, sequence }: OpenShape,
  bindings: Bindings,
  isThere: ReturnType<typeof presence>,
): void {
  const sizes = [bindings.get('B')!, ...shape.map((size) => evaluateSize(size, bindings))]
  const steps = sizes[1]!
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

function mapNamed<T>(values: Named<Tensor>, change: (value: Tensor) => T): Named<T> {
  if (isTensor(values)) return change(values)
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]))
}
