/** Axes as they are named: negative ones count from the end. */
import { ShapeError } from '../tensor/errors.ts'
import { printShape, type Shape } from '../tensor/size.ts'

export function normalAxis(shape: Shape, axis: number): number {
  const normal = axis < 0 ? axis + shape.length : axis
  if (Number.isInteger(axis) && normal >= 0 && normal < shape.length) return normal
  throw new ShapeError(`axis ${axis} is not an axis of ${printShape(shape)}`)
}
