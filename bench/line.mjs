/**
 * The line t = a + b·x nearest to points by least squares.
 *
 * @typedef {object} Line
 * @property {number} a
 * @property {number} b
 * @property {number} r2 1 − Σ(t − a − bx)² / Σ(t − mean)²: 1 on the line, 0 for a line that says no more than the mean
 * @property {number} deviation the largest |t − a − bx| / t
 */

/** @param {readonly (readonly [x: number, t: number])[]} points at least two x, every t > 0 @returns {Line} */
export function fitLine(points) {
  const mean = (/** @type {number[]} */ values) => values.reduce((sum, each) => sum + each, 0) / values.length
  const [xMean, tMean] = [mean(points.map(([x]) => x)), mean(points.map(([, t]) => t))]
  const b =
    mean(points.map(([x, t]) => (x - xMean) * (t - tMean))) / mean(points.map(([x]) => (x - xMean) ** 2))
  const a = tMean - b * xMean
  const residuals = points.map(([x, t]) => t - a - b * x)
  return {
    a,
    b,
    r2: 1 - mean(residuals.map((each) => each ** 2)) / mean(points.map(([, t]) => (t - tMean) ** 2)),
    deviation: Math.max(...residuals.map((each, i) => Math.abs(each) / points[i][1])),
  }
}
