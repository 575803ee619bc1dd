/** The numbers of a reservoir. */
import { dot } from '../tensor/dot.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { fillUniform, streamOf, uniform } from '../tensor/random.ts'
import type { Fill } from './numbers.ts'

/** W of an echo state network; its distribution is described at {@link Initializer}. */
export const fillReservoir: Fill<'reservoir'> = (data, units, init, seed, path) => {
  const { spectralRadius, connectivity } = init
  fillUniform(data, seed, streamOf(path), -1, 1)
  const chances = streamOf(`${path} there`)
  for (const i of data.keys()) if (uniform(seed, chances, i) >= connectivity) data[i] = 0
  const radius = spectralRadiusOf(Float64Array.from(data), units)
  if (!(radius > 0)) {
    throw new ArgumentError(
      `${path}: the reservoir of ${units} units has no cycle to scale to spectralRadius: give more units or connectivity`,
    )
  }
  for (const i of data.keys()) data[i]! *= spectralRadius / radius
}

/**
 * The largest |eigenvalue| by Gelfand's formula, ρ(A) = lim ‖Aᵏ‖^(1/k), with k doubled by squaring: here
 * (‖A²ᵏ‖ / ‖Aᵏ‖)^(1/k) at k = 2¹³, where what stands before ρᵏ has nearly canceled. A power iteration would not settle
 * where the largest ones are a complex pair.
 */
function spectralRadiusOf(A: Float64Array, n: number): number {
  const norms: number[] = []
  for (let power = A; norms.length <= 14; ) {
    const norm = Math.sqrt(dot(power, power))
    if (norm === 0) return 0
    norms.push(norm)
    const rows = Array.from({ length: n }, (_, i) =>
      power.subarray(i * n, (i + 1) * n).map((value) => value / norm),
    )
    const columns = rows.map((_, j) => Float64Array.from(rows, (row) => row[j]!))
    power = new Float64Array(n * n)
    for (const [i, row] of rows.entries()) {
      for (const [j, column] of columns.entries()) power[i * n + j] = dot(row, column)
    }
  }
  // ‖Aᵏ‖^(1/k) = n₀ √(n₁ √(n₂ …)) over the norms, each of what was divided by those before it.
  const last = norms.pop()!
  return norms.reduceRight((root, norm) => norm * Math.sqrt(root), last * last)
}
