/**
 * A program for several threads: phases between which all of them wait for each other. Within a phase each computes its
 * part of the elements, in the very order in which one thread would: the bits do not depend on how many there are.
 */
import {
  constantOf,
  maxSize,
  minSize,
  ONE,
  productOf,
  type Size,
  subSize,
  symbol,
  ZERO,
} from '../../tensor/size.ts'
import {
  type Buffer,
  type Kernel,
  kernelsOf,
  type Phase,
  type Program,
  readBy,
  type Share,
  type Step,
  type View,
  writtenBy,
} from '../program.ts'
import { cut, cutPanels, type Part, walkOf } from './cut.ts'
import { cutRows, type OwnerOf } from './rows.ts'

/** Elements from which on a kernel of known size is worth a wait. */
const WORTH = 8192

export interface SplitOptions {
  /** Rows of a matrix product that are computed at once. */
  readonly tileRows: number
  /** Columns of a panel. */
  readonly panel: number
}

export function split(program: Program, options: SplitOptions): Program {
  const ownerOf: OwnerOf = (buffer) => program.aliases.get(buffer) ?? buffer
  const { steps, prepared = 0 } = program
  const splitting = new Splitting(ownerOf, options, steps)
  for (const step of steps.slice(0, prepared)) splitting.add(step)
  const first = splitting.end().length
  for (const step of steps.slice(prepared)) splitting.add(step)
  const phases = splitting.end()
  return {
    ...program,
    threads: { phases, prepared: first, shares: splitting.shares, isAlone: splitting.isAlone },
    steps: phases.flatMap(({ alone, shared }) => [...alone, ...shared]),
  }
}

/** Buffers that a step reads, and those it writes. */
interface Owners {
  readonly read: ReadonlySet<Buffer>
  readonly written: ReadonlySet<Buffer>
}

/** What a phase touches so far, and what of it is cut by rows. */
interface Open {
  readonly alone: Step[]
  readonly shared: Step[]
  /** Steps as they were, which are cut by these rows; their cuts are made when the phase ends. */
  readonly byRow: Step[]
  rows: Size | undefined
}

class Splitting {
  readonly shares: Share[] = []
  readonly #ownerOf: OwnerOf
  readonly #options: SplitOptions
  readonly #phases: Phase[] = []
  readonly #owners = new Map<Step, Owners>()
  /** The rows of the first loop that is cut by rows. */
  readonly #rows: Size | undefined
  #open: Open = { alone: [], shared: [], byRow: [], rows: undefined }

  constructor(ownerOf: OwnerOf, options: SplitOptions, steps: readonly Step[]) {
    this.#ownerOf = ownerOf
    this.#options = options
    const loops = steps.filter((step) => step.kind === 'loop' && step.loop.rows === undefined)
    for (const loop of loops as Extract<Step, { kind: 'loop' }>[]) this.#rows ??= this.#rowsOf(loop)
  }

  add(step: Step): void {
    if (this.#joins(step)) return
    this.#close()
    this.#joins(step)
  }

  /** Puts a step into the open phase; false where it would have to wait for another step of it. */
  #joins(step: Step): boolean {
    if (this.#joinsRows(step, this.#open.rows ?? this.#rows)) return true
    const { alone, shared, byRow } = this.#open
    const free = step.kind === 'call' ? this.#freely(step.kernel) : undefined
    if (free !== undefined) {
      if (this.#meets(step, [...alone, ...shared, ...byRow])) return false
      shared.push({ kind: 'call', kernel: free })
      return true
    }
    const rows = step.kind === 'loop' ? this.#rowsOf(step) : undefined
    if (rows !== undefined) return this.#open.rows === undefined && this.#joinsRows(step, rows)
    if (this.#meets(step, [...shared, ...byRow])) return false
    alone.push(step)
    return true
  }

  /** All of a size of 1 is one thread's. */
  get isAlone(): Size {
    return this.#share(ONE, 1).count
  }

  end(): readonly Phase[] {
    this.#close()
    return this.#phases
  }

  /** Puts a step among those that are cut by rows, if it can be cut so with them. */
  #joinsRows(step: Step, rows: Size | undefined): boolean {
    const { alone, shared, byRow } = this.#open
    if (rows === undefined || this.#meets(step, [...alone, ...shared])) return false
    // What could be cut along a longer axis is cut by rows where that saves a wait.
    const isByRow = step.kind === 'loop' || walkOf(step.kernel)?.sizes[0] === rows
    if (!isByRow && !this.#meets(step, byRow)) return false
    if (this.#cutRows([...byRow, step], rows) === undefined) return false
    this.#open.rows = rows
    byRow.push(step)
    return true
  }

  /** The rows by which a loop is cut. */
  #rowsOf(step: Extract<Step, { kind: 'loop' }>): Size | undefined {
    return rowsIn(step).find((each) => this.#cutRows([step], each) !== undefined)
  }

  #close(): void {
    const { alone, shared, byRow, rows } = this.#open
    const cuts = rows === undefined ? [] : this.#cutRows(byRow, rows)!
    if (alone.length + shared.length + cuts.length > 0)
      this.#phases.push({ alone, shared: [...shared, ...cuts] })
    this.#open = { alone: [], shared: [], byRow: [], rows: undefined }
  }

  #cutRows(steps: readonly Step[], rows: Size): Step[] | undefined {
    const loop = steps.find((step) => step.kind === 'loop' && step.loop.rows?.alive === rows)
    const packed = loop?.kind === 'loop' ? loop.loop.rows : undefined
    const share = this.#share(packed?.rows ?? rows, 1, packed)
    const part: Part =
      packed === undefined
        ? share
        : { begin: share.begin, count: maxSize(ZERO, minSize(subSize(rows, share.begin), share.count)) }
    return cutRows(steps, rows, part, this.#ownerOf)
  }

  /** A kernel cut along an axis of its own. */
  #freely(kernel: Kernel): Kernel | undefined {
    const { panel, tileRows } = this.#options
    if (kernel.kind === 'pack') {
      if (!isWorth([kernel.k, kernel.n])) return undefined
      return cutPanels(kernel, this.#share(kernel.n, panel))
    }
    const walk = walkOf(kernel)
    if (walk === undefined || !isWorth(walk.sizes) || this.#overlaps(kernel)) return undefined
    const axis = walk.free.find((each) => (constantOf(walk.sizes[each]!) ?? WORTH) >= 2 * tileRows)
    if (axis === undefined) return undefined
    const unit = kernel.kind === 'matmul' ? [tileRows, panel][axis]! : 1
    return cut(kernel, axis, this.#share(walk.sizes[axis]!, unit))
  }

  /** Whether a kernel writes over what it reads in another order. */
  #overlaps(kernel: Kernel): boolean {
    const walk = walkOf(kernel)!
    const owner = ({ buffer }: { readonly buffer: Buffer }) => this.#ownerOf(buffer)
    const written = walk.views.filter((each) => each.written)
    return written.some(({ view, strides }) => {
      if (walk.whole.some((each) => owner(each) === owner(view))) return true
      return walk.views.some(
        (each) =>
          owner(each.view) === owner(view) &&
          (each.view.offset !== view.offset || each.strides.some((stride, axis) => stride !== strides[axis])),
      )
    })
  }

  /** Whether a step writes what others touch, or touches what they write. */
  #meets(step: Step, others: readonly Step[]): boolean {
    const own = this.#ownersIn(step)
    const both = (some: ReadonlySet<Buffer>, others: ReadonlySet<Buffer>) =>
      [...some].some((buffer) => others.has(buffer))
    return others.some((other) => {
      const all = this.#ownersIn(other)
      return both(own.written, all.written) || both(own.written, all.read) || both(own.read, all.written)
    })
  }

  #ownersIn(step: Step): Owners {
    const known = this.#owners.get(step)
    if (known !== undefined) return known
    const ownersOf = (views: readonly View[]) => new Set(views.map(({ buffer }) => this.#ownerOf(buffer)))
    const found = { read: ownersOf(readBy(step)), written: ownersOf(writtenBy(step)) }
    this.#owners.set(step, found)
    return found
  }

  #share(total: Size, unit: number, packed?: Share['packed']): Share {
    const known = this.shares.find(
      (each) => each.total === total && each.unit === unit && each.packed === packed,
    )
    if (known !== undefined) return known
    const [begin, count] = ['begin', 'count'].map((name) => symbol(`threads__${name}_${this.shares.length}`))
    const share: Share = { total, unit, begin: begin!, count: count!, ...(packed && { packed }) }
    this.shares.push(share)
    return share
  }
}

/** Symbols that may be the rows of a loop. */
function rowsIn(step: Extract<Step, { kind: 'loop' }>): Size[] {
  if (step.loop.rows !== undefined) return [step.loop.rows.alive]
  const sizes = kernelsOf([step]).flatMap((kernel) => walkOf(kernel)?.sizes ?? [])
  const isSymbol = ({ terms }: Size) =>
    terms.length === 1 && terms[0]!.coefficient === 1 && terms[0]!.atoms.length === 1
  return [...new Set(sizes)].filter((each) => isSymbol(each) && each !== step.loop.steps)
}

/** Whether a kernel is long enough, as far as that is known. */
function isWorth(sizes: readonly Size[]): boolean {
  return (constantOf(productOf(sizes)) ?? WORTH) >= WORTH
}
