/**
 * What may be said of a parameter besides how it begins: functions of its numbers, which are traced like all others. A file
 * holds them as graphs. regularizers.ts and constraints.ts make those of Keras 3.
 */
import { Value } from '../graph/value.ts'
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { printShape, type Shape, sameShape } from '../tensor/size.ts'

type RuleKind = 'regularizer' | 'constraint'

export interface Rule<K extends RuleKind> {
  readonly kind: K
  /** For messages and files. */
  readonly name: string
  /** Of a regularizer: the penalty, f32[]. Of a constraint: what stands in the weight's place, of its shape. */
  apply(weight: Value): Value
}

/** What a parameter's size adds to the loss. */
export type Regularizer = Rule<'regularizer'>
/** What a parameter is held to after each update. */
export type Constraint = Rule<'constraint'>

export interface Rules {
  readonly regularizer?: Regularizer | undefined
  readonly constraint?: Constraint | undefined
}

/** A rule whose function is checked when it is applied; `options` stand beside its name, for people to read. */
export function rule<K extends RuleKind>(
  kind: K,
  name: string,
  of: (weight: Value) => Value,
  options: object = {},
): Rule<K> {
  const apply = (weight: Value) =>
    requireMade(`${kind} ${name}: of a weight`, weight, of(weight), kind === 'constraint' ? weight.shape : [])
  return { kind, name, ...options, apply }
}

/** What a user's function made of a value, f32 of that shape; it throws a ShapeError where it made something else. */
export function requireMade(what: string, of: Value, made: Value, shape: Shape): Value {
  if (made instanceof Value && made.dtype === 'f32' && sameShape(made.shape, shape)) return made
  throw new ShapeError(
    `${what} ${printShape(of.shape)} it must make f32${printShape(shape)}; ` +
      `received ${made instanceof Value ? `${made.dtype}${printShape(made.shape)}` : typeof made}`,
  )
}

/** A rule of the user's. */
export function ownRule<K extends RuleKind>(kind: K, name: string, of: (weight: Value) => Value): Rule<K> {
  if (typeof name === 'string' && typeof of === 'function') return rule(kind, name, of)
  throw new ArgumentError(
    `${kind}: expected a name and a function of the weight; received ${typeof name} and ${typeof of}`,
  )
}

/** @throws {ArgumentError} for what no function makes that makes rules of the kind */
export function requireRule(what: string, kind: RuleKind, given: Rule<RuleKind>): void {
  if (given?.kind === kind && typeof given.apply === 'function') return
  const example = kind === 'constraint' ? 'maxNorm' : 'l2'
  throw new ArgumentError(
    `${what} must be a ${kind}, such as ${example}() makes; received ${given?.name ?? String(given)}`,
  )
}
