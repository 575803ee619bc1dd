/** What the emitters of all kernels share: sizes as operands, loops, and cursors that walk over nested axes. */
import { constantOf, type Shape, type Size, ZERO } from '../../tensor/size.ts'
import type { Kernel, View } from '../program.ts'
import type { Code, Local } from './assembler.ts'
import { SCRATCH_AT, type SizeTable } from './table.ts'

/** A number known when compiled, or a local that holds it. */
export type Operand = number | Local

/** A place that moves through a nest of axes: a byte address, or an index. */
export interface Cursor {
  readonly start: Operand
  readonly strides: readonly Size[]
  /** What one step of a stride adds: 4 for addresses in bytes, 1 for indices. */
  readonly unit: 4 | 1
}

/** Element-wise functions whose emitters are loaded only for programs that have them. */
export type RareFunction = 'sin' | 'cos' | 'floorDiv' | 'mod' | 'random'

/** Kernels of which the same is true. */
export type RareKernel = 'gather' | 'argsort' | 'scatterAdd' | 'firsts' | 'setRows' | 'row'

export type Emitters<K extends string> = {
  readonly [E in K]: (k: KernelCode, kernel: Extract<Kernel, { kind: E }>) => void
}

/** Emitters of what few programs need; see rare.ts. */
export interface Rare {
  readonly apply: Readonly<Record<RareFunction, (f: Code) => void>>
  readonly kernels: Emitters<RareKernel>
}

/** One kernel's function while it is emitted. */
export class KernelCode {
  readonly f: Code
  /** There where the program needs it. */
  readonly rare: Rare | undefined
  private readonly table: SizeTable
  private readonly pointers: ReadonlyMap<View, Local>

  constructor(f: Code, table: SizeTable, pointers: ReadonlyMap<View, Local>, rare?: Rare) {
    this.rare = rare
    this.f = f
    this.table = table
    this.pointers = pointers
  }

  /** The address of a view's first element. */
  pointer(view: View): Local {
    return this.pointers.get(view)!
  }

  cursor(view: View): Cursor {
    return { start: this.pointer(view), strides: view.strides, unit: 4 }
  }

  /** size · scale; what is not constant is loaded here, once, so ask before loops begin. */
  operand(size: Size, scale = 1): Operand {
    const known = constantOf(size)
    if (known !== undefined) return known * scale
    const local = this.f.local('i32')
    this.pushSize(size)
    if (scale !== 1) {
      this.f.i32.const(scale)
      this.f.i32.mul()
    }
    this.f.set(local)
    return local
  }

  pushSize(size: Size): void {
    const known = constantOf(size)
    if (known !== undefined) this.f.i32.const(known)
    else {
      this.table.push(this.f)
      this.f.i32.load(this.table.size(size))
    }
  }

  /** Pushes where this thread's panels are packed on the way. */
  pushScratch(): void {
    this.table.push(this.f)
    this.f.i32.const(SCRATCH_AT)
    this.f.i32.add()
  }

  push(operand: Operand): void {
    if (typeof operand === 'number') this.f.i32.const(operand)
    else this.f.get(operand)
  }

  /** local += amount */
  advance(local: Local, amount: Operand): void {
    if (amount === 0) return
    this.f.get(local)
    this.push(amount)
    this.f.i32.add()
    this.f.set(local)
  }

  /** local = min(local, bound), both unsigned */
  bound(local: Local, bound: Operand): void {
    const { f } = this
    f.get(local)
    this.push(bound)
    f.get(local)
    this.push(bound)
    f.i32.ltU()
    f.select()
    f.set(local)
  }

  copyOf(operand: Operand): Local {
    const local = this.f.local('i32')
    this.push(operand)
    this.f.set(local)
    return local
  }

  /** for (at = start; at < end; at += step) body, with unsigned comparison. */
  loop(at: Local, end: Operand, step: number, body: () => void, start: Operand = 0): void {
    const { f } = this
    this.push(start)
    f.set(at)
    const more = () => {
      f.get(at)
      this.push(end)
      f.i32.ltU()
    }
    more()
    f.if(() =>
      f.loop((again) => {
        body()
        this.advance(at, step)
        more()
        f.brIf(again)
      }),
    )
  }

  /** Loops over axes, outermost first; `body` gets where each cursor stands. */
  nest(shape: Shape, cursors: readonly Cursor[], body: (places: Operand[]) => void): void {
    const ends = shape.map((size) => this.operand(size))
    const moves = cursors.map(({ strides, unit }) =>
      shape.map((_, axis) => this.operand(strides[axis]!, unit)),
    )
    const level = (axis: number, places: Operand[]): void => {
      if (axis === shape.length) {
        body(places)
        return
      }
      const moving = cursors.map(({ strides }) => strides[axis] !== ZERO)
      const inner = places.map((place, i) => (moving[i] ? this.copyOf(place) : place))
      this.loop(this.f.local('i32'), ends[axis]!, 1, () => {
        level(axis + 1, inner)
        for (const [i, place] of inner.entries())
          if (moving[i]) this.advance(place as Local, moves[i]![axis]!)
      })
    }
    level(
      0,
      cursors.map(({ start }) => start),
    )
  }
}
