/** What of a program depends on constant inputs alone moves before all runs: panels of weights, copies in another order. */
import { type Buffer, type Program, reads, type Step, writes } from './program.ts'

/**
 * Puts first the steps that give the same at every run while the inputs of these numbers stay as they are. A buffer moves
 * where something of it differs from run to run, or it stands in another's place; a step runs where it touches one.
 */
export function prepare(program: Program, constants: ReadonlySet<number>): Program {
  const ownerOf = (buffer: Buffer) => program.aliases.get(buffer) ?? buffer
  const inputs = program.inputs.filter((_, i) => !constants.has(i)).map(({ view }) => view.buffer)
  const moving = new Set([...inputs, ...program.aliases.keys()].map(ownerOf))
  const running = new Set<Step>()
  // What a step that runs writes moves: others that write there run too.
  for (let before = -1; before < running.size; ) {
    before = running.size
    for (const step of program.steps) {
      const { read, written } = touchedBy(step)
      if (running.has(step) || ![...read, ...written].some((buffer) => moving.has(ownerOf(buffer)))) continue
      running.add(step)
      for (const buffer of written) moving.add(ownerOf(buffer))
    }
  }
  const first = program.steps.filter((step) => !running.has(step))
  const rest = program.steps.filter((step) => running.has(step))
  return { ...program, steps: [...first, ...rest], prepared: first.length }
}

interface Touched {
  readonly read: readonly Buffer[]
  readonly written: readonly Buffer[]
}

function touchedBy(step: Step): Touched {
  if (step.kind === 'call') {
    return {
      read: reads(step.kernel).map(({ buffer }) => buffer),
      written: writes(step.kernel).map(({ buffer }) => buffer),
    }
  }
  const inner = step.body.map(touchedBy)
  const counts = step.loop.rows === undefined ? [] : [step.loop.rows.counts.buffer]
  return {
    read: [...inner.flatMap(({ read }) => read), ...counts],
    written: inner.flatMap(({ written }) => written),
  }
}
