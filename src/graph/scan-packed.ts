/** `scanPacked`: a scan over rows that end at different steps, of which only those alive are computed. */
import { ShapeError } from '../tensor/errors.ts'
import { printShape, type Shape } from '../tensor/size.ts'
import { scanOutputs } from './build-scan.ts'
import type { Packing } from './ops.ts'
import { checkStates, pick, type ScanResult, type Values } from './scan.ts'
import { traceWith } from './trace.ts'
import { derive, type Value } from './value.ts'

export interface PackedScanOptions<C extends Values, X extends Values> {
  /** The states before the first step, [rows, …], by name, rows in order of their lengths, the longest first. */
  readonly carry: C
  /** Per-step inputs, [total, …]: the rows alive at step 0, then those alive at step 1, … */
  readonly xs: X
  readonly packing: Packing
  /** i32 [T]: how many rows are alive at each step. */
  readonly counts: Value
  /** From the last step to the first; a row begins at its own last step. */
  readonly reverse?: boolean
}

/**
 * Folds `step` through time on the rows alive: carry(t), y(t) = step(carry(t−1), x(t)). Rows that have ended hold their
 * states. What each step yields is packed as the inputs are.
 *
 * @throws {ShapeError} where states or inputs are not of the packing's rows
 * @throws {ArgumentError} where a state is missing, misspelt or extra
 */
export function scanPacked<C extends Values, X extends Values, Y extends Values>(
  options: PackedScanOptions<C, X>,
  step: (args: { readonly carry: C; readonly x: X }) => { readonly carry: C; readonly y?: Y },
): ScanResult<C, Y> {
  const { carry, xs, packing, counts, reverse = false } = options
  const [states, inputs] = [Object.keys(carry), Object.keys(xs)]
  const inner = (what: string, { shape, dtype }: Value, size: Packing['rows'], name: string) => {
    if (shape[0] !== size) {
      throw new ShapeError(
        `scan of packed rows: ${what} ${name} must begin with ${size.key}; received ${printShape(shape)}`,
      )
    }
    return { shape: [packing.alive, ...shape.slice(1)] as Shape, dtype, name }
  }
  const specs = [
    ...states.map((name) => inner('state', carry[name]!, packing.rows, name)),
    ...inputs.map((name) => inner('input', xs[name]!, packing.total, name)),
  ]
  let yieldNames: string[] = []
  const traced = traceWith(
    specs,
    (params) => {
      const before = pick(states, params) as C
      const result = step({ carry: before, x: pick(inputs, params.slice(states.length)) as X }) ?? {}
      const next = checkStates(before, result.carry)
      yieldNames = Object.keys(result.y ?? {})
      const ys = yieldNames.map((name) => result.y![name]!)
      return [...states.map((name) => next[name]!), ...ys, ...Object.values(before)]
    },
    // The states before each step are yielded too: gradients read them, and dead ones are dropped when compiled.
    (outputs) => outputs,
  )
  const outer = [...Object.values(carry), ...Object.values(xs), counts, ...traced.captured]
  const constsAt = specs.length + 1
  let nodes: ReturnType<typeof scanOutputs> | undefined
  const outputs = traced.graph.outputs.map((_, index) =>
    derive(outer, (all) => {
      nodes ??= scanOutputs({
        body: traced.graph,
        carries: all.slice(0, states.length),
        xs: all.slice(states.length, specs.length),
        consts: all.slice(constsAt),
        steps: counts.shape[0]!,
        reverse,
        packed: { packing, counts: all[specs.length]! },
      })
      return nodes[index]!
    }),
  )
  return {
    carry: pick(states, outputs) as C,
    ys: pick(yieldNames, outputs.slice(states.length)) as Y,
  }
}
