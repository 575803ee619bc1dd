/**
 * Updates in place. An output that takes a parameter's place is written there at once if nothing reads the old value
 * afterwards; else it is copied there at the end.
 */
import {
  type Buffer,
  kernelsOf,
  loadsOf,
  type Program,
  reads,
  type Step,
  type View,
  writes,
} from './program.ts'

export function donate(program: Program, pairs: ReadonlyMap<number, number>): Program {
  const aliases = new Map<Buffer, Buffer>(program.aliases)
  const steps = [...program.steps]
  const touched = program.steps.map((step): Touched => [buffersOf(step, reads), buffersOf(step, writes)])
  for (const [output, input] of pairs) {
    const [from, to] = [program.outputs[output]!, program.inputs[input]!]
    if (canAlias(program.steps, touched, from.view, to.view)) aliases.set(from.view.buffer, to.view.buffer)
    else {
      const { shape, dtype } = from
      const expr = { kind: 'load', view: from.view, dtype } as const
      steps.push({ kind: 'call', kernel: { kind: 'map', shape, stores: [{ view: to.view, expr, dtype }] } })
    }
  }
  return { ...program, steps, aliases }
}

/** The buffers that a step reads, and those that it writes. */
type Touched = readonly [read: ReadonlySet<Buffer>, written: ReadonlySet<Buffer>]

function buffersOf(step: Step, of: typeof reads): Set<Buffer> {
  return new Set(kernelsOf([step]).flatMap((kernel) => of(kernel).map(({ buffer }) => buffer)))
}

function canAlias(steps: readonly Step[], touched: readonly Touched[], fresh: View, old: View): boolean {
  // Others that write there come after the first, when nothing reads the old value any more.
  const writer = touched.findIndex(([, written]) => written.has(fresh.buffer))
  const reader = touched.findLastIndex(([read]) => read.has(old.buffer))
  if (writer < 0 || reader > writer) return false
  if (reader < writer) return true
  const step = steps[writer]!
  if (step.kind !== 'call' || step.kernel.kind !== 'map') return false
  // Within one kernel each element is read before it is written, if it is read at its own place alone.
  return step.kernel.stores.every(({ expr }) =>
    loadsOf(expr).every((view) => view.buffer !== old.buffer || samePlaces(view, old)),
  )
}

export function samePlaces(a: View, b: View): boolean {
  return (
    a.offset === b.offset &&
    a.strides.length === b.strides.length &&
    a.strides.every((stride, axis) => stride === b.strides[axis])
  )
}
