/** The largest |eigenvalue| of a matrix. */

/**
 * Gelfand's formula, ρ(A) = lim ‖Aᵏ‖^(1/k), at k = 2²⁴ by squaring; a power iteration would not settle where the largest
 * eigenvalues are a complex pair.
 *
 * @param {Float64Array} A [n, n]
 * @param {number} n
 * @returns {number}
 */
export function spectralRadius(A, n) {
  let [power, log] = [A, 0]
  for (let k = 1; k <= 2 ** 24; k *= 2) {
    const norm = Math.hypot(...power)
    if (norm === 0) return 0
    log += Math.log(norm) / k
    const unit = power.map((value) => value / norm)
    power = new Float64Array(n * n)
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        for (let l = 0; l < n; l++) power[i * n + l] += unit[i * n + j] * unit[j * n + l]
      }
    }
  }
  return Math.exp(log)
}
