/**
 * The matrix product: tiles of 4 rows and 8 columns, 8 vectors of sums in registers.
 * Holds: each element is summed from k = 0 upwards, a length known only when it runs in chunks of 256 whose sums are
 * added up, whatever tile it falls into: its bits depend on its row and column alone. The loop over k is not unrolled, and strides known when compiled stand in the code: both were measured.
 */
import { constantOf, ONE, type Size, ZERO } from '../../tensor/size.ts'
import { CHUNK, type Kernel, loadsOf, PANEL, type View } from '../program.ts'
import type { Local } from './assembler.ts'
import type { KernelCode, Operand } from './kernel.ts'
import { Expressions } from './lanes.ts'
import { emitPanel, setColumns } from './panels.ts'
import { PANELS } from './table.ts'

type Matmul = Extract<Kernel, { kind: 'matmul' }>

export const ROWS = 4
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
  const tiles = prepare(k, kernel)
  const steps = k.operand(kernel.k)
  if (!kernel.packed) emitChunks(k, tiles, steps)
  else eachPanel(k, tiles, (column) => emitPackedPanel(k, tiles, steps, column))
}

function eachPanel(k: KernelCode, tiles: Tiles, emit: (column: Local) => void): void {
  const n = k.operand(tiles.kernel.n)
  const column = k.f.local('i32')
  k.loop(column, n, PANEL, () => {
    setColumns(k, tiles.columns, n, column)
    emit(column)
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
  emitRows(k, tiles, { panel, panelEnd, abreast: 1 }, () => {})
}

/** Chunks of the contracted length, one after the other: each is added to what the ones before left in c. */
function emitChunks(k: KernelCode, tiles: Tiles, steps: Operand): void {
  const { f } = k
  const { kernel } = tiles
  const [rowStride, columnStride] = kernel.b.strides as [Size, Size]
  const rowBytes = k.operand(rowStride, 4)
  const [from, into, done, rows] = [f.local('i32'), f.local('i32'), f.local('i32'), f.local('i32')]
  const [panel, panelEnd, start] = [f.local('i32'), f.local('i32'), f.local('i32')]
  const first = f.local('i32')
  const n = k.operand(kernel.n)
  const isWide = typeof n === 'number' && n % (PANEL * PANELS) === 0 && columnStride === ONE
  const abreast = isWide ? PANELS : 1
  f.i32.const(0)
  f.set(done)
  // Once at least: a sum of nothing is 0, and has to be written.
  f.loop((again) => {
    k.push(steps)
    f.get(done)
    f.i32.sub()
    f.set(rows)
    k.bound(rows, CHUNK)
    pushMoved(k, k.pointer(kernel.a), done, tiles.stepBytes)
    f.set(start)
    k.loop(first, n, PANEL * abreast, () => {
      toColumn(k, from, kernel.b, columnStride, first)
      pushMoved(k, from, done, rowBytes)
      f.set(from)
      setColumns(k, tiles.columns, n, first)
      k.pushScratch()
      f.tee(panel)
      f.set(into)
      if (abreast > 1) emitPanelsAbreast(k, from, into, rows, rowBytes)
      else emitPanel(k, { from, into, rows, columns: tiles.columns, rowBytes, columnStride })
      pushMoved(k, panel, rows, STEP_BYTES)
      f.set(panelEnd)
      toPanel(k, tiles, first)
      f.get(start)
      f.set(tiles.a.place)
      emitRows(k, tiles, { panel, panelEnd, abreast }, (rowCount) => emitContinue(k, tiles, done, rowCount))
    })
    f.get(done)
    f.get(rows)
    f.i32.add()
    f.tee(done)
    k.push(steps)
    f.i32.ltU()
    f.brIf(again)
  })
}

/** Copies rows of whole panels side by side, so that a line of memory is used whole when it is there. */
function emitPanelsAbreast(k: KernelCode, from: Local, into: Local, rows: Local, rowBytes: Operand): void {
  const { f } = k
  k.loop(f.local('i32'), rows, 1, () => {
    for (let i = 0; i < PANELS; i++) {
      for (const half of HALVES) {
        f.get(into)
        f.get(from)
        f.v128.load(STEP_BYTES * i + 16 * half)
        f.v128.store(CHUNK * STEP_BYTES * i + 16 * half)
      }
    }
    k.advance(from, rowBytes)
    k.advance(into, STEP_BYTES)
  })
}

/** Pushes place + count · bytes. */
function pushMoved(k: KernelCode, place: Local, count: Local, bytes: Operand): void {
  const { f } = k
  f.get(place)
  f.get(count)
  k.push(bytes)
  f.i32.mul()
  f.i32.add()
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

/** A panel, or the first of some beside each other, CHUNK steps apart. */
interface Panels {
  readonly panel: Local
  readonly panelEnd: Local
  readonly abreast: number
}

/** All rows of panels: tiles of four, then single rows. */
function emitRows(
  k: KernelCode,
  tiles: Tiles,
  { panel, panelEnd, abreast }: Panels,
  finish: (rows: number) => void,
): void {
  const { f } = k
  const [row, whole, next] = [f.local('i32'), f.local('i32'), f.local('i32')]
  const emitOne = (rows: number) => {
    emitTile(k, tiles, panel, panelEnd, rows)
    finish(rows)
    emitFinish(k, tiles, rows)
  }
  // The rows stay where they are near while the panels beside each other go by.
  const emitAll = (rows: number) => {
    const move = (times: number) => {
      for (const place of [panel, panelEnd]) k.advance(place, times * CHUNK * STEP_BYTES)
      k.advance(tiles.c.place, times * STEP_BYTES)
    }
    k.loop(next, abreast, 1, () => {
      emitOne(rows)
      move(1)
    })
    move(-abreast)
  }
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
        if (abreast === 1) emitOne(rows)
        else emitAll(rows)
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
