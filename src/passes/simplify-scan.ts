/** Algebra of scans: what nobody reads goes, what is the same at every step becomes a constant. */
import * as build from '../graph/build.ts'
import { isByRow } from '../graph/build-scan.ts'
import { isKind, type Node, topological } from '../graph/node.ts'
import { substitute } from '../graph/rebuild.ts'
import { constantOf } from '../tensor/size.ts'
import { openScan, outputsOf, type ScanRule } from './rewrite.ts'
import { closeScan } from './scans.ts'

/** Outputs that nobody reads, states that reach no output, inputs that the body does not name. */
const dropDead: ScanRule = (scan, used) => {
  const open = openScan(scan)
  const carryCount = open.carries.length
  const keptYields = open.yields.map((_, i) => i).filter((i) => used.has(carryCount + i))
  const live = new Set(open.carries.map((_, i) => i).filter((i) => used.has(i)))
  for (let before = -1; before !== live.size; ) {
    before = live.size
    const roots = [...keptYields.map((i) => open.yields[i]!), ...[...live].map((i) => open.carries[i]!.next)]
    const read = new Set(topological(roots))
    for (const [i, { param }] of open.carries.entries()) if (read.has(param)) live.add(i)
  }
  const carries = open.carries.filter((_, i) => live.has(i))
  const yields = keptYields.map((i) => open.yields[i]!)
  const read = new Set(topological([...yields, ...carries.map(({ next }) => next)]))
  const xs = open.xs.filter(({ param }) => read.has(param))
  const consts = open.consts.filter(({ param }) => read.has(param))
  const before = open.carries.length + open.yields.length + open.xs.length + open.consts.length
  if (
    carries.length + yields.length + xs.length + consts.length === before ||
    carries.length + yields.length === 0
  )
    return undefined
  const outputs = closeScan({ ...open, carries, xs, consts, yields }, scan)
  const result: (Node | undefined)[] = scan.op.body.outputs.map(() => undefined)
  for (const [place, i] of [...live].sort((a, b) => a - b).entries()) result[i] = outputs[place]
  for (const [place, i] of keptYields.entries()) result[carryCount + i] = outputs[carries.length + place]
  return result
}

/** Inputs that are the same at every step, or the same as another input, or uniform constants. */
const plainInputs: ScanRule = (scan) => {
  const open = openScan(scan)
  const byRow = (param: Node) => isByRow(param, open.packed?.packing)
  const replace = new Map<Node, Node>()
  const seen = new Map<Node, Node>()
  const unify = (param: Node, outer: Node): boolean => {
    const known = seen.get(outer)
    if (known !== undefined) replace.set(param, known)
    else seen.set(outer, param)
    return known === undefined
  }
  const moved: { param: Node; outer: Node }[] = []
  const xs = open.xs.filter(({ param, outer }) => {
    if (isKind(outer, 'constant')) {
      replace.set(param, build.constant(outer.op.value, param.shape, param.dtype))
      return false
    }
    if (isKind(outer, 'broadcast') && !outer.op.axes.includes(0) && !byRow(param)) {
      const axes = outer.op.axes.map((axis) => axis - 1)
      moved.push({ param, outer: build.broadcast(outer.inputs[0]!, param.shape, axes) })
      return false
    }
    return unify(param, outer)
  })
  seen.clear()
  const consts = [...open.consts, ...moved].filter(({ param, outer }) => {
    if (isKind(outer, 'constant'))
      replace.set(param, build.constant(outer.op.value, param.shape, param.dtype))
    else if (isKind(outer, 'size'))
      replace.set(param, build.sizeNode(outer.op.size, param.shape, param.dtype))
    else return unify(param, outer)
    return false
  })
  // A state that never changes is a constant.
  const carries = open.carries.filter(({ param, init, next }) => {
    if (next !== param) return true
    consts.push({ param, outer: init })
    return false
  })
  if (replace.size === 0 && moved.length === 0 && carries.length === open.carries.length) return undefined
  if (carries.length + open.yields.length === 0) return open.carries.map(({ init }) => init)
  const [nexts, yields] = [carries.map(({ next }) => next), open.yields]
  const changed = substitute([...nexts, ...yields], replace)
  const outputs = closeScan(
    {
      ...open,
      carries: carries.map((carry, i) => ({ ...carry, next: changed[i]! })),
      xs,
      consts,
      yields: changed.slice(nexts.length),
    },
    scan,
  )
  const finals = open.carries.map((carry) => {
    const at = carries.indexOf(carry)
    return at < 0 ? carry.init : outputs[at]!
  })
  return [...finals, ...outputs.slice(carries.length)]
}

/** Yields that need no loop: a constant, a per-step input as it came, or the same as another yield. */
const plainYields: ScanRule = (scan, used) => {
  const open = openScan(scan)
  const { steps } = scan.op
  const outputs = outputsOf(scan)
  const first = open.carries.length
  let changed = false
  const result = outputs.map((output, index): Node => {
    if (index < first || !used.has(index)) return output
    const node = open.yields[index - first]!
    const x = open.xs.find(({ param }) => param === node)
    const known = open.consts.find(({ param }) => param === node)
    const twin = open.yields.indexOf(node)
    let plain: Node | undefined
    if (isKind(node, 'constant')) plain = build.constant(node.op.value, output.shape, output.dtype)
    else if (x !== undefined) plain = x.outer
    else if (known !== undefined && !isByRow(node, open.packed?.packing))
      plain = build.broadcast(
        known.outer,
        output.shape,
        node.shape.map((_, axis) => axis + 1),
      )
    else if (twin < index - first) plain = outputs[first + twin]
    if (plain === undefined) return output
    changed = true
    return plain
  })
  return changed && constantOf(steps) !== 0 ? result : undefined
}

export const SCAN_RULES: Readonly<Record<string, ScanRule>> = { dropDead, plainInputs, plainYields }
