/** How much each step or row of a batch weighs in the loss. Loaded only where something has weights. */
import type { Batch } from '../data/batches.ts'
import type { Sequential } from '../layers/sequential.ts'
import { requireNumber } from '../tensor/checks.ts'
import { ArgumentError, DataError, ShapeError } from '../tensor/errors.ts'
import { presence } from './inputs.ts'
import type { Loss } from './losses.ts'

export type ClassWeight = Readonly<Record<number, number>>

/**
 * The product of a batch's own weights and those of its targets' classes, for each step and row of the model's output.
 * What is masked or beyond a row's length is 1.
 *
 * @throws {ShapeError} for weights of another shape
 * @throws {DataError} for one that is below 0 or not finite
 * @throws {ArgumentError} for the weight of a class that the model does not have
 */
export function weightsOf(
  model: Sequential,
  batch: Batch,
  { rows: whole }: Loss,
  classWeight: ClassWeight = {},
): Float32Array {
  const output = model.built.shapes.at(-1)!
  const sequence = output[0] === null && !whole
  const [rows, steps] = [batch.inputs.shape[0]!, sequence ? batch.inputs.shape[1]! : 1]
  const isThere = sequence ? presence(model, batch) : () => true
  const own = ownWeights(batch, sequence)
  const classes = classTable(classWeight, output.at(-1)!)
  return Float32Array.from({ length: rows * steps }, (_, i) => {
    const [row, step] = [Math.floor(i / steps), i % steps]
    if (!isThere(row, step)) return 1
    const weight = own(row, i)
    if (weight >= 0 && Number.isFinite(weight)) return weight * (classes?.[batch.targets.data[i]!] ?? 1)
    throw new DataError(`a weight must be a number of at least 0; received ${weight} in row ${row}`)
  })
}

/** A batch's weight of each row, or of each step. */
function ownWeights({ inputs, weights }: Batch, sequence: boolean): (row: number, at: number) => number {
  if (weights === undefined) return () => 1
  const { data, dtype, shape } = weights
  const [rows, steps] = inputs.shape as [number, number]
  const perRow = String(shape) === String([rows])
  if (dtype !== 'f32' || !(perRow || (sequence && String(shape) === String([rows, steps])))) {
    throw new ShapeError(
      `weights are f32[${rows}], one a row${sequence ? `, or f32[${rows}, ${steps}], one a step` : ''}; ` +
        `received ${dtype}[${shape.join(', ')}]`,
    )
  }
  return (row, at) => data[perRow ? row : at]!
}

function classTable(weights: ClassWeight, count: number): Float32Array | undefined {
  const entries = Object.entries(weights)
  if (entries.length === 0) return undefined
  const table = new Float32Array(count).fill(1)
  for (const [name, weight] of entries) {
    if (Number(name) >= count) {
      throw new ArgumentError(`classWeight: the model has the classes 0 … ${count - 1}; received ${name}`)
    }
    table[Number(name)] = weight
  }
  return table
}

/** @throws {ArgumentError} for what are no weights of classes, and a loss that has none */
export function checkClassWeight(classWeight: ClassWeight, { targets, name }: Loss): void {
  const isOther = Array.isArray(classWeight) || classWeight instanceof Map
  if (typeof classWeight !== 'object' || classWeight === null || isOther) {
    throw new ArgumentError(
      'classWeight: expected weights by class, such as { 0: 1, 1: 3 }; ' +
        `received ${Array.isArray(classWeight) ? 'a list' : String(classWeight)}`,
    )
  }
  const entries = Object.entries(classWeight)
  for (const [key, weight] of entries) {
    if (!/^\d+$/.test(key)) throw new ArgumentError(`classWeight: expected classes 0, 1, …; received ${key}`)
    requireNumber('classWeight', key, weight, 'of at least 0')
  }
  if (entries.length === 0 || targets === 'classes') return
  throw new ArgumentError(
    `classWeight expects a loss on classes; received ${name}: give batches weights instead`,
  )
}
