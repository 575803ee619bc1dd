/**
 * Sequences of sequences of unlike lengths, such as passages of chapters of sentences, as one tensor.
 * Holds: the numbers of the input stand in the tensor at their own indices; all else is padding.
 */
import { said } from '../tensor/checks.ts'
import { ArgumentError, DataError } from '../tensor/errors.ts'
import { elementCount, type Tensor, tensor } from '../tensor/tensor.ts'

/** Lists of lists of ids, as deep as need be, all equally deep; the innermost may be an Int32Array. */
export type NestedIds = Int32Array | readonly number[] | readonly NestedIds[]

/** What `padNested` makes of lists that are D deep. */
export interface Padded {
  /** i32 [B, S_1, …, S_(D−1)], each size the longest of its level. */
  readonly ids: Tensor
  /** For each level below the first, how long its lists are: i32 [B], i32 [B, S_1], … ; 0 where there is no list. */
  readonly lengths: readonly Tensor[]
}

/**
 * Pads lists of lists to one tensor, behind the numbers, on every level.
 *
 *     padNested([[[5, 6], [7]], [[8]]])   // ids [[[5, 6], [7, 0]], [[8, 0], [0, 0]]], lengths [2, 1] and [[2, 1], [1, 0]]
 *
 * @param padding what stands where nothing is; default 0
 * @throws {ArgumentError} for what is no list of lists of integers; names the place
 * @throws {DataError} for lists that are unequally deep, and for an empty one; names the place
 */
export function padNested(rows: readonly NestedIds[], padding = 0): Padded {
  if (!isId(padding)) {
    throw new ArgumentError(`padNested: padding must be an integer of 32 bits; received ${said(padding)}`)
  }
  const sizes: number[] = []
  measure(rows, 0, 'rows', sizes)
  const depth = sizes.length
  if (depth < 2) throw new ArgumentError('padNested: expected lists of lists; received a list of numbers')
  const ids = new Int32Array(elementCount(sizes)).fill(padding)
  const lengths = sizes.slice(1).map((_, level) => new Int32Array(elementCount(sizes.slice(0, level + 1))))
  const place = (list: NestedIds, level: number, index: number): void => {
    if (level > 0) lengths[level - 1]![index] = list.length
    if (level === depth - 1) {
      ids.set(list as Int32Array, index * sizes[level]!)
      return
    }
    for (const [i, inner] of (list as readonly NestedIds[]).entries()) {
      place(inner, level + 1, index * sizes[level]! + i)
    }
  }
  place(rows, 0, 0)
  return {
    ids: tensor(ids, sizes),
    lengths: lengths.map((each, level) => tensor(each, sizes.slice(0, level + 1))),
  }
}

/** The longest list of every level; all lists reach down to the same level. */
function measure(
  list: NestedIds,
  level: number,
  where: string,
  sizes: number[],
  bottom = depthOf(list),
): void {
  const isList = Array.isArray(list) || list instanceof Int32Array
  if (!isList) {
    const found = typeof list === 'number' ? 'a number' : typeof list
    throw new ArgumentError(`padNested: expected a list at ${where}; received ${found}`)
  }
  if (list.length === 0) throw new DataError(`padNested: ${where} is empty. Leave it out.`)
  sizes[level] = Math.max(sizes[level] ?? 0, list.length)
  for (const [i, inner] of list.entries()) {
    if (level + 1 < bottom) measure(inner as NestedIds, level + 1, `${where}[${i}]`, sizes, bottom)
    else if (!isId(inner)) {
      const found = typeof inner === 'object' ? 'a list: all must be equally deep' : said(inner)
      throw new DataError(`padNested: expected an id at ${where}[${i}]; received ${found}`)
    }
  }
}

function isId(value: unknown): boolean {
  return Number.isInteger(value) && (Number(value) | 0) === value
}

function depthOf(list: unknown): number {
  if (list instanceof Int32Array) return 1
  return Array.isArray(list) ? 1 + depthOf(list[0]) : 0
}
