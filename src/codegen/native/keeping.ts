/** An executable that is given the same weights call after call: those that have not changed are neither copied nor packed again. */
import type { TensorData } from '../../tensor/dtype.ts'
import { ArenaExecutable, type Engine } from '../arena-executable.ts'
import type { Call } from '../executable.ts'
import type { Program } from '../program.ts'

/** What computes some of a program before its runs. */
export interface Preparing extends Engine {
  /** An input has changed on which depends what was prepared. */
  changed(): void
}

export class KeepingExecutable extends ArenaExecutable {
  readonly #engine: Preparing
  readonly #constants: ReadonlySet<number>
  /** Their bytes as last given: tensors may be written to between calls, so these alone say what has changed. */
  readonly #last = new Map<number, Buffer>()
  #turn: Promise<unknown> = Promise.resolve()

  constructor(program: Program, engine: Preparing, constants: ReadonlySet<number>) {
    super(program, engine)
    this.#engine = engine
    this.#constants = constants
  }

  /** One after the other: what has changed since the call before is known when that has ended. */
  override call(call: Call): Promise<TensorData[]> {
    const result = this.#turn.then(() => this.#call(call))
    this.#turn = result.catch(() => {})
    return result
  }

  async #call(call: Call): Promise<TensorData[]> {
    const inputs = new Map([...call.inputs].filter(([input, data]) => this.#isNew(input, data)))
    try {
      return await super.call({ ...call, inputs })
    } catch (error) {
      // What was not taken over is new next time.
      this.#last.clear()
      throw error
    }
  }

  #isNew(input: number, { buffer, byteOffset, byteLength }: TensorData): boolean {
    if (!this.#constants.has(input)) return true
    const given = Buffer.from(buffer, byteOffset, byteLength)
    if (this.#last.get(input)?.equals(given)) return false
    this.#last.set(input, Buffer.from(given))
    this.#engine.changed()
    return true
  }
}
