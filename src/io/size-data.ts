/**
 * Sizes and shapes as data: 4, "B", ["floorDiv", a, b], ["min", a, b], ["max", a, b], and sums of products
 * ["sum", [coefficient, factor, …], …].
 * Holds for what is read: only known symbols; small enough to compute with; no shape has an axis that could be
 * negative when sizes are bound.
 */
import {
  addSize,
  constantOf,
  floorDivSize,
  maxSize,
  minSize,
  mulSize,
  productOf,
  type Shape,
  type Size,
  size,
  substituteSize,
  symbol,
  symbolsOf,
  ZERO,
} from '../tensor/size.ts'
import { anything, choice, fault, integer, type Json, list, type Read, shown, within } from './fields.ts'

type Term = Size['terms'][number]
type Atom = Term['atoms'][number]

const MAX_SIZE = 2 ** 31 - 1
const MAX_KEY = 256
const MAX_TERMS = 16
const MAX_FACTORS = 8
const MAX_RANK = 16
/** Terms of the product of a shape's sizes, at most. */
const MAX_EXPANDED = 64

const BINARY: Readonly<Record<Exclude<Atom['kind'], 'symbol'>, (a: Size, b: Size) => Size>> = {
  floorDiv: floorDivSize,
  min: minSize,
  max: maxSize,
}

export function writeSize(value: Size): Json {
  const known = constantOf(value)
  if (known !== undefined) return known
  const [first] = value.terms as [Term]
  if (value.terms.length === 1 && first.coefficient === 1 && first.atoms.length === 1) {
    return writeAtom(first.atoms[0]!)
  }
  return ['sum', ...value.terms.map(({ coefficient, atoms }) => [coefficient, ...atoms.map(writeAtom)])]
}

function writeAtom({ kind, name, operands }: Atom): Json {
  return kind === 'symbol' ? name : [kind, ...operands.map(writeSize)]
}

/** Reads sizes over these symbols. */
export function sizeReader(symbols: readonly string[]): Read<Size> {
  const read: Read<Size> = (value, where) => {
    if (typeof value === 'number') return size(integer(-MAX_SIZE, MAX_SIZE)(value, where))
    if (typeof value === 'string') return symbol(choice(symbols, 'size')(value, where))
    const [name, ...parts] = list(anything, 1 + MAX_TERMS)(value, where)
    if (name === 'sum')
      return parts.reduce<Size>((sum, part) => checked(addSize(sum, term(part, where)), where), ZERO)
    const kind = choice(Object.keys(BINARY) as (keyof typeof BINARY)[], 'kind of size')(name, where)
    if (parts.length !== 2) throw fault(where, `${kind} takes 2 sizes; received ${parts.length}`)
    const [a, b] = parts.map((part) => read(part, where)) as [Size, Size]
    if (kind === 'floorDiv' && lowerBound(b) < 1) throw fault(where, `the divisor ${b.key} may fall below 1`)
    return checked(
      within(where, () => BINARY[kind](a, b)),
      where,
    )
  }
  const term: Read<Size> = (value, where) => {
    const [coefficient, ...factors] = list(anything, 1 + MAX_FACTORS)(value, where)
    const start = size(integer(-MAX_SIZE, MAX_SIZE)(coefficient, where))
    return factors.reduce<Size>((product, each) => checked(mulSize(product, read(each, where)), where), start)
  }
  return read
}

export function shapeReader(readSize: Read<Size>): Read<Shape> {
  const read = list(readSize, MAX_RANK)
  return (value, where) => requireShape(read(value, where), where)
}

const known = new WeakSet<Size>()

function checked(value: Size, where: string): Size {
  const { terms, key } = value
  if (
    key.length > MAX_KEY ||
    terms.length > MAX_TERMS ||
    terms.some(({ coefficient, atoms }) => Math.abs(coefficient) > MAX_SIZE || atoms.length > MAX_FACTORS)
  ) {
    throw fault(where, `the size ${shown(key)} is too large`)
  }
  return value
}

/** Refuses a size that may be negative when sizes are bound. */
export function requireLength(value: Size, where: string): Size {
  if (known.has(value)) return value
  checked(value, where)
  if (lowerBound(value) < 0) throw fault(where, `the size ${value.key} may be negative`)
  known.add(value)
  return value
}

/** Refuses a shape, read or inferred, that no tensor can have. */
export function requireShape(shape: Shape, where: string): Shape {
  if (shape.length > MAX_RANK) throw fault(where, `has ${shape.length} axes: ${MAX_RANK} is the most`)
  for (const each of shape) requireLength(each, where)
  const expanded = shape.reduce((count, { terms }) => count * Math.max(1, terms.length), 1)
  if (expanded > MAX_EXPANDED || productOf(shape).terms.some(({ coefficient }) => coefficient > MAX_SIZE)) {
    throw fault(where, 'a tensor of this shape is too large')
  }
  return shape
}

/** What a size is never below where all its symbols are at least 1; −∞ where that cannot be told. */
function lowerBound(value: Size): number {
  // With s = r + 1 the question is about r ≥ 0: T − 1 becomes r.
  const shifted = new Map([...symbolsOf(value)].map((name) => [name, addSize(symbol(name), 1)]))
  return boundFromZero(substituteSize(value, shifted))
}

/** The same where symbols are at least 0. */
function boundFromZero({ terms }: Size): number {
  let bound = 0
  for (const { coefficient, atoms } of terms) {
    const factors = atoms.map(atomBound)
    const grows = atoms.length === 0 || (coefficient > 0 && factors.every((factor) => factor >= 0))
    if (!grows) return Number.NEGATIVE_INFINITY
    bound += factors.reduce((product, factor) => product * factor, coefficient)
  }
  return bound
}

function atomBound({ kind, operands }: Atom): number {
  const [a, b] = operands.map(boundFromZero) as [number, number]
  switch (kind) {
    case 'symbol':
      return 0
    case 'floorDiv':
      return a >= 0 && b >= 1 ? 0 : Number.NEGATIVE_INFINITY
    case 'min':
      return Math.min(a, b)
    case 'max':
      return Math.max(a, b)
  }
}
