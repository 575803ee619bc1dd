/**
 * Which steps of a program work on rows alone: row r of all that they write depends on row r of that, and on what they
 * only read. Then each thread takes rows of the batch through whole loops, and none waits for another within them.
 */
import { constantOf, mulSize, type Size, ZERO } from '../../tensor/size.ts'
import { type Buffer, type Step, type View, writtenBy } from '../program.ts'
import { cut, type Part, type Walk, walkOf } from './cut.ts'

/** The buffer in whose place a buffer stands. */
export type OwnerOf = (buffer: Buffer) => Buffer

/** The same steps over a part of the rows; undefined unless each of them works on rows alone. */
export function cutRows(
  steps: readonly Step[],
  rows: Size,
  part: Part,
  ownerOf: OwnerOf,
): Step[] | undefined {
  const written = new Set(steps.flatMap(writtenBy).map(({ buffer }) => ownerOf(buffer)))
  /** The distance from row to row in each buffer that is written, and whether it holds the rows of many steps. */
  const layouts = new Map<Buffer, string>()
  const holds = (view: View, walk: Walk, axis: number): boolean => {
    const buffer = ownerOf(view.buffer)
    if (!written.has(buffer)) return true
    const layout = layoutOf(view, walk, axis, rows)
    if (layout === undefined) return false
    const known = layouts.get(buffer) ?? layout
    layouts.set(buffer, known)
    return known === layout
  }
  const visit = (step: Step): Step | undefined => {
    if (step.kind === 'loop') {
      // What ends early ends for all rows at once; rows of another loop's are not these.
      const { loop, until } = step
      if (until !== undefined || (loop.rows !== undefined && loop.rows.alive !== rows)) return undefined
      if (loop.steps === rows) return undefined
      const body = step.body.map(visit)
      return body.some((each) => each === undefined) ? undefined : { ...step, body: body as Step[] }
    }
    const walk = walkOf(step.kernel)
    if (walk === undefined || walk.whole.some(({ buffer }) => written.has(ownerOf(buffer)))) return undefined
    const axes = walk.sizes.flatMap((size, axis) => (size === rows ? [axis] : []))
    const [axis] = axes
    if (axes.length !== 1 || !walk.free.includes(axis!)) return undefined
    if (!walk.views.every(({ view }) => holds(view, walk, axis!))) return undefined
    return { kind: 'call', kernel: cut(step.kernel, axis!, part) }
  }
  const cuts = steps.map(visit)
  return cuts.some((each) => each === undefined) ? undefined : (cuts as Step[])
}

/** How rows lie in a view; undefined where a row may reach into another's place. */
function layoutOf(view: View, walk: Walk, axis: number, rows: Size): string | undefined {
  const { strides } = walk.views.find((each) => each.view === view)!
  const row = constantOf(strides[axis]!)
  if (row === undefined || row <= 0) return undefined
  const all = mulSize(rows, row)
  // Whole multiples of all rows, and what is left, which has to stay within a row.
  let within = 1
  for (const [i, size] of walk.sizes.entries()) {
    const stride = strides[i]!
    if (i === axis || stride === ZERO || isMultiple(stride, all)) continue
    const [count, step] = [constantOf(size), constantOf(stride)]
    if (count === undefined || step === undefined || step < 0) return undefined
    within += (count - 1) * step
  }
  for (const term of view.offset.terms) {
    if (term.atoms.length === 0 && term.coefficient > 0) within += term.coefficient
    else if (!isMultiple({ key: '', terms: [term] }, all)) return undefined
  }
  const byRows = view.terms.filter(({ by }) => by === 'rows')
  if (byRows.some(({ stride }) => constantOf(stride) !== row)) return undefined
  if (view.terms.some((term) => !byRows.includes(term) && !isMultiple(term.stride, all))) return undefined
  return within > row ? undefined : `${row} ${byRows.length}`
}

/** Whether a size is a multiple of another, of one term. */
function isMultiple(value: Size, of: Size): boolean {
  const [unit, ...others] = of.terms
  if (unit === undefined || others.length > 0) return false
  return value.terms.every(({ coefficient, atoms }) => {
    const left = [...atoms]
    for (const { key } of unit.atoms) {
      const at = left.findIndex((atom) => atom.key === key)
      if (at < 0) return false
      left.splice(at, 1)
    }
    return coefficient % unit.coefficient === 0
  })
}
