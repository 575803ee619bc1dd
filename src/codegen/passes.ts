/** THE ordered list of passes over the graph. Those of moves.ts, lowering and planning follow: see compile.ts. */
import type { Graph } from '../graph/node.ts'
import { batchGrads } from '../passes/batch-grads.ts'
import { hoist } from '../passes/hoist.ts'
import { residuals } from '../passes/residuals.ts'
import { type Note, type Pass, runPass } from '../passes/rewrite.ts'
import { simplify } from '../passes/simplify.ts'

/**
 * residuals stands before batch-grads and hoist: it recognizes the forward step inside the adjoint by its form, which
 * they change. What batch-grads turns into yields, hoist takes out of the loop.
 */
const PASSES: readonly Pass[] = [simplify, residuals, simplify, batchGrads, hoist, simplify]

export interface PassRecord {
  readonly pass: string
  readonly graph: Graph
  /** What was done, for `explain` to put into words. */
  readonly notes: readonly Parameters<Note>[]
}

/** Runs all passes, or others; returns the graph after each, which `check` has seen, with the pass's name. */
export function runPasses(
  graph: Graph,
  check?: (graph: Graph, pass: string) => void,
  passes = PASSES,
): PassRecord[] {
  const records: PassRecord[] = []
  let current = graph
  for (const pass of passes) {
    const notes: Parameters<Note>[] = []
    current = runPass(pass, current, (...done) => notes.push(done))
    check?.(current, pass.name)
    records.push({ pass: pass.name, graph: current, notes })
  }
  return records
}
