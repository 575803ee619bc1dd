/** Kernels that move whole rows: gather, its adjoint, and panels of a matrix. */
import { ONE, type Size } from '../../tensor/size.ts'
import { type Kernel, PANEL } from '../program.ts'
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
    f.get(indices)
    f.get(at)
    f.i32.add()
    f.i32.load()
    f.set(index)
    body(row, index, rows, bytes)
    k.advance(row, bytes)
  })
}

/** Pushes table + index · bytes. */
function pushRow(k: KernelCode, table: Local, index: Local, bytes: Operand): void {
  k.push(table)
  k.push(index)
  k.push(bytes)
  k.f.i32.mul()
  k.f.i32.add()
}

export interface PanelSource {
  /** The panel's first element; moved along k. */
  readonly from: Local
  /** Where panels are written; moved along k. */
  readonly into: Local
  /** Rows to copy. */
  readonly rows: Operand
  /** Columns of the panel that exist, at most PANEL. */
  readonly columns: Operand
  readonly rowBytes: Operand
  readonly columnStride: Size
}

/** Copies rows of one panel, its missing columns filled up with zeros. */
export function emitPanel(k: KernelCode, source: PanelSource): void {
  const { f } = k
  const { from, into, columns, columnStride } = source
  const row = f.local('i32')
  const columnBytes = k.operand(columnStride, 4)
  const eachRowOf = (copy: () => void) =>
    k.loop(row, source.rows, 1, () => {
      copy()
      k.advance(from, source.rowBytes)
      k.advance(into, 4 * PANEL)
    })
  const half = (first: number) => {
    f.get(into)
    if (columnStride === ONE) {
      f.get(from)
      f.v128.load(4 * first)
    } else pushLanes(k, from, columnBytes, first)
    f.v128.store(4 * first)
  }
  k.push(columns)
  f.i32.const(PANEL)
  f.i32.eq()
  f.if(
    () =>
      eachRowOf(() => {
        half(0)
        half(4)
      }),
    () => {
      const [column, place] = [f.local('i32'), f.local('i32')]
      eachRowOf(() => {
        for (const first of [0, 4]) {
          f.get(into)
          f.i32x4.const(0)
          f.v128.store(4 * first)
        }
        f.get(from)
        f.set(place)
        k.loop(column, columns, 1, () => {
          f.get(column)
          f.i32.const(2)
          f.i32.shl()
          f.get(into)
          f.i32.add()
          f.get(place)
          f.f32.load()
          f.f32.store()
          k.advance(place, columnBytes)
        })
      })
    },
  )
}

/** Pushes four elements that lie a stride apart, from number `first` on. */
function pushLanes(k: KernelCode, from: Local, stride: Operand, first: number): void {
  const { f } = k
  const address = (lane: number): number => {
    f.get(from)
    if (typeof stride === 'number' && stride >= 0) return stride * lane
    k.push(stride)
    f.i32.const(lane)
    f.i32.mul()
    f.i32.add()
    return 0
  }
  const offset = address(first)
  f.v128.load32Zero(offset)
  f.scoped('v128', (lanes) => {
    f.set(lanes)
    for (const lane of [1, 2, 3]) {
      const at = address(first + lane)
      f.get(lanes)
      f.v128.load32Lane(lane, at)
      f.set(lanes)
    }
    f.get(lanes)
  })
}

/** All panels of a matrix [K, N]. */
export function emitPack(k: KernelCode, kernel: Extract<Kernel, { kind: 'pack' }>): void {
  const { f } = k
  const [rowStride, columnStride] = kernel.from.strides as [Size, Size]
  const [rows, n] = [k.operand(kernel.k), k.operand(kernel.n)]
  const [rowBytes, panelBytes] = [k.operand(rowStride, 4), k.operand(columnStride, 4 * PANEL)]
  const panel = k.copyOf(k.pointer(kernel.from))
  const into = k.copyOf(k.pointer(kernel.into))
  const from = f.local('i32')
  const [column, columns] = [f.local('i32'), f.local('i32')]
  k.loop(column, n, PANEL, () => {
    f.get(panel)
    f.set(from)
    setColumns(k, columns, n, column)
    emitPanel(k, { from, into, rows, columns, rowBytes, columnStride })
    k.advance(panel, panelBytes)
  })
}

/** columns = min(n − column, PANEL) */
export function setColumns(k: KernelCode, columns: Local, n: Operand, column: Local): void {
  const { f } = k
  k.push(n)
  f.get(column)
  f.i32.sub()
  f.set(columns)
  k.bound(columns, PANEL)
}
