/**
 * Checkpointed training steps, and those with parallel scans: how a model is traced for one, and when a limit of memory asks for one. Loaded only where
 * one may be wanted.
 */
import { checkpointed } from '../graph/checkpoint.ts'
import { parallelScans } from '../graph/parallel-scan.ts'
import type { Value } from '../graph/value.ts'
import { RecurraError } from '../tensor/errors.ts'
import { symbol } from '../tensor/size.ts'
import type { Reading } from './leaves.ts'
import { SEGMENT, type StepKind } from './step.ts'

/** Reads a batch as `reading` does, in segments. */
export function inSegments(reading: Reading): Reading {
  return changed(reading, (values) => checkpointed(values, symbol(SEGMENT)))
}

/** Reads a batch as `reading` does, linear states by parallel scans. */
export function inChunks(reading: Reading): Reading {
  return changed(reading, parallelScans)
}

/** Reads a batch as `reading` does, in values that are equal and come about in another way. */
export function changed(reading: Reading, change: (values: readonly Value[]) => readonly Value[]): Reading {
  return {
    ...reading,
    forward: (...args) => {
      const { outputs, states, variables } = reading.forward(...args)
      const signals = [...outputs]
      const others = [...states, ...variables]
      const all = change([...signals.map(([, { value }]) => value), ...others.map(([, value]) => value)])
      const own = new Map(others.map(([path], i) => [path, all[signals.length + i]!]))
      const renewed = (values: typeof states) =>
        new Map([...values.keys()].map((path) => [path, own.get(path)!]))
      return {
        outputs: new Map(signals.map(([name, signal], i) => [name, { ...signal, value: all[i]! }])),
        states: renewed(states),
        variables: renewed(variables),
      }
    },
  }
}

/**
 * The first of two plans of a step, the plain and the checkpointed one, whose memory is within the limit.
 * @throws {RecurraError} `memory`, where neither is
 */
export async function within<P extends { readonly kind: StepKind }>(
  limit: number,
  plans: readonly P[],
  bytesOf: (plan: P) => Promise<number>,
): Promise<P> {
  const sizes: number[] = []
  for (const plan of plans) {
    const bytes = await bytesOf(plan)
    if (bytes <= limit) return plan
    sizes.push(bytes)
  }
  const needs = sizes.length === 1 ? `${sizes[0]} bytes` : `${sizes[0]} bytes, ${sizes[1]} with checkpoint,`
  throw new RecurraError(
    'memory',
    `memoryLimit is ${limit} bytes, but this batch needs ${needs} to train on: give smaller batches (with accumulate for ` +
      'the same update), shorter windows (truncate), or a higher limit',
  )
}

/** Says that a limit of memory changes how a training goes on. */
export function warnOfSegments(step: number): void {
  console.warn(`memoryLimit: from step ${step} on, gradients go back in segments (checkpoint: true)`)
}
