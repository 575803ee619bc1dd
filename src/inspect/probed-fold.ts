/**
 * A fold that can be looked into: to what each step makes of a state a number e(t) is added, and each weight may be one
 * of its own at every step. With e(t) = 0 and equal weights the numbers are those of the plain scan, and their gradients
 * are those of each step by itself.
 */
import { substitute } from '../graph/rebuild.ts'
import { scan, type Values } from '../graph/scan.ts'
import { derive, stopGradient, type Value, where } from '../graph/value.ts'
import type { Fold } from '../layers/layer.ts'
import type { Shape, Size } from '../tensor/size.ts'

export interface Probes {
  /** e(t) of the state of that path, of the shape [T, B, …]; undefined for what is no state. */
  state(path: string, shape: Shape): Value | undefined
  /** The weights of a layer, by path. */
  weights(prefix: string): readonly (readonly [path: string, weight: Value])[]
  /** Told of each weight that the steps read: the values W(t), [T, …], that stood in its place. */
  read(path: string, unshared: Value): void
  /** i32: the step that takes over numbers from the one before it, but no gradient goes back. */
  readonly cut?: Value | undefined
}

export function probedFold({ state, weights, read, cut }: Probes): Fold {
  return ({ carry, xs, reverse }, { value, mask }, { prefix }, stepFor) => {
    const [steps, step] = [value.shape[0]!, stepFor(value.shape[1]!)]
    const names = Object.keys(carry)
    const added = names.map((name) => state(`${prefix}${name}`, [steps, ...carry[name]!.shape]))
    const shared = weights(prefix)
    const unshared = shared.map(([, weight]) => atEveryStep(weight, steps))
    const seen = new Set<number>()
    const own: Values = {
      ...numbered('e', added),
      ...numbered('w', unshared),
      ...(mask && { ' there': mask }),
    }
    const result = scan({ carry, xs: { ...xs, ...own }, reverse }, ({ carry: states, x, t }) => {
      const there = mask && x[' there']
      const before = cut === undefined ? states : detachedAt(t.equal(cut), states)
      const inputs = Object.keys(xs).map((name) => [name, selected(there, x[name]!, 0)])
      const { carry: after, y } = step({ carry: before, x: Object.fromEntries(inputs) })
      const yields = Object.keys(y)
      let values = [...names.map((name) => after[name]!), ...yields.map((name) => y[name]!)]
      for (const [i, [, weight]] of shared.entries()) {
        const own = replaced(values, weight, x[`w ${i}`]!)
        if (own.some(({ node }, at) => node !== values[at]!.node)) seen.add(i)
        values = own
      }
      for (const i of names.keys()) {
        if (added[i] !== undefined) values = moved(values, i, x[`e ${i}`]!)
      }
      const next = names.map((name, i) => [name, selected(there, values[i]!, states[name]!)])
      const ys = yields.map((name, i) => [name, selected(there, values[names.length + i]!, 0)])
      return { carry: Object.fromEntries(next) as Values, y: Object.fromEntries(ys) as Values }
    })
    for (const i of seen) read(shared[i]![0], unshared[i]!)
    return result
  }
}

/** One for each step: [T, …]. */
function atEveryStep(weight: Value, steps: Size): Value {
  return weight.expandDims(0).broadcastTo([steps, ...weight.shape])
}

function numbered(kind: string, values: readonly (Value | undefined)[]): Values {
  return Object.fromEntries(
    values.flatMap((value, i) => (value === undefined ? [] : [[`${kind} ${i}`, value]])),
  )
}

function detachedAt(isFirst: Value, states: Values): Values {
  return Object.fromEntries(
    Object.entries(states).map(([name, value]) => [name, where(isFirst, stopGradient(value), value)]),
  )
}

/** What a scan does with a mask; weights, which have no rows, must not go through its own. */
function selected(there: Value | undefined, value: Value, otherwise: Value | number): Value {
  if (there === undefined) return value
  return where(there.reshape([there.shape[0]!, ...value.shape.slice(1).map(() => 1)]), value, otherwise)
}

/** A state moved by e, and with it all that the same step makes of it: an LSTM's h of its c, and the output. */
function moved(values: readonly Value[], i: number, e: Value): Value[] {
  const state = values[i]!
  // What the step only hands on has other readers in it, which do not read the state that it becomes.
  if (state.node.inputs.length === 0) return values.with(i, state.add(e))
  return replaced(values, state, state.add(e))
}

/** The values over another one in the place of `from`. */
function replaced(values: readonly Value[], from: Value, to: Value): Value[] {
  return values.map((_, i) =>
    derive([...values, from, to], (nodes) => {
      const [old, own] = nodes.slice(values.length)
      return substitute(nodes.slice(0, values.length), new Map([[old!, own!]]))[i]!
    }),
  )
}
