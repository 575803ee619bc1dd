/**
 * Updates in place. An output that takes a parameter's place is written there at once if nothing reads the old value
 * afterwards; else it is copied there at the end.
 */
import { type Buffer, loadsOf, type Program, reads, type Step, type View, writes } from './program.ts'

export function donate(program: Program, pairs: ReadonlyMap<number, number>): Program {
  const aliases = new Map<Buffer, Buffer>(program.aliases)
  const steps = [...program.steps]
  for (const [output, input] of pairs) {
    const [from, to] = [program.outputs[output]!, program.inputs[input]!]
    if (canAlias(program.steps, from.view, to.view)) aliases.set(from.view.buffer, to.view.buffer)
    else {
      const { shape, dtype } = from
      const expr = { kind: 'load', view: from.view, dtype } as const
      steps.push({ kind: 'call', kernel: { kind: 'map', shape, stores: [{ view: to.view, expr, dtype }] } })
    }
  }
  return { ...program, steps, aliases }
}

function canAlias(steps: readonly Step[], fresh: View, old: View): boolean {
  const writers = steps.flatMap((step, i) => (touches(step, fresh.buffer, 'writes') ? [i] : []))
  const [writer] = writers
  if (writer === undefined || writers.length > 1) return false
  if (steps.slice(writer + 1).some((step) => touches(step, old.buffer, 'reads'))) return false
  const step = steps[writer]!
  if (!touches(step, old.buffer, 'reads')) return true
  if (step.kind !== 'call' || step.kernel.kind !== 'map') return false
  // Within one kernel each element is read before it is written, if it is read at its own place alone.
  return step.kernel.stores.every(({ expr }) =>
    loadsOf(expr).every((view) => view.buffer !== old.buffer || samePlaces(view, old)),
  )
}

function samePlaces(a: View, b: View): boolean {
  return a.offset === b.offset && a.strides.every((stride, axis) => stride === b.strides[axis])
}

function touches(step: Step, buffer: Buffer, how: 'reads' | 'writes'): boolean {
  if (step.kind === 'loop') return step.body.some((inner) => touches(inner, buffer, how))
  return (how === 'reads' ? reads : writes)(step.kernel).some((view) => view.buffer === buffer)
}
