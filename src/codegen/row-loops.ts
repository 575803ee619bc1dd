/**
 * Kernels over wide rows, row after row. Where several of them walk over the same rows [N, V], as softmax, cross entropy
 * and their gradients do over logits, each would fetch all N · V numbers from memory again. In one loop over the N rows
 * a row stays in the cache from its first reader to its last; what no other kernel reads is as long as one row, and cheap
 * functions of what is there already are computed where they are read. Each row's numbers are made as they were: the bits
 * are the same. Loaded only where there are such rows.
 */

import { DEAR } from '../passes/residuals.ts'
import type { Dtype } from '../tensor/dtype.ts'
import { constantOf, ONE, productOf, type Shape, type Size, ZERO } from '../tensor/size.ts'
import { viewKey } from './lowering.ts'
import {
  type Buffer,
  denseView,
  type Expr,
  exprsOf,
  type Kernel,
  type Loop,
  loadsOf,
  type Program,
  reads,
  type Step,
  type View,
  viewsOf,
  WIDE,
  writes,
} from './program.ts'
import { mergeAxes } from './views.ts'

type Call = Extract<Step, { kind: 'call' }>
type Rowwise = Extract<Kernel, { kind: 'map' | 'reduce' }>

/** A kernel that treats each row by itself. */
interface RowCall {
  readonly step: Call
  readonly kernel: Rowwise
  /** The axes of its rows; behind them stands one of V elements, or nothing wider than 1. */
  readonly lead: Shape
  readonly width: Size
}

export function rowLoops(program: Program): Program {
  const origins = new Map<Step, Kernel>()
  const buffers = [...program.buffers]
  let steps = program.steps.flatMap((step) => apart(step, origins))
  for (let at = 0; at < steps.length; at++) {
    const group = groupFrom(steps, at)
    if (group === undefined) continue
    const { before, inside, after } = group
    const head = [...steps.slice(0, at), ...before]
    const made = loopOf(inside, [...head, ...after], buffers, loopsIn(steps))
    steps = [...head, ...made, ...after]
    at = head.length + made.length - 1
  }
  return { ...program, buffers, steps: together(steps, origins) }
}

function loopsIn(steps: readonly Step[]): number {
  return steps.reduce((count, step) => (step.kind === 'loop' ? count + 1 + loopsIn(step.body) : count), 0)
}

/** Each number of a kernel over numbers alone as a kernel of its own: what rows need then need not wait for the rest. */
function apart(step: Step, origins: Map<Step, Kernel>): Step[] {
  if (step.kind === 'loop' || step.kernel.kind !== 'map' || step.kernel.shape.length > 0) return [step]
  const { kernel } = step
  return kernel.stores.map((store) => {
    const own: Step = { kind: 'call', kernel: { ...kernel, stores: [store] } }
    origins.set(own, kernel)
    return own
  })
}

/** Undoes `apart` where the parts still stand side by side. */
function together(steps: readonly Step[], origins: ReadonlyMap<Step, Kernel>): Step[] {
  const result: Step[] = []
  let origin: Kernel | undefined
  for (const step of steps) {
    const last = result.at(-1)
    const own = origins.get(step)
    if (own !== undefined && own === origin && last?.kind === 'call' && step.kind === 'call') {
      const stores = [last.kernel, step.kernel].flatMap((kernel) =>
        kernel.kind === 'map' ? kernel.stores : [],
      )
      result[result.length - 1] = { kind: 'call', kernel: { kind: 'map', shape: [], stores } }
    } else result.push(step)
    origin = own
  }
  return result
}

interface Group {
  readonly before: Step[]
  readonly inside: RowCall[]
  readonly after: Step[]
}

/** What can run row after row with the step at a place, and what of the steps behind it stands before and after that. */
function groupFrom(steps: readonly Step[], at: number): Group | undefined {
  const first = rowCallOf(steps[at]!)
  if (first === undefined || first.width === ONE || !isLocal(first, [])) return undefined
  const [before, inside]: [Step[], RowCall[]] = [[], [first]]
  let after: Step[] = []
  for (const step of steps.slice(at + 1)) {
    const call = rowCallOf(step)
    const calls = inside.map((each) => each.step)
    const needed = closure(step, after)
    const fits =
      call !== undefined &&
      sameRows(call, first) &&
      (call.width !== ONE || conflicts(step, calls)) &&
      isLocal(call, inside) &&
      needed.every((each) => !conflicts(each, calls))
    if (fits) {
      before.push(...needed)
      after = after.filter((each) => !needed.includes(each))
      inside.push(call)
    } else after.push(step)
  }
  const joined = joinedToReduce(inside)
  if (joined.filter(({ width }) => width !== ONE).length < 2) return undefined
  const others = inside.filter((call) => !joined.includes(call)).map((call) => call.step)
  return { before: [...before, ...others], inside: joined, after }
}

/** What hangs together with the first of the wide reductions: maps alone gain nothing from running row after row. */
function joinedToReduce(calls: readonly RowCall[]): RowCall[] {
  const joined = new Set(calls.filter(({ kernel }) => kernel.kind === 'reduce').slice(0, 1))
  for (const one of joined) {
    for (const other of calls) if (conflicts(other.step, [one.step])) joined.add(other)
  }
  return calls.filter((call) => joined.has(call))
}

function rowCallOf(step: Step): RowCall | undefined {
  if (step.kind === 'loop' || (step.kernel.kind !== 'map' && step.kernel.kind !== 'reduce')) return undefined
  const { kernel } = step
  const last = kernel.shape[kernel.shape.length - 1]
  const wide = last !== undefined && (constantOf(last) ?? 0) >= WIDE
  const lead = wide ? kernel.shape.slice(0, -1) : kernel.shape
  if (kernel.kind === 'reduce' && (!wide || kernel.axes.join() !== String(lead.length))) return undefined
  return { step, kernel, lead, width: wide ? last : ONE }
}

function sameRows(a: RowCall, b: RowCall): boolean {
  const rows = ({ lead }: RowCall) => lead.filter((each) => each !== ONE).map(({ key }) => key)
  return rows(a).length > 0 && rows(a).join() === rows(b).join()
}

/** Those of the steps that have to stand before a step, in their order. */
function closure(step: Step, steps: readonly Step[]): Step[] {
  const found: Step[] = []
  for (const each of steps.toReversed()) if (conflicts(each, [step, ...found])) found.unshift(each)
  return found
}

/** Whether a step reads what others write, or writes what they read or write. */
function conflicts(step: Step, others: readonly Step[]): boolean {
  const own = touches(step)
  return others
    .map(touches)
    .some(
      (other) =>
        [...own.read].some((buffer) => other.written.has(buffer)) ||
        [...own.written].some((buffer) => other.read.has(buffer) || other.written.has(buffer)),
    )
}

interface Touches {
  readonly read: ReadonlySet<Buffer>
  readonly written: ReadonlySet<Buffer>
}

const known = new WeakMap<Step, Touches>()

function touches(step: Step): Touches {
  const before = known.get(step)
  if (before !== undefined) return before
  const of = (views: readonly View[]) => views.map(({ buffer }) => buffer)
  let made: Touches
  if (step.kind === 'call')
    made = { read: new Set(of(reads(step.kernel))), written: new Set(of(writes(step.kernel))) }
  else {
    const inner = step.body.map(touches)
    const own = [step.loop.rows?.counts, step.until?.view].filter((view) => view !== undefined)
    made = {
      read: new Set([...of(own), ...inner.flatMap(({ read }) => [...read])]),
      written: new Set(inner.flatMap(({ written }) => [...written])),
    }
  }
  known.set(step, made)
  return made
}

/** A view as one row sees it. */
interface RowView {
  readonly offset: Size
  /** From row to row; undefined where rows do not lie evenly. */
  readonly stride: Size | undefined
  /** Within the row. */
  readonly inner: Size
  /** Whether the kernel has an axis there. */
  readonly wide: boolean
}

function rowView({ kernel, lead, width }: RowCall, view: View): RowView {
  const merged = mergeAxes(lead, [view.strides.slice(0, lead.length)])
  const wide = width !== ONE && !(kernel.kind === 'reduce' && view === kernel.into)
  const inner = wide ? view.strides[lead.length]! : ZERO
  return { offset: view.offset, stride: merged?.strides[0], inner, wide }
}

/** Whether a kernel's rows read and write those of the others at the same place alone. */
function isLocal(call: RowCall, others: readonly RowCall[]): boolean {
  const { kernel, lead, width } = call
  const written = new Set(writes(kernel))
  if (exprsOf(kernel).some((expr) => indexes(expr, lead.length, width !== ONE))) return false
  return viewsOf(kernel).every((view) => {
    const own = rowView(call, view)
    // What lies unevenly is copied before, one number a row.
    if (view.terms.length > 0 || (own.stride === undefined && own.inner !== ZERO)) return false
    // Rows that are written lie one behind the other.
    if (written.has(view) && (own.stride !== (own.wide ? width : ONE) || (own.wide && own.inner !== ONE)))
      return false
    return others.every((other) =>
      viewsOf(other.kernel).every((theirs) => {
        if (theirs.buffer !== view.buffer) return true
        if (!written.has(view) && !writes(other.kernel).includes(theirs)) return true
        const place = rowView(other, theirs)
        return place.offset === own.offset && place.stride === own.stride && place.inner === own.inner
      }),
    )
  })
}

/** Whether an expression asks for another index than that within the row. */
function indexes(expr: Expr, inner: number, wide: boolean): boolean {
  if (expr.kind === 'index') return !wide || expr.axis !== inner
  return expr.kind === 'apply' && expr.args.some((arg) => indexes(arg, inner, wide))
}

/** What rows are made with. */
interface Making {
  readonly loop: Loop
  readonly buffers: Buffer[]
  /** Buffers that nothing outside touches, as long as one row. */
  readonly short: ReadonlyMap<Buffer, Buffer>
  /** What is computed where it is read, by the buffer that would hold it. */
  readonly again: Map<Buffer, Expr>
  readonly copies: Map<string, { readonly step: Step; readonly view: View }>
}

/** The copies that the loop over rows needs, and the loop. */
function loopOf(inside: readonly RowCall[], outside: readonly Step[], buffers: Buffer[], id: number): Step[] {
  const loop: Loop = { id, steps: productOf(inside[0]!.lead), reverse: false, apart: true }
  const others = outside.map(touches)
  const short = new Map<Buffer, Buffer>()
  for (const call of inside) {
    for (const view of writes(call.kernel)) {
      const { buffer } = view
      if (buffer.persistent || others.some(({ read, written }) => read.has(buffer) || written.has(buffer)))
        continue
      const made = { ...buffer, elements: rowView(call, view).wide ? call.width : ONE }
      short.set(buffer, made)
      buffers[buffers.indexOf(buffer)] = made
    }
  }
  const making: Making = { loop, buffers, short, again: new Map(), copies: new Map() }
  const ownRows = new Set(short.values())
  const body = inside.flatMap((call): Step[] => {
    const kernel = rowKernel(call, making)
    if (kernel.kind === 'reduce') return [{ kind: 'call', kernel }]
    const stores = kernel.stores.filter(({ view, expr }) => {
      const again = call.width !== ONE && ownRows.has(view.buffer) && isCheap(expr)
      if (again) making.again.set(view.buffer, expr)
      return !again
    })
    return stores.length === 0 ? [] : [{ kind: 'call', kernel: { ...kernel, stores } }]
  })
  return [...[...making.copies.values()].map(({ step }) => step), { kind: 'loop', loop, body }]
}

/** Whether computing a row again reads no more than loading it would. */
function isCheap(expr: Expr): boolean {
  const wide = new Set(loadsOf(expr).filter(({ strides }) => strides[0] !== ZERO))
  return wide.size <= 1 && !isDear(expr)
}

function isDear(expr: Expr): boolean {
  return expr.kind === 'apply' && (DEAR.has(expr.fn) || expr.fn === 'random' || expr.args.some(isDear))
}

/** What a kernel does of one row. */
function rowKernel(call: RowCall, making: Making): Rowwise {
  const { kernel, lead, width } = call
  const { loop, short, again } = making
  const viewOf = (view: View, dtype: Dtype): View => {
    const { offset, stride, inner, wide } = rowView(call, view)
    const strides = wide ? [inner] : []
    const own = short.get(view.buffer)
    if (own !== undefined) return { buffer: own, offset: ZERO, strides, terms: [] }
    if (stride === undefined) {
      return { ...copied(making, lead, view, dtype), strides, terms: [{ loop, by: 'time', stride: ONE }] }
    }
    const terms = stride === ZERO ? [] : [{ loop, by: 'time', stride } as const]
    return { buffer: view.buffer, offset, strides, terms }
  }
  const made = new Map<Expr, Expr>()
  const views = new Map<View, View>()
  const make = (expr: Expr): Expr => {
    if (expr.kind === 'index') return { ...expr, axis: 0 }
    if (expr.kind === 'apply') return { ...expr, args: expr.args.map(exprOf) }
    if (expr.kind !== 'load') return expr
    const view = views.get(expr.view) ?? viewOf(expr.view, expr.dtype)
    views.set(expr.view, view)
    return again.get(view.buffer) ?? { ...expr, view }
  }
  const exprOf = (expr: Expr): Expr => {
    const result = made.get(expr) ?? make(expr)
    made.set(expr, result)
    return result
  }
  const shape = width === ONE ? [] : [width]
  if (kernel.kind === 'reduce') {
    return { ...kernel, shape, axes: [0], expr: exprOf(kernel.expr), into: viewOf(kernel.into, 'f32') }
  }
  const stores = kernel.stores.map((store) => {
    return { ...store, view: viewOf(store.view, store.dtype), expr: exprOf(store.expr) }
  })
  return { ...kernel, shape, stores }
}

/** One number a row, one behind the other. */
function copied({ buffers, copies }: Making, lead: Shape, from: View, dtype: Dtype): View {
  const view = { ...from, strides: from.strides.slice(0, lead.length) }
  const known = copies.get(viewKey(view))
  if (known !== undefined) return known.view
  const elements = productOf(lead)
  const buffer: Buffer = { id: buffers.length, name: 'rows', elements, dtype, persistent: false }
  buffers.push(buffer)
  const into = denseView(buffer, lead)
  const stores = [{ view: into, dtype, expr: { kind: 'load', view, dtype } as const }]
  copies.set(viewKey(view), {
    step: { kind: 'call', kernel: { kind: 'map', shape: lead, stores } },
    view: into,
  })
  return into
}
