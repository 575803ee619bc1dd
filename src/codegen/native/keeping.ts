/** An executable that is given the same weights call after call: what has not changed is neither copied nor packed again. */
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
  #turn: Promise<unknown> = Promise.resolve()

  constructor(program: Program, engine: Preparing, constants: ReadonlySet<number>) {
    super(program, engine)
    this.#engine = engine
    this.#constants = constants
  }

  /** One after the other: what has changed since the call before is known when that has ended. */
  override call(call: Call): Promise<TensorData[]> {
    const result = this.#turn.then(() => {
      const inputs = new Map([...call.inputs].filter(([input, data]) => this.#isNew(input, data)))
      return super.call({ ...call, inputs })
    })
    this.#turn = result.catch(() => {})
    return result
  }

  /** By its bytes: tensors may be written to between calls. */
  #isNew(input: number, data: TensorData): boolean {
    if (!this.#constants.has(input)) return true
    const held = this.held(input)
    if (held !== undefined && bytesOf(held).equals(bytesOf(data))) return false
    this.#engine.changed()
    return true
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: TensorData): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
