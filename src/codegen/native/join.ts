/**
 * Two products in one sum. x·U of all steps at once is written to memory and read again step by step. Where reading U at
 * each step moves no more numbers than that, each step contracts its x with U as it does its state with W, and both are
 * summed in registers. Sizes decide when they are bound, so a program holds both ways; the rule looks at all rows of the
 * batch, so the bits are the same for any number of threads.
 */
import {
  addSize,
  constantOf,
  floorDivSize,
  minSize,
  mulSize,
  ONE,
  type Size,
  subSize,
  ZERO,
} from '../../tensor/size.ts'
import {
  type Buffer,
  type Expr,
  type Kernel,
  kernelsOf,
  type Loop,
  type Program,
  reads,
  type Step,
  type View,
  writes,
  writtenBy,
} from '../program.ts'

type Matmul = Extract<Kernel, { kind: 'matmul' }>

/** Rows below which a product of its own for all steps is the faster way. */
const FEWEST = 8

const PRODUCT: Expr = { kind: 'product' }

/** For tiles over panels of so many columns. */
export function joinProducts(program: Program, panel: number): Program {
  const replaced = new Map<Kernel, Kernel>()
  const kernels = kernelsOf(program.steps)
  const ownerOf = (buffer: Buffer) => program.aliases.get(buffer) ?? buffer
  const visit = (steps: readonly Step[]): void => {
    for (const [at, step] of steps.entries()) {
      if (step.kind === 'loop') visit(step.body)
      else if (isOfAllSteps(step.kernel)) {
        const { a, b, into } = step.kernel
        const operands = new Set([a, b].map(({ buffer }) => ownerOf(buffer)))
        const loops = loopsOver(steps.slice(at + 1), (view) => operands.has(ownerOf(view.buffer)))
        // What others write beside it is not its own: concatenations are written where they are read.
        if (kernels.filter((kernel) => touches(writes(kernel), into.buffer)).length > 1) continue
        const readers = kernels.filter((kernel) => touches(reads(kernel), into.buffer))
        const joined = join(step.kernel, readers, loops, panel)
        // A product takes one other into its sum.
        if ([...joined].some(([kernel]) => replaced.has(kernel))) continue
        for (const [kernel, instead] of joined) replaced.set(kernel, instead)
      }
    }
  }
  visit(program.steps)
  const after = (step: Step): Step =>
    step.kind === 'loop'
      ? { ...step, body: step.body.map(after) }
      : { ...step, kernel: replaced.get(step.kernel) ?? step.kernel }
  return { ...program, steps: program.steps.map(after) }
}

function touches(views: readonly View[], buffer: Buffer): boolean {
  return views.some((view) => view.buffer === buffer)
}

/** The loops of kernels, up to the first step that writes what may not change. */
function loopsOver(steps: readonly Step[], mustStay: (view: View) => boolean): Map<Kernel, Loop> {
  const changed = steps.findIndex((step) => writtenBy(step).some(mustStay))
  const loops = new Map<Kernel, Loop>()
  for (const step of changed < 0 ? steps : steps.slice(0, changed)) {
    if (step.kind === 'call') continue
    for (const each of step.body) if (each.kind === 'call') loops.set(each.kernel, step.loop)
  }
  return loops
}

/** A plain product that may be made step by step. */
function isOfAllSteps(kernel: Kernel): kernel is Matmul {
  return (
    kernel.kind === 'matmul' &&
    kernel.packed &&
    kernel.plus === undefined &&
    kernel.epilogue.kind === 'product' &&
    !kernel.into.buffer.persistent &&
    constantOf(kernel.k) !== undefined
  )
}

/** What stands for a product and all its readers; nothing where one of them cannot make it. */
function join(
  made: Matmul,
  readers: readonly Kernel[],
  loops: ReadonlyMap<Kernel, Loop>,
  panel: number,
): Map<Kernel, Kernel> {
  const none = new Map<Kernel, Kernel>()
  const joined = new Map<Kernel, Kernel>()
  let here: Size | undefined
  for (const reader of readers) {
    const loop = loops.get(reader)
    if (loop === undefined || reader.kind !== 'matmul' || !reader.packed) return none
    const steps = stepByStep(made, reader, loop, panel)
    if (steps === undefined || steps.here === ZERO) return none
    if (here !== undefined && here !== steps.here) return none
    here = steps.here
    joined.set(reader, steps.kernel)
  }
  if (here === undefined) return none
  return joined.set(made, { ...made, unless: here })
}

/** A loop's product with its rows of another in its sum, and when: 1 or 0. */
function stepByStep(
  made: Matmul,
  reader: Matmul,
  loop: Loop,
  panel: number,
): { readonly kernel: Matmul; readonly here: Size } | undefined {
  const { into, a, b, k } = made
  const epilogue = withoutAddend(reader.epilogue, into.buffer.id)
  if (epilogue === undefined || reader.plus !== undefined) return undefined
  const { view } = epilogue
  const [term, ...others] = view.terms
  const row = into.strides[0]!
  if (term === undefined || term.loop !== loop || others.length > 0 || into.terms.length > 0) return undefined
  // The rows of one step follow those of the step before.
  const rows = term.by === 'time' ? reader.m : term.by === 'rows' ? ONE : undefined
  if (rows === undefined || term.stride !== mulSize(rows, row)) return undefined
  if (view.strides[0] !== row || view.strides[1] !== ONE) return undefined
  const column = constantOf(subSize(view.offset, into.offset))
  const [columns, all] = [reader.n, made.n].map(constantOf)
  if (column === undefined || columns === undefined || all === undefined) return undefined
  // Further on stands another row; a panel that is not full would read beyond what was made.
  if (column < 0 || column + columns > all || (column % panel) + (columns % panel) > 0) return undefined
  const own = a.strides[0]!
  const terms = [...a.terms, { ...term, stride: mulSize(rows, own) }]
  const batch = term.by === 'rows' ? loop.rows!.rows : reader.m
  // Written, and read again: 2 · rows numbers a column; k for U.
  const enough = Math.max(FEWEST, Math.ceil(constantOf(k)! / 2))
  const here = minSize(ONE, floorDivSize(batch, enough))
  const plus = {
    here,
    k,
    a: { ...a, terms },
    b: { ...b, offset: addSize(b.offset, mulSize(k, column)) },
    made: view,
  }
  return { kernel: { ...reader, plus, epilogue: epilogue.rest }, here }
}

/** An epilogue in which numbers of a buffer are added to the product and nothing else, without them; where they stand. */
function withoutAddend(
  epilogue: Expr,
  buffer: number,
): { readonly rest: Expr; readonly view: View } | undefined {
  const views = new Set<View>()
  let fits = true
  const known = new Map<Expr, Expr>()
  const visit = (expr: Expr): Expr => {
    const found = known.get(expr)
    if (found !== undefined) return found
    let rest = expr
    if (expr.kind === 'apply') {
      const [first, second] = expr.args
      const load = first?.kind === 'product' ? second : first
      const isSum = expr.fn === 'add' && expr.args.some((arg) => arg.kind === 'product')
      if (isSum && load?.kind === 'load' && load.view.buffer.id === buffer) {
        views.add(load.view)
        rest = PRODUCT
      } else rest = { ...expr, args: expr.args.map(visit) }
    } else if (expr.kind === 'product' || (expr.kind === 'load' && expr.view.buffer.id === buffer))
      fits = false
    known.set(expr, rest)
    return rest
  }
  const rest = visit(epilogue)
  const [view] = views
  return fits && view !== undefined && views.size === 1 ? { rest, view } : undefined
}
