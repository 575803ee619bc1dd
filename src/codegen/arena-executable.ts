/** An executable whose numbers stand in one arena, whatever runs over it. */
import { checkGuards } from '../graph/guards.ts'
import type { TensorData } from '../tensor/dtype.ts'
import { type Bindings, evaluateSize } from '../tensor/size.ts'
import { type Arena, Planner } from './arena.ts'
import { type Call, checkInput, type Executable, neverWritten } from './executable.ts'
import type { Program, Slot } from './program.ts'

/** The memory of an arena and the code that runs over it. */
export interface Engine {
  readonly backend: Executable['backend']
  /** Where the arena begins, in bytes. */
  readonly begin: number
  /** The memory, asked for anew each time: growth replaces it. */
  buffer(): ArrayBufferLike
  /** Makes room; what is there stays. */
  grow(bytes: number): void
  /** Tells the code where buffers stand and what symbols are. */
  bind(arena: Arena, bindings: Bindings): void
  /** Runs once, here or on another thread. */
  run(): void | Promise<void>
  /** What runs here and at once, for as long as nothing grows or is bound anew. */
  readonly here?: Here
}

/** A program's two functions, without a promise or anything else made by a call. */
export interface Here {
  /** The steps that depend on constant inputs alone; absent where there are none. */
  readonly prepare?: (() => void) | undefined
  readonly run: () => void
}

/** Vector loads reach beyond the last element: one vector of the widest at most. */
export const SLACK = 64

export class ArenaExecutable implements Executable {
  readonly program: Program
  readonly engine: Engine
  readonly #planner: Planner
  readonly #written = new Set<Slot>()
  #arena: Arena | undefined
  #bound = ''
  /** The call under way on another thread. */
  #running: Promise<unknown> | undefined
  #bindings: Bindings = new Map()

  constructor(program: Program, engine: Engine) {
    this.program = program
    this.engine = engine
    this.#planner = new Planner(program)
  }

  get backend(): Executable['backend'] {
    return this.engine.backend
  }

  async call(call: Call): Promise<TensorData[]> {
    while (this.#running !== undefined) await this.#running
    return this.#call(call)
  }

  async #call({ bindings, inputs, outputs }: Call): Promise<TensorData[]> {
    this.#bind(bindings)
    for (const [i, data] of inputs) {
      const slot = this.program.inputs[i]!
      checkInput(slot, data, bindings)
      this.#view(slot).set(data)
      this.#written.add(slot)
    }
    for (const slot of this.program.inputs) if (!this.#written.has(slot)) throw neverWritten(slot)
    const ran = this.engine.run()
    if (ran !== undefined) {
      this.#running = ran.catch(() => {})
      try {
        await ran
      } finally {
        this.#running = undefined
      }
    }
    return outputs.map((i) => this.#view(this.program.outputs[i]!).slice())
  }

  /** What an input holds from calls before; absent where it holds nothing yet. */
  protected held(input: number): TensorData | undefined {
    const slot = this.program.inputs[input]!
    return this.#written.has(slot) ? this.#view(slot) : undefined
  }

  async read(input: number): Promise<TensorData> {
    while (this.#running !== undefined) await this.#running
    const slot = this.program.inputs[input]!
    if (!this.#written.has(slot)) throw neverWritten(slot)
    return this.#view(slot).slice()
  }

  memoryBytes(bindings: Bindings): number {
    return this.#planner.place(bindings, this.engine.begin).end + SLACK
  }

  /** The numbers of a slot. Taken anew each time: growth detaches older views. */
  #view(slot: Slot): TensorData {
    const at = this.#arena!.addresses.get(slot.view.buffer)!
    const elements = evaluateSize(slot.view.buffer.elements, this.#bindings)
    const buffer = this.engine.buffer()
    return slot.dtype === 'f32'
      ? new Float32Array(buffer, at, elements)
      : new Int32Array(buffer, at, elements)
  }

  /** Places the buffers for these sizes and fills in the table. Inputs whose size stays keep their contents. */
  #bind(bindings: Bindings): void {
    const key = JSON.stringify([...bindings].sort())
    if (key === this.#bound) return
    checkGuards(this.program.guards, bindings)
    const arena = this.#planner.place(bindings, this.engine.begin)
    // First what can fail: then all is as it was. What grows keeps its contents.
    this.engine.grow(arena.end + SLACK)
    const kept = this.#rescue(arena, bindings)
    this.#arena = arena
    this.#bindings = bindings
    this.#bound = key
    for (const [slot, data] of kept) this.#view(slot).set(data)
    this.engine.bind(arena, this.#planner.withRows(bindings))
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
}
