/** Kernels that move rows by their indices: gather, its adjoint, and what writes rows into a table. */
import type { Size } from '../../tensor/size.ts'
import type { Kernel } from '../program.ts'
import type { Local } from './assembler.ts'
import type { KernelCode, Operand } from './kernel.ts'

/** Copies rows of the table; an index outside it gives zeros. */
export function emitGather(k: KernelCode, kernel: Extract<Kernel, { kind: 'gather' }>): void {
  const { f } = k
  const table = k.pointer(kernel.table)
  eachRow(k, kernel, k.pointer(kernel.indices), k.copyOf(k.pointer(kernel.into)), (row, index, v, bytes) => {
    f.get(index)
    k.push(v)
    f.i32.ltU()
    f.if(
      () => {
        f.get(row)
        pushRow(k, table, index, bytes)
        k.push(bytes)
        f.memoryCopy()
      },
      () => {
        f.get(row)
        f.i32.const(0)
        k.push(bytes)
        f.memoryFill()
      },
    )
  })
}

/** Adds rows to the table's, in their order; an index outside it is passed over. */
export function emitScatterAdd(k: KernelCode, kernel: Extract<Kernel, { kind: 'scatterAdd' }>): void {
  const { f } = k
  const into = k.pointer(kernel.into)
  f.get(into)
  f.i32.const(0)
  k.push(k.operand(kernel.v))
  k.push(k.operand(kernel.d, 4))
  f.i32.mul()
  f.memoryFill()
  const [at, target] = [f.local('i32'), f.local('i32')]
  eachRow(k, kernel, k.pointer(kernel.indices), k.copyOf(k.pointer(kernel.from)), (row, index, v, bytes) => {
    f.get(index)
    k.push(v)
    f.i32.ltU()
    f.if(() => {
      pushRow(k, into, index, bytes)
      f.set(target)
      const add = (group: 'f32' | 'v128') => {
        const address = (of: Local) => {
          f.get(of)
          f.get(at)
          f.i32.add()
        }
        address(target)
        address(target)
        f[group].load()
        address(row)
        f[group].load()
        if (group === 'f32') f.f32.add()
        else f.f32x4.add()
        f[group].store()
      }
      const whole = f.local('i32')
      k.push(bytes)
      f.i32.const(-16)
      f.i32.and()
      f.set(whole)
      k.loop(at, whole, 16, () => add('v128'))
      k.loop(at, bytes, 4, () => add('f32'), whole)
    })
  })
}

/** A backward walk leaves in each row's word where its index stands first; words of other rows are never read. */
export function emitFirsts(
  k: KernelCode,
  { n, v, from, work, into }: Extract<Kernel, { kind: 'firsts' }>,
): void {
  const { f } = k
  const [end, rows, indices] = [k.operand(n, 4), k.operand(v), k.pointer(from)]
  const [at, index, last] = [f.local('i32'), f.local('i32'), f.local('i32')]
  const isThere = () => {
    f.get(index)
    k.push(rows)
    f.i32.ltU()
  }
  k.push(end)
  f.i32.const(4)
  f.i32.sub()
  f.set(last)
  k.loop(at, end, 4, () => {
    loadIndex(k, indices, index, () => {
      f.get(last)
      f.get(at)
      f.i32.sub()
    })
    isThere()
    f.if(() => {
      pushRow(k, k.pointer(work), index, 4)
      f.get(last)
      f.get(at)
      f.i32.sub()
      f.i32.const(2)
      f.i32.shrU()
      f.i32.store()
    })
  })
  k.loop(at, end, 4, () => {
    loadIndex(k, indices, index, () => f.get(at))
    f.get(k.pointer(into))
    f.get(at)
    f.i32.add()
    isThere()
    f.if(
      () => {
        pushRow(k, k.pointer(work), index, 4)
        f.i32.load()
        f.set(index)
      },
      () => {
        f.i32.const(-1)
        f.set(index)
      },
    )
    f.get(index)
    f.i32.store()
  })
}

/** Copies rows into the table, backwards: of several for one row the first is the last. */
export function emitSetRows(k: KernelCode, kernel: Extract<Kernel, { kind: 'setRows' }>): void {
  const { f } = k
  const [end, rows, bytes] = [k.operand(kernel.n, 4), k.operand(kernel.v), k.operand(kernel.d, 4)]
  const [at, index, row] = [f.local('i32'), f.local('i32'), f.local('i32')]
  pushRow(k, k.pointer(kernel.from), k.copyOf(k.operand(kernel.n)), bytes)
  f.set(row)
  k.loop(at, end, 4, () => {
    f.get(row)
    k.push(bytes)
    f.i32.sub()
    f.set(row)
    loadIndex(k, k.pointer(kernel.indices), index, () => {
      k.push(end)
      f.i32.const(4)
      f.i32.sub()
      f.get(at)
      f.i32.sub()
    })
    f.get(index)
    k.push(rows)
    f.i32.ltU()
    f.if(() => {
      pushRow(k, k.pointer(kernel.into), index, bytes)
      f.get(row)
      k.push(bytes)
      f.memoryCopy()
    })
  })
}

type Rows = { readonly n: Size; readonly v: Size; readonly d: Size }

function eachRow(
  k: KernelCode,
  { n, v, d }: Rows,
  indices: Local,
  row: Local,
  body: (row: Local, index: Local, v: Operand, bytes: Operand) => void,
): void {
  const { f } = k
  const [end, rows, bytes] = [k.operand(n, 4), k.operand(v), k.operand(d, 4)]
  const [at, index] = [f.local('i32'), f.local('i32')]
  k.loop(at, end, 4, () => {
    loadIndex(k, indices, index, () => f.get(at))
    body(row, index, rows, bytes)
    k.advance(row, bytes)
  })
}

/** Loads the index at a place in bytes. */
function loadIndex(k: KernelCode, indices: Local, index: Local, pushPlace: () => void): void {
  const { f } = k
  f.get(indices)
  pushPlace()
  f.i32.add()
  f.i32.load()
  f.set(index)
}

/** Pushes table + index · bytes. */
function pushRow(k: KernelCode, table: Local, index: Local, bytes: Operand): void {
  k.push(table)
  k.push(index)
  k.push(bytes)
  k.f.i32.mul()
  k.f.i32.add()
}
