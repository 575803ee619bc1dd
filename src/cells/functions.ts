/** Functions of symbolic values that several cells and layers are made of. */
import type { Value } from '../graph/value.ts'
import { constantOf } from '../tensor/size.ts'

interface Parts {
  2: readonly [Value, Value]
  3: readonly [Value, Value, Value]
  4: readonly [Value, Value, Value, Value]
}

/** The last axis cut into equal parts, one a gate. */
export function parts<N extends keyof Parts>(all: Value, count: N): Parts[N] {
  const size = constantOf(all.shape[all.rank - 1]!)! / count
  const cut = Array.from({ length: count }, (_, place) => all.slice(-1, place * size, (place + 1) * size))
  return cut as unknown as Parts[N]
}

/** (x − μ) / √(σ² + ε) over the last axis, with the variance σ² = Σ (x − μ)² / n. */
export function normalized(x: Value, epsilon: number): Value {
  const centered = x.sub(x.mean(-1, { keepDims: true }))
  const variance = centered.square().mean(-1, { keepDims: true })
  return centered.div(variance.add(epsilon).sqrt())
}
