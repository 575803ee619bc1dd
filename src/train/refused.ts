/** Why targets are refused, if they are. Loaded only where some look as if they were. */
import type { NamedBatch } from '../data/batches.ts'
import type { Model } from '../layers/model.ts'
import type { OpenShape } from '../layers/parts.ts'
import { DataError, ShapeError } from '../tensor/errors.ts'
import { elementCount, type Tensor } from '../tensor/tensor.ts'
import type { Loss } from './losses.ts'
import { presence } from './masks.ts'

/** @throws {ShapeError} for targets that a loss does not take for an output of these sizes */
export function refuse(
  { name }: Loss,
  targets: Tensor | undefined,
  expected: {
    readonly dtype: string
    readonly shape: readonly number[]
    readonly sizes: readonly number[]
  },
): never {
  const { dtype, shape, sizes } = expected
  throw new ShapeError(
    `${name} takes targets ${dtype}[${shape.join(', ')}] for the model's output [${sizes.join(', ')}]; ` +
      `received ${targets === undefined ? 'none' : `${targets.dtype}[${targets.shape.join(', ')}]`}`,
  )
}

/** @throws {DataError} for a number that a loss does not take, at a step that is there */
export function requireAccepted(
  { name }: Loss,
  { data, shape }: Tensor,
  accepts: NonNullable<Loss['accepts']>,
  output: OpenShape,
  [model, batch]: readonly [model: Model, batch: NamedBatch],
): void {
  const { sequence } = output
  const isThere = presence(model, batch, output)
  const steps = shape[1]!
  const width = elementCount(shape.slice(sequence ? 2 : 1))
  for (const [i, target] of data.entries()) {
    if (accepts.test(target)) continue
    const [row, step] = sequence
      ? [Math.floor(i / width / steps), Math.floor(i / width) % steps]
      : [Math.floor(i / width), undefined]
    if (step !== undefined && !isThere(row, step)) continue
    throw new DataError(
      `${name}: a target must be ${accepts.what}; received ${target} in row ${row}` +
        `${step === undefined ? '' : `, step ${step}`}`,
    )
  }
}
