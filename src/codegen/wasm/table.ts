/**
 * The table of sizes: one i32 for every size and address that kernels ask for, at the start of the memory, or one for each thread. Code refers
 * to entries by place; binding fills in the numbers. So one module serves every batch size and length.
 */
import { type Bindings, evaluateSize, type Size } from '../../tensor/size.ts'
import type { Arena } from '../arena.ts'
import { type Buffer, CHUNK, PANEL } from '../program.ts'
import type { Code } from './assembler.ts'

/** Room for panels of a product whose contracted length is known only when it runs. */
export const SCRATCH_AT = 0
export const PANELS = 4
const TABLE_AT = SCRATCH_AT + 4 * CHUNK * PANEL * PANELS

export type Entry =
  | { readonly kind: 'size'; readonly size: Size }
  | { readonly kind: 'address'; readonly buffer: Buffer; readonly offset: Size }

export class SizeTable {
  readonly entries: Entry[] = []
  /** Whether each thread has a table of its own, at an address that it is told; else it begins at 0. */
  readonly own: boolean
  private readonly places = new Map<string, number>()

  constructor(own = false) {
    this.own = own
  }

  /** Pushes where the table begins. */
  push(f: Code): void {
    if (this.own) f.table()
    else f.i32.const(0)
  }

  /** Where in the table the value of a size stands. */
  size(size: Size): number {
    return this.place(`size ${size.key}`, { kind: 'size', size })
  }

  /** Where in the table the byte address of an element of a buffer stands. */
  address(buffer: Buffer, offset: Size): number {
    return this.place(`address ${buffer.id} ${offset.key}`, { kind: 'address', buffer, offset })
  }

  /** Bytes of the table. */
  get end(): number {
    return TABLE_AT + 4 * this.entries.length
  }

  placeOf(index: number): number {
    return TABLE_AT + 4 * index
  }

  /** Fills in the numbers of the table that begins at a place. */
  fill(memory: ArrayBufferLike, at: number, { addresses }: Arena, bindings: Bindings): void {
    const words = new Int32Array(memory, at)
    for (const [i, entry] of this.entries.entries()) {
      words[this.placeOf(i) / 4] =
        entry.kind === 'size'
          ? evaluateSize(entry.size, bindings)
          : addresses.get(entry.buffer)! + 4 * evaluateSize(entry.offset, bindings)
    }
  }

  private place(key: string, entry: Entry): number {
    let index = this.places.get(key)
    if (index === undefined) {
      index = this.entries.push(entry) - 1
      this.places.set(key, index)
    }
    return this.placeOf(index)
  }
}
