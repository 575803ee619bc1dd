/**
 * Parallel scans (Blelloch 1990; Martin and Cundy 2018): states that are linear in themselves,
 *
 *     s_i(t) = Σ_j a_ij(t) ⊙ s_j(t−1) + b_i(t),
 *
 * with a and b that no state reaches, need not wait for each other step by step. Of C chunks of K = ⌊T / C⌋ steps all but
 * the last run side by side as rows more, each from 0 and with the products of its a; a loop over these chunks' ends
 * gives the states they begin with; from these all of them run side by side once more, and the last one, with the steps
 * that are left, behind them. What other steps read of such states is there before they run.
 */
import { requireInteger } from '../tensor/checks.ts'
import {
  floorDivSize,
  maxSize,
  minSize,
  mulSize,
  ONE,
  productOf,
  type Size,
  size,
  subSize,
  ZERO,
} from '../tensor/size.ts'
import {
  concat,
  constant,
  elementwise,
  flip,
  param,
  reshape,
  strided,
  transpose,
  zerosLike,
} from './build.ts'
import { outputOf, type ScanSpec, scanOutputs, scanSpec } from './build-scan.ts'
import { isKind, makeGraph, type Node, type ParamNode, scanParts, topological } from './node.ts'
import type { OpOf } from './ops.ts'
import { substitute } from './rebuild.ts'
import { derive, type Value } from './value.ts'

/**
 * The same values, to take gradients of, with parallel scans for all states that are linear in themselves, whatever their
 * scan's other states are. Scans over packed rows stay as they are.
 *
 * `chunks` is C; one is the loop. Default: as many as together have 128 numbers of a state, of at least 64 steps each,
 * which is the loop where a state has more than 64 numbers or there are fewer than 128 steps. A parallel scan computes a
 * step about three times, so that it gains only what a machine does side by side beyond one step's own numbers: here, on
 * one thread, nothing. Training minGRU, minLSTM, LRU and QRNN of 4 to 256 units on one row of 1000 steps, with 2 to 32
 * chunks, ran at 0.5 to 0.9 of the loop's speed. So `fit` keeps the loop unless `parallelScan` is said.
 * @throws {ArgumentError} for chunks that are no integer of at least 1
 */
export function parallelScans(values: readonly Value[], chunks?: number): Value[] {
  requireInteger('parallelScans', 'chunks', chunks ?? 1, 1)
  let made: Node[] | undefined
  return values.map((_, i) =>
    derive(values, (nodes) => {
      made ??= inParallel(nodes, chunks)
      return made[i]!
    }),
  )
}

function inParallel(nodes: readonly Node[], chunks: number | undefined): Node[] {
  const replaced = new Map<Node, Node>()
  for (const node of topological(nodes)) {
    if (!isKind(node, 'scan') || node.op.packing !== undefined) continue
    const spec = scanSpec(node, substitute(node.inputs, replaced))
    for (const [i, output] of apart(node.op, spec, chunks).entries()) replaced.set(outputOf(node, i), output)
  }
  return substitute(nodes, replaced)
}

/** A state of the body, with what it begins as and becomes. */
interface State {
  readonly param: Node
  readonly init: Node
  readonly next: Node
}

/** The scan's outputs, with linear states taken out of it, those that others read first. */
function apart(op: OpOf<'scan'>, spec: ScanSpec, chunks: number | undefined): Node[] {
  const { body } = spec
  const own = scanParts<Node>(op, body.params)
  const all = own.carries.map(
    (param, i): State => ({ param, init: spec.carries[i]!, next: body.outputs[i]! }),
  )
  const xs = own.xs.map((param, i) => ({ param, outer: spec.xs[i]! }))
  const consts = own.consts.map((param, i) => ({ param, outer: spec.consts[i]! }))
  const finals = new Map<State, Node>()
  const run = (states: readonly State[], outputs: readonly Node[]) => {
    const params = [...states, ...xs, ...consts].map(({ param }) => param)
    const fresh = params.map(({ shape, dtype }, i) => param(i, shape, dtype))
    const made = substitute(outputs, new Map(params.map((each, i) => [each, fresh[i]!])))
    return scanOutputs({
      ...spec,
      body: makeGraph(fresh, made),
      carries: states.map(({ init }) => init),
      xs: xs.map(({ outer }) => outer),
      consts: consts.map(({ outer }) => outer),
    })
  }
  let rest = all
  for (;;) {
    const found = linearGroup(rest)
    if (found === undefined) break
    const { group, forms } = found
    const coefficients = forms.flatMap(({ factors, offset }) => [...factors, offset])
    // Without a state: all steps at once.
    const stacked = run([], coefficients).map((each) => (spec.reverse ? flip(each, 0) : each))
    const width = group.length + 1
    const rows = forms.map((_, i) => stacked.slice(i * width, (i + 1) * width))
    const inits = group.map(({ init }) => init)
    const solved =
      width === 2 && isZero(forms[0]!.factors[0]!)
        ? delayed(inits[0]!, rows[0]![1]!)
        : solve(rows, inits, spec.steps, chunks)
    for (const [i, state] of group.entries()) {
      const history = solved.histories[i]!
      xs.push({ param: state.param, outer: spec.reverse ? flip(history, 0) : history })
      finals.set(state, solved.finals[i]!)
    }
    rest = rest.filter((state) => !group.includes(state))
  }
  if (rest === all) return scanOutputs(spec)
  const outputs = run(rest, [...rest.map(({ next }) => next), ...body.outputs.slice(all.length)])
  return [
    ...all.map((state) => finals.get(state) ?? outputs[rest.indexOf(state)]!),
    ...outputs.slice(rest.length),
  ]
}

/** A state's next value: Σ factor_j ⊙ state_j + offset. */
interface Form {
  readonly factors: readonly Node[]
  readonly offset: Node
}

/** The smallest group of states that read no others and are linear in themselves. */
function linearGroup(
  states: readonly State[],
): { group: readonly State[]; forms: readonly Form[] } | undefined {
  const closed = states.map((state) => {
    const group = new Set([state])
    for (const each of group) {
      const reached = new Set(topological([each.next]))
      for (const other of states) if (reached.has(other.param)) group.add(other)
    }
    return states.filter((each) => group.has(each))
  })
  for (const group of closed.sort((a, b) => a.length - b.length)) {
    const forms = group.map(({ param, next }) => (param.dtype === 'f32' ? formOf(next, group) : undefined))
    if (forms.every((form) => form !== undefined)) return { group, forms }
  }
  return undefined
}

/** undefined where the node is not linear, element by element, in the states. */
function formOf(node: Node, group: readonly State[]): Form | undefined {
  const reads = dependents(node, group)
  const e = elementwise
  const zero = zerosLike(node)
  const map = (forms: readonly Form[], change: (...parts: Node[]) => Node): Form => ({
    factors: group.map((_, j) => change(...forms.map(({ factors }) => factors[j]!))),
    offset: change(...forms.map(({ offset }) => offset)),
  })
  const known = new Map<Node, Form | undefined>()
  const visit = (each: Node): Form | undefined => {
    if (!known.has(each)) known.set(each, look(each))
    return known.get(each)
  }
  const look = (each: Node): Form | undefined => {
    const at = group.findIndex(({ param }) => param === each)
    if (at >= 0) {
      return { factors: group.map((_, j) => constant(Number(j === at), each.shape)), offset: zerosLike(each) }
    }
    if (!reads.has(each)) return { factors: group.map(() => zero), offset: each }
    if (!isKind(each, 'elementwise')) return undefined
    const { fn } = each.op
    const [a, b, c] = each.inputs as [Node, Node, Node]
    const under = (inputs: readonly Node[], change: (...parts: Node[]) => Node) => {
      const forms = inputs.map(visit)
      return forms.every((form) => form !== undefined) ? map(forms, change) : undefined
    }
    if (fn === 'neg') return under([a], (x) => e('neg', x!))
    if (fn === 'add' || fn === 'sub') return under([a, b], (x, y) => e(fn, x!, y!))
    if (fn === 'mul' && !reads.has(a)) return under([b], (y) => e('mul', a, y!))
    if ((fn === 'mul' || fn === 'div') && !reads.has(b)) return under([a], (x) => e(fn, x!, b))
    if (fn === 'select' && !reads.has(a)) return under([b, c], (x, y) => e('select', a, x!, y!))
    return undefined
  }
  return visit(node)
}

function dependents(node: Node, states: readonly State[]): Set<Node> {
  const found = new Set(states.map(({ param }) => param))
  for (const each of topological([node])) if (each.inputs.some((input) => found.has(input))) found.add(each)
  return found
}

/** `rows[i]` are the stacked a_i0, a_i1, …, b_i; returns the states before each step, and after the last. */
function solve(
  rows: readonly (readonly Node[])[],
  inits: readonly Node[],
  steps: Size,
  given: number | undefined,
): { histories: Node[]; finals: Node[] } {
  const shape = inits[0]!.shape
  const wide = floorDivSize(128, maxSize(productOf(shape), 1))
  const chunks = given === undefined ? maxSize(minSize(floorDivSize(steps, 64), wide), 1) : size(given)
  const [side, length] = [subSize(chunks, 1), floorDivSize(steps, chunks)]
  const whole = mulSize(side, length)
  const flat = rows.flat()
  const beside = flat.map((each) => {
    const cut = reshape(strided(each, 0, ZERO, whole, 1), [side, length, ...shape])
    return transpose(cut, swapped(cut))
  })
  const count = inits.length
  const each = (build: (i: number, j: number) => Node) =>
    Array.from({ length: count * count }, (_, at) => build(Math.floor(at / count), at % count))
  const chunk = [side, ...shape]
  const ends = recurrence(
    beside,
    [...inits.map(() => constant(0, chunk)), ...each((i, j) => constant(Number(i === j), chunk))],
    length,
    (states, own) => {
      const products = states.slice(count)
      const column = (j: number) => Array.from({ length: count }, (_, i) => products[i * count + j]!)
      const columns = Array.from({ length: count }, (_, j) => advance(own, column(j), false))
      return [...advance(own, states.slice(0, count), true), ...each((i, j) => columns[j]![i]!)]
    },
  )
  const endRows = ends.finals
  const begins = recurrence(
    // As rows: the products, then where the chunk came to from 0.
    Array.from({ length: count }, (_, i) => [
      ...endRows.slice(count + i * count, count + (i + 1) * count),
      endRows[i]!,
    ]).flat(),
    inits,
    side,
    (states, own) => advance(own, states, true),
  )
  const again = recurrence(beside, begins.histories, length, (states, own) => advance(own, states, true))
  const left = flat.map((each) => strided(each, 0, whole, subSize(steps, whole), 1))
  const last = recurrence(left, begins.finals, subSize(steps, whole), (states, own) =>
    advance(own, states, true),
  )
  const histories = again.histories.map((history, i) => {
    const joined = reshape(transpose(history, swapped(history)), [whole, ...shape])
    return concat([joined, last.histories[i]!], 0)
  })
  return { histories, finals: last.finals }
}

const isZero = (node: Node) => isKind(node, 'constant') && node.op.value === 0

/** The states that only hand on what the step before gave. */
function delayed(init: Node, given: Node): { histories: Node[]; finals: Node[] } {
  const [steps, ...shape] = given.shape as [Size, ...Size[]]
  const all = concat([reshape(init, [ONE, ...shape]), given], 0)
  const final = reshape(strided(all, 0, steps, ONE, 1), shape)
  return { histories: [strided(all, 0, ZERO, steps, 1)], finals: [final] }
}

const swapped = ({ shape }: Node) => [1, 0, ...shape.map((_, axis) => axis).slice(2)]

/** Σ_j a_ij ⊙ s_j + b_i for each i. */
function advance(rows: readonly Node[], states: readonly Node[], offset: boolean): Node[] {
  const width = states.length + 1
  return states.map((_, i) => {
    const own = rows.slice(i * width, (i + 1) * width)
    const terms = states.map((state, j) => elementwise('mul', own[j]!, state))
    const all = offset ? [...terms, own[states.length]!] : terms
    return all.reduce((sum, term) => elementwise('add', sum, term))
  })
}

/** Folds states through time; returns those before each step, and after the last. */
function recurrence(
  xs: readonly Node[],
  inits: readonly Node[],
  steps: Size,
  step: (states: readonly Node[], own: readonly Node[]) => readonly Node[],
): { histories: Node[]; finals: Node[] } {
  const shapes = [...inits.map(({ shape }) => shape), ...xs.map(({ shape }) => shape.slice(1))]
  const params: ParamNode[] = shapes.map((shape, i) => param(i, shape, 'f32'))
  const states = params.slice(0, inits.length)
  const body = makeGraph(params, [...step(states, params.slice(inits.length)), ...states])
  const outputs = scanOutputs({ body, carries: inits, xs, consts: [], steps, reverse: false })
  return { finals: outputs.slice(0, inits.length), histories: outputs.slice(inits.length) }
}
