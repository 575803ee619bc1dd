/** What a recurrent layer reads: one sequence, or several that lie alike, as its cell declares its inputs. */
import type { Cell, TracedCell } from '../cells/define.ts'
import { inputAxes, inputsOf } from '../cells/inputs.ts'
import type { Value } from '../graph/value.ts'
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { constantOf, printShape, type Shape } from '../tensor/size.ts'
import { featuresOf, type LayerScope, type Signal } from './layer.ts'

export interface Reading {
  /** The first input: how all of them lie. */
  readonly signal: Signal
  /** By the names of the cell's inputs. */
  readonly inputs: Readonly<Record<string, Value>>
  /** Traced for their sizes. */
  readonly traced: TracedCell
}

/** A cell as it is traced for what a layer was called on; of shapes it looks at the last axes. */
export function tracedFor(cell: Cell, read: readonly { readonly shape: Shape }[]): TracedCell {
  const shapes = read.map(({ shape }) => shape)
  return cell.trace(inputsOf(cell.inputs, shapes))
}

/**
 * Several inputs come in the order in which the cell declares them. Of those one may have no time, which then stands at every
 * step; masks are joined.
 *
 * @throws {ArgumentError} for another number of inputs
 * @throws {ShapeError} for what is no sequence, of other axes or unknown sizes
 */
export function readBy(
  kind: string,
  cell: Cell,
  signals: readonly Signal[],
  aligned: LayerScope['aligned'],
): Reading {
  const { inputs: axes } = cell
  const declared = inputAxes(axes)
  if (signals.length !== declared.length) {
    const names = declared.map(([name]) => name).join(', ')
    const expected =
      declared.length === 1
        ? 'it reads one input'
        : `expected its inputs in order, call(recurrent(cell), [${names}])`
    throw new ArgumentError(`${kind}: ${expected}; received ${signals.length}`)
  }
  const laid = signals.length === 1 ? signals : aligned!(kind, signals)
  const inputs = declared.map(([name, count], i) => {
    const { value, sequence, packing } = laid[i]!
    const steps = packing === undefined ? 2 : 1
    const what = typeof axes === 'object' ? `${name} to be ` : ''
    if (!sequence || value.rank !== steps + count) {
      const sizes = axes === undefined ? ['inputs'] : Array.from({ length: count }, (_, k) => `size ${k + 1}`)
      throw new ShapeError(
        `${kind}: expected ${what}a sequence [T, B, ${sizes.join(', ')}]; received ${printShape(value.shape)}` +
          `${sequence ? '' : ' without time (does the layer before need returnSequences: true?)'}`,
      )
    }
    featuresOf(kind, laid[i]!)
    if (value.shape.slice(steps).some((size) => constantOf(size) === undefined)) {
      throw new ShapeError(
        `${kind}: expected ${what}a sequence of steps of known sizes; received ${printShape(value.shape)}`,
      )
    }
    return [name, value] as const
  })
  const traced = tracedFor(
    cell,
    laid.map(({ value }) => value),
  )
  return { signal: laid[0]!, inputs: Object.fromEntries(inputs), traced }
}
