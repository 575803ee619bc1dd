/**
 * A product of any letters becomes matrix products: letters that nest in memory merge to rows, columns and the
 * contracted axis; shared letters become loops; an operand whose letters do not nest is copied into their order.
 */
import type { Node } from '../graph/node.ts'
import type { OpOf } from '../graph/ops.ts'
import { contractionIsStatic, type Item } from '../passes/fuse.ts'
import { addSize, floorDivSize, mulSize, ONE, type Size, size, ZERO } from '../tensor/size.ts'
import { type Lowering, type Scope, viewKey } from './lowering.ts'
import { denseView, type Expr, type View } from './program.ts'
import { mergeAxes } from './views.ts'

interface Operand {
  readonly labels: string
  readonly view: View
}

interface Letters {
  readonly batch: string
  readonly m: string
  readonly n: string
  readonly k: string
}

/** A matrix product ready to emit. */
interface Matrices {
  readonly m: Size
  readonly n: Size
  readonly k: Size
  readonly a: View
  readonly b: View
  readonly c: View
}

type Product = Extract<Item, { kind: 'product' }>

export function lowerProduct(lowering: Lowering, item: Product, scope: Scope): void {
  const { node } = item
  const sizes = sizesOf(node)
  let a: Operand = { labels: node.op.a, view: lowering.accessOf(node.inputs[0]!, scope) }
  let b: Operand = { labels: node.op.b, view: lowering.accessOf(node.inputs[1]!, scope) }
  const last = node.op.out[node.op.out.length - 1]
  if (last !== undefined && !b.labels.includes(last)) [a, b] = [b, a]
  const letters = classify(a, b, node.op.out, sizes)
  const { batch, m, n, k } = letters
  const nests = (labels: string, operand: Operand) => merged(labels, [operand], sizes) !== undefined
  if (!nests(m, a) || !nests(k, a)) a = densify(lowering, scope, a, batch, [m, k], sizes)
  if (!nests(n, b) || !nests(k, b)) b = densify(lowering, scope, b, batch, [k, n], sizes)

  const target = lowering.target(item.result, scope)
  const out: Operand = { labels: node.op.out, view: target }
  const columns = merged(n, [out], sizes)
  const direct =
    merged(m, [a, out], sizes) !== undefined &&
    columns !== undefined &&
    (n === '' || columns.strides[0] === ONE)
  const known = new Map<Node, Expr>()
  const epilogue =
    item.epilogue.length === 0 ? PRODUCT : epilogueOf(lowering, item, scope, letters, sizes, known)
  if (direct && epilogue !== undefined) {
    emit(lowering, scope, a, b, out, letters, sizes, contractionIsStatic(node), epilogue)
    return
  }
  // The plain product goes to a buffer of its own, what follows it into a map kernel.
  const order = batch + m + n
  const plain = lowering.temporary(
    scope,
    'product',
    [...order].map((label) => sizes.get(label)!),
    'f32',
  )
  emit(
    lowering,
    scope,
    a,
    b,
    { labels: order, view: plain },
    letters,
    sizes,
    contractionIsStatic(node),
    PRODUCT,
  )
  scope.access.set(node, {
    ...plain,
    strides: [...node.op.out].map((label) => plain.strides[order.indexOf(label)]!),
  })
  const inside = new Set(item.epilogue)
  const expr = lowering.expression(item.result, scope, inside, new Map())
  scope.access.set(item.result, target)
  const from: Expr =
    item.epilogue.length > 0
      ? expr
      : { kind: 'load', view: viewOfPlain(plain, order, node.op.out), dtype: 'f32' }
  scope.emit({ kind: 'map', shape: node.shape, stores: [{ view: target, expr: from, dtype: 'f32' }] })
}

const PRODUCT: Expr = { kind: 'product' }

function viewOfPlain(plain: View, order: string, out: string): View {
  return { ...plain, strides: [...out].map((label) => plain.strides[order.indexOf(label)]!) }
}

function sizesOf(node: Node<OpOf<'einsum'>>): Map<string, Size> {
  const sizes = new Map<string, Size>()
  for (const [i, label] of [...node.op.a].entries()) sizes.set(label, node.inputs[0]!.shape[i]!)
  for (const [i, label] of [...node.op.b].entries()) sizes.set(label, node.inputs[1]!.shape[i]!)
  return sizes
}

function classify(a: Operand, b: Operand, out: string, sizes: ReadonlyMap<string, Size>): Letters {
  const inOut = [...out]
  const contracted = ({ labels }: Operand, other: Operand) =>
    [...labels].filter((label) => other.labels.includes(label) && !out.includes(label)).join('')
  const [byA, byB] = [contracted(a, b), contracted(b, a)]
  // The order in which they nest in b, which is packed, if there is one.
  const k = merged(byB, [b], sizes) === undefined ? byA : byB
  return {
    batch: inOut.filter((label) => a.labels.includes(label) && b.labels.includes(label)).join(''),
    m: inOut.filter((label) => a.labels.includes(label) && !b.labels.includes(label)).join(''),
    n: inOut.filter((label) => !a.labels.includes(label) && b.labels.includes(label)).join(''),
    k,
  }
}

function merged(labels: string, operands: readonly Operand[], sizes: ReadonlyMap<string, Size>) {
  const strides = operands.map(({ labels: own, view }) =>
    [...labels].map((label) => view.strides[own.indexOf(label)]!),
  )
  return mergeAxes(
    [...labels].map((label) => sizes.get(label)!),
    strides,
  )
}

/** Copies an operand so that two groups of its letters nest; its innermost letter stays innermost. */
function densify(
  lowering: Lowering,
  scope: Scope,
  from: Operand,
  batch: string,
  groups: readonly [string, string],
  sizes: ReadonlyMap<string, Size>,
): Operand {
  const innermost = from.labels[from.view.strides.indexOf(ONE)]
  const [outer, inner] =
    innermost !== undefined && groups[0].includes(innermost) ? [groups[1], groups[0]] : groups
  const order = batch + outer + inner
  const shape = [...order].map((label) => sizes.get(label)!)
  const source = viewOfPlain(from.view, from.labels, order)
  return { labels: order, view: lowering.rearranged(scope, shape, source) }
}

/** The chain after a product, on rows and columns; undefined where some operand of it does not lie that way. */
function epilogueOf(
  lowering: Lowering,
  item: Product,
  scope: Scope,
  { batch, m, n }: Letters,
  sizes: ReadonlyMap<string, Size>,
  known: Map<Node, Expr>,
): Expr | undefined {
  if (batch !== '' || m + n !== item.node.op.out) return undefined
  known.set(item.node, PRODUCT)
  const expr = lowering.expression(item.result, scope, new Set(item.epilogue), known)
  const place = (each: Expr): Expr | undefined => {
    if (each.kind === 'index') return undefined
    if (each.kind === 'apply') {
      const args = each.args.map(place)
      return args.some((arg) => arg === undefined) ? undefined : { ...each, args: args as Expr[] }
    }
    if (each.kind !== 'load') return each
    const operand = { labels: item.node.op.out, view: each.view }
    const [rows, columns] = [merged(m, [operand], sizes), merged(n, [operand], sizes)]
    if (rows === undefined || columns === undefined) return undefined
    const [row, column] = [rows.strides[0]!, columns.strides[0]!]
    if (column !== ONE && column !== ZERO) return undefined
    return { ...each, view: { ...each.view, strides: [row, column] } }
  }
  return place(expr)
}

function emit(
  lowering: Lowering,
  scope: Scope,
  a: Operand,
  b: Operand,
  out: Operand,
  letters: Letters,
  sizes: ReadonlyMap<string, Size>,
  pack: boolean,
  epilogue: Expr,
): void {
  const { batch, m, n, k } = letters
  if (batch !== '') {
    const [label, rest] = [batch[0]!, batch.slice(1)]
    const loop = lowering.newLoop(sizes.get(label)!, false)
    const inner = scope.nested(loop)
    const along = (operand: Operand): Operand => {
      const at = operand.labels.indexOf(label)
      const strides = operand.view.strides.filter((_, axis) => axis !== at)
      const terms = [...operand.view.terms, { loop, by: 'time', stride: operand.view.strides[at]! } as const]
      return { labels: operand.labels.replace(label, ''), view: { ...operand.view, strides, terms } }
    }
    emit(lowering, inner, along(a), along(b), along(out), { batch: rest, m, n, k }, sizes, pack, epilogue)
    scope.steps.push({ kind: 'loop', loop, body: inner.steps })
    return
  }
  const [rows, columns, inner] = [
    merged(m, [a, out], sizes)!,
    merged(n, [b, out], sizes)!,
    merged(k, [a, b], sizes)!,
  ]
  const matrices: Matrices = {
    m: rows.size,
    n: columns.size,
    k: inner.size,
    a: { ...a.view, strides: [rows.strides[0]!, inner.strides[0]!] },
    b: { ...b.view, strides: [inner.strides[1]!, columns.strides[0]!] },
    c: { ...out.view, strides: [rows.strides[1]!, ONE] },
  }
  const panels = pack ? packed(lowering, scope, matrices) : matrices.b
  const { c, ...rest } = matrices
  scope.emit({ kind: 'matmul', ...rest, b: panels, packed: pack, into: c, epilogue })
}

/** Panels of b, made once in the outermost scope where b is known. */
function packed(lowering: Lowering, scope: Scope, { b, k, n }: Matrices): View {
  const home = lowering.homeOf(b, [k, n], scope)
  const key = `${viewKey(b)} ${k.key} ${n.key}`
  const known = home.panels.get(key)
  if (known !== undefined) return known
  const columns = mulSize(floorDivSize(addSize(n, size(lowering.panel - 1)), lowering.panel), lowering.panel)
  const into = denseView(lowering.buffer(home, 'panels', mulSize(columns, k), 'f32'), [mulSize(columns, k)])
  home.emit({ kind: 'pack', k, n, from: b, into })
  home.panels.set(key, into)
  return into
}
