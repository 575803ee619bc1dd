/** Means over the last steps of a run. */
import type { StepEvent } from '../train/run.ts'

const WINDOW = 50

interface Entry {
  readonly loss: number
  readonly tokens: number
  /** Milliseconds. */
  readonly time: number
}

export interface Recent {
  /** The mean over the tokens of the last steps. */
  readonly loss: number
  readonly tokensPerSecond: number
}

export class Meter {
  readonly #entries: Entry[]

  /** @param start when the first step began, in milliseconds */
  constructor(start: number) {
    this.#entries = [{ loss: 0, tokens: 0, time: start }]
  }

  add({ loss, tokens }: StepEvent, time: number): Recent {
    const entries = this.#entries
    entries.push({ loss, tokens, time })
    // The oldest entry is where the clock starts: its own tokens came before.
    if (entries.length > WINDOW + 1) entries.shift()
    const counted = entries.slice(1)
    const count = counted.reduce((sum, entry) => sum + entry.tokens, 0)
    return {
      loss: counted.reduce((sum, entry) => sum + entry.loss * entry.tokens, 0) / count,
      tokensPerSecond: (1000 * count) / Math.max(1, time - entries[0]!.time),
    }
  }
}
