/** The series of Mackey and Glass, chaotic for a delay of 17 and above. */
import { requireFlag } from '../tensor/checks.ts'
import { tanh } from '../tensor/math.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import { Draws, SEEDED, type Seeded } from './draws.ts'
import { requireInteger, requireOptions } from './guards.ts'

export interface MackeyGlassOptions extends Seeded {
  /** T, how many values, one a unit of time. */
  readonly steps: number
  /** τ, the delay in units of time. Default: 17. */
  readonly tau?: number
  /** Steps of Euler's method in a unit of time. Default: 10. */
  readonly stepsPerUnit?: number
  /** Units of time before the first value, for the beginning to be forgotten. Default: 1000. */
  readonly washout?: number
  /** Whether values are tanh(x − 1), around 0, or x. Default: true. */
  readonly squash?: boolean
}

/**
 * f32 [T, 1]: one value a unit of time of
 *
 *     dx/dt = 0.2 x(t − τ) / (1 + x(t − τ)¹⁰) − 0.1 x(t)
 *
 * by Euler's method with steps of 1 / stepsPerUnit, begun with values uniform in 1.1 … 1.3, then tanh(x − 1).
 *
 * Source: Mackey and Glass 1977; discretized, begun and squashed as in Jaeger, "The 'echo state' approach", 2001, and in
 * Jaeger and Haas 2004. The file that published examples of echo state networks read (MackeyGlass_t17) is another run of
 * such a series: like this one in its numbers' distribution, not number by number.
 *
 * @throws {ArgumentError} for options outside their range
 */
export function mackeyGlass(options: MackeyGlassOptions): Tensor {
  requireOptions('mackeyGlass', options, ['steps', 'tau', 'stepsPerUnit', 'washout', 'squash', ...SEEDED])
  const { steps, tau = 17, stepsPerUnit = 10, washout = 1000, squash = true } = options
  requireInteger('mackeyGlass: steps', steps, 1)
  requireInteger('mackeyGlass: tau', tau, 1)
  requireInteger('mackeyGlass: stepsPerUnit', stepsPerUnit, 1)
  requireInteger('mackeyGlass: washout', washout, 0)
  requireFlag('mackeyGlass', 'squash', squash)
  const draws = new Draws('mackeyGlass', options)
  // A ring: the value of τ before stands where the next one will.
  const past = Float64Array.from({ length: tau * stepsPerUnit }, () => 1.1 + 0.2 * draws.uniform())
  const series = new Float32Array(steps)
  let x = 1.2
  for (let i = 0; i < (washout + steps) * stepsPerUnit; i++) {
    const place = i % past.length
    const delayed = past[place]!
    const square = delayed * delayed
    const fourth = square * square
    past[place] = x
    x += ((0.2 * delayed) / (1 + fourth * fourth * square) - 0.1 * x) / stepsPerUnit
    const unit = Math.floor(i / stepsPerUnit) - washout
    if (unit >= 0) series[unit] = squash ? tanh(x - 1) : x
  }
  return tensor(series, [steps, 1])
}
