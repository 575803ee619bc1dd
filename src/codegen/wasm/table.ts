/**
 * The table of sizes: one i32 for every size and address that kernels ask for, at the start of the memory. Code refers
 * to entries by place; binding fills in the numbers. So one module serves every batch size and length.
 */
import type { Size } from '../../tensor/size.ts'
import { type Buffer, CHUNK, PANEL } from '../program.ts'

/** Room for panels of a product whose contracted length is known only when it runs. */
export const SCRATCH_AT = 0
export const PANELS = 4
const TABLE_AT = SCRATCH_AT + 4 * CHUNK * PANEL * PANELS

export type Entry =
  | { readonly kind: 'size'; readonly size: Size }
  | { readonly kind: 'address'; readonly buffer: Buffer; readonly offset: Size }

export class SizeTable {
  readonly entries: Entry[] = []
  private readonly places = new Map<string, number>()

  /** Where in memory the value of a size stands. */
  size(size: Size): number {
    return this.place(`size ${size.key}`, { kind: 'size', size })
  }

  /** Where in memory the byte address of an element of a buffer stands. */
  address(buffer: Buffer, offset: Size): number {
    return this.place(`address ${buffer.id} ${offset.key}`, { kind: 'address', buffer, offset })
  }

  /** The first byte after the table. */
  get end(): number {
    return TABLE_AT + 4 * this.entries.length
  }

  placeOf(index: number): number {
    return TABLE_AT + 4 * index
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
