/** Kernels that move panels of a matrix. */
import { ONE, type Size } from '../../tensor/size.ts'
import { type Kernel, PANEL } from '../program.ts'
import type { Local } from './assembler.ts'
import type { KernelCode, Operand } from './kernel.ts'

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
