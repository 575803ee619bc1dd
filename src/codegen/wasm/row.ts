/**
 * The product of a single row: as many sums side by side as keep them from waiting for each other. Each element is summed
 * from k = 0 upwards, as in the tiles of matmul.ts: the bits are the same.
 */
import { constantOf, ZERO } from '../../tensor/size.ts'
import type { Kernel, View } from '../program.ts'
import type { Local } from './assembler.ts'
import type { KernelCode } from './kernel.ts'
import { Expressions } from './lanes.ts'

type Row = Extract<Kernel, { kind: 'row' }>

export function emitRow(k: KernelCode, kernel: Row): void {
  const { f } = k
  const { block } = kernel
  const columns = constantOf(kernel.n)!
  const sums = Array.from({ length: block / 4 }, () => f.local('v128'))
  const expressions = new Expressions(k, [kernel.epilogue])
  const column = f.local('i32')
  const whole = columns - (columns % block)
  const emit = (width: number) => {
    const own = sums.slice(0, Math.ceil(width / 4))
    emitSums(k, kernel, column, own, width)
    emitFinish(k, kernel, expressions, column, own, width)
  }
  k.loop(column, whole, block, () => emit(block))
  if (whole < columns) emit(columns - whole)
}

/** sums = a · b, for a block of `width` columns from `column` on. */
function emitSums(k: KernelCode, row: Row, column: Local, sums: readonly Local[], width: number): void {
  const { a, b } = row
  const { f } = k
  const [aAt, bAt, end, element] = [f.local('i32'), f.local('i32'), f.local('i32'), f.local('v128')]
  const steps = constantOf(row.k)!
  f.get(k.pointer(a))
  f.set(aAt)
  f.get(k.pointer(b))
  f.get(column)
  f.i32.const(4 * steps)
  f.i32.mul()
  f.i32.add()
  f.tee(bAt)
  f.i32.const(4 * steps * width)
  f.i32.add()
  f.set(end)
  for (const sum of sums) {
    f.f32x4.const(0)
    f.set(sum)
  }
  const step = k.operand(a.strides[1]!, 4)
  k.loop(
    bAt,
    end,
    4 * width,
    () => {
      f.get(aAt)
      f.v128.load32Splat()
      f.set(element)
      for (const [i, sum] of sums.entries()) {
        f.get(sum)
        f.get(element)
        f.get(bAt)
        f.v128.load(16 * i)
        f.f32x4.mul()
        f.f32x4.add()
        f.set(sum)
      }
      k.advance(aAt, step)
    },
    bAt,
  )
}

/** The epilogue, and the stores of `width` columns. */
function emitFinish(
  k: KernelCode,
  { into, epilogue }: Row,
  expressions: Expressions,
  column: Local,
  sums: readonly Local[],
  width: number,
): void {
  const { f } = k
  const pushAt = (view: View) => {
    f.get(k.pointer(view))
    if (view.strides[1] === ZERO) return
    f.get(column)
    f.i32.const(2)
    f.i32.shl()
    f.i32.add()
  }
  for (const [i, product] of sums.entries()) {
    const left = width - 4 * i
    const load = (view: View) => {
      pushAt(view)
      if (view.strides[1] === ZERO) f.v128.load32Splat()
      else f.v128.load(16 * i)
    }
    expressions.at({ load, product }, [epilogue], () => f.set(product))
    if (left >= 4) {
      pushAt(into)
      f.get(product)
      f.v128.store(16 * i)
      continue
    }
    for (let lane = 0; lane < left; lane++) {
      pushAt(into)
      f.get(product)
      f.v128.store32Lane(lane, 16 * i + 4 * lane)
    }
  }
}
