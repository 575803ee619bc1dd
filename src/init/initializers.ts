/**
 * Initializers: how a parameter's numbers come to be, as data, so that files can hold them. Names and defaults are
 * those of Keras 3. numbers.ts makes the numbers.
 */
import { zeros as zeroWeight } from '../graph/value.ts'
import { requireKnown } from '../tensor/checks.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { elementCount } from '../tensor/tensor.ts'
import { type Rules, requireRule } from './rules.ts'

/**
 * Numbers of mean 0 whose variance follows from the fans, the numbers of inputs and outputs of one unit:
 * glorot 2 / (in + out) (Glorot and Bengio 2010), he 2 / in (He et al. 2015), lecun 1 / in (LeCun et al. 1998).
 * The normal ones are redrawn beyond two deviations.
 */
export type Scaling =
  | 'glorotUniform'
  | 'glorotNormal'
  | 'heUniform'
  | 'heNormal'
  | 'lecunUniform'
  | 'lecunNormal'

export type Initializer =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'uniform'; readonly low: number; readonly high: number }
  | { readonly kind: 'normal'; readonly deviation: number }
  /** Normal, redrawn beyond two deviations. */
  | { readonly kind: 'truncatedNormal'; readonly deviation: number }
  | { readonly [K in Scaling]: { readonly kind: K } }[Scaling]
  /**
   * Rows or columns, whichever are fewer, of length 1 and at right angles (Saxe et al. 2014); of more axes than two, as in
   * Keras, those before the last are taken for one.
   */
  | { readonly kind: 'orthogonal'; readonly gain: number }
  /** 1 where row and column are equal, times `gain`. */
  | { readonly kind: 'identity'; readonly gain: number }
  /**
   * [3, N], log ν, log θ, log γ of N eigenvalues λ = e^(−ν + iθ): |λ|² uniform between the squared radii, θ uniform between
   * 0 and `maxPhase`, γ = √(1 − |λ|²) (Orvieto et al. 2023).
   */
  | {
      readonly kind: 'ring'
      readonly minRadius: number
      readonly maxRadius: number
      readonly maxPhase: number
    }
  /**
   * [H, H] of an echo state network: uniform in ±1, each there with a chance of `connectivity`, else 0, and all scaled so that
   * the largest |eigenvalue| is `spectralRadius`, to one part in 10⁴ (Jaeger 2001).
   */
  | { readonly kind: 'reservoir'; readonly spectralRadius: number; readonly connectivity: number }
  /** One after the other along the last axis. */
  | { readonly kind: 'joined'; readonly parts: readonly Parameter[] }

/** A parameter: a shape, how its numbers begin, what they add to the loss, and what they are held to. */
export interface Parameter extends Rules {
  readonly shape: readonly number[]
  readonly init: Initializer
}

type NumberFields<I> = Exclude<keyof I, 'kind' | 'parts'>

/** The numbers that stand beside each kind. */
export const NUMBERS: {
  readonly [K in Initializer['kind']]: readonly NumberFields<Extract<Initializer, { kind: K }>>[]
} = {
  constant: ['value'],
  uniform: ['low', 'high'],
  normal: ['deviation'],
  truncatedNormal: ['deviation'],
  glorotUniform: [],
  glorotNormal: [],
  heUniform: [],
  heNormal: [],
  lecunUniform: [],
  lecunNormal: [],
  orthogonal: ['gain'],
  identity: ['gain'],
  ring: ['minRadius', 'maxRadius', 'maxPhase'],
  reservoir: ['spectralRadius', 'connectivity'],
  joined: [],
}

/** @throws {ArgumentError} for what is no initializer */
export function requireInitializer(what: string, name: string, init: Initializer): void {
  const numbers = new Map<string, readonly string[]>(Object.entries(NUMBERS)).get(init?.kind)
  if (numbers === undefined) {
    throw new ArgumentError(
      `${what}: ${name} must be an object with a kind of ${Object.keys(NUMBERS).join(', ')}; ` +
        `received ${JSON.stringify(init)}`,
    )
  }
  requireKnown(`${what}: ${name}`, init, ['kind', ...numbers, ...(init.kind === 'joined' ? ['parts'] : [])])
  const given = new Map<string, unknown>(Object.entries(init))
  for (const field of numbers) {
    const value = given.get(field)
    if (Number.isFinite(value) && (field !== 'deviation' || Number(value) >= 0)) continue
    throw new ArgumentError(
      `${what}: ${name} of kind ${init.kind} needs the ${field === 'deviation' ? 'number of at least 0' : 'number'} ` +
        `${field}; received ${String(value)}`,
    )
  }
  if (init.kind === 'uniform' && init.low > init.high) {
    throw new ArgumentError(`${what}: ${name} needs low ≤ high; received ${init.low} and ${init.high}`)
  }
  if (init.kind === 'ring') {
    const { minRadius: low, maxRadius: high } = init
    if (!(low >= 0 && low < high && high <= 1 && init.maxPhase > 0)) {
      throw new ArgumentError(
        `${what}: ${name} needs 0 ≤ minRadius < maxRadius ≤ 1 and maxPhase > 0; received ${JSON.stringify(init)}`,
      )
    }
  }
  if (init.kind === 'joined') requireParts(`${what}: ${name}`, init.parts)
}

/** @throws {ArgumentError} for what is no parameter */
export function requireParameter(what: string, given: Parameter): void {
  if (!Array.isArray(given?.shape)) {
    throw new ArgumentError(
      `${what} must be a parameter, such as glorotUniform(inputs, units) makes; received ${typeof given}`,
    )
  }
  requireInitializer(what, 'its init', given.init)
  requireRules(what, given)
}

/** @throws {ArgumentError | ShapeError} for what is no rule, or does not fit the shape */
function requireRules(what: string, given: Parameter): void {
  for (const kind of ['regularizer', 'constraint'] as const) {
    const own = given[kind]
    if (own === undefined) continue
    requireRule(what, kind, own)
    own.apply(zeroWeight(given.shape))
  }
}

function requireParts(what: string, parts: readonly Parameter[]): void {
  if (!Array.isArray(parts)) {
    throw new ArgumentError(`${what} expected a list of parts; received ${typeof parts}`)
  }
  for (const [i, part] of parts.entries()) {
    requireParameter(`${what} part ${i}`, part)
    const { kind } = part.regularizer ?? part.constraint ?? {}
    if (kind !== undefined)
      throw new ArgumentError(`${what} part ${i}: a ${kind} is of the whole, not of a part`)
  }
}

/** Numbers of f32 in the 4 GiB that WebAssembly can address. */
const MOST = 2 ** 30

/**
 * A parameter of a shape whose numbers an initializer makes:
 *
 *     parameter([inputs, units], { kind: 'glorotUniform' }, { regularizer: l2(), constraint: maxNorm() })
 *
 * @throws {ArgumentError} for sizes below 1, more than 2³⁰ elements, a shape that the initializer does not make, and what is
 *   no regularizer or constraint
 * @throws {ShapeError} for a regularizer or a constraint that does not fit the shape
 */
export function parameter(shape: readonly number[], init: Initializer, rules: Rules = {}): Parameter {
  requireInitializer('a parameter', 'init', init)
  if (!Array.isArray(shape)) {
    throw new ArgumentError(`a parameter's shape is a list of sizes; received ${String(shape)}`)
  }
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 1) {
      throw new ArgumentError(
        `a parameter's sizes must be integers of at least 1; received [${shape.join(', ')}]`,
      )
    }
  }
  const count = elementCount(shape)
  if (count > MOST) {
    throw new ArgumentError(
      `a parameter of [${shape.join(', ')}] would have ${count} elements; memory holds ${MOST}`,
    )
  }
  if (!makes(init, shape)) throw new ArgumentError(`${init.kind} does not make [${shape.join(', ')}]`)
  const made = { shape, init, ...rules }
  requireRules('a parameter', made)
  return made
}

/** Whether an initializer makes numbers of this shape. */
function makes(init: Initializer, shape: readonly number[]): boolean {
  if (init.kind === 'orthogonal') return shape.length >= 2
  if (init.kind === 'identity') return shape.length === 2
  if (init.kind === 'ring') return shape.length === 2 && shape[0] === 3
  if (init.kind === 'reservoir') return shape.length === 2 && shape[0] === shape[1]
  if (init.kind !== 'joined') return true
  const last = shape.length - 1
  const lasts = init.parts.reduce((sum, part) => sum + part.shape[last]!, 0)
  const alike = (part: Parameter) => String(part.shape.with(-1, 0)) === String(shape.with(-1, 0))
  return (
    last >= 0 && init.parts.every((part) => part.shape.length > 0 && alike(part)) && lasts === shape[last]
  )
}

export const zeros = (...shape: number[]): Parameter => parameter(shape, { kind: 'constant', value: 0 })
export const ones = (...shape: number[]): Parameter => parameter(shape, { kind: 'constant', value: 1 })
export const filled = (value: number, ...shape: number[]): Parameter =>
  parameter(shape, { kind: 'constant', value })
export const uniform = (low: number, high: number, ...shape: number[]): Parameter =>
  parameter(shape, { kind: 'uniform', low, high })
export const normal = (deviation: number, ...shape: number[]): Parameter =>
  parameter(shape, { kind: 'normal', deviation })
export const truncatedNormal = (deviation: number, ...shape: number[]): Parameter =>
  parameter(shape, { kind: 'truncatedNormal', deviation })
export const glorotUniform = (...shape: number[]): Parameter => parameter(shape, { kind: 'glorotUniform' })
export const glorotNormal = (...shape: number[]): Parameter => parameter(shape, { kind: 'glorotNormal' })
export const heUniform = (...shape: number[]): Parameter => parameter(shape, { kind: 'heUniform' })
export const heNormal = (...shape: number[]): Parameter => parameter(shape, { kind: 'heNormal' })
export const lecunUniform = (...shape: number[]): Parameter => parameter(shape, { kind: 'lecunUniform' })
export const lecunNormal = (...shape: number[]): Parameter => parameter(shape, { kind: 'lecunNormal' })
export const orthogonal = (rows: number, columns: number, gain = 1): Parameter =>
  parameter([rows, columns], { kind: 'orthogonal', gain })
export const identity = (rows: number, columns: number, gain = 1): Parameter =>
  parameter([rows, columns], { kind: 'identity', gain })

/** Parameters one after the other along their last axis: an LSTM's bias of zeros with ones for its forget gate. */
export function joined(...parts: readonly Parameter[]): Parameter {
  requireParts('joined:', parts)
  const lead = parts[0]?.shape.slice(0, -1) ?? []
  for (const { shape } of parts) {
    if (shape.length !== lead.length + 1 || lead.some((size, axis) => shape[axis] !== size)) {
      throw new ArgumentError(
        `joined: parts must agree but for the last axis; received ${parts.map((part) => `[${part.shape.join(', ')}]`).join(', ')}`,
      )
    }
  }
  const last = parts.reduce((sum, { shape }) => sum + shape[shape.length - 1]!, 0)
  return parameter([...lead, last], { kind: 'joined', parts })
}
