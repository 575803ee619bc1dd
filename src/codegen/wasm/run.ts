/**
 * The function that holds the loops over time and calls the kernels. In a loop over packed rows it sets, at each step,
 * what of the table depends on how many rows are alive.
 */
import { ONE, type Size, symbol, symbolsOf, ZERO } from '../../tensor/size.ts'
import {
  type Ending,
  type Kernel,
  type Loop,
  type LoopTerm,
  type Program,
  type Step,
  type Threads,
  type View,
  viewsOf,
} from '../program.ts'
import type { Code, FunctionRef, Local } from './assembler.ts'
import { KernelCode, type Operand } from './kernel.ts'
import type { SizeTable } from './table.ts'

/** Where a loop stands. */
interface Position {
  /** The iterations done. */
  readonly i: Local
  /** The rows of the steps before this one in time. */
  readonly start: Local | undefined
}

type Positions = ReadonlyMap<Loop, Position>

export function emitRun(
  f: Code,
  table: SizeTable,
  { steps, threads }: Pick<Program, 'steps' | 'threads'>,
  functions: ReadonlyMap<Kernel, FunctionRef>,
  wait?: Wait,
  mark?: FunctionRef,
): void {
  enterSizes(table, steps)
  const run = new Run(f, table, functions, mark)
  if (threads === undefined) run.emit(steps, new Map())
  else wait!(f, table, threads, (some) => run.emit(some, new Map()))
}

/** Emits phases, after each of which all threads wait; loaded only where there are threads. */
export type Wait = (
  f: Code,
  table: SizeTable,
  threads: Threads,
  emit: (steps: readonly Step[]) => void,
) => void

/** Enters all sizes and addresses that calls take into the table, before a loop asks which of them it has to set. */
function enterSizes(table: SizeTable, steps: readonly Step[]): void {
  for (const step of steps) {
    if (step.kind === 'loop') {
      table.size(step.loop.steps)
      if (step.until !== undefined) table.size(step.until.elements)
      enterSizes(table, step.body)
      continue
    }
    for (const { buffer, offset, terms } of viewsOf(step.kernel)) {
      table.address(buffer, offset)
      for (const { stride } of terms) table.size(stride)
    }
  }
}

class Run {
  readonly #k: KernelCode
  readonly #table: SizeTable
  readonly #functions: ReadonlyMap<Kernel, FunctionRef>

  readonly #mark: FunctionRef | undefined

  constructor(
    f: Code,
    table: SizeTable,
    functions: ReadonlyMap<Kernel, FunctionRef>,
    mark: FunctionRef | undefined,
  ) {
    this.#mark = mark
    this.#k = new KernelCode(f, table, new Map())
    this.#table = table
    this.#functions = functions
  }

  emit(steps: readonly Step[], positions: Positions): void {
    for (const step of steps) {
      if (step.kind === 'loop') this.#emitLoop(step, positions)
      else {
        for (const view of viewsOf(step.kernel)) this.#pushPointer(view, positions)
        this.#k.f.call(this.#functions.get(step.kernel)!)
        if (this.#mark === undefined) continue
        this.#k.f.i32.const([...this.#functions.keys()].indexOf(step.kernel))
        this.#k.f.call(this.#mark)
      }
    }
  }

  #emitLoop({ loop, body, until }: Extract<Step, { kind: 'loop' }>, positions: Positions): void {
    const k = this.#k
    const { f } = k
    const { rows } = loop
    const i = f.local('i32')
    const position = { i, start: rows && f.local('i32') }
    const inside = new Map([...positions, [loop, position]])
    if (rows !== undefined) {
      k.pushSize(loop.reverse ? rows.total : ZERO)
      f.set(position.start!)
    }
    const end = k.operand(loop.steps)
    k.loop(i, end, 1, () => {
      if (rows === undefined) {
        this.emit(body, inside)
        if (until !== undefined) this.#endEarly(until, i, end, inside)
        return
      }
      const alive = f.local('i32')
      this.#pushPointer(
        {
          ...rows.counts,
          terms: [...rows.counts.terms, { loop, by: 'time', stride: rows.counts.strides[0]! }],
        },
        inside,
      )
      f.i32.load()
      f.set(alive)
      if (loop.reverse) this.#moveStart(position.start!, alive, -1)
      this.#setAlive(rows.alive, alive)
      this.emit(body, inside)
      if (!loop.reverse) this.#moveStart(position.start!, alive, 1)
    })
  }

  /** Goes to the end where all is done, if the last states then stand where they are looked for: in the same slot. */
  #endEarly({ view, elements }: Ending, i: Local, end: Operand, positions: Positions): void {
    const k = this.#k
    const { f } = k
    const [at, all] = [f.local('i32'), f.local('i32')]
    // As many steps are left as make an even number: i + 1 and the end are both even, or both odd.
    f.get(i)
    k.push(end)
    f.i32.xor()
    f.i32.const(1)
    f.i32.and()
    f.set(all)
    this.#pushPointer(view, positions)
    const values = f.local('i32')
    f.set(values)
    k.loop(at, k.operand(elements, 4), 4, () => {
      f.get(values)
      f.get(at)
      f.i32.add()
      f.i32.load()
      f.get(all)
      f.i32.and()
      f.set(all)
    })
    f.get(all)
    f.if(() => {
      k.push(end)
      f.i32.const(1)
      f.i32.sub()
      f.set(i)
    })
  }

  #moveStart(start: Local, alive: Local, way: 1 | -1): void {
    const { f } = this.#k
    f.get(start)
    f.get(alive)
    if (way === 1) f.i32.add()
    else f.i32.sub()
    f.set(start)
  }

  /** Sets the table's entries that depend on a symbol, which is now `value`. */
  #setAlive(alive: Size, value: Local): void {
    const { f } = this.#k
    const own = this.#table.size(alive)
    this.#table.push(f)
    f.get(value)
    f.i32.store(own)
    for (const [i, entry] of [...this.#table.entries.entries()]) {
      const place = this.#table.placeOf(i)
      const size = entry.kind === 'size' ? entry.size : entry.offset
      if (place === own || !symbolsOf(size).has(alive.key)) continue
      this.#table.push(f)
      if (entry.kind === 'size') this.#pushValue(size)
      else {
        this.#table.push(f)
        f.i32.load(this.#table.address(entry.buffer, ZERO))
        this.#pushValue(size)
        f.i32.const(2)
        f.i32.shl()
        f.i32.add()
      }
      f.i32.store(place)
    }
  }

  /** Pushes a size, computed from its symbols. */
  #pushValue(size: Size): void {
    const { f } = this.#k
    f.i32.const(0)
    for (const { coefficient, atoms } of size.terms) {
      f.i32.const(coefficient)
      for (const { kind, name, operands } of atoms) {
        if (kind === 'symbol') this.#k.pushSize(symbol(name))
        else {
          for (const operand of operands) this.#pushValue(operand)
          if (kind === 'floorDiv') f.i32.divS()
          else this.#chooseOf(kind)
        }
        f.i32.mul()
      }
      f.i32.add()
    }
  }

  /** Pops two numbers; pushes the smaller or the larger. */
  #chooseOf(kind: 'min' | 'max'): void {
    const { f } = this.#k
    f.scoped('i32', (b) =>
      f.scoped('i32', (a) => {
        f.set(b)
        f.set(a)
        f.get(a)
        f.get(b)
        f.get(a)
        f.get(b)
        if (kind === 'min') f.i32.ltS()
        else f.i32.gtS()
        f.select()
      }),
    )
  }

  /** Pushes a view's address in this iteration. */
  #pushPointer(view: View, positions: Positions): void {
    const { f } = this.#k
    this.#table.push(f)
    f.i32.load(this.#table.address(view.buffer, view.offset))
    for (const term of view.terms) {
      this.#pushPosition(term, positions.get(term.loop)!)
      this.#k.pushSize(term.stride)
      f.i32.mul()
      f.i32.const(2)
      f.i32.shl()
      f.i32.add()
    }
  }

  #pushPosition({ loop, by }: LoopTerm, { i, start }: Position): void {
    const { f } = this.#k
    if (by === 'rows') {
      f.get(start!)
      return
    }
    if (by === 'time' && loop.reverse) {
      this.#k.pushSize(loop.steps)
      f.get(i)
      f.i32.sub()
      this.#k.pushSize(ONE)
      f.i32.sub()
      return
    }
    f.get(i)
    if (by === 'time') return
    f.i32.const(1)
    f.i32.and()
    if (by === 'parity') return
    f.i32.const(1)
    f.i32.xor()
  }
}
