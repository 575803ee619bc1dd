/**
 * Options of cells and layers as tables: what each may hold, and its default. Enters: what a user wrote; leaves: every
 * option with a value, all of them checked.
 */
import { type Initializer, type Parameter, requireInitializer } from '../init/initializers.ts'
import { requireChoice, requireFlag, requireKnown, requireNumber, requireUnits } from '../tensor/checks.ts'
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
  return choice(fallback, Object.keys(ACTIVATIONS) as Activation[])
}

export function initializer(fallback: Initializer): Field<Initializer> {
  return { fallback, check: requireInitializer }
}

/** An option that may be left out and has no default. */
export function optional<T>(field: Field<T>): Field<T | undefined> {
  const check = (what: string, name: string, value: T | undefined) => {
    if (value !== undefined) field.check(what, name, value)
  }
  return { fallback: undefined, check }
}

/** A name of the user's own, or none. */
export const text = optional<string>({
  fallback: undefined,
  check: (what, name, value) => {
    if (typeof value === 'string') return
    throw new ArgumentError(`${what}: ${name} must be a text; received ${String(value)}`)
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
}

/** What most built-in cells can be told. */
export interface CellBasics extends InputBasics {
  /** How the weights of the state begin. Default: orthogonal. */
  readonly recurrentInitializer?: Initializer
}

/** What cells with gates can be told. */
export interface GatedBasics extends CellBasics {
  /** φ. Default: tanh. */
  readonly activation?: Activation
  /** σ, of the gates. Default: sigmoid. */
  readonly recurrentActivation?: Activation
}

export const KERNEL = initializer({ kind: 'glorotUniform' })
export const BIAS = initializer({ kind: 'constant', value: 0 })
export const INPUT_BASICS = {
  units: count,
  useBias: flag(true),
  kernelInitializer: KERNEL,
  biasInitializer: BIAS,
} satisfies Fields<InputBasics>
export const BASICS = {
  ...INPUT_BASICS,
  recurrentInitializer: initializer({ kind: 'orthogonal', gain: 1 }),
} satisfies Fields<CellBasics>
export const GATED = {
  ...BASICS,
  activation: activation('tanh'),
  recurrentActivation: activation('sigmoid'),
} satisfies Fields<GatedBasics>

/** Biases among a cell's parameters: its step may name them only where they are used. */
export function biases<N extends string>(use: boolean, named: Readonly<Record<N, Parameter>>): typeof named {
  return use ? named : ({} as typeof named)
}
