/** What lowering holds on its way: scopes, buffers, and where each node's numbers are. */
import { isKind, type Node } from '../graph/node.ts'
import type { OpOf } from '../graph/ops.ts'
import { type RowKind, VIEW_KINDS } from '../passes/fuse.ts'
import type { Dtype } from '../tensor/dtype.ts'
import { printShape, productOf, type Shape, type Size, symbolsOf } from '../tensor/size.ts'
import {
  type Buffer,
  denseView,
  type Expr,
  isDense,
  type Kernel,
  type Loop,
  type Program,
  type Step,
  type View,
} from './program.ts'
import { viewOf } from './views.ts'

/** A straight stretch of a program: the top, or one loop's body. */
export class Scope {
  readonly parent: Scope | undefined
  readonly depth: number
  readonly loop: Loop | undefined
  readonly steps: Step[] = []
  readonly access = new Map<Node, View>()
  /** Where nodes must be written: their place in a state, a stacked yield, a concatenation, an output. */
  readonly places = new Map<Node, View>()
  /** Packed panels made in this scope, by what they hold. */
  readonly panels = new Map<string, View>()
  /** Copies in another order made in this scope, by what they hold. */
  readonly copies = new Map<string, View>()

  constructor(parent?: Scope, loop?: Loop) {
    this.parent = parent
    this.loop = loop
    this.depth = parent === undefined ? 0 : parent.depth + 1
  }

  nested(loop: Loop): Scope {
    return new Scope(this, loop)
  }

  emit(kernel: Kernel): void {
    this.steps.push({ kind: 'call', kernel })
  }
}

/** Equal for views of the same elements. */
export function viewKey({ buffer, offset, strides, terms }: View): string {
  const moves = terms.map(({ loop, by, stride }) => `${loop.id} ${by} ${stride.key}`)
  return [buffer.id, offset.key, ...strides.map((each) => each.key), ...moves].join(' ')
}

/** How operations are lowered that move rows by their indices; see moves.ts. */
export interface Moves {
  lower(lowering: Lowering, node: Node<OpOf<RowKind>>, into: View, scope: Scope): void
  /** Takes out what tables written in place make needless. */
  settle(program: Program): Program
}

/** Lowers one graph; holds the buffers made on the way. */
export class Lowering {
  readonly buffers: Buffer[] = []
  private readonly madeIn = new Map<Buffer, Scope>()
  private loops = 0

  /** Columns in a panel of a packed matrix. */
  readonly panel: number
  readonly moves: Moves | undefined

  constructor(panel: number, moves: Moves | undefined) {
    this.panel = panel
    this.moves = moves
  }

  buffer(scope: Scope, name: string, elements: Size, dtype: Dtype, persistent = false): Buffer {
    const made: Buffer = { id: this.buffers.length, name, elements, dtype, persistent }
    this.buffers.push(made)
    this.madeIn.set(made, scope)
    return made
  }

  temporary(scope: Scope, name: string, shape: Shape, dtype: Dtype): View {
    return denseView(this.buffer(scope, name, productOf(shape), dtype), shape)
  }

  newLoop(steps: Size, reverse: boolean, rest: Pick<Loop, 'rows'> = {}): Loop {
    return { id: this.loops++, steps, reverse, ...rest }
  }

  /** The outermost scope in which a view's contents, as many as the shape says, are there and stay as they are. */
  homeOf(view: View, shape: Shape, scope: Scope): Scope {
    let depth = this.madeIn.get(view.buffer)!.depth
    let home = scope
    const sizes = new Set<string>()
    for (const each of [...shape, ...view.strides, view.offset]) symbolsOf(each, sizes)
    for (let each: Scope | undefined = scope; each !== undefined; each = each.parent) {
      const { loop } = each
      if (loop === undefined) continue
      const moves = view.terms.some((term) => term.loop === loop)
      if (moves || (loop.rows !== undefined && sizes.has(loop.rows.alive.key)))
        depth = Math.max(depth, each.depth)
    }
    while (home.depth > depth) home = home.parent!
    return home
  }

  /** Where a node's numbers are. */
  accessOf(node: Node, scope: Scope): View {
    const known = scope.access.get(node)
    if (known !== undefined) return known
    if (!VIEW_KINDS.has(node.op.kind)) throw new Error(`${node.op.kind} is read before it is made`)
    const input = node.inputs[0]!
    const view = viewOf(node, this.accessOf(input, scope)) ?? viewOf(node, this.denseAccess(input, scope))!
    scope.access.set(node, view)
    return view
  }

  /** As accessOf, copied to row-major order where it is not. */
  denseAccess(node: Node, scope: Scope): View {
    const view = this.accessOf(node, scope)
    if (isDense(view, node.shape)) return view
    const dense = this.temporary(scope, 'dense', node.shape, node.dtype)
    this.copy(scope, node.shape, view, dense, node.dtype)
    return dense
  }

  /** A row-major copy of a view's f32 elements, made once in the outermost scope where they are known. */
  rearranged(scope: Scope, shape: Shape, from: View): View {
    const home = this.homeOf(from, shape, scope)
    const key = viewKey(from) + printShape(shape)
    const known = home.copies.get(key)
    if (known !== undefined) return known
    const view = this.temporary(home, 'operand', shape, 'f32')
    this.copy(home, shape, from, view, 'f32')
    home.copies.set(key, view)
    return view
  }

  copy(scope: Scope, shape: Shape, from: View, into: View, dtype: Dtype): void {
    scope.emit({
      kind: 'map',
      shape,
      stores: [{ view: into, dtype, expr: { kind: 'load', view: from, dtype } }],
    })
  }

  /** Where a node is to be written: its place if it has one, else a new buffer. */
  target(node: Node, scope: Scope): View {
    const view = scope.places.get(node) ?? this.temporary(scope, node.op.kind, node.shape, node.dtype)
    scope.access.set(node, view)
    return view
  }

  /** The computation of a node where `inside` says which nodes are computed on the spot. */
  expression(node: Node, scope: Scope, inside: ReadonlySet<Node>, known: Map<Node, Expr>): Expr {
    const found = known.get(node)
    if (found !== undefined) return found
    let made: Expr
    if (isKind(node, 'constant')) made = { kind: 'constant', value: node.op.value, dtype: node.dtype }
    else if (isKind(node, 'size')) made = { kind: 'size', size: node.op.size, dtype: node.dtype }
    else if (isKind(node, 'iota')) made = { kind: 'index', axis: node.op.axis }
    else if (isKind(node, 'elementwise') && inside.has(node)) {
      const args = node.inputs.map((input) => this.expression(input, scope, inside, known))
      made = { kind: 'apply', fn: node.op.fn, args, dtype: node.dtype }
    } else made = { kind: 'load', view: this.accessOf(node, scope), dtype: node.dtype }
    known.set(node, made)
    return made
  }
}
