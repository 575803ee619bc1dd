/** How much each step or row of a batch weighs in the loss. Loaded only where something has weights. */
import type { NamedBatch } from '../data/batches.ts'
import type { Model } from '../layers/model.ts'
import { SOLE_OUTPUT } from '../layers/parts.ts'
import { requireNumber } from '../tensor/checks.ts'
import { ArgumentError, DataError, ShapeError } from '../tensor/errors.ts'
import { evaluateSize } from '../tensor/size.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { bindInputs, entriesOf } from './inputs.ts'
import { weightInput } from './leaves.ts'
import type { Losses } from './losses.ts'
import { presence } from './masks.ts'

export type ClassWeight = Readonly<Record<number, number>>

/**
 * The product of a batch's own weights and those of its targets' classes, for each step and row of the model's outputs.
 * What is masked or beyond a row's length is 1.
 *
 * @throws {ShapeError} for weights of another shape, or of no output
 * @throws {DataError} for one that is below 0 or not finite
 * @throws {ArgumentError} for the weight of a class that the model does not have
 */
export function weightsOf(
  model: Model,
  batch: NamedBatch,
  losses: Losses,
  classWeight: ClassWeight = {},
): (readonly [string, Float32Array])[] {
  const bindings = bindInputs(model, batch.inputs)
  const [all, targets] = [batch.weights, batch.targets].map((each) => new Map(entriesOf(each, SOLE_OUTPUT)))
  for (const name of all!.keys()) {
    if (losses.has(name)) continue
    throw new ShapeError(
      `weights are those of the model's outputs, { ${[...losses.keys()].join(', ')} }; received ${name === SOLE_OUTPUT ? 'them without a name' : name}`,
    )
  }
  return [...losses].map(([name, { rows: whole }]) => {
    const { shape, sequence } = model.built.outputs.get(name)!
    const output = { shape, sequence: sequence && !whole }
    const sizes = output.shape.map((size) => evaluateSize(size, bindings))
    const [rows, steps] = [bindings.get('B')!, output.sequence ? sizes[0]! : 1]
    const isThere = presence(model, batch, output)
    const own = ownWeights(all!.get(name), rows, output.sequence ? steps : undefined)
    const classes = classTable(classWeight, sizes.at(-1)!)
    const { data } = targets!.get(name)!
    const weights = Float32Array.from({ length: rows * steps }, (_, i) => {
      const [row, step] = [Math.floor(i / steps), i % steps]
      if (output.sequence && !isThere(row, step)) return 1
      const weight = own(row, i)
      if (weight >= 0 && Number.isFinite(weight)) return weight * (classes?.[data[i]!] ?? 1)
      throw new DataError(`a weight must be a number of at least 0; received ${weight} in row ${row}`)
    })
    return [weightInput(name), weights] as const
  })
}

/** The weights of each row, or of each step. */
function ownWeights(
  weights: Tensor | undefined,
  rows: number,
  steps: number | undefined,
): (row: number, at: number) => number {
  if (weights === undefined) return () => 1
  const { data, dtype, shape } = weights
  const perRow = String(shape) === String([rows])
  if (dtype !== 'f32' || !(perRow || (steps !== undefined && String(shape) === String([rows, steps])))) {
    throw new ShapeError(
      `weights are f32[${rows}], one a row${steps === undefined ? '' : `, or f32[${rows}, ${steps}], one a step`}; ` +
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
export function checkClassWeight(classWeight: ClassWeight, losses: Losses): void {
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
  const [loss] = losses.values()
  const { targets, name } = loss!
  if (losses.size > 1) {
    throw new ArgumentError('classWeight expects a model with one output: give batches weights instead')
  }
  if (entries.length === 0 || targets === 'classes') return
  throw new ArgumentError(
    `classWeight expects a loss on classes; received ${name}: give batches weights instead`,
  )
}
