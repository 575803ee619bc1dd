/** What belongs to each step of a scan that is run in f64: parts of stacked arrays, and the rows that are alive. */
import { type Bindings, evaluateSize } from '../tensor/size.ts'
import { isByRow } from './build-scan.ts'
import type { Node, ScanNode } from './node.ts'

/** Numbers of any element type, row-major; bool is 0 or 1. */
export interface F64Array {
  readonly data: Float64Array
  readonly shape: readonly number[]
}

export interface ScanStep {
  readonly t: number
  /** The sizes inside. */
  readonly bindings: Bindings
  /** Of a state or constant, what the body sees; `inner` is its node in the body. */
  held(array: F64Array, inner: Node): F64Array
  /** Of a stacked array the part that this step reads or yields, which shares its memory. */
  part(array: F64Array, inner: Node): F64Array
  /** How many elements of a stacked array come before that part. */
  before(array: F64Array, inner: Node): number
}

/** The steps of a scan in the order in which they run; `counts` are its rows alive, where they are packed. */
export function stepsOf({ op }: ScanNode, counts: F64Array | undefined, bindings: Bindings): ScanStep[] {
  const length = evaluateSize(op.steps, bindings)
  const steps: ScanStep[] = []
  let start = 0
  for (let t = 0; t < length; t++) {
    const alive = counts?.data[t] ?? 0
    // A step's rows: one of all steps, or those alive behind those of the steps before.
    const [first, packing] = [start, op.packing]
    const rowsOf = (inner: Node) => (isByRow(inner, packing) ? [first, alive] : [t, 1])
    steps.push({
      t,
      bindings: packing === undefined ? bindings : new Map(bindings).set(packing.alive.key, alive),
      held: (array, inner) => (isByRow(inner, packing) ? rows(array, 0, alive) : array),
      part: (array, inner) => {
        const own = rows(array, ...(rowsOf(inner) as [number, number]))
        return isByRow(inner, packing) ? own : { data: own.data, shape: own.shape.slice(1) }
      },
      before: (array, inner) => rowsOf(inner)[0]! * widthOf(array),
    })
    start += alive
  }
  return op.reverse ? steps.reverse() : steps
}

const widthOf = ({ shape }: F64Array) => shape.slice(1).reduce((product, size) => product * size, 1)

/** `count` entries of axis 0, from `start` on. */
function rows(array: F64Array, start: number, count: number): F64Array {
  const width = widthOf(array)
  const data = array.data.subarray(start * width, (start + count) * width)
  return { data, shape: [count, ...array.shape.slice(1)] }
}
