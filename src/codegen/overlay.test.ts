import { expect, test } from 'vitest'
import { mulSize, ONE, type Size, size, subSize, symbol, ZERO } from '../tensor/size.ts'
import { overlay } from './overlay.ts'
import type { Buffer, Program, View } from './program.ts'

const [T, S] = [symbol('T'), size(3)]

/** A loop whose every step reads its part of one buffer, `ahead` parts further on, and writes that of another. */
function programOf(steps: Size, ahead: Size): Program {
  const buffer = (id: number): Buffer => ({
    ...{ id, name: `b${id}`, dtype: 'f32', persistent: false },
    elements: mulSize(T, S),
  })
  const [old, fresh] = [buffer(0), buffer(1)] as const
  const loop = { id: 0, steps, reverse: true }
  const whole = (each: Buffer): View => ({ buffer: each, offset: ZERO, strides: [ONE], terms: [] })
  const part = (each: Buffer, offset: Size): View => ({
    ...{ buffer: each, offset, strides: [ONE] },
    terms: [{ loop, by: 'time', stride: S }],
  })
  const copy = (from: View, into: View, shape: Size) => {
    const expr = { kind: 'load', view: from, dtype: 'f32' } as const
    return {
      kind: 'call',
      kernel: { kind: 'map', shape: [shape], stores: [{ view: into, expr, dtype: 'f32' }] },
    } as const
  }
  const [x, y] = [2, 3].map((id) => ({ ...buffer(id), persistent: true })) as [Buffer, Buffer]
  // The step reads into a third place first, so that only where both stand can be wrong.
  const between = whole({ ...buffer(4), elements: S })
  const body = [copy(part(old, mulSize(ahead, S)), between, S), copy(between, part(fresh, ZERO), S)]
  return {
    inputs: [],
    outputs: [],
    steps: [
      copy(whole(x), whole(old), mulSize(T, S)),
      { kind: 'loop', loop, body },
      copy(whole(fresh), whole(y), mulSize(T, S)),
    ],
    buffers: [old, fresh, x, y, between.buffer],
    aliases: new Map(),
    guards: [],
  }
}

test('one buffer over time stands in the place of another that the same step reads for the last time', () => {
  const program = programOf(T, ZERO)
  expect([...overlay(program).aliases]).toEqual([[program.buffers[1], program.buffers[0]]])
})

test('but not where a step reads the part of another step, which that one has overwritten', () => {
  expect(overlay(programOf(subSize(T, ONE), ONE)).aliases.size).toBe(0)
})
