/** Optimizers. Update formulas are PyTorch's, default numbers Keras 3's. All of an update is part of the graph. */
import type { Value } from '../graph/value.ts'
import { requireFlag, requireKnown, requireNumber, said } from '../tensor/checks.ts'
import { ArgumentError } from '../tensor/errors.ts'
import type { Schedule } from './schedules.ts'

const SHARE = 'of at least 0 and below 1'

export interface Update {
  readonly param: Value
  /** After clipping. */
  readonly gradient: Value
  readonly slots: Readonly<Record<string, Value>>
  /** After this step's advance. */
  readonly scalars: Readonly<Record<string, Value>>
  readonly learningRate: Value
}

export interface Optimizer {
  readonly name: string
  readonly learningRate: number | Schedule
  /** What it keeps for every parameter, of the parameter's shape, from 0 on. */
  readonly slots: readonly string[]
  /** What it keeps once, with the value before the first step. */
  readonly scalars: Readonly<Record<string, number>>
  /** A slot whose numbers the parameters have at the end of a training; it begins with the parameters' own. */
  readonly final?: string
  advance(scalars: Readonly<Record<string, Value>>): Record<string, Value>
  update(update: Update): Updated
}

export interface Updated {
  readonly param: Value
  readonly slots: Readonly<Record<string, Value>>
}

export interface SgdOptions {
  /** η; default: 0.01. */
  readonly learningRate?: number | Schedule
  /** μ; default: 0. */
  readonly momentum?: number
  /** Looks a step ahead; needs momentum. Default: false. */
  readonly nesterov?: boolean
}

/**
 * v ← μ v + g, θ ← θ − η v; with μ = 0 plainly θ ← θ − η g. Nesterov's: θ ← θ − η (g + μ v), with the new v
 * (Sutskever et al. 2013, in PyTorch's form).
 */
export function sgd(options: SgdOptions = {}): Optimizer {
  requireKnown('sgd', options, ['learningRate', 'momentum', 'nesterov'])
  const { learningRate = 0.01, momentum = 0, nesterov = false } = options
  requireRate('sgd', learningRate)
  requireNumber('sgd', 'momentum', momentum, SHARE)
  requireFlag('sgd', 'nesterov', nesterov)
  if (nesterov && momentum === 0) {
    throw new ArgumentError('sgd: nesterov needs a momentum above 0; received 0')
  }
  return {
    name: 'sgd',
    learningRate,
    slots: momentum === 0 ? [] : ['v'],
    scalars: {},
    advance: () => ({}),
    update: ({ param, gradient, slots: { v }, learningRate: rate }): Updated => {
      if (v === undefined) return { param: param.sub(gradient.mul(rate)), slots: {} }
      const next = v.mul(momentum).add(gradient)
      const step = nesterov ? gradient.add(next.mul(momentum)) : next
      return { param: param.sub(step.mul(rate)), slots: { v: next } }
    },
  }
}

export interface RmspropOptions {
  /** η; default: 0.001. */
  readonly learningRate?: number | Schedule
  /** ρ; default: 0.9. */
  readonly rho?: number
  /** μ; default: 0. */
  readonly momentum?: number
  /** ε; default: 1e-7. */
  readonly epsilon?: number
  /** Divides by the gradient's deviation instead of its size. Default: false. */
  readonly centered?: boolean
}

/**
 * RMSProp (Hinton 2012): v ← ρ v + (1−ρ) g², d = g / (√v + ε), θ ← θ − η d; with momentum b ← μ b + d, θ ← θ − η b.
 * Centered (Graves 2013): a ← ρ a + (1−ρ) g, and √(v − a²) in the place of √v.
 */
export function rmsprop(options: RmspropOptions = {}): Optimizer {
  requireKnown('rmsprop', options, ['learningRate', 'rho', 'momentum', 'epsilon', 'centered'])
  const { learningRate = 0.001, rho = 0.9, momentum = 0, epsilon = 1e-7, centered = false } = options
  requireRate('rmsprop', learningRate)
  requireNumber('rmsprop', 'rho', rho, SHARE)
  requireNumber('rmsprop', 'momentum', momentum, SHARE)
  requireNumber('rmsprop', 'epsilon', epsilon, 'above 0')
  requireFlag('rmsprop', 'centered', centered)
  return {
    name: 'rmsprop',
    learningRate,
    slots: ['v', ...(centered ? ['a'] : []), ...(momentum > 0 ? ['b'] : [])],
    scalars: {},
    advance: () => ({}),
    update: ({ param, gradient, slots, learningRate: rate }) => {
      const v = slots['v']!.mul(rho).add(gradient.square().mul(1 - rho))
      const a = slots['a']?.mul(rho).add(gradient.mul(1 - rho))
      // v − a² is never below 0 but for rounding.
      const spread = a === undefined ? v : v.sub(a.square()).max(0)
      const direction = gradient.div(spread.sqrt().add(epsilon))
      const b = slots['b']?.mul(momentum).add(direction)
      return {
        param: param.sub((b ?? direction).mul(rate)),
        slots: { v, ...(a === undefined ? {} : { a }), ...(b === undefined ? {} : { b }) },
      }
    },
  }
}

export interface AdamOptions {
  /** η; default: 0.001. */
  readonly learningRate?: number | Schedule
  /** β₁; default: 0.9. */
  readonly beta1?: number
  /** β₂; default: 0.999. */
  readonly beta2?: number
  /** ε; default: 1e-7. */
  readonly epsilon?: number
}

export const ADAM = ['learningRate', 'beta1', 'beta2', 'epsilon']

/**
 * Adam (Kingma and Ba 2015): m ← β₁ m + (1−β₁) g, v ← β₂ v + (1−β₂) g²,
 * θ ← θ − η · (m / (1−β₁ᵗ)) / (√(v / (1−β₂ᵗ)) + ε).
 */
export function adam(options: AdamOptions = {}): Optimizer {
  requireKnown('adam', options, ADAM)
  return adamWith('adam', options, 0)
}

export interface AdamWOptions extends AdamOptions {
  /** λ; default: 0.004. */
  readonly weightDecay?: number
}

/** Adam with decoupled weight decay (Loshchilov and Hutter 2019): θ ← (1 − η λ) θ before Adam's own update. */
export function adamW(options: AdamWOptions = {}): Optimizer {
  requireKnown('adamW', options, [...ADAM, 'weightDecay'])
  const { weightDecay = 0.004 } = options
  requireNumber('adamW', 'weightDecay', weightDecay, 'of at least 0')
  return adamWith('adamW', options, weightDecay)
}

/** What Adam and its kin share; λ is 0 where weights do not decay. */
export function adamWith(name: string, options: AdamOptions, decay: number): Optimizer {
  const { learningRate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 } = options
  requireRate(name, learningRate)
  requireNumber(name, 'beta1', beta1, SHARE)
  requireNumber(name, 'beta2', beta2, SHARE)
  requireNumber(name, 'epsilon', epsilon, 'above 0')
  return {
    name,
    learningRate,
    slots: ['m', 'v'],
    // 1 − βᵗ is carried as such: computed from βᵗ it would lose its leading digits in f32.
    scalars: { q1: 0, q2: 0 },
    advance: ({ q1, q2 }) => ({ q1: q1!.mul(beta1).add(1 - beta1), q2: q2!.mul(beta2).add(1 - beta2) }),
    update: ({ param, gradient, slots, scalars: { q1, q2 }, learningRate: rate }) => {
      const m = slots['m']!.mul(beta1).add(gradient.mul(1 - beta1))
      const v = slots['v']!.mul(beta2).add(gradient.square().mul(1 - beta2))
      const step = m.mul(rate.div(q1!)).div(v.sqrt().div(q2!.sqrt()).add(epsilon))
      const before = decay === 0 ? param : param.sub(param.mul(rate.mul(decay)))
      return { param: before.sub(step), slots: { m, v } }
    },
  }
}

/** @throws {ArgumentError} for what no optimizer made */
export function requireOptimizer(optimizer: Optimizer, what = 'optimizer'): void {
  if (typeof optimizer?.update === 'function' && Array.isArray(optimizer.slots)) {
    const { name, learningRate } = optimizer
    if (typeof learningRate !== 'function') requireNumber(name, 'learningRate', learningRate, 'of at least 0')
    return
  }
  throw new ArgumentError(
    `${what} must be made by a function such as adam(); received ${JSON.stringify(optimizer)}`,
  )
}

function requireRate(name: string, rate: number | Schedule): void {
  if (typeof rate !== 'function' && !(Number.isFinite(rate) && rate > 0)) {
    throw new ArgumentError(
      `${name}: learningRate must be a number above 0 or a schedule; received ${said(rate)}`,
    )
  }
}
