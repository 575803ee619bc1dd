/**
 * Sizes: integer expressions over named symbols (B, T, words …) in a normal form, so that two equal
 * expressions are the same object and `===` decides equality.
 *
 * Normal form: a sum of terms, each an integer coefficient times a sorted product of atoms. An atom is a
 * symbol, or a floor division, minimum or maximum that could not be simplified.
 */
import { ArgumentError } from './errors.ts'

type AtomKind = 'symbol' | 'floorDiv' | 'min' | 'max'

interface Atom {
  readonly kind: AtomKind
  readonly key: string
  /** The symbol's name; empty for the other kinds. */
  readonly name: string
  readonly operands: readonly Size[]
}

interface Term {
  readonly coefficient: number
  readonly atoms: readonly Atom[]
}

/** One size expression; made only by the functions of this file. */
export interface Size {
  readonly key: string
  readonly terms: readonly Term[]
}

export type SizeLike = number | Size
export type Shape = readonly Size[]
/** The value of each symbol when sizes are bound. */
export type Bindings = ReadonlyMap<string, number>

const interned = new Map<string, Size>()
const integers = new Map<number, Size>()

function productKey(atoms: readonly Atom[]): string {
  return atoms.map((atom) => atom.key).join('·')
}

function normal(terms: readonly Term[]): Size {
  const byProduct = new Map<string, Term>()
  for (const term of terms) {
    const product = productKey(term.atoms)
    const coefficient = (byProduct.get(product)?.coefficient ?? 0) + term.coefficient
    byProduct.set(product, { coefficient, atoms: term.atoms })
  }
  const kept = [...byProduct.entries()]
    .filter(([, term]) => term.coefficient !== 0)
    // Longer products first and the constant last: B·T + 3 reads as it would be written by hand.
    .sort(([p, a], [q, b]) => b.atoms.length - a.atoms.length || (p < q ? -1 : 1))
  const key =
    kept.length === 0 ? '0' : kept.map(([product, term]) => termKey(product, term.coefficient)).join('+')
  const known = interned.get(key)
  if (known !== undefined) return known
  const made: Size = { key, terms: kept.map(([, term]) => term) }
  interned.set(key, made)
  return made
}

function termKey(product: string, coefficient: number): string {
  if (product === '') return String(coefficient)
  return coefficient === 1 ? product : `${coefficient}·${product}`
}

function ofAtom(kind: AtomKind, name: string, operands: readonly Size[]): Size {
  const inside = operands.map((operand) => operand.key).join(',')
  const key = kind === 'symbol' ? name : `${kind}(${inside})`
  return normal([{ coefficient: 1, atoms: [{ kind, key, name, operands }] }])
}

/** A named size, bound when a program runs. */
export function symbol(name: string): Size {
  if (!/^[A-Za-z][A-Za-z0-9_]*$/.test(name)) {
    throw new ArgumentError(`a size's name must be a word such as B or Tsource; received '${name}'`)
  }
  return ofAtom('symbol', name, [])
}

/** A constant size, or the given one. */
export function size(value: SizeLike): Size {
  if (typeof value !== 'number') return value
  const known = integers.get(value)
  if (known !== undefined) return known
  if (!Number.isSafeInteger(value)) throw new ArgumentError(`a size must be an integer; received ${value}`)
  const made = normal(value === 0 ? [] : [{ coefficient: value, atoms: [] }])
  integers.set(value, made)
  return made
}

export const ZERO = size(0)
export const ONE = size(1)

/** The value of a size that has no symbols, else undefined. */
export function constantOf(value: Size): number | undefined {
  if (value.terms.length === 0) return 0
  const only = value.terms[0]!
  return value.terms.length === 1 && only.atoms.length === 0 ? only.coefficient : undefined
}

export function addSize(a: SizeLike, b: SizeLike): Size {
  const [p, q] = [size(a), size(b)]
  const [x, y] = [constantOf(p), constantOf(q)]
  if (x !== undefined && y !== undefined && Number.isSafeInteger(x + y)) return size(x + y)
  return x === 0 ? q : y === 0 ? p : normal([...p.terms, ...q.terms])
}

export function subSize(a: SizeLike, b: SizeLike): Size {
  return addSize(a, mulSize(b, -1))
}

export function mulSize(a: SizeLike, b: SizeLike): Size {
  const [x, y] = [size(a), size(b)]
  const [m, n] = [constantOf(x), constantOf(y)]
  if (m !== undefined && n !== undefined && Number.isSafeInteger(m * n)) return size(m * n)
  if (m === 1) return y
  if (n === 1) return x
  const terms: Term[] = []
  for (const p of x.terms) {
    for (const q of y.terms) {
      const atoms = [...p.atoms, ...q.atoms].sort((x, y) => (x.key < y.key ? -1 : x.key > y.key ? 1 : 0))
      terms.push({ coefficient: p.coefficient * q.coefficient, atoms })
    }
  }
  return normal(terms)
}

/** ⌊a / b⌋ for b > 0. */
export function floorDivSize(a: SizeLike, b: SizeLike): Size {
  const [p, q] = [size(a), size(b)]
  const divisor = constantOf(q)
  const dividend = constantOf(p)
  if (divisor === 0) throw new ArgumentError(`a size is divided by 0: ${p.key} / ${q.key}`)
  if (divisor === 1) return p
  if (p === q) return ONE
  if (dividend !== undefined && divisor !== undefined) return size(Math.floor(dividend / divisor))
  if (divisor !== undefined && p.terms.every((term) => term.coefficient % divisor === 0)) {
    return normal(p.terms.map((term) => ({ ...term, coefficient: term.coefficient / divisor })))
  }
  return ofAtom('floorDiv', '', [p, q])
}

export function minSize(a: SizeLike, b: SizeLike): Size {
  return extreme('min', size(a), size(b))
}

export function maxSize(a: SizeLike, b: SizeLike): Size {
  return extreme('max', size(a), size(b))
}

function extreme(kind: 'min' | 'max', a: Size, b: Size): Size {
  const difference = constantOf(subSize(a, b))
  if (difference !== undefined) return (kind === 'min') === difference <= 0 ? a : b
  return a.key < b.key ? ofAtom(kind, '', [a, b]) : ofAtom(kind, '', [b, a])
}

/** a mod b, as a − b·⌊a / b⌋. */
export function modSize(a: SizeLike, b: SizeLike): Size {
  return subSize(a, mulSize(b, floorDivSize(a, b)))
}

/** The value of an expression under bindings; an unbound symbol is an error that names it. */
export function evaluateSize(value: Size, bindings: Bindings): number {
  let sum = 0
  for (const term of value.terms) {
    let product = term.coefficient
    for (const atom of term.atoms) product *= evaluateAtom(atom, bindings)
    sum += product
  }
  return sum
}

function evaluateAtom(atom: Atom, bindings: Bindings): number {
  const [a, b] = atom.operands.map((operand) => evaluateSize(operand, bindings))
  switch (atom.kind) {
    case 'symbol': {
      const bound = bindings.get(atom.name)
      if (bound === undefined) throw new ArgumentError(`no value is bound for size ${atom.name}`)
      return bound
    }
    case 'floorDiv':
      return Math.floor(a! / b!)
    case 'min':
      return Math.min(a!, b!)
    case 'max':
      return Math.max(a!, b!)
  }
}

/** All symbols in an expression, added to `into`. */
export function symbolsOf(value: Size, into: Set<string> = new Set()): Set<string> {
  for (const term of value.terms) {
    for (const atom of term.atoms) {
      if (atom.kind === 'symbol') into.add(atom.name)
      for (const operand of atom.operands) symbolsOf(operand, into)
    }
  }
  return into
}

/** The same expression with some symbols replaced by other sizes. */
export function substituteSize(value: Size, replacements: ReadonlyMap<string, Size>): Size {
  let sum = ZERO
  for (const term of value.terms) {
    let product = size(term.coefficient)
    for (const atom of term.atoms) product = mulSize(product, substituteAtom(atom, replacements))
    sum = addSize(sum, product)
  }
  return sum
}

function substituteAtom(atom: Atom, replacements: ReadonlyMap<string, Size>): Size {
  if (atom.kind === 'symbol') return replacements.get(atom.name) ?? symbol(atom.name)
  const [a, b] = atom.operands.map((operand) => substituteSize(operand, replacements)) as [Size, Size]
  return { floorDiv: floorDivSize, min: minSize, max: maxSize }[atom.kind](a, b)
}

/** Shapes of numbers and names become shapes of sizes: `shapeOf(['T', 'B', 3])`. */
export function shapeOf(sizes: readonly (SizeLike | string)[]): Shape {
  return sizes.map((each) => (typeof each === 'string' ? symbol(each) : size(each)))
}

export function productOf(sizes: readonly Size[]): Size {
  return sizes.reduce((product, each) => mulSize(product, each), ONE)
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((each, axis) => each === b[axis])
}

export function printShape(shape: Shape): string {
  return `[${shape.map((each) => each.key.replaceAll('+-', '-')).join(', ')}]`
}
