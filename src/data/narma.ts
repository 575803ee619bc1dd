/** NARMA10: a system whose output depends on the last ten inputs and outputs. */
import { type Tensor, tensor } from '../tensor/tensor.ts'
import { Draws, SEEDED, type Seeded } from './draws.ts'
import { requireInteger, requireOptions } from './guards.ts'

/** Steps that the system remembers. */
const ORDER = 10

/**
 * Inputs u and targets y, f32 [T, 1] each, with u(t) uniform in 0 … 0.5 and
 *
 *     y(t + 1) = 0.3 y(t) + 0.05 y(t) Σ_(i = 0 … 9) y(t − i) + 1.5 u(t − 9) u(t) + 0.1
 *
 * where u and y are 0 before the first step. The target of step t is y(t + 1), what u(t) leads to. For a rare u the system
 * runs away: where y would pass 1, u is drawn again from there, its last ten values included.
 *
 * Source: Atiya and Parlos, "New results on recurrent network training", IEEE Transactions on Neural Networks 11(3), 2000.
 *
 * @param options.steps T
 * @throws {ArgumentError} unless `steps` is an integer of at least 1
 */
export function narma10(options: Seeded & { readonly steps: number }): {
  readonly inputs: Tensor
  readonly targets: Tensor
} {
  requireOptions('narma10', options, ['steps', ...SEEDED])
  const { steps } = options
  requireInteger('narma10: steps', steps, 1)
  const draws = new Draws('narma10', options)
  const u = new Float64Array(steps)
  const y = new Float64Array(steps + 1)
  const draw = () => 0.5 * draws.uniform()
  for (let t = 0; t < steps; t++) {
    u[t] = draw()
    y[t + 1] = next(u, y, t)
    if (y[t + 1]! <= 1) continue
    const from = Math.max(0, t + 1 - ORDER)
    for (let i = from; i <= t; i++) u[i] = draw()
    t = from - 1
  }
  return {
    inputs: tensor(Float32Array.from(u), [steps, 1]),
    targets: tensor(Float32Array.from(y.subarray(1)), [steps, 1]),
  }
}

function next(u: Float64Array, y: Float64Array, t: number): number {
  const recent = y.subarray(Math.max(0, t + 1 - ORDER), t + 1).reduce((sum, value) => sum + value, 0)
  return 0.3 * y[t]! + 0.05 * y[t]! * recent + 1.5 * (u[t + 1 - ORDER] ?? 0) * u[t]! + 0.1
}
