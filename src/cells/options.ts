/**
 * Options of cells and layers as tables: what each may hold, and its default. Enters: what a user wrote; leaves: every
 * option with a value, all of them checked.
 */
import { type Initializer, type Parameter, parameter, requireInitializer } from '../init/initializers.ts'
import { type Constraint, type Regularizer, type Rule, requireRule } from '../init/rules.ts'
import {
  requireChoice,
  requireFlag,
  requireKnown,
  requireNumber,
  requireSeed,
  requireUnits,
  said,
} from '../tensor/checks.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { ACTIVATIONS, type Activation } from './activations.ts'

export interface Field<T> {
  readonly fallback: T | undefined
  /** @throws {ArgumentError} for a value that the option cannot hold */
  check(what: string, name: string, value: T): void
}

/** One field for each option. */
export type Fields<O> = { readonly [K in keyof O]-?: Field<NonNullable<O[K]>> | Field<O[K]> }

/** Every option with its value. */
export type Filled<F> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never }

/** @throws {ArgumentError} for an option that is not there, or a value that it cannot hold */
export function fill<F extends Readonly<Record<string, Field<unknown>>>>(
  what: string,
  fields: F,
  options: { readonly [K in keyof F]?: unknown },
): Filled<F> {
  requireKnown(what, options, Object.keys(fields))
  const given = new Map<string, unknown>(Object.entries(options))
  const filled = Object.entries(fields).map(([name, field]) => {
    const value = given.get(name) === undefined ? field.fallback : given.get(name)
    field.check(what, name, value)
    return [name, value]
  })
  return Object.fromEntries(filled)
}

/** A number of units or the like; must be given. */
export const count: Field<number> = {
  fallback: undefined,
  check: (what, name, value) => requireUnits(what, value, name),
}

/** A number of a range; without a fallback it must be given. */
export function numberOf(range: Parameters<typeof requireNumber>[3], fallback?: number): Field<number> {
  return { fallback, check: (what, name, value) => requireNumber(what, name, value, range) }
}

export function flag(fallback: boolean): Field<boolean> {
  return { fallback, check: requireFlag }
}

export function choice<const T extends string>(fallback: T, choices: readonly T[]): Field<T> {
  return { fallback, check: (what, name, value) => requireChoice(what, name, value, choices) }
}

export function activation(fallback: Activation): Field<Activation> {
  return {
    fallback,
    check: (what, name, value) => {
      if (typeof value !== 'function') requireChoice(what, name, value, Object.keys(ACTIVATIONS))
    },
  }
}

export function initializer(fallback: Initializer): Field<Initializer> {
  return { fallback, check: requireInitializer }
}

/** A regularizer or a constraint, or none. */
function ruleOf<K extends Rule<'regularizer' | 'constraint'>['kind']>(kind: K): Field<Rule<K> | undefined> {
  return optional<Rule<K>>({
    fallback: undefined,
    check: (what, name, value) => requireRule(`${what}: ${name}`, kind, value),
  })
}

/** An option that may be left out and has no default. */
export function optional<T>(field: Field<T>): Field<T | undefined> {
  const check = (what: string, name: string, value: T | undefined) => {
    if (value !== undefined) field.check(what, name, value)
  }
  return { fallback: undefined, check }
}

/** A seed of a layer's own, or none. */
export const seed = optional<number>({
  fallback: undefined,
  check: (what, _, value) => requireSeed(what, value),
})

/** A name of the user's own, or none. */
export const text = optional<string>({
  fallback: undefined,
  check: (what, name, value) => {
    if (typeof value === 'string') return
    throw new ArgumentError(`${what}: ${name} must be a text; received ${said(value)}`)
  },
})

/** What built-in cells without a matrix of recurrent weights can be told. */
export interface InputBasics {
  /** H, the size of the hidden state. */
  readonly units: number
  /** Default: true. */
  readonly useBias?: boolean
  /** How the weights of the input begin. Default: glorotUniform. */
  readonly kernelInitializer?: Initializer
  /** How biases begin. Default: zeros. */
  readonly biasInitializer?: Initializer
  /** What the weights of the input add to the loss. Default: nothing. */
  readonly kernelRegularizer?: Regularizer | undefined
  /** What biases add to the loss. Default: nothing. */
  readonly biasRegularizer?: Regularizer | undefined
  /** What the weights of the input are held to. Default: nothing. */
  readonly kernelConstraint?: Constraint | undefined
  /** What biases are held to. Default: nothing. */
  readonly biasConstraint?: Constraint | undefined
}

/** What most built-in cells can be told. */
export interface CellBasics extends InputBasics {
  /** How the weights of the state begin. Default: orthogonal. */
  readonly recurrentInitializer?: Initializer
  /** What the weights of the state add to the loss. Default: nothing. */
  readonly recurrentRegularizer?: Regularizer | undefined
  /** What the weights of the state are held to. Default: nothing. */
  readonly recurrentConstraint?: Constraint | undefined
}

/** What cells can be told that drop numbers in training. */
export interface Dropping {
  /** The share of numbers of the input that are dropped, the same ones at all steps of a row. Default: 0. */
  readonly dropout?: number
  /**
   * The share of numbers of h(t−1) that are dropped in its products with W, the same ones at all steps of a row and for
   * all gates (Gal and Ghahramani 2016; Keras's GRU draws for each gate). Default: 0.
   */
  readonly recurrentDropout?: number
}

/** What cells with gates can be told. */
export interface GatedBasics extends CellBasics {
  /** φ. Default: tanh. */
  readonly activation?: Activation
  /** σ, of the gates. Default: sigmoid. */
  readonly recurrentActivation?: Activation
}

const [REGULARIZER, CONSTRAINT] = [ruleOf('regularizer'), ruleOf('constraint')]

/** What may be said of a parameter of that role. */
type ParameterFields<R extends Role> = { readonly [K in `${R}Initializer`]: Field<Initializer> } & {
  readonly [K in `${R}Regularizer`]: typeof REGULARIZER
} & { readonly [K in `${R}Constraint`]: typeof CONSTRAINT }

export function parameterOf<R extends Role>(role: R, init: Initializer): ParameterFields<R> {
  return {
    [`${role}Initializer`]: initializer(init),
    [`${role}Regularizer`]: REGULARIZER,
    [`${role}Constraint`]: CONSTRAINT,
  } as ParameterFields<R>
}

export const INPUT_BASICS = {
  units: count,
  useBias: flag(true),
  ...parameterOf('kernel', { kind: 'glorotUniform' }),
  ...parameterOf('bias', { kind: 'constant', value: 0 }),
} satisfies Fields<InputBasics>
export const KERNEL = INPUT_BASICS.kernelInitializer
export const BASICS = {
  ...INPUT_BASICS,
  ...parameterOf('recurrent', { kind: 'orthogonal', gain: 1 }),
} satisfies Fields<CellBasics>
const DROP = numberOf('of at least 0 and below 1', 0)
export const DROPPING = { dropout: DROP, recurrentDropout: DROP } satisfies Fields<Dropping>
export const GATED = {
  ...BASICS,
  activation: activation('tanh'),
  recurrentActivation: activation('sigmoid'),
} satisfies Fields<GatedBasics>

/** The noise `x` and `h` of a cell that drops numbers. */
export function dropping(options: {
  readonly inputs: number
  readonly units: number
  readonly dropout: number
  readonly recurrentDropout: number
}) {
  const { inputs, units, dropout, recurrentDropout } = options
  return { x: { shape: inputs, rate: dropout }, h: { shape: units, rate: recurrentDropout } }
}

type Role = 'kernel' | 'recurrent' | 'bias' | 'embeddings' | 'beta' | 'gamma'
type Said<R extends Role> = { readonly [K in `${R}Initializer`]?: Initializer | undefined } & {
  readonly [K in `${R}Regularizer`]?: Regularizer | undefined
} & { readonly [K in `${R}Constraint`]?: Constraint | undefined }

/** A parameter of which options say how it begins (unless `init` does), what it adds to the loss and is held to. */
export function weight<R extends Role>(
  role: R,
  options: Said<R>,
  shape: readonly number[],
  init = options[`${role}Initializer` as const],
): Parameter {
  return parameter(shape, init!, {
    regularizer: options[`${role}Regularizer` as const],
    constraint: options[`${role}Constraint` as const],
  })
}

/** Biases among a cell's parameters: its step may name them only where they are used. */
export function biases<N extends string>(use: boolean, named: Readonly<Record<N, Parameter>>): typeof named {
  return use ? named : ({} as typeof named)
}
