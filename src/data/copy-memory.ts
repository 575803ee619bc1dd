/** The copying memory task: symbols that are to be repeated after a long time. */
import { tensor } from '../tensor/tensor.ts'
import type { Examples } from './batches.ts'
import { Draws, SEEDED, type Seeded } from './draws.ts'
import { requireInteger, requireOptions } from './guards.ts'

export interface CopyOptions extends Seeded {
  /** N, how many sequences. */
  readonly count: number
  /** D: between the symbols and the first mark stand D − 1 blanks. */
  readonly delay: number
  /** S, how many symbols are to be remembered. Default: 10. */
  readonly length?: number
  /** K, how many symbols there are. Default: 8. */
  readonly symbols?: number
}

/**
 * Ids, inputs and targets i32 [N, D + 2S], where 0 is blank, 1 … K are symbols, all equally likely, and K + 1 is the mark:
 *
 *     inputs   S symbols, D − 1 blanks, S + 1 marks
 *     targets  D + S blanks, the S symbols
 *
 * Who remembers nothing does best with a cross entropy of S ln K / (D + 2S) a step: 10 ln 8 / (D + 20) by default.
 *
 * Source: Bai, Kolter and Koltun 2018, where D is called T and is 1,000 in table 1; after Hochreiter and Schmidhuber 1997
 * and Arjovsky, Shah and Bengio 2016, who mark the first of the last S + 1 steps alone.
 *
 * @throws {ArgumentError} unless all sizes are integers of at least 1
 */
export function copyMemory(options: CopyOptions): Examples {
  requireOptions('copyMemory', options, ['count', 'delay', 'length', 'symbols', ...SEEDED])
  const { count: N, delay: D, length: S = 10, symbols: K = 8 } = options
  requireInteger('copyMemory: count', N, 1)
  requireInteger('copyMemory: delay', D, 1)
  requireInteger('copyMemory: length', S, 1)
  requireInteger('copyMemory: symbols', K, 1)
  const draws = new Draws('copyMemory', options)
  const steps = D + 2 * S
  const inputs = new Int32Array(N * steps)
  const targets = new Int32Array(N * steps)
  for (let n = 0; n < N; n++) {
    const end = (n + 1) * steps
    for (let s = 0; s < S; s++) {
      inputs[n * steps + s] = 1 + draws.below(K)
      targets[end - S + s] = inputs[n * steps + s]!
    }
    inputs.fill(K + 1, end - S - 1, end)
  }
  return { inputs: tensor(inputs, [N, steps]), targets: tensor(targets, [N, steps]) }
}
