/**
 * The graph of a window whose steps are shared with the one before (windows.ts draws it): P steps before the batch's own
 * T, run in two parts, C steps up to where the next window begins, and the rest, so that the state between them can be
 * carried. Loaded only for truncation with k1 < k2.
 */
import { concat, iota, type Value, where } from '../graph/value.ts'
import { packingSpecs, RowPacking } from '../layers/packing.ts'
import { type Forward, outside, type Sequential, swapped } from '../layers/sequential.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { addSize, subSize, symbol } from '../tensor/size.ts'
import { type LeafOptions, leafScope, leafSpecs, type Reading } from './leaves.ts'
import type { Counted } from './losses.ts'
import type { NamedSpec } from './session.ts'

const [PAST, CARRIED] = [symbol('P'), symbol('C')]
const ALL = addSize(PAST, symbol('T'))
const LENGTHS = 'lengths'
/** The two parts, whose rows are packed each on its own: up to the carry, and after it. */
const PARTS = { before: CARRIED, after: subSize(ALL, CARRIED) }

/** As leafSpecs, with x [B, P + T, …] and a mask [B, P + T]. */
export function windowSpecs(model: Sequential, leaves: LeafOptions): NamedSpec[] {
  const packings = Object.entries(PARTS).flatMap(([part, steps]) => packingSpecs(steps, part))
  return [
    ...leafSpecs(model, { ...leaves, lengths: false }).map((spec) =>
      spec.name === 'x' || spec.name === 'mask' ? windowSpec(spec) : spec,
    ),
    ...(leaves.lengths ? [{ name: LENGTHS, shape: ['B'], dtype: 'i32' } as const, ...packings] : []),
  ]
}

/** [B, T, …] as [B, P + T, …] */
function windowSpec(spec: NamedSpec): NamedSpec {
  return { ...spec, shape: ['B', ALL, ...spec.shape.slice(2)] }
}

/**
 * The batch's own outputs, and the states after C steps. `forced`: targets [B, P + T, …] for the last layer to read.
 * @throws {ArgumentError} for a model whose variables change: a window's two parts would have statistics of their own
 */
export function forwardWindow(
  model: Sequential,
  get: (name: string) => Value,
  leaves: LeafOptions,
  forced?: Value,
): Forward & { readonly counted: Counted } {
  const x = get('x')
  const scope = leafScope(get, { ...leaves, lengths: false })
  const packing = (part: keyof typeof PARTS) => (leaves.lengths ? new RowPacking(get, part) : undefined)
  const [early, late] = [packing('before'), packing('after')]
  const later = scope.mask?.slice(0, CARRIED, ALL)
  const before = model.forward(x.slice(1, 0, CARRIED), {
    ...scope,
    packing: early,
    mask: scope.mask?.slice(0, 0, CARRIED),
    forced: forced?.slice(1, 0, CARRIED),
  })
  const [variable] = before.variables.keys()
  if (variable !== undefined) {
    throw new ArgumentError(
      `truncate with k1 < k2 runs a window in two parts, of which ${variable} would see each by itself: give k1 = k2`,
    )
  }
  const after = model.forward(x.slice(1, CARRIED, ALL), {
    ...scope,
    packing: late,
    mask: later,
    forced: forced?.slice(1, CARRIED, ALL),
    time: iota([ALL]).slice(0, CARRIED, ALL),
    initial: (path) => before.states.get(path)!,
  })
  const { states } = before
  if (after.output.sequence) {
    const whole = ownSteps(
      concat(
        [before, after].map(({ output }) => outside(output)),
        1,
      ),
      1,
    )
    const counted = { lengths: late && get(LENGTHS), mask: scope.mask && ownSteps(scope.mask, 0) }
    return { output: { value: swapped(whole), sequence: true }, states, variables: new Map(), counted }
  }
  const [first, last] = [before.output.value, after.output.value]
  // A row whose last step stands before the carry has its last output there.
  const steps = late?.lengths ?? later?.toF32().sum(0)
  const goesOn = steps?.greater(0).reshape(['B', ...last.shape.slice(1).map(() => 1)])
  const value = goesOn === undefined ? last : where(goesOn, last, first)
  return { output: { value, sequence: false }, states, variables: new Map(), counted: {} }
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
