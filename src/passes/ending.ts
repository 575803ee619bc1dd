/**
 * Where a scan may stop before its last step: at a state of truth values that, once all are true, stay so, while every
 * other state holds and every yield is 0. Found by putting true in its place and looking at what is left of the step.
 */
import * as build from '../graph/build.ts'
import { isKind, makeGraph, type Node, type ScanNode, scanParts } from '../graph/node.ts'
import { substitute } from '../graph/rebuild.ts'
import { runPass } from './rewrite.ts'
import { simplify } from './simplify.ts'

/** The number of that state; undefined where there is none, or rows are packed. */
export function endingState({ op }: ScanNode): number | undefined {
  const { body } = op
  const { carries } = scanParts(op, body.params as readonly Node[])
  if (op.packing !== undefined) return undefined
  const isConstant = (node: Node, value: number) => isKind(node, 'constant') && node.op.value === value
  const found = carries.findIndex((state, place) => {
    if (state.dtype !== 'bool') return false
    const ended = new Map<Node, Node>([
      ...body.params.map((param) => [param, param] as const),
      [state, build.constant(1, state.shape, 'bool')],
    ])
    const outputs = substitute(body.outputs, ended)
    const left = runPass(simplify, makeGraph(body.params, outputs)).outputs
    return left.every((node, i) => {
      if (i === place) return isConstant(node, 1)
      return i < carries.length ? node === carries[i] : isConstant(node, 0)
    })
  })
  return found < 0 ? undefined : found
}
