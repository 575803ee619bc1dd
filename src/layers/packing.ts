/**
 * Batches of unlike lengths inside a model: what is padded outside, [B, T, …], is packed as [N, …] with N = Σ lengths,
 * rows in order of their lengths (see tensor/packed-rows.ts). The numbers that say where things lie come in as inputs;
 * here stands how a graph moves values by them.
 */
import type { Packing } from '../graph/ops.ts'
import type { ScanResult, Values } from '../graph/scan.ts'
import { scanPacked } from '../graph/scan-packed.ts'
import { concat, gather, type Value } from '../graph/value.ts'
import { eachPacked, packRows } from '../tensor/packed-rows.ts'
import { mulSize, type Size, symbol } from '../tensor/size.ts'

/** Inputs that say how rows are packed, with their shapes; all are i32. */
const FIELDS = {
  /** How many steps each row has. */
  lengths: ['B'],
  /** How many rows are alive at each step. */
  counts: ['T'],
  /** Which row stands at each place. */
  order: ['B'],
  /** At which place each row stands. */
  places: ['B'],
  /** The row of each packed one. */
  rows: ['N'],
  /** Its step. */
  steps: ['N'],
  /** Where it lies in [B · T]. */
  from: ['N'],
  /** Where each step of each row lies in [N]; −1 where the row has ended. */
  to: ['B', 'T'],
  /** Where the one before it lies, in [B + N]: in [N], or for a first one the place of its row. */
  before: ['N'],
  /** Where the last one of the row at each place lies, in [B + N]. */
  last: ['B'],
} as const

type Field = keyof typeof FIELDS
const NAMES = Object.keys(FIELDS) as Field[]

/** A part of a window has a packing of its own, which its name tells apart. */
export const packingInput = (field: Field, part: string) => (part === '' ? field : `${field} ${part}`)
const totalOf = (part: string) => symbol(`N${part}`)

export function packingSpecs(steps: Size, part = '') {
  const sizes = { B: symbol('B'), T: steps, N: totalOf(part) }
  return NAMES.map((field) => ({
    name: packingInput(field, part),
    shape: FIELDS[field].map((size) => sizes[size]),
    dtype: 'i32' as const,
  }))
}

/** Numbers for the inputs, and the size that they bring. */
export function packingInputs(lengths: Int32Array, T: number, part = '') {
  const packed = packRows(lengths, T)
  const { counts, order, places, total } = packed
  const [rows, steps, from] = [new Int32Array(total), new Int32Array(total), new Int32Array(total)]
  const to = new Int32Array(lengths.length * T).fill(-1)
  const [before, last] = [new Int32Array(total), Int32Array.from(order.keys())]
  eachPacked(packed, (at, row, t) => {
    rows[at] = row
    steps[at] = t
    from[at] = row * T + t
    to[row * T + t] = at
    before[at] = last[places[row]!]!
    last[places[row]!] = lengths.length + at
  })
  const indices = { rows, steps, from, to, before, last }
  const numbers: Record<Field, Int32Array> = { lengths, counts, order, places, ...indices }
  return {
    inputs: NAMES.map((field) => [packingInput(field, part), numbers[field]] as const),
    size: [totalOf(part).key, total] as const,
  }
}

/** How the rows of a batch are packed, in the graph of a model. */
export class RowPacking {
  readonly sizes: Packing
  /** i32 [N]: the row of each packed one, and its step. */
  readonly rows: Value
  readonly steps: Value
  /** i32 [T]: how many rows are alive at each step. */
  readonly counts: Value
  /** i32 [B]: how many steps each row has, in the order of the batch. */
  readonly lengths: Value
  /** i32 [B]: which row stands at each place. */
  readonly order: Value
  readonly #get: (field: Field) => Value

  constructor(get: (name: string) => Value, part = '') {
    this.#get = (field) => get(packingInput(field, part))
    this.sizes = { rows: symbol('B'), alive: symbol(`alive${part}`), total: totalOf(part) }
    this.rows = this.#get('rows')
    this.steps = this.#get('steps')
    this.counts = this.#get('counts')
    this.lengths = this.#get('lengths')
    this.order = this.#get('order')
  }

  /** A scan over the rows that are alive at each step. */
  scan(
    options: { readonly carry: Values; readonly xs: Values; readonly reverse: boolean },
    step: (args: { readonly carry: Values; readonly x: Values }) => { carry: Values; y: Values },
  ): ScanResult<Values, Values> {
    return scanPacked({ ...options, packing: this.sizes, counts: this.counts }, step)
  }

  /** [B, T, …] → [N, …] */
  pack(padded: Value): Value {
    const [rows, steps, ...rest] = padded.shape
    return gather(padded.reshape([mulSize(rows!, steps!), ...rest]), this.#get('from'))
  }

  /** [N, …] → [B, T, …], 0 where a row has ended. */
  unpack(packed: Value): Value {
    return gather(packed, this.#get('to'))
  }

  /** [B, …] in order of the lengths. */
  sorted(value: Value): Value {
    return gather(value, this.order)
  }

  /** [B, …] in the order of the batch again. */
  unsorted(value: Value): Value {
    return gather(value, this.#get('places'))
  }

  /** `begin` [B, …] in order of the lengths and then the values [N, …], one step late; and each row's last one. */
  delayed(begin: Value, values: Value): { readonly before: Value; readonly final: Value } {
    const all = concat([begin, values], 0)
    return { before: gather(all, this.#get('before')), final: gather(all, this.#get('last')) }
  }
}
