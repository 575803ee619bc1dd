/** `scan`: time as an operation of the graph. The face over `scanOutputs` of build-scan.ts. */
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { printShape, type Shape, type Size, type SizeLike, size } from '../tensor/size.ts'
import { scanOutputs } from './build-scan.ts'
import { traceWith } from './trace.ts'
import { derive, iota, less, Value, where } from './value.ts'

export type Values = Readonly<Record<string, Value>>

export interface ScanOptions<C extends Values, X extends Values> {
  /** The states before the first step, by name; of any shape. */
  readonly carry: C
  /** Per-step inputs, by name; axis 0 is time. */
  readonly xs?: X
  /** How many steps; needed only without `xs`. */
  readonly steps?: SizeLike
  /** From the last step to the first. What step t yields stays at index t. */
  readonly reverse?: boolean
  /**
   * i32 [B], for states and inputs whose axis 0 is B: where t ≥ lengths[row], a row's states hold, its inputs read
   * as 0 (so that a NaN there reaches nothing) and its yields are 0. A reverse scan starts each row at its last step.
   */
  readonly lengths?: Value
  /** bool [T, B], instead of lengths: the same where it is false, before a row's first step and in gaps too. */
  readonly mask?: Value
}

export interface StepArguments<C extends Values, X extends Values> {
  readonly carry: C
  readonly x: X
  /** The step's number, an i32 scalar. */
  readonly t: Value
}

export interface ScanResult<C extends Values, Y extends Values> {
  /** The states after the last step. */
  readonly carry: C
  /** What each step yielded, stacked along a new axis 0. */
  readonly ys: Y
}

/**
 * Folds `step` through time: carry(t), y(t) = step(carry(t−1), x(t)).
 * Outer values that the step names become constants of its body.
 *
 * @throws {ShapeError} where the next states differ in shape from the states
 * @throws {ArgumentError} where a state is missing, misspelt or extra
 */
export function scan<C extends Values, X extends Values, Y extends Values>(
  options: ScanOptions<C, X>,
  step: (args: StepArguments<C, X>) => { readonly carry: C; readonly y?: Y },
): ScanResult<C, Y> {
  const states = Object.keys(options.carry)
  const inputs = Object.keys(options.xs ?? {})
  const xs = (options.xs ?? {}) as X
  const { lengths, mask } = options
  requireRows(lengths, mask)
  const perStep = [...Object.values(xs), ...(mask === undefined ? [] : [mask])]
  const steps = stepCount(options.steps, perStep)
  const specs = [
    ...states.map((name) => specOf(name, options.carry[name]!.shape, options.carry[name]!)),
    ...perStep.map((value, i) => specOf(inputs[i] ?? 'mask', value.shape.slice(1), value)),
    { shape: [], dtype: 'i32', name: 't' } as const,
  ]
  let yieldNames: string[] = []
  const traced = traceWith(
    specs,
    (params) => {
      const carry = pick(states, params.slice(0, states.length)) as C
      const t = params[params.length - 1]!
      const there = mask && params[params.length - 2]!
      const alive = lengths === undefined ? there : less(t, lengths)
      const read = pick(inputs, params.slice(states.length)) as X
      const x = alive === undefined ? read : mapValues(read, (value) => masked(alive, value, 0))
      const result = step({ carry, x, t }) ?? {}
      const next = checkStates(options.carry, result.carry)
      yieldNames = Object.keys(result.y ?? {})
      const ys = yieldNames.map((name) => result.y![name]!)
      if (alive === undefined)
        return { next: states.map((name) => next[name]!), ys, history: Object.values(carry) }
      return {
        next: states.map((name) => masked(alive, next[name]!, carry[name]!)),
        ys: ys.map((value) => masked(alive, value, 0)),
        history: Object.values(carry),
      }
    },
    // The states before each step are yielded too: gradients read them, and dead ones are dropped when compiled.
    ({ next, ys, history }) => [...next, ...ys, ...history],
  )
  const outer = [...states.map((name) => options.carry[name]!), ...perStep, iota([steps], 0)]
  const outputs = traced.graph.outputs.map((_, index) =>
    derive([...outer, ...traced.captured], (nodes) => {
      const spec = {
        body: traced.graph,
        carries: nodes.slice(0, states.length),
        xs: nodes.slice(states.length, outer.length),
        consts: nodes.slice(outer.length),
        steps,
        reverse: options.reverse ?? false,
      }
      return scanOutputs(spec)[index]!
    }),
  )
  return {
    carry: pick(states, outputs) as C,
    ys: pick(yieldNames, outputs.slice(states.length)) as Y,
  }
}

function specOf(name: string, shape: Shape, value: Value) {
  return { shape, dtype: value.dtype, name }
}

/** @throws {ArgumentError} for lengths and a mask at once */
function requireRows(lengths: Value | undefined, mask: Value | undefined): void {
  if (lengths !== undefined && mask !== undefined) {
    throw new ArgumentError(
      'scan: expected lengths or a mask, which says all that lengths say; received both',
    )
  }
  if (lengths !== undefined && (lengths.rank !== 1 || lengths.dtype !== 'i32')) {
    throw new ShapeError(
      `scan: lengths must be i32[B]; received ${lengths.dtype}${printShape(lengths.shape)}`,
    )
  }
  if (mask !== undefined && (mask.rank !== 2 || mask.dtype !== 'bool')) {
    throw new ShapeError(`scan: a mask must be bool[T, B]; received ${mask.dtype}${printShape(mask.shape)}`)
  }
}

function stepCount(given: SizeLike | undefined, [first]: readonly Value[]): Size {
  if (first !== undefined) {
    if (given !== undefined && size(given) !== first.shape[0]) {
      throw new ShapeError(
        `scan: steps is ${size(given).key}, but the per-step inputs have ${first.shape[0]?.key}`,
      )
    }
    if (first.rank === 0) throw new ShapeError('scan: a per-step input needs a time axis; received a number')
    return first.shape[0]!
  }
  if (given === undefined) throw new ArgumentError('scan: expected xs or steps; received neither')
  return size(given)
}

export function pick(names: readonly string[], values: readonly Value[]): Values {
  return Object.fromEntries(names.map((name, i) => [name, values[i]!]))
}

function mapValues<V extends Values>(values: V, change: (value: Value) => Value): V {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, change(value)]),
  ) as unknown as V
}

/** Selects by row: the condition is [B], the values [B, …]. */
function masked(alive: Value, value: Value, otherwise: Value | number): Value {
  if (value.rank === 0)
    throw new ShapeError('scan: with lengths or a mask, states, inputs and yields need an axis of rows')
  const condition = alive.reshape([alive.shape[0]!, ...value.shape.slice(1).map(() => 1)])
  return where(condition, value, otherwise)
}

/** Checks names and shapes of the next states against the states. */
export function checkStates<C extends Values>(states: C, next: C): C {
  const [expected, received] = [Object.keys(states), Object.keys(next ?? {})]
  const missing = expected.filter((name) => !received.includes(name))
  const extra = received.filter((name) => !expected.includes(name))
  if (missing.length > 0 || extra.length > 0) {
    throw new ArgumentError(
      `the step must return the states {${expected.join(', ')}}; received {${received.join(', ')}}` +
        `${missing.length > 0 ? `; missing: ${missing.join(', ')}` : ''}${extra.length > 0 ? `; not a state: ${extra.join(', ')}` : ''}`,
    )
  }
  for (const name of expected) {
    const [a, b] = [states[name]!, next[name]!]
    if (!(b instanceof Value))
      throw new ArgumentError(`state ${name}: expected a symbolic value; received ${typeof b}`)
    if (a.rank !== b.rank || a.dtype !== b.dtype || a.shape.some((each, axis) => each !== b.shape[axis])) {
      throw new ShapeError(
        `state ${name} is ${a.dtype}${printShape(a.shape)}, but the step returned ${b.dtype}${printShape(b.shape)}`,
      )
    }
  }
  return next
}
