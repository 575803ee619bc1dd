/** Series of two sines and noise. */
import { requireNumber } from '../tensor/checks.ts'
import { sin } from '../tensor/math.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import { Draws, SEEDED, type Seeded } from './draws.ts'
import { requireInteger, requireOptions } from './guards.ts'

/**
 * N series over the time s from 0 to 1 in T steps, f32 [N, T, 1], each with numbers of its own, uniform in 0 … 1:
 *
 *     x(s) = 0.5 sin((s − p)(10 + 10 f)) + 0.2 sin((s − q)(20 + 20 g)) + noise · (u(s) − ½)
 *
 * `windows(twoSines({ count: 10000, steps: 51 }), { length: 50 })` is the task of the next value, with 60 steps and a
 * horizon of 10 that of the next ten. Source: Géron, "Hands-On Machine Learning", 2nd edition, chapter 15.
 *
 * @param options.count N
 * @param options.steps T, at least 2
 * @param options.noise the width of the noise; default 0.1
 * @throws {ArgumentError} for options outside their range
 */
export function twoSines(
  options: Seeded & { readonly count: number; readonly steps: number; readonly noise?: number },
): Tensor {
  requireOptions('twoSines', options, ['count', 'steps', 'noise', ...SEEDED])
  const { count, steps, noise = 0.1 } = options
  requireInteger('twoSines: count', count, 1)
  requireInteger('twoSines: steps', steps, 2)
  requireNumber('twoSines', 'noise', noise, 'of at least 0')
  const draws = new Draws('twoSines', options)
  const series = new Float32Array(count * steps)
  for (let n = 0; n < count; n++) {
    const [f, g, p, q] = [draws.uniform(), draws.uniform(), draws.uniform(), draws.uniform()]
    for (let t = 0; t < steps; t++) {
      const s = t / (steps - 1)
      const waves = 0.5 * sin((s - p) * (10 + 10 * f)) + 0.2 * sin((s - q) * (20 + 20 * g))
      series[n * steps + t] = waves + noise * (draws.uniform() - 0.5)
    }
  }
  return tensor(series, [count, steps, 1])
}
