/**
 * The matrix product: tiles of 4 rows and 8 columns, 8 vectors of sums in registers.
 * Holds: each element is summed from k = 0 upwards, a length known only when it runs in chunks of 256 whose sums are
 * added up, whatever tile it falls into: its bits depend on its row and column alone. The loop over k is not unrolled, and strides known when compiled stand in the code: both were measured.
 */
import { constantOf, ONE, type Size, ZERO } from '../../tensor/size.ts'
import { type Kernel, loadsOf, PANEL, type View } from '../program.ts'
import type { Local } from './assembler.ts'
import type { KernelCode, Operand } from './kernel.ts'
import { Expressions } from './lanes.ts'
import { emitPanel, setColumns } from './rows.ts'
import { PANEL_STEPS, SCRATCH_AT } from './table.ts'

type Matmul = Extract<Kernel, { kind: 'matmul' }>

const ROWS = 4
const HALVES = [0, 1] as const
const STEP_BYTES = 4 * PANEL

/** A matrix walked row by row, at the current panel's columns. */
interface RowCursor {
  readonly place: Local
  readonly rowBytes: Operand
}

interface Tiles {
  readonly kernel: Matmul
  readonly m: Operand
  readonly a: RowCursor
  readonly stepBytes: Operand
  readonly c: RowCursor
  readonly loads: ReadonlyMap<View, RowCursor>
  readonly columns: Local
  /** N is known to consist of whole panels. */
  readonly whole: boolean
  readonly expressions: Expressions
  readonly sums: readonly Local[]
  readonly b: readonly [Local, Local]
  readonly aAt: readonly Local[]
  readonly bAt: Local
}

export function emitMatmul(k: KernelCode, kernel: Matmul): void {
  const { f } = k
  const tiles = prepare(k, kernel)
  const n = k.operand(kernel.n)
  const steps = k.operand(kernel.k)
  const column = f.local('i32')
  k.loop(column, n, PANEL, () => {
    setColumns(k, tiles.columns, n, column)
    if (kernel.packed) emitPackedPanel(k, tiles, steps, column)
    else emitPanelByChunks(k, tiles, steps, column)
  })
}

function prepare(k: KernelCode, kernel: Matmul): Tiles {
  const { f } = k
  const cursor = (view: View): RowCursor => ({
    place: f.local('i32'),
    rowBytes: k.operand(view.strides[0]!, 4),
  })
  const columns = constantOf(kernel.n)
  return {
    kernel,
    m: k.operand(kernel.m),
    a: cursor(kernel.a),
    stepBytes: k.operand(kernel.a.strides[1]!, 4),
    c: cursor(kernel.into),
    loads: new Map(loadsOf(kernel.epilogue).map((view) => [view, cursor(view)])),
    columns: f.local('i32'),
    whole: columns !== undefined && columns % PANEL === 0,
    expressions: new Expressions(k, [kernel.epilogue]),
    sums: Array.from({ length: 2 * ROWS }, () => f.local('v128')),
    b: [f.local('v128'), f.local('v128')],
    aAt: Array.from({ length: ROWS }, () => f.local('i32')),
    bAt: f.local('i32'),
  }
}

/** place = the view's first element + column · stride */
function toColumn(k: KernelCode, place: Local, view: View, stride: Size, column: Local): void {
  const { f } = k
  f.get(k.pointer(view))
  if (stride !== ZERO) {
    f.get(column)
    k.push(k.operand(stride, 4))
    f.i32.mul()
    f.i32.add()
  }
  f.set(place)
}

function toPanel(k: KernelCode, tiles: Tiles, column: Local): void {
  toColumn(k, tiles.c.place, tiles.kernel.into, ONE, column)
  for (const [view, { place }] of tiles.loads) toColumn(k, place, view, view.strides[1]!, column)
}

/** The panel at `column` of packed panels: the whole contracted length at once. */
function emitPackedPanel(k: KernelCode, tiles: Tiles, steps: Operand, column: Local): void {
  const { f } = k
  const [panel, panelEnd] = [f.local('i32'), f.local('i32')]
  toPanel(k, tiles, column)
  f.get(k.pointer(tiles.kernel.a))
  f.set(tiles.a.place)
  // panel = panels + column · K · 4
  f.get(k.pointer(tiles.kernel.b))
  f.get(column)
  k.push(steps)
  f.i32.mul()
  f.i32.const(2)
  f.i32.shl()
  f.i32.add()
  f.tee(panel)
  k.push(steps)
  f.i32.const(STEP_BYTES)
  f.i32.mul()
  f.i32.add()
  f.set(panelEnd)
  emitRows(k, tiles, panel, panelEnd, () => {})
}

/** The panel at `column` of a matrix as it lies: chunks of the contracted length are packed and added up in c. */
function emitPanelByChunks(k: KernelCode, tiles: Tiles, steps: Operand, column: Local): void {
  const { f } = k
  const { kernel } = tiles
  const [rowStride, columnStride] = kernel.b.strides as [Size, Size]
  const rowBytes = k.operand(rowStride, 4)
  const [from, into, done, rows] = [f.local('i32'), f.local('i32'), f.local('i32'), f.local('i32')]
  const [panel, panelEnd] = [k.copyOf(SCRATCH_AT), f.local('i32')]
  toColumn(k, from, kernel.b, columnStride, column)
  f.i32.const(0)
  f.set(done)
  // Once at least: a sum of nothing is 0, and has to be written.
  f.loop((again) => {
    k.push(steps)
    f.get(done)
    f.i32.sub()
    f.tee(rows)
    f.i32.const(PANEL_STEPS)
    f.get(rows)
    f.i32.const(PANEL_STEPS)
    f.i32.ltU()
    f.select()
    f.set(rows)
    f.get(panel)
    f.set(into)
    emitPanel(k, { from, into, rows, columns: tiles.columns, rowBytes, columnStride })
    f.get(into)
    f.set(panelEnd)
    toPanel(k, tiles, column)
    f.get(k.pointer(kernel.a))
    f.get(done)
    k.push(tiles.stepBytes)
    f.i32.mul()
    f.i32.add()
    f.set(tiles.a.place)
    emitRows(k, tiles, panel, panelEnd, (rowCount) => emitContinue(k, tiles, done, rowCount))
    f.get(done)
    f.get(rows)
    f.i32.add()
    f.tee(done)
    k.push(steps)
    f.i32.ltU()
    f.brIf(again)
  })
}

/** Later chunks add to what the earlier ones left in c. */
function emitContinue(k: KernelCode, { c, sums }: Tiles, done: Local, rows: number): void {
  const { f } = k
  f.get(done)
  f.if(() => {
    for (let row = 0; row < rows; row++) {
      for (const half of HALVES) {
        const sum = sums[2 * row + half]!
        f.v128.load(pushRowAddress(k, c, row) + 16 * half)
        f.get(sum)
        f.f32x4.add()
        f.set(sum)
      }
    }
  })
}

/** All rows of one panel: tiles of four, then single rows. */
function emitRows(
  k: KernelCode,
  tiles: Tiles,
  panel: Local,
  panelEnd: Local,
  finish: (rows: number) => void,
): void {
  const { f } = k
  const [row, whole] = [f.local('i32'), f.local('i32')]
  k.push(tiles.m)
  f.i32.const(-ROWS)
  f.i32.and()
  f.set(whole)
  const walk = (rows: number, end: Operand, from: Operand) =>
    k.loop(
      row,
      end,
      rows,
      () => {
        emitTile(k, tiles, panel, panelEnd, rows)
        finish(rows)
        emitFinish(k, tiles, rows)
        for (const cursor of [tiles.a, tiles.c, ...tiles.loads.values()]) advanceRows(k, cursor, rows)
      },
      from,
    )
  walk(ROWS, whole, 0)
  if (typeof tiles.m !== 'number' || tiles.m % ROWS !== 0) walk(1, tiles.m, whole)
}

function advanceRows(k: KernelCode, { place, rowBytes }: RowCursor, rows: number): void {
  if (typeof rowBytes === 'number') {
    k.advance(place, rows * rowBytes)
    return
  }
  for (let row = 0; row < rows; row++) k.advance(place, rowBytes)
}

/** Pushes the address of a row of the tile; returns what is to be added to it as a constant. */
function pushRowAddress(k: KernelCode, { place, rowBytes }: RowCursor, row: number): number {
  const { f } = k
  f.get(place)
  if (typeof rowBytes === 'number' && rowBytes >= 0) return row * rowBytes
  if (row === 0) return 0
  k.push(rowBytes)
  f.i32.const(row)
  f.i32.mul()
  f.i32.add()
  return 0
}

/** The loop over k: sums += a · b. */
function emitTile(k: KernelCode, tiles: Tiles, panel: Local, panelEnd: Local, rows: number): void {
  const { f } = k
  const { a, b, aAt, bAt, sums, stepBytes } = tiles
  const oneAddress = typeof a.rowBytes === 'number' && a.rowBytes >= 0
  const addresses = oneAddress ? aAt.slice(0, 1) : aAt.slice(0, rows)
  for (const [row, address] of addresses.entries()) {
    pushRowAddress(k, a, row)
    f.set(address)
  }
  for (const sum of sums.slice(0, 2 * rows)) {
    f.f32x4.const(0)
    f.set(sum)
  }
  k.loop(
    bAt,
    panelEnd,
    STEP_BYTES,
    () => {
      for (const half of HALVES) {
        f.get(bAt)
        f.v128.load(16 * half)
        f.set(b[half])
      }
      f.scoped('v128', (element) => {
        for (let row = 0; row < rows; row++) {
          f.get(addresses[oneAddress ? 0 : row]!)
          f.v128.load32Splat(oneAddress ? row * (a.rowBytes as number) : 0)
          f.set(element)
          for (const half of HALVES) {
            const sum = sums[2 * row + half]!
            f.get(sum)
            f.get(element)
            f.get(b[half])
            f.f32x4.mul()
            f.f32x4.add()
            f.set(sum)
          }
        }
      })
      for (const address of addresses) k.advance(address, stepBytes)
    },
    panel,
  )
}

/** The epilogue and the stores of one tile. */
function emitFinish(k: KernelCode, tiles: Tiles, rows: number): void {
  const { f } = k
  const { kernel, sums, expressions, columns } = tiles
  for (let row = 0; row < rows; row++) {
    for (const half of HALVES) {
      const product = sums[2 * row + half]!
      const load = (view: View) => {
        const offset = pushRowAddress(k, tiles.loads.get(view)!, row)
        if (view.strides[1] === ZERO) f.v128.load32Splat(offset)
        else f.v128.load(offset + 16 * half)
      }
      expressions.at({ load, product }, [kernel.epilogue], () => f.set(product))
    }
  }
  const each = (store: (product: Local, row: number, half: 0 | 1) => void) => {
    for (let row = 0; row < rows; row++) for (const half of HALVES) store(sums[2 * row + half]!, row, half)
  }
  const whole = () =>
    each((product, row, half) => {
      const offset = pushRowAddress(k, tiles.c, row)
      f.get(product)
      f.v128.store(offset + 16 * half)
    })
  if (tiles.whole) {
    whole()
    return
  }
  f.get(columns)
  f.i32.const(PANEL)
  f.i32.eq()
  f.if(whole, () =>
    each((product, row, half) => {
      for (const lane of [0, 1, 2, 3]) {
        f.i32.const(4 * half + lane)
        f.get(columns)
        f.i32.ltU()
        f.if(() => {
          const offset = pushRowAddress(k, tiles.c, row)
          f.get(product)
          f.v128.store32Lane(lane, offset + 16 * half + 4 * lane)
        })
      }
    }),
  )
}
