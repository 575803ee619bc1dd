/** Σ a_i b_i in f64, in one order of additions. */
export function dot(a: Float64Array, b: Float64Array): number {
  // Four sums at once: one alone waits for each of its additions.
  let [p, q, r, s] = [0, 0, 0, 0]
  const whole = a.length - (a.length % 4)
  for (let i = 0; i < whole; i += 4) {
    p += a[i]! * b[i]!
    q += a[i + 1]! * b[i + 1]!
    r += a[i + 2]! * b[i + 2]!
    s += a[i + 3]! * b[i + 3]!
  }
  for (let i = whole; i < a.length; i++) p += a[i]! * b[i]!
  return p + q + (r + s)
}
