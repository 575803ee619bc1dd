/** Which part of a model goes on from what it has written, so that it can be run a step at a time. */
import type { Model } from '../layers/model.ts'
import type { OpenShape, Source } from '../layers/parts.ts'
import { ArgumentError } from '../tensor/errors.ts'

/** The input that reads what was written: the given one, the only one, or `target`. */
export function feedbackOf(what: string, { built }: Model, given: string | undefined): string {
  const names = [...built.inputs.keys()]
  const feedback = given ?? (names.length === 1 ? names[0]! : 'target')
  if (names.includes(feedback)) return feedback
  throw new ArgumentError(
    `${what}: feedback must name the input that reads what was written, one of ${names.join(', ')}; received ${feedback}`,
  )
}

export const isLogits = ({ shape, sequence }: OpenShape) => sequence && shape.length === 2

/** Calls that read, themselves or through others, what is written. @throws {ArgumentError} where that is not possible step by step */
export function dependentsOf(what: string, { calls, built }: Model, feedback: string): Set<number> {
  const found = new Set<number>()
  const depends = (source: Source) => ('input' in source ? source.input === feedback : found.has(source.call))
  for (const [at, { name, layer, from, states }] of calls.entries()) {
    const begins = typeof states === 'number' ? [{ call: states }] : Object.values(states ?? {})
    const [, ...others] = from
    const goesOn = begins.some(depends)
    if (!goesOn && !from.some(depends)) continue
    found.add(at)
    const { inputs, output } = built.calls[at]!
    const ends = inputs[0]!.sequence && !output.sequence && depends(from[0]!)
    const mixes = layer.readsAround === true || (layer.readsAround === 'others' && others.some(depends))
    if (!mixes && !ends && !goesOn && layer.readsBackwards !== true) continue
    throw new ArgumentError(
      `${what}: what is written step by step goes through layer ${name}, which ${
        goesOn ? 'begins with states after' : 'reads'
      } steps that are not written yet`,
    )
  }
  return found
}
