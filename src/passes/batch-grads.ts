/**
 * A carry that only sums what each step adds becomes a yield and one sum after the loop; where a step adds a product
 * aᵀδ, hoist then makes that product once, over all T·B rows. Of packed rows the operands are yielded, and the product
 * made over all of them at once.
 */
import * as build from '../graph/build.ts'
import { isByRow, isStackable } from '../graph/build-scan.ts'
import { isKind, type Node, topological } from '../graph/node.ts'
import type { Packing } from '../graph/ops.ts'
import { construct } from '../graph/rebuild.ts'
import { openScan, type Pass, type ScanRule } from './rewrite.ts'
import { closeScan } from './scans.ts'
import { addends } from './simplify.ts'

/** What can be summed after the loop without stacking more than its operands. */
function isShare(node: Node, packing: Packing | undefined): boolean {
  if (standsApart(node)) {
    return node.inputs.every((input) => isShare(input, packing) || isZero(input))
  }
  const sumsRows =
    packing === undefined ||
    node.inputs.every((input) => isByRow(input, packing) && isStackable(input, packing))
  if (isKind(node, 'einsum')) {
    const { a, b, out } = node.op
    return sumsRows && (packing === undefined || (a[0] === b[0] && !out.includes(a[0]!)))
  }
  if (!isKind(node, 'reduce') || node.op.fn !== 'sum') return false
  return sumsRows && (packing === undefined || node.op.axes.includes(0))
}

const standsApart = (node: Node) => isKind(node, 'pad') || isKind(node, 'concat')
const isZero = (node: Node) => isKind(node, 'constant') && node.op.value === 0

/** What has to be yielded so that `sumOf` can be had after the loop. */
function yieldedFor(share: Node, packing: Packing | undefined): readonly Node[] {
  if (packing === undefined) return [share]
  if (!standsApart(share)) return share.inputs
  return share.inputs.flatMap((input) => (isZero(input) ? [] : yieldedFor(input, packing)))
}

/** The sum of a share over all steps. */
function sumOf(share: Node, packing: Packing | undefined, outside: (node: Node) => Node): Node {
  if (packing === undefined) return build.reduce('sum', outside(share), [0])
  const inner = (input: Node) => (isZero(input) ? input : sumOf(input, packing, outside))
  return construct(share, share.inputs.map(standsApart(share) ? inner : outside))
}

const sumsLeave: ScanRule = (scan, used, note) => {
  if (scan.op.checkpoint) return undefined
  const open = openScan(scan)
  const packing = open.packed?.packing
  const sums = open.carries.flatMap((carry, i) => {
    const terms = addends(carry.next) ?? []
    const shares = terms.filter((term) => term !== carry.param)
    const apart = shares.every((share) => isShare(share, packing))
    if (shares.length !== terms.length - 1 || shares.length === 0 || !apart) return []
    const others = open.carries.filter((other) => other !== carry).map(({ next }) => next)
    const readers = [...shares, ...others, ...open.yields.filter((_, y) => used.has(open.carries.length + y))]
    return topological(readers).includes(carry.param) ? [] : [{ carry, i, shares }]
  })
  if (sums.length === 0) return undefined
  const carries = open.carries.filter((carry) => !sums.some((sum) => sum.carry === carry))
  const params = new Set(sums.map(({ carry }) => carry.param))
  const yields = open.yields.map((node) => (params.has(node) ? build.zerosLike(node) : node))
  const extra = sums.flatMap(({ shares }) => shares.flatMap((share) => yieldedFor(share, packing)))
  const outputs = closeScan({ ...open, carries, yields: [...yields, ...extra] }, scan)
  const result = outputs.slice(carries.length)
  const outside = (node: Node) => outputs[carries.length + yields.length + extra.indexOf(node)]!
  const finals = open.carries.map((carry) => {
    const sum = sums.find((each) => each.carry === carry)
    if (sum === undefined) return outputs[carries.indexOf(carry)]!
    return sum.shares.reduce(
      (total: Node, share) => build.elementwise('add', total, sumOf(share, packing, outside)),
      carry.init,
    )
  })
  for (const { carry } of sums) note('summed', carry.param)
  return [...finals, ...result.slice(0, yields.length)]
}

export const batchGrads: Pass = { name: 'batch-grads', scanRules: { sumsLeave } }
