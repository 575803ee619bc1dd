/**
 * Sequences of unlike lengths as one tensor.
 * Enters: nested numbers or tensors, time first. Leaves: tensors that differ in their first size alone, or one tensor of
 * rows, filled up with zeros. Every error names the sequence.
 */
import { allocate, type Dtype } from './dtype.ts'
import { ArgumentError, DataError, ShapeError } from './errors.ts'
import { elementCount, type NestedNumbers, nested, type Tensor, tensor } from './tensor.ts'

/** A sequence: a tensor [T, …], for example i32 [T] for ids, or nested numbers, which become f32. Time comes first. */
export type Sequence = Tensor | readonly NestedNumbers[]

export function isTensor(value: unknown): value is Tensor {
  if (typeof value !== 'object' || value === null) return false
  const { data, shape } = value as Partial<Tensor>
  return ArrayBuffer.isView(data) && Array.isArray(shape)
}

function requireList(name: string, all: unknown): void {
  if (Array.isArray(all)) return
  throw new ArgumentError(`${name}: expected a list of sequences; received ${typeof all}`)
}

/** @throws {ShapeError} where rows without time are of unlike size */
export function requireSameSize(sizes: Int32Array): void {
  const at = sizes.findIndex((size) => size !== sizes[0])
  if (at < 0) return
  throw new ShapeError(
    `inputs: rows of numbers must be of equal size; row 0 has ${sizes[0]}, row ${at} ${sizes[at]}. ` +
      'For sequences, write each step as a list ([[0.1], [0.2]]), or give ids as i32 tensors.',
  )
}

/** Sequences that are each as long as the input of its place. */
export function asLong(
  name: string,
  all: readonly Sequence[],
  lengths: Int32Array,
  advice: string,
  dtype?: Dtype,
): Tensor[] {
  requireList(name, all)
  if (all.length !== lengths.length) {
    throw new DataError(`${name}: expected those of ${lengths.length} sequences; received ${all.length}`)
  }
  const rows = alike(name, all, dtype)
  const at = rows.findIndex(({ shape }, i) => shape[0] !== lengths[i])
  if (at < 0) return rows
  throw new DataError(
    `${name}: sequence ${at} has ${lengths[at]} steps; received ${rows[at]!.shape[0]}. ${advice}`,
  )
}

/**
 * The sequences as tensors that differ only in their first size, which is at least 1; nested numbers become `dtype`.
 *
 * @throws {ArgumentError} for what is no list, and what is no sequence
 * @throws {DataError} for no sequence, and one without a step
 * @throws {ShapeError} for sequences of unlike types, ranks or sizes after time
 */
export function alike(name: string, all: readonly Sequence[], dtype?: Dtype): Tensor[] {
  requireList(name, all)
  if (all.length === 0) throw new DataError(`${name}: expected at least one sequence; received none`)
  const rows = all.map((one: Sequence, i) => {
    if (isTensor(one)) return tensor(one.data, one.shape, one.dtype)
    if (Array.isArray(one)) return nested(one, dtype, `${name}: sequence ${i}: `)
    throw new ArgumentError(
      `${name}: sequence ${i} must be nested numbers or a tensor; received ${typeof one}`,
    )
  })
  const kind = ({ dtype, shape }: Tensor) => `${dtype} [${['T', ...shape.slice(1)].join(', ')}]`
  for (const [i, row] of rows.entries()) {
    if (!(row.shape[0]! > 0)) throw new DataError(`${name}: sequence ${i} has no time step. Leave it out.`)
    if (kind(row) !== kind(rows[0]!)) {
      throw new ShapeError(
        `${name}: sequences must be alike in all but length; sequence 0 is ${kind(rows[0]!)}, sequence ${i} ${kind(row)}`,
      )
    }
  }
  return rows
}

/** Rows that are alike, [B, T, …], zeros behind the shorter ones. */
export function pad(rows: readonly Tensor[]): Tensor {
  const { dtype, shape } = rows[0]!
  const longest = rows.reduce((most, row) => Math.max(most, row.shape[0]!), 0)
  const padded = [rows.length, longest, ...shape.slice(1)]
  const data = allocate(dtype, elementCount(padded))
  for (const [b, row] of rows.entries()) data.set(row.data, (b * data.length) / rows.length)
  return tensor(data, padded, dtype)
}
