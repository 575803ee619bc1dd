/** What users pass in, checked against what a model and a loss expect. */
import type { Batch, Named, NamedBatch } from '../data/batches.ts'
import { type Model, printInput } from '../layers/model.ts'
import {
  type InputSpec,
  isOpen,
  type OpenShape,
  openShape,
  SOLE_INPUT,
  SOLE_OUTPUT,
} from '../layers/parts.ts'
import type { Dtype } from '../tensor/dtype.ts'
import { DataError, ShapeError } from '../tensor/errors.ts'
import { isTensor } from '../tensor/padding.ts'
import type { Bindings } from '../tensor/size.ts'
import { type NestedNumbers, type Tensor, tensor } from '../tensor/tensor.ts'

export type TensorLike = Tensor | readonly NestedNumbers[]

export function asTensor(values: TensorLike, dtype?: Dtype, what = ''): Tensor {
  if (Array.isArray(values)) return tensor(values as readonly NestedNumbers[], undefined, dtype)
  const { data, shape, dtype: own } = (values ?? {}) as Tensor
  if (!Array.isArray(shape) || !ArrayBuffer.isView(data)) {
    throw new ShapeError(
      `${what}expected nested arrays or a tensor { data, shape, dtype }; received ${typeof values}`,
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
export function requireNames(
  what: string,
  given: readonly (readonly [string, Tensor])[],
  names: readonly string[],
): void {
  const received = given.map(([name]) => name)
  if (received.length === names.length && names.every((name) => received.includes(name))) return
  throw new ShapeError(`the model's ${what} are ${printNames(names)}; received ${printNames(received)}`)
}

function printNames(names: readonly string[]): string {
  const isSole = names.length === 1 && (names[0] === SOLE_INPUT || names[0] === SOLE_OUTPUT)
  return isSole ? 'one tensor' : `{ ${names.join(', ')} }`
}

/** What an input says of itself: tokens [B, T], of passages [B, T, T2, …], sequences [B, T, features], rows [B, features]. */
function specOf({ shape, dtype }: Tensor): InputSpec {
  if (dtype === 'i32' && shape.length >= 2) {
    const inner = shape.slice(2).map((_, level) => `T${level + 2}`)
    return { shape: [null, ...inner], dtype }
  }
  if (dtype === 'f32' && shape.length >= 3) return { shape: [null, ...shape.slice(2)], dtype }
  if (dtype === 'f32' && shape.length === 2) return { shape: [shape[1]!], dtype }
  throw new ShapeError(
    `expected f32 sequences [B, T, features], f32 rows [B, features] or i32 tokens [B, T] or [B, T, T2, …]; received ${dtype}[${shape.join(', ')}]`,
  )
}

/** What a batch says of a time: a sequence that has it, and which steps are there. */
export interface Time extends Pick<Batch, 'inputs' | 'lengths' | 'mask'> {
  /** What each input says that has it. */
  readonly said?: readonly (readonly [name: string, Pick<Batch, 'lengths' | 'mask'>])[]
}

/** The times of a batch by their names; of lengths and a mask that are said of one, the mask. */
export function timesIn(model: Model, batch: Omit<NamedBatch, 'targets' | 'reset'>): Map<string, Time> {
  const [inputs, lengths, masks] = [batch.inputs, batch.lengths, batch.mask].map(
    (each) => new Map(entriesOf(each, SOLE_INPUT)),
  )
  for (const name of [...lengths!.keys(), ...masks!.keys()]) requireInput(model, name)
  const times = new Map<string, Time>()
  for (const [name, spec] of model.built.inputs) {
    const [ends, mask] = [lengths!.get(name), masks!.get(name)]
    const own = { ...(ends && { lengths: ends }), ...(mask && { mask }) }
    const x = inputs!.get(name)!
    if (!isOpen(spec)) {
      // Batches of sequences say of a tensor, which may be a row without time, that all of it is there.
      if (mask || ends?.data.some((length: number) => length !== x.shape[1])) requireTime(name)
      continue
    }
    const time = String(spec.shape[0] ?? 'T')
    const known = times.get(time)
    const best = known && (known.mask || !(ends ?? mask)) ? known : { inputs: x, ...own }
    times.set(time, { ...best, said: [...(known?.said ?? []), [name, own]] })
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

/** @throws {ShapeError} where lengths or a mask have nothing to say: an input is no sequence */
function requireTime(name: string): never {
  throw new ShapeError(
    `lengths and masks say which steps are there, but the model takes rows without time as its input ${name}: leave them out`,
  )
}
