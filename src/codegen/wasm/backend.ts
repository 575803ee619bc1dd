/** Runs an emitted module. No `eval`: bytes are compiled by the engine's own WebAssembly. */
import { checkGuards } from '../../graph/guards.ts'
import type { TensorData } from '../../tensor/dtype.ts'
import { RecurraError } from '../../tensor/errors.ts'
import { type Bindings, evaluateSize } from '../../tensor/size.ts'
import { type Arena, Planner } from '../arena.ts'
import { type Call, checkInput, type Executable, neverWritten } from '../executable.ts'
import type { Program, Slot } from '../program.ts'
import { emitWasm } from './emit.ts'
import type { SizeTable } from './table.ts'

const PAGE = 65536
/** Vector loads reach up to 32 bytes beyond the last element. */
const SLACK = 64

/** Compiles a program for this engine. */
export async function instantiate(program: Program): Promise<Executable> {
  const { bytes, table } = await emitWasm(program)
  const memory = new WebAssembly.Memory({ initial: 1 })
  const { instance } = await WebAssembly.instantiate(bytes, { host: { memory } })
  const { run } = instance.exports as { run: () => void }
  return new WasmExecutable(program, table, memory, run)
}

class WasmExecutable implements Executable {
  readonly #program: Program
  readonly #table: SizeTable
  readonly #memory: WebAssembly.Memory
  readonly #run: () => void
  readonly #planner: Planner
  readonly #written = new Set<Slot>()
  #arena: Arena | undefined
  #bound = ''
  #bindings: Bindings = new Map()

  constructor(program: Program, table: SizeTable, memory: WebAssembly.Memory, run: () => void) {
    this.#program = program
    this.#planner = new Planner(program)
    this.#table = table
    this.#memory = memory
    this.#run = run
  }

  async call({ bindings, inputs, outputs }: Call): Promise<TensorData[]> {
    this.#bind(bindings)
    for (const [i, data] of inputs) {
      const slot = this.#program.inputs[i]!
      checkInput(slot, data, bindings)
      this.#view(slot).set(data)
      this.#written.add(slot)
    }
    for (const slot of this.#program.inputs) if (!this.#written.has(slot)) throw neverWritten(slot)
    this.#run()
    return outputs.map((i) => this.#view(this.#program.outputs[i]!).slice())
  }

  async read(input: number): Promise<TensorData> {
    const slot = this.#program.inputs[input]!
    if (!this.#written.has(slot)) throw neverWritten(slot)
    return this.#view(slot).slice()
  }

  memoryBytes(bindings: Bindings): number {
    return this.#planner.place(bindings, this.#table.end).end + SLACK
  }

  /** The numbers of a slot. Taken anew each time: growth detaches older views. */
  #view(slot: Slot): TensorData {
    const at = this.#arena!.addresses.get(slot.view.buffer)!
    const elements = evaluateSize(slot.view.buffer.elements, this.#bindings)
    const { buffer } = this.#memory
    return slot.dtype === 'f32'
      ? new Float32Array(buffer, at, elements)
      : new Int32Array(buffer, at, elements)
  }

  /** Places the buffers for these sizes and fills in the table. Inputs whose size stays keep their contents. */
  #bind(bindings: Bindings): void {
    const key = JSON.stringify([...bindings].sort())
    if (key === this.#bound) return
    checkGuards(this.#program.guards, bindings)
    const arena = this.#planner.place(bindings, this.#table.end)
    // First what can fail: then all is as it was. What grows keeps its contents.
    this.#grow(arena.end + SLACK)
    const kept = this.#rescue(arena, bindings)
    this.#arena = arena
    this.#bindings = bindings
    this.#bound = key
    for (const [slot, data] of kept) this.#view(slot).set(data)
    this.#fillTable(arena, this.#planner.withRows(bindings))
  }

  /** Copies of the inputs that would be lost; forgets those whose size changes. */
  #rescue(next: Arena, bindings: Bindings): Map<Slot, TensorData> {
    const kept = new Map<Slot, TensorData>()
    for (const slot of this.#written) {
      const { buffer } = slot.view
      const [before, after] = [this.#bindings, bindings].map((each) => evaluateSize(buffer.elements, each))
      if (before !== after) this.#written.delete(slot)
      else if (this.#arena!.addresses.get(buffer) !== next.addresses.get(buffer)) {
        kept.set(slot, this.#view(slot).slice())
      }
    }
    return kept
  }

  #grow(bytes: number): void {
    const missing = bytes - this.#memory.buffer.byteLength
    if (missing <= 0) return
    try {
      this.#memory.grow(Math.ceil(missing / PAGE))
    } catch (cause) {
      throw new RecurraError(
        'memory',
        `a step of these sizes needs ${Math.ceil(bytes / 2 ** 20)} MiB, more than this engine gives; ` +
          'use a smaller batch or shorter windows',
        { cause },
      )
    }
  }

  #fillTable({ addresses }: Arena, bindings: Bindings): void {
    const table = new Int32Array(this.#memory.buffer)
    for (const [i, entry] of this.#table.entries.entries()) {
      table[this.#table.placeOf(i) / 4] =
        entry.kind === 'size'
          ? evaluateSize(entry.size, bindings)
          : addresses.get(entry.buffer)! + 4 * evaluateSize(entry.offset, bindings)
    }
  }
}
