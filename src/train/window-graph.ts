/**
 * The graph of a window whose steps are shared with the one before (windows.ts draws it): P steps before the batch's own
 * T, run in two parts, C steps up to where the next window begins, and the rest, so that the state between them can be
 * carried. Loaded only for truncation with k1 < k2.
 */
import { concat, iota, less, type Value, where } from '../graph/value.ts'
import type { Signal } from '../layers/layer.ts'
import type { Model } from '../layers/model.ts'
import { packingSpecs, RowPacking } from '../layers/packing.ts'
import { SOLE_INPUT, SOLE_OUTPUT } from '../layers/parts.ts'
import { outside, swapped } from '../layers/signals.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { addSize, type SizeLike, subSize, symbol } from '../tensor/size.ts'
import { type LeafOptions, leafScope, leafSpecs, type Reading, targetInput } from './leaves.ts'
import type { NamedSpec } from './session.ts'

const [PAST, CARRIED] = [symbol('P'), symbol('C')]
const ALL = addSize(PAST, symbol('T'))
const LENGTHS = 'lengths'
/** The two parts, whose rows are packed each on its own: up to the carry, and after it. */
const PARTS = { before: CARRIED, after: subSize(ALL, CARRIED) }

/** As leafSpecs, with x [B, P + T, …] and a mask [B, P + T]. */
export function windowSpecs(model: Model, leaves: LeafOptions): NamedSpec[] {
  const packings = Object.entries(PARTS).flatMap(([part, steps]) => packingSpecs(steps, part))
  return [
    ...leafSpecs(model, { ...leaves, packing: undefined }).map((spec) =>
      spec.name === 'x' || spec.name === 'mask' ? windowSpec(spec) : spec,
    ),
    ...(leaves.packing ? [{ name: LENGTHS, shape: ['B'], dtype: 'i32' } as const, ...packings] : []),
  ]
}

/** [B, T, …] as [B, P + T, …] */
function windowSpec(spec: NamedSpec): NamedSpec {
  return { ...spec, shape: ['B', ALL, ...spec.shape.slice(2)] }
}

/**
 * The batch's own outputs, and the states after C steps. Targets to be read are [B, P + T, …].
 * @throws {ArgumentError} for a model whose variables change: a window's two parts would have statistics of their own
 */
export const forwardWindow: Reading['forward'] = (model, get, leaves, forced) => {
  const x = get('x')
  const scope = leafScope(get, leaves)
  const mask = leaves.mask === true ? get('mask').transpose() : undefined
  const facesOf = (part: keyof typeof PARTS, start: SizeLike, end: SizeLike) => {
    const packing = leaves.packing && new RowPacking(get, part)
    const own = { packing, mask: mask?.slice(0, start, end) }
    return new Map<string, Signal>([[SOLE_INPUT, { value: x.slice(1, start, end), sequence: true, ...own }]])
  }
  const forcedIn = (start: SizeLike, end: SizeLike) =>
    forced?.(get(targetInput(SOLE_OUTPUT)).slice(1, start, end))
  const early = facesOf('before', 0, CARRIED)
  const late = facesOf('after', CARRIED, ALL)
  const before = model.forward(early, { ...scope, forced: forcedIn(0, CARRIED) })
  const [variable] = before.variables.keys()
  if (variable !== undefined) {
    throw new ArgumentError(
      `truncate with k1 < k2 runs a window in two parts, of which ${variable} would see each by itself: give k1 = k2`,
    )
  }
  const after = model.forward(late, {
    ...scope,
    forced: forcedIn(CARRIED, ALL),
    time: iota([ALL]).slice(0, CARRIED, ALL),
    initial: (path, begin, given) => (given ? begin : before.states.get(path)!),
  })
  const [first, last] = [before, after].map(({ outputs }) => outputs.get(SOLE_OUTPUT)!) as [Signal, Signal]
  const found = (output: Signal) => {
    return { outputs: new Map([[SOLE_OUTPUT, output]]), states: before.states, variables: new Map() }
  }
  if (last.sequence) {
    const whole = ownSteps(concat([first, last].map(outside), 1), 1)
    const own = last.mask && ownSteps(concat([first.mask!, last.mask], 0), 0)
    const there = last.packing && less(iota([whole.shape[1]!, 1]), get(LENGTHS))
    return found({ value: swapped(whole), sequence: true, mask: there ?? own })
  }
  // A row whose last step stands before the carry has its last output there.
  const ending = after.calls.find(({ inputs, output }) => inputs[0]!.sequence && !output.sequence)
  const { packing, mask: there } = ending!.inputs[0]!
  const steps = packing?.lengths ?? there?.toF32().sum(0)
  const goesOn = steps?.greater(0).reshape(['B', ...last.value.shape.slice(1).map(() => 1)])
  const value = goesOn === undefined ? last.value : where(goesOn, last.value, first.value)
  return found({ value, sequence: false })
}

/** The steps that the batch brought, T of P + T along an axis. */
function ownSteps(value: Value, axis: number): Value {
  return value.slice(axis, PAST, ALL)
}

export const WINDOW: Reading = {
  specs: windowSpecs,
  target: (spec, forced) => (forced ? windowSpec(spec) : spec),
  forward: forwardWindow,
  own: (target, forced) => (forced ? ownSteps(target, 1) : target),
}
