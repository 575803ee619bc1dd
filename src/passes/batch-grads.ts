/**
 * A carry that only sums what each step adds becomes a yield and one sum after the loop; where a step adds a product
 * aᵀδ, hoist then makes that product once, over all T·B rows.
 */
import * as build from '../graph/build.ts'
import { isKind, type Node, topological } from '../graph/node.ts'
import { typeOf } from '../graph/print.ts'
import { openScan, type Pass, type ScanRule } from './rewrite.ts'
import { closeScan } from './scans.ts'
import { addends } from './simplify.ts'

/** What can be summed after the loop without stacking more than its operands. */
function isShare(node: Node): boolean {
  if (isKind(node, 'pad') || isKind(node, 'concat')) {
    return node.inputs.every((input) => isShare(input) || (isKind(input, 'constant') && input.op.value === 0))
  }
  return isKind(node, 'einsum') || (isKind(node, 'reduce') && node.op.fn === 'sum')
}

const sumsLeave: ScanRule = (scan, used, note) => {
  const open = openScan(scan)
  const sums = open.carries.flatMap((carry, i) => {
    const terms = addends(carry.next) ?? []
    const shares = terms.filter((term) => term !== carry.param)
    if (shares.length !== terms.length - 1 || shares.length === 0 || !shares.every(isShare)) return []
    const others = open.carries.filter((other) => other !== carry).map(({ next }) => next)
    const readers = [...shares, ...others, ...open.yields.filter((_, y) => used.has(open.carries.length + y))]
    return topological(readers).includes(carry.param) ? [] : [{ carry, i, shares }]
  })
  if (sums.length === 0) return undefined
  const carries = open.carries.filter((carry) => !sums.some((sum) => sum.carry === carry))
  const params = new Set(sums.map(({ carry }) => carry.param))
  const yields = open.yields.map((node) => (params.has(node) ? build.zerosLike(node) : node))
  const shares = sums.flatMap((sum) => sum.shares)
  const outputs = closeScan({ ...open, carries, yields: [...yields, ...shares] }, scan)
  const result = outputs.slice(carries.length)
  const finals = open.carries.map((carry) => {
    const sum = sums.find((each) => each.carry === carry)
    if (sum === undefined) return outputs[carries.indexOf(carry)]!
    return sum.shares.reduce((total: Node, share) => {
      const stacked = outputs[carries.length + yields.length + shares.indexOf(share)]!
      return build.elementwise('add', total, build.reduce('sum', stacked, [0]))
    }, carry.init)
  })
  for (const { carry } of sums) note(`a sum over time ${typeOf(carry.param)} became one sum after the loop`)
  return [...finals, ...result.slice(0, yields.length)]
}

export const batchGrads: Pass = { name: 'batch-grads', scanRules: { sumsLeave } }
