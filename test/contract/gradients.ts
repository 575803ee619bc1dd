/** Gradients by central differences, for traces of support.ts. */
import type { Bindings } from '../../src/tensor/size.ts'
import type { NamedGraph } from '../../src/train/session.ts'
import { type Named, runOracle } from './support.ts'

/** `d PATH`: the loss's gradient for the parameters, in f64, from losses beside the given values alone. */
export function centralDifferences(
  named: NamedGraph,
  paths: readonly string[],
  values: Named,
  sizes: Bindings,
): Named {
  const graph = { ...named.graph, outputs: named.graph.outputs.slice(0, 1) }
  const numeric = paths.map((path) => {
    const begin = Float64Array.from(values[path]!)
    const lossAt = (i: number, step: number) => {
      const moved = { ...values, [path]: begin.with(i, begin[i]! + step) }
      return runOracle({ ...named, graph, outputs: ['loss'] }, moved, sizes)['loss']![0]!
    }
    const difference = (i: number, step: number) => lossAt(i, step) - lossAt(i, -step)
    // Fourth order: its own error stays far below the tolerance where the gradient is small.
    return [
      `d ${path}`,
      begin.map((_, i) => (8 * difference(i, 1e-3) - difference(i, 2e-3)) / 12e-3),
    ] as const
  })
  return Object.fromEntries(numeric)
}
