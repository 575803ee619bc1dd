/** Linear systems in f64, in one order of additions: the same bits on every machine. */
import { dot } from './dot.ts'

/**
 * Solves A X = R by A = L Lᵀ (Cholesky). A holds the lower triangle of a symmetric, positive definite matrix, row by row,
 * row i of i + 1 numbers; R is a list of right-hand sides [n]. Both are overwritten, R by X.
 *
 * @returns false where A is not positive definite
 */
export function solveInPlace(A: readonly Float64Array[], R: readonly Float64Array[]): boolean {
  for (const [i, row] of A.entries()) {
    for (let j = 0; j < i; j++) {
      row[j] = (row[j]! - dot(row.subarray(0, j), A[j]!)) / A[j]![j]!
    }
    const pivot = row[i]! - dot(row.subarray(0, i), row)
    if (!(pivot > 0)) return false
    row[i] = Math.sqrt(pivot)
  }
  for (const x of R) {
    for (const [i, row] of A.entries()) x[i] = (x[i]! - dot(row.subarray(0, i), x)) / row[i]!
    for (let i = x.length - 1; i >= 0; i--) {
      const row = A[i]!
      x[i]! /= row[i]!
      for (let j = 0; j < i; j++) x[j]! -= row[j]! * x[i]!
    }
  }
  return true
}
