/**
 * Sums and maxima. Holds: the order of additions follows from the sizes alone. Partial results of blocks are added up,
 * so that the error of a long sum grows with the block's length and their number, not with its whole length.
 */
import type { ReduceName } from '../../graph/ops.ts'
import { ONE, type Size, ZERO } from '../../tensor/size.ts'
import type { Kernel } from '../program.ts'
import type { Code, Local } from './assembler.ts'
import type { Cursor, KernelCode, Operand } from './kernel.ts'
import { Expressions, type Inner, isWhole, pushAllWithin, storeLanes } from './lanes.ts'
import { siteOf, type Walk, walkOver } from './walk.ts'

type Reduce = Extract<Kernel, { kind: 'reduce' }>

/** Steps of a loop whose results are added up on their own. */
const BLOCK = 128

/** A reduction with its axes sorted into kept and summed; its last view is the result's. */
interface Sorted extends Walk {
  readonly kept: Size[]
  readonly summed: Size[]
}

export function emitReduce(k: KernelCode, kernel: Reduce): void {
  const sorted = sort(k, kernel)
  if (alongSummed(sorted)) emitAlong(k, kernel, sorted)
  else emitAcross(k, kernel, sorted)
}

function sort(k: KernelCode, kernel: Reduce): Sorted {
  const all = kernel.shape.map((_, axis) => axis)
  const isSummed = (axis: number) => kernel.axes.includes(axis)
  const [kept, summed] = [all.filter((axis) => !isSummed(axis)), all.filter(isSummed)]
  // The result, as if it had the summed axes too.
  const strides = all.map((axis) => (isSummed(axis) ? ZERO : kernel.into.strides[kept.indexOf(axis)]!))
  const { shapes, ...walk } = walkOver(
    k,
    kernel.shape,
    [kept, summed],
    [kernel.expr],
    [{ ...kernel.into, strides }],
    [k.pointer(kernel.into)],
  )
  return { ...walk, kept: shapes[0]!, summed: shapes[1]! }
}

/** Whether four elements at a time are taken along a summed axis; else along the last kept one. */
function alongSummed({ kept, summed, cursors, reads }: Sorted): boolean {
  if (kept.length === 0) return true
  if (summed.length === 0) return false
  const unit = (axis: number) => reads.filter((_, i) => cursors[i]!.strides[axis] === ONE).length
  return unit(kept.length + summed.length - 1) > unit(kept.length - 1)
}

/** Vectors along the innermost summed axis, added up within at the end. */
function emitAlong(k: KernelCode, kernel: Reduce, sorted: Sorted): void {
  const { f } = k
  const { kept, summed } = sorted
  const combine = COMBINE[kernel.fn]
  const innerAxis = kept.length + summed.length - 1
  const inner: Inner = { at: f.local('i32'), end: k.operand(summed[summed.length - 1] ?? ONE, 4) }
  const expressions = new Expressions(k, [kernel.expr])
  const [total, part, value] = [f.local('v128'), f.local('v128'), f.local('v128')]
  const blockEnd = f.local('i32')
  const block = f.local('i32')
  k.nest(kept, sorted.cursors, (places) => {
    combine.identity(f)
    f.set(total)
    k.nest(summed.slice(0, -1), shifted(sorted.cursors, places, kept.length), (within) => {
      const site = siteOf(k, sorted, within, innerAxis, inner)
      k.loop(block, inner.end, 16 * BLOCK, () => {
        setBlockEnd(k, blockEnd, block, inner.end, 16 * BLOCK)
        combine.identity(f)
        f.set(part)
        k.loop(
          inner.at,
          blockEnd,
          16,
          () => {
            expressions.at(site, [kernel.expr], () => f.set(value))
            if (!isWhole(inner)) maskTail(k, inner, value, combine)
            accumulate(f, combine, part, value)
          },
          block,
        )
        accumulate(f, combine, total, part)
      })
    })
    k.push(places[sorted.into]!)
    withinLanes(f, combine, total)
    f.v128.store32Lane(0)
  })
}

/** Vectors side by side along the last kept axis, so that a line of memory is used whole when it is there. */
const ABREAST = 4

/** Vectors along the last kept axis, one summed index after another. */
function emitAcross(k: KernelCode, kernel: Reduce, sorted: Sorted): void {
  const { f } = k
  const { kept, summed, cursors } = sorted
  const combine = COMBINE[kernel.fn]
  const innerAxis = kept.length - 1
  const inner: Inner = { at: f.local('i32'), end: k.operand(kept[innerAxis]!, 4) }
  const expressions = new Expressions(k, [kernel.expr])
  const fours = typeof inner.end === 'number' && inner.end % (16 * ABREAST) === 0
  const abreast = Array.from({ length: fours ? ABREAST : 1 }, (_, i) => ({
    total: f.local('v128'),
    part: f.local('v128'),
    inner: i === 0 ? inner : { ...inner, at: f.local('i32') },
  }))
  const value = f.local('v128')
  const [block, blockEnd, step] = [f.local('i32'), f.local('i32'), f.local('i32')]
  const each = (act: (lane: (typeof abreast)[number], i: number) => void) => abreast.forEach(act)
  const last = summed[summed.length - 1] ?? ONE
  const steps = k.operand(last)
  const lastAxis = kept.length + summed.length - 1
  const moves = cursors.map((cursor) =>
    summed.length === 0 ? 0 : k.operand(cursor.strides[lastAxis]!, cursor.unit),
  )
  const { into } = sorted
  k.nest(kept.slice(0, -1), cursors, (places) => {
    k.loop(inner.at, inner.end, 16 * abreast.length, () => {
      each(({ total, inner: { at } }, i) => {
        combine.identity(f)
        f.set(total)
        if (i === 0) return
        f.get(inner.at)
        f.i32.const(16 * i)
        f.i32.add()
        f.set(at)
      })
      k.nest(summed.slice(0, -1), shifted(cursors, places, kept.length), (within) => {
        const moving = within.map((place, i) => (moves[i] === 0 ? place : k.copyOf(place)))
        const sites = abreast.map((lane) => siteOf(k, sorted, moving, innerAxis, lane.inner))
        k.loop(block, steps, BLOCK, () => {
          setBlockEnd(k, blockEnd, block, steps, BLOCK)
          each(({ part }) => {
            combine.identity(f)
            f.set(part)
          })
          k.loop(
            step,
            blockEnd,
            1,
            () => {
              each(({ part }, i) => {
                expressions.at(sites[i]!, [kernel.expr], () => f.set(value))
                accumulate(f, combine, part, value)
              })
              for (const [i, place] of moving.entries())
                if (moves[i] !== 0) k.advance(place as Local, moves[i]!)
            },
            block,
          )
          each(({ total, part }) => accumulate(f, combine, total, part))
        })
      })
      each((lane) => storeLanes(k, places[into]!, cursors[into]!.strides[innerAxis]!, lane.inner, lane.total))
    })
  })
}

/** The cursors of the axes from `axis` on, starting where the outer axes have brought them. */
function shifted(cursors: readonly Cursor[], places: readonly Operand[], axis: number): Cursor[] {
  return cursors.map((cursor, i) => ({
    ...cursor,
    start: places[i]!,
    strides: cursor.strides.slice(axis),
  }))
}

/** blockEnd = min(block + length, end) */
function setBlockEnd(k: KernelCode, blockEnd: Local, block: Local, end: Operand, length: number): void {
  const { f } = k
  f.get(block)
  f.i32.const(length)
  f.i32.add()
  f.set(blockEnd)
  k.bound(blockEnd, end)
}

/** Lanes beyond the end become the identity. */
function maskTail(k: KernelCode, inner: Inner, value: Local, combine: Combine): void {
  const { f } = k
  pushAllWithin(k, inner)
  f.i32.eqz()
  f.if(() => {
    f.get(value)
    combine.identity(f)
    f.get(inner.at)
    f.i32x4.splat()
    f.i32x4.const(0, 4, 8, 12)
    f.i32x4.add()
    k.push(inner.end)
    f.i32x4.splat()
    f.i32x4.ltS()
    f.v128.bitselect()
    f.set(value)
  })
}

/** One reduction in vectors: its identity, one step, and the four lanes into the first. */
interface Combine {
  readonly identity: (f: Code) => void
  readonly two: (f: Code) => void
}

const COMBINE: Record<ReduceName, Combine> = {
  sum: { identity: (f) => f.f32x4.const(0), two: (f) => f.f32x4.add() },
  max: { identity: (f) => f.f32x4.const(-Infinity), two: (f) => f.f32x4.max() },
}

function accumulate(f: Code, combine: Combine, into: Local, value: Local): void {
  f.get(into)
  f.get(value)
  combine.two(f)
  f.set(into)
}

/** Pushes (l0 ∘ l2) ∘ (l1 ∘ l3), in lane 0. */
function withinLanes(f: Code, combine: Combine, lanes: Local): void {
  f.get(lanes)
  f.get(lanes)
  f.get(lanes)
  f.i8x16.shuffle([8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7])
  combine.two(f)
  f.tee(lanes)
  f.get(lanes)
  f.get(lanes)
  f.i8x16.shuffle([4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11])
  combine.two(f)
}
