/**
 * Per-step buffers in each other's place. Where a loop reads one buffer at each step for the last time and writes
 * another of the same size at the same step, the second may stand where the first does: gates over x·U, then the
 * gradients of the gates over the gates. Proved from the program alone; what cannot be proved stays apart.
 */
import { mulSize } from '../tensor/size.ts'
import { samePlaces } from './donate.ts'
import {
  type Buffer,
  exprsOf,
  type Kernel,
  kernelsOf,
  type Loop,
  type LoopTerm,
  loadsOf,
  type Program,
  type Step,
  type View,
  viewsIn,
  writes,
} from './program.ts'

export function overlay(program: Program): Program {
  const aliases = new Map(program.aliases)
  const spans = spansOf(program.steps)
  const taken = new Set<Buffer>([...aliases.keys(), ...aliases.values()])
  for (const [at, step] of program.steps.entries()) {
    if (step.kind !== 'loop') continue
    const over = (span: Span | undefined, edge: keyof Span) => span?.[edge] === at
    const touched = program.buffers.filter(({ persistent, id }) => !persistent && spans.has(id))
    const ending = touched.filter((buffer) => over(spans.get(buffer.id), 'last'))
    for (const fresh of touched) {
      if (taken.has(fresh) || !over(spans.get(fresh.id), 'first')) continue
      const old = ending.find(
        (each) =>
          each !== fresh &&
          each.elements === fresh.elements &&
          !isWritten(step.body, each) &&
          ![...aliases.values()].includes(each) &&
          fits(step.loop, step.body, fresh, each),
      )
      if (old !== undefined) aliases.set(fresh, old)
    }
  }
  return { ...program, aliases: resolved(aliases) }
}

/** The first and the last top-level step that touches a buffer. */
interface Span {
  first: number
  last: number
}

function spansOf(steps: readonly Step[]): Map<number, Span> {
  const spans = new Map<number, Span>()
  for (const [at, step] of steps.entries()) {
    for (const { buffer } of viewsIn(step)) {
      const span = spans.get(buffer.id)
      if (span === undefined) spans.set(buffer.id, { first: at, last: at })
      else span.last = at
    }
  }
  return spans
}

function isWritten(body: readonly Step[], buffer: Buffer): boolean {
  return kernelsOf(body).some((kernel) => writes(kernel).some((view) => view.buffer === buffer))
}

/** Whether each step has read all that it needs of `old` before it writes to the same place of `fresh`. */
function fits(loop: Loop, body: readonly Step[], fresh: Buffer, old: Buffer): boolean {
  const touches = (step: Step, buffer: Buffer) => viewsIn(step).some((view) => view.buffer === buffer)
  const views = body.flatMap(viewsIn).filter(({ buffer }) => buffer === fresh || buffer === old)
  const [first] = views
  // All of it moves with this loop alone, and evenly: one step's part is one place.
  if (first === undefined || !views.every((view) => sameMove(view, first, loop))) return false
  const [{ by, stride }] = first.terms as [LoopTerm]
  const parts = by === 'rows' ? loop.rows!.total : loop.steps
  // As many parts as the loop has: then no offset leads from one step's part into the next one's.
  if (fresh.elements !== mulSize(parts, stride)) return false
  const written = body.findIndex((step) => touches(step, fresh))
  const lastRead = body.findLastIndex((step) => touches(step, old))
  if (lastRead < written) return true
  const step = body[written]!
  return lastRead === written && step.kind === 'call' && readsOwnPlaces(step.kernel, fresh, old)
}

function sameMove({ terms }: View, first: View, loop: Loop): boolean {
  const [term, ...others] = terms
  const [like] = first.terms
  return (
    others.length === 0 &&
    term?.loop === loop &&
    (term.by === 'time' || term.by === 'rows') &&
    term.by === like!.by &&
    term.stride === like!.stride
  )
}

/** Whether what a kernel reads of `old` at an index are places that it writes, of `fresh`, at the same index. */
function readsOwnPlaces(kernel: Kernel, fresh: Buffer, old: Buffer): boolean {
  const isElementwise =
    kernel.kind === 'map' ||
    (kernel.kind === 'matmul' && kernel.packed && kernel.a.buffer !== old && kernel.b.buffer !== old)
  const isOwn = (view: View) =>
    view.buffer !== old || writes(kernel).some((store) => store.buffer === fresh && samePlaces(store, view))
  return isElementwise && exprsOf(kernel).every((expr) => loadsOf(expr).every(isOwn))
}

/** Every buffer with the one in whose place it stands in the end. */
function resolved(aliases: ReadonlyMap<Buffer, Buffer>): Map<Buffer, Buffer> {
  const root = (buffer: Buffer): Buffer => {
    const owner = aliases.get(buffer)
    return owner === undefined ? buffer : root(owner)
  }
  return new Map([...aliases].map(([buffer]) => [buffer, root(buffer)]))
}
