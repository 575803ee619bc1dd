/** A scan that may end early: decoders that write until they have said it all. */
import { ShapeError } from '../tensor/errors.ts'
import { printShape, type SizeLike } from '../tensor/size.ts'
import { type ScanOptions, type StepArguments, scan, type Values } from './scan.ts'
import { add, or, type Value, where, zeros } from './value.ts'

export interface ScanUntilOptions<C extends Values, X extends Values> extends ScanOptions<C, X> {
  /** Each row of axis 0 ends on its own. Default: all end together. */
  readonly rows?: boolean
}

export interface ScanUntilResult<C extends Values, Y extends Values> {
  readonly carry: C
  /** Stacked over all steps; 0 after the end. */
  readonly ys: Y
  /** Steps that were taken, with the last: an i32 scalar, or i32 [B] by row. */
  readonly count: Value
}

/**
 * As `scan` over at most `steps` steps, until the step says `until`, a bool scalar or bool [B] by row: from the step
 * after on, states hold and yields are 0. Gradients travel as through `scan`.
 *
 * @throws {ShapeError} where `until` is of another shape
 */
export function scanUntil<C extends Values, X extends Values, Y extends Values>(
  options: ScanUntilOptions<C, X>,
  step: (args: StepArguments<C, X>) => { readonly carry: C; readonly y?: Y; readonly until: Value },
): ScanUntilResult<C, Y> {
  const { rows = false, ...rest } = options
  const names = Object.keys(options.carry)
  const batch: readonly SizeLike[] = rows ? [options.carry[names[0]!]!.shape[0]!] : []
  const carry = { states: options.carry, ended: zeros(batch, 'bool'), count: zeros(batch, 'i32') }
  const result = scan(
    { ...rest, carry: flat(carry) },
    ({ carry: { [ENDED]: ended, [COUNT]: count, ...states }, x, t }) => {
      const { carry: next, y = {} as Y, until } = step({ carry: states as C, x: x as X, t })
      if (until.dtype !== 'bool' || until.rank !== batch.length) {
        throw new ShapeError(
          `until must be bool${rows ? '[B]' : '[]'}; the step returned ${until.dtype}${printShape(until.shape)}`,
        )
      }
      const held = (name: string, value: Value) => choose(ended!, states[name]!, value)
      const kept = mapNamed(next, (value, name) => (names.includes(name) ? held(name, value) : value))
      return {
        carry: flat({
          states: kept as C,
          ended: or(ended!, until),
          count: add(count!, where(ended!, 0, 1).toI32()),
        }),
        y: mapNamed(y, (value) => choose(ended!, 0, value)),
      }
    },
  )
  const { [ENDED]: _, [COUNT]: count, ...states } = result.carry
  return { carry: states as C, ys: result.ys as Y, count: count! }
}

/** No state of a user's can be named so. */
const [ENDED, COUNT] = [' ended', ' count']

function flat({
  states,
  ended,
  count,
}: {
  states: Values
  ended: Value
  count: Value
}): Record<string, Value> {
  return { ...states, [ENDED]: ended, [COUNT]: count }
}

function mapNamed(values: Values, change: (value: Value, name: string) => Value): Record<string, Value> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value, name)]))
}

/** Where a row has ended the first, else the second; a scalar condition decides for all. */
function choose(ended: Value, after: Value | number, before: Value): Value {
  const condition =
    ended.rank === 0 ? ended : ended.reshape([ended.shape[0]!, ...before.shape.slice(1).map(() => 1)])
  return where(condition, after, before)
}
