/** Optimizers. Update formulas are PyTorch's, default numbers Keras 3's. All of an update is part of the graph. */
import type { Value } from '../graph/value.ts'
import { ArgumentError } from '../tensor/errors.ts'

/** The learning rate at a step, counted from 0. */
export type Schedule = (step: number) => number

export interface Update {
  readonly param: Value
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
  advance(scalars: Readonly<Record<string, Value>>): Record<string, Value>
  update(update: Update): Updated
}

export interface Updated {
  readonly param: Value
  readonly slots: Readonly<Record<string, Value>>
}

export interface SgdOptions {
  /** Default: 0.01. */
  readonly learningRate?: number | Schedule
  /** μ; default: 0. */
  readonly momentum?: number
}

/** v ← μ v + g, θ ← θ − η v; with μ = 0 plainly θ ← θ − η g. */
export function sgd({ learningRate = 0.01, momentum = 0 }: SgdOptions = {}): Optimizer {
  requireRate('sgd', learningRate)
  requireWithin('sgd', 'momentum', momentum)
  return {
    name: 'sgd',
    learningRate,
    slots: momentum === 0 ? [] : ['v'],
    scalars: {},
    advance: () => ({}),
    update: ({ param, gradient, slots: { v }, learningRate: rate }): Updated => {
      if (v === undefined) return { param: param.sub(gradient.mul(rate)), slots: {} }
      const next = v.mul(momentum).add(gradient)
      return { param: param.sub(next.mul(rate)), slots: { v: next } }
    },
  }
}

export interface AdamOptions {
  /** Default: 0.001. */
  readonly learningRate?: number | Schedule
  /** β₁; default: 0.9. */
  readonly beta1?: number
  /** β₂; default: 0.999. */
  readonly beta2?: number
  /** ε; default: 1e-7. */
  readonly epsilon?: number
}

/**
 * Adam (Kingma and Ba 2015): m ← β₁ m + (1−β₁) g, v ← β₂ v + (1−β₂) g²,
 * θ ← θ − η · (m / (1−β₁ᵗ)) / (√(v / (1−β₂ᵗ)) + ε).
 */
export function adam({
  learningRate = 0.001,
  beta1 = 0.9,
  beta2 = 0.999,
  epsilon = 1e-7,
}: AdamOptions = {}): Optimizer {
  requireRate('adam', learningRate)
  requireWithin('adam', 'beta1', beta1)
  requireWithin('adam', 'beta2', beta2)
  if (!(epsilon > 0)) throw new ArgumentError(`adam: epsilon must be above 0; received ${epsilon}`)
  return {
    name: 'adam',
    learningRate,
    slots: ['m', 'v'],
    // 1 − βᵗ is carried as such: computed from βᵗ it would lose its leading digits in f32.
    scalars: { q1: 0, q2: 0 },
    advance: ({ q1, q2 }) => ({ q1: q1!.mul(beta1).add(1 - beta1), q2: q2!.mul(beta2).add(1 - beta2) }),
    update: ({ param, gradient, slots, scalars: { q1, q2 }, learningRate: rate }) => {
      const m = slots['m']!.mul(beta1).add(gradient.mul(1 - beta1))
      const v = slots['v']!.mul(beta2).add(gradient.square().mul(1 - beta2))
      const step = m.mul(rate.div(q1!)).div(v.sqrt().div(q2!.sqrt()).add(epsilon))
      return { param: param.sub(step), slots: { m, v } }
    },
  }
}

function requireRate(name: string, rate: number | Schedule): void {
  if (typeof rate !== 'function' && !(rate > 0 && Number.isFinite(rate))) {
    throw new ArgumentError(
      `${name}: learningRate must be a number above 0 or a schedule; received ${String(rate)}`,
    )
  }
}

function requireWithin(name: string, what: string, value: number): void {
  if (!(value >= 0 && value < 1)) {
    throw new ArgumentError(`${name}: ${what} must be at least 0 and below 1; received ${String(value)}`)
  }
}

/** η(step) = start · (1 − (1 − end) · step / steps), then held: linear decay to a share `end` of the start. */
export function linearDecay(start: number, steps: number, end = 0): Schedule {
  return (step) => start * (1 - (1 - end) * Math.min(1, step / steps))
}
