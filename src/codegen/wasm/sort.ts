/** Sorting: a stable merge sort of indices, bottom up, row by row. */
import type { Kernel } from '../program.ts'
import type { Local } from './assembler.ts'
import type { KernelCode, Operand } from './kernel.ts'

/** One run of a merge: indices of `from` in order at `read`, merged in pairs of `width` to `write`. */
interface Merge {
  readonly n: Operand
  readonly from: Local
  readonly read: Local
  readonly write: Local
  readonly width: Local
}

export function emitArgsort(k: KernelCode, kernel: Extract<Kernel, { kind: 'argsort' }>): void {
  const { f } = k
  const [rows, n, rowBytes] = [k.operand(kernel.rows), k.operand(kernel.n), k.operand(kernel.n, 4)]
  const [from, into] = [k.copyOf(k.pointer(kernel.from)), k.copyOf(k.pointer(kernel.into))]
  const [row, i, width] = [f.local('i32'), f.local('i32'), f.local('i32')]
  const [read, write, swap] = [f.local('i32'), f.local('i32'), f.local('i32')]
  k.loop(row, rows, 1, () => {
    k.loop(i, n, 1, () => {
      pushAt(k, into, i)
      f.get(i)
      f.i32.store()
    })
    f.get(into)
    f.set(read)
    f.get(k.pointer(kernel.work))
    f.set(write)
    f.i32.const(1)
    f.set(width)
    f.block((done) =>
      f.loop((again) => {
        f.get(width)
        k.push(n)
        f.i32.geU()
        f.brIf(done)
        emitMerges(k, { n, from, read, write, width })
        f.get(read)
        f.set(swap)
        f.get(write)
        f.set(read)
        f.get(swap)
        f.set(write)
        k.advance(width, width)
        f.br(again)
      }),
    )
    f.get(read)
    f.get(into)
    f.i32.ne()
    f.if(() => {
      f.get(into)
      f.get(read)
      k.push(rowBytes)
      f.memoryCopy()
    })
    k.advance(from, rowBytes)
    k.advance(into, rowBytes)
  })
}

/** Merges each pair of neighboring runs. */
function emitMerges(k: KernelCode, merge: Merge): void {
  const { f } = k
  const { n, width } = merge
  const [low, middle, high] = [f.local('i32'), f.local('i32'), f.local('i32')]
  const [i, j, at] = [f.local('i32'), f.local('i32'), f.local('i32')]
  f.i32.const(0)
  f.set(low)
  f.loop((next) => {
    setLeast(k, middle, low, width, n)
    setLeast(k, high, middle, width, n)
    f.get(low)
    f.set(i)
    f.get(middle)
    f.set(j)
    k.loop(
      at,
      high,
      1,
      () => {
        pushTakesRight(k, merge, i, middle, j, high)
        f.if(
          () => take(k, merge, at, j),
          () => take(k, merge, at, i),
        )
      },
      low,
    )
    f.get(high)
    f.set(low)
    f.get(low)
    k.push(n)
    f.i32.ltU()
    f.brIf(next)
  })
}

/** local = min(start + width, n) */
function setLeast(k: KernelCode, local: Local, start: Local, width: Local, n: Operand): void {
  const { f } = k
  f.get(start)
  f.get(width)
  f.i32.add()
  f.tee(local)
  k.push(n)
  f.get(local)
  k.push(n)
  f.i32.ltU()
  f.select()
  f.set(local)
}

/** Pushes whether the next is the right run's: it has one, and the left has none or a greater. */
function pushTakesRight(k: KernelCode, merge: Merge, i: Local, middle: Local, j: Local, high: Local): void {
  const { f } = k
  f.scoped('i32', (right) => {
    f.i32.const(0)
    f.set(right)
    f.get(j)
    f.get(high)
    f.i32.ltU()
    f.if(() => {
      f.get(i)
      f.get(middle)
      f.i32.geU()
      f.if(
        () => {
          f.i32.const(1)
          f.set(right)
        },
        () => {
          pushKey(k, merge, j)
          pushKey(k, merge, i)
          f.f32.lt()
          f.set(right)
        },
      )
    })
    f.get(right)
  })
}

/** Pushes the number that an index in the runs stands for, NaN as ∞. */
function pushKey(k: KernelCode, { from, read }: Merge, position: Local): void {
  const { f } = k
  f.scoped('f32', (key) => {
    f.get(from)
    pushAt(k, read, position)
    f.i32.load()
    f.i32.const(2)
    f.i32.shl()
    f.i32.add()
    f.f32.load()
    f.tee(key)
    f.f32.const(Infinity)
    f.get(key)
    f.get(key)
    f.f32.eq()
    f.select()
  })
}

/** write[at] = read[position++] */
function take(k: KernelCode, { read, write }: Merge, at: Local, position: Local): void {
  const { f } = k
  pushAt(k, write, at)
  pushAt(k, read, position)
  f.i32.load()
  f.i32.store()
  k.advance(position, 1)
}

/** Pushes base + 4 · index. */
function pushAt(k: KernelCode, base: Local, index: Local): void {
  const { f } = k
  f.get(base)
  f.get(index)
  f.i32.const(2)
  f.i32.shl()
  f.i32.add()
}
