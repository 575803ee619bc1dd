/**
 * What does not depend on the carry leaves the loop.
 *
 * Before it: a product of per-step inputs with constants becomes one product over all T·B rows, and what depends on
 * constants alone is computed once. After it: a product that only the outside reads is made from stacked operands,
 * again over all rows at once. Views are free and stay with their readers.
 */
import { isStackable } from '../graph/build-scan.ts'
import { isKind, type Node, type ScanNode, topological, usersOf } from '../graph/node.ts'
import { substitute } from '../graph/rebuild.ts'
import { lift, outsideOf, stack } from './lift.ts'
import { type Note, type OpenScan, openScan, outputsOf, type Pass, type ScanRule } from './rewrite.ts'
import { closeScan, freshParam } from './scans.ts'

const VIEWS = new Set(['broadcast', 'reshape', 'transpose', 'slice', 'flip'])
const HEAVY = new Set(['einsum', 'gather'])

interface Dependence {
  readonly onCarry: ReadonlySet<Node>
  readonly onStep: ReadonlySet<Node>
}

function dependence(order: readonly Node[], open: OpenScan): Dependence {
  const onCarry = new Set<Node>(open.carries.map(({ param }) => param))
  const onStep = new Set<Node>(open.xs.map(({ param }) => param))
  for (const node of order) {
    if (node.inputs.some((input) => onCarry.has(input))) onCarry.add(node)
    if (node.inputs.some((input) => onStep.has(input))) onStep.add(node)
  }
  return { onCarry, onStep }
}

/** Carry-independent work moves in front of the loop. */
const before: ScanRule = (scan, _used, note) => {
  const open = openScan(scan)
  const roots = [...open.carries.map(({ next }) => next), ...open.yields]
  const order = topological(roots)
  const { onCarry, onStep } = dependence(order, open)
  const users = usersOf(order)
  const hasHeavy = new Set<Node>()
  for (const node of order) {
    if (!onCarry.has(node) && (HEAVY.has(node.op.kind) || node.inputs.some((input) => hasHeavy.has(input))))
      hasHeavy.add(node)
  }
  const worth = (node: Node) => {
    if (onCarry.has(node) || ['param', 'constant', 'size'].includes(node.op.kind)) return false
    return onStep.has(node) ? hasHeavy.has(node) : !VIEWS.has(node.op.kind) || hasHeavy.has(node)
  }
  const frontier = new Set<Node>()
  const demand = (node: Node): void => {
    if (!worth(node)) return
    const base = VIEWS.has(node.op.kind) ? node.inputs[0]! : undefined
    if (base !== undefined) demand(base)
    else frontier.add(node)
  }
  for (const node of order) {
    if (roots.includes(node) || users.get(node)!.some((user) => onCarry.has(user) || !worth(user)))
      demand(node)
  }
  const known = outsideOf(open)
  const replace = new Map<Node, Node>()
  for (const node of frontier) {
    const lifted = lift(node, scan, known)
    // What is the same for every row of packed ones is not worth a copy for each.
    if (lifted === undefined || (lifted.stacked && (scan.op.checkpoint || !onStep.has(node)))) continue
    const param = freshParam(open, node)
    replace.set(node, param)
    ;(lifted.stacked ? open.xs : open.consts).push({ param, outer: lifted.node })
    if (lifted.stacked) note('left', node, lifted.node)
  }
  if (replace.size === 0) return undefined
  const changed = substitute(roots, replace)
  const carries = open.carries.map((carry, i) => ({ ...carry, next: changed[i]! }))
  return closeScan({ ...open, carries, yields: changed.slice(carries.length) }, scan)
}

/** Steps that hand no state on need no loop. */
const apart: ScanRule = (scan, used, note) => {
  const open = openScan(scan)
  if (open.carries.length > 0) return undefined
  const known = outsideOf(open)
  const lifted = open.yields.map((node, i) => (used.has(i) ? lift(node, scan, known) : undefined))
  if (lifted.every((each) => each === undefined)) return undefined
  const rest = outputsOf(scan)
  note('apart')
  return lifted.map((each, i) => (each === undefined ? rest[i] : stack(each, scan.op.steps)))
}

/** Yields that no state reads are made after the loop, from stacked operands. */
const after: ScanRule = (scan, used, note) => {
  if (scan.op.checkpoint) return undefined
  const open = openScan(scan)
  const first = open.carries.length
  const forStates = new Set(topological(open.carries.map(({ next }) => next)))
  const { onCarry } = dependence(topological([...open.carries.map(({ next }) => next), ...open.yields]), open)
  const sinks = open.yields.flatMap((node, i) =>
    used.has(first + i) && isSinkable(node, forStates, onCarry) ? [{ node, i }] : [],
  )
  return sink(sinks, open, scan, { forStates, onCarry }, note)
}

/** Sinks what can be made outside; what cannot be made there stays, and the rest is tried without it. */
function sink(
  sinks: readonly { readonly node: Node; readonly i: number }[],
  open: OpenScan,
  scan: ScanNode,
  where: { readonly forStates: ReadonlySet<Node>; readonly onCarry: ReadonlySet<Node> },
  note: Note,
): readonly (Node | undefined)[] | undefined {
  if (sinks.length === 0) return undefined
  const first = open.carries.length
  // Operands of sunk work that are not outside yet are yielded instead.
  const frontier = new Set<Node>()
  const seen = new Set<Node>()
  const known = outsideOf(open)
  const visit = (node: Node): void => {
    if (seen.has(node) || known.has(node)) return
    seen.add(node)
    if (
      node.inputs.length > 0 &&
      (!where.onCarry.has(node) || isSinkable(node, where.forStates, where.onCarry))
    )
      node.inputs.forEach(visit)
    else if ((node.inputs.length > 0 || node.op.kind === 'param') && isStackable(node, scan.op.packing))
      frontier.add(node)
  }
  for (const { node } of sinks) visit(node)
  const yields = [...open.yields, ...[...frontier].filter((node) => !open.yields.includes(node))]
  const outputs = closeScan({ ...open, yields }, scan)
  for (const node of frontier)
    known.set(node, { node: outputs[first + yields.indexOf(node)]!, stacked: true })
  const made = sinks.map(({ node, i }) => ({ node, i, lifted: lift(node, scan, known) }))
  const able = made.filter(({ lifted }) => lifted !== undefined)
  if (able.length < made.length) return sink(able, open, scan, where, note)
  const result = outputs.slice(0, scan.op.body.outputs.length)
  for (const { node, i, lifted } of made) {
    result[first + i] = stack(lifted!, scan.op.steps)
    if (HEAVY.has(node.op.kind)) note('after', node)
  }
  return result
}

/** Work of many operands and one reader outside: products, sums, and what stands on them. */
function isSinkable(node: Node, forStates: ReadonlySet<Node>, onCarry: ReadonlySet<Node>): boolean {
  if (forStates.has(node) || !onCarry.has(node)) return false
  if (isKind(node, 'einsum') || isKind(node, 'reduce')) return true
  if (VIEWS.has(node.op.kind))
    return isSinkable(node.inputs[0]!, forStates, onCarry) || node.op.kind === 'broadcast'
  if (!isKind(node, 'elementwise') && !isKind(node, 'concat') && !isKind(node, 'pad')) return false
  const moving = node.inputs.filter((input) => onCarry.has(input))
  return moving.every((input) => isSinkable(input, forStates, onCarry))
}

export const hoist: Pass = { name: 'hoist', scanRules: { apart, before, after } }
