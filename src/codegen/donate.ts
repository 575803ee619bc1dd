/**
 * Updates in place. An output that takes a parameter's place is written there at once if nothing reads the old value
 * afterwards; else it is copied there at the end.
 */
import { type Buffer, loadsOf, type Program, reads, type Step, type View, writes } from './program.ts'

export function donate(program: Program, pairs: ReadonlyMap<number, number>): Program {
  const aliases = new Map<Buffer, Buffer>(program.aliases)
  const steps = [...program.steps]
  const uses = usesOf(program.steps)
  for (const [output, input] of pairs) {
    const [from, to] = [program.outputs[output]!, program.inputs[input]!]
    if (canAlias(program.steps, uses, from.view, to.view)) aliases.set(from.view.buffer, to.view.buffer)
    else {
      const { shape, dtype } = from
      const expr = { kind: 'load', view: from.view, dtype } as const
      steps.push({ kind: 'call', kernel: { kind: 'map', shape, stores: [{ view: to.view, expr, dtype }] } })
    }
  }
  return { ...program, steps, aliases }
}

/** The steps that read and write each buffer, in order. */
interface Uses {
  readonly reads: number[]
  readonly writes: number[]
}

function usesOf(steps: readonly Step[]): Map<Buffer, Uses> {
  const all = new Map<Buffer, Uses>()
  const note = (buffer: Buffer, how: keyof Uses, at: number) => {
    const uses = all.get(buffer) ?? { reads: [], writes: [] }
    all.set(buffer, uses)
    if (uses[how].at(-1) !== at) uses[how].push(at)
  }
  const visit = (step: Step, at: number): void => {
    if (step.kind === 'loop') {
      for (const inner of step.body) visit(inner, at)
      return
    }
    for (const { buffer } of reads(step.kernel)) note(buffer, 'reads', at)
    for (const { buffer } of writes(step.kernel)) note(buffer, 'writes', at)
  }
  for (const [at, step] of steps.entries()) visit(step, at)
  return all
}

function canAlias(steps: readonly Step[], uses: ReadonlyMap<Buffer, Uses>, fresh: View, old: View): boolean {
  const [writer, ...others] = uses.get(fresh.buffer)?.writes ?? []
  if (writer === undefined || others.length > 0) return false
  const readers = uses.get(old.buffer)?.reads ?? []
  if (readers.some((at) => at > writer)) return false
  if (!readers.includes(writer)) return true
  const step = steps[writer]!
  if (step.kind !== 'call' || step.kernel.kind !== 'map') return false
  // Within one kernel each element is read before it is written, if it is read at its own place alone.
  return step.kernel.stores.every(({ expr }) =>
    loadsOf(expr).every((view) => view.buffer !== old.buffer || samePlaces(view, old)),
  )
}

function samePlaces(a: View, b: View): boolean {
  return a.offset === b.offset && sameStrides(a, b)
}

export function sameStrides(a: View, b: View): boolean {
  return (
    a.strides.length === b.strides.length && a.strides.every((stride, axis) => stride === b.strides[axis])
  )
}
