/** Kernels over a part of an axis: what one thread computes of what all do. */
import { mulSize, ONE, type Size, ZERO } from '../../tensor/size.ts'
import { type Expr, exprsOf, type Kernel, loadsOf, shifted, type View } from '../program.ts'

/** A view as a kernel walks over it: its strides along the kernel's axes. */
export interface Walked {
  readonly view: View
  readonly strides: readonly Size[]
  readonly written: boolean
}

/** The axes of a kernel, and how its views move with them. */
export interface Walk {
  readonly sizes: readonly Size[]
  /** Axes of which each part can be computed alone. */
  readonly free: readonly number[]
  readonly views: readonly Walked[]
  /** Views of which any element may be read, wherever the walk stands. */
  readonly whole: readonly View[]
}

/** Where a part of an axis begins, and how much it is. */
export interface Part {
  readonly begin: Size
  readonly count: Size
}

/** Undefined for a kernel that is not cut: see `cut`. */
export function walkOf(kernel: Kernel): Walk | undefined {
  const read = (view: View, strides: readonly Size[]): Walked => ({ view, strides, written: false })
  const written = (view: View, strides: readonly Size[]): Walked => ({ view, strides, written: true })
  const loads = [...new Set(exprsOf(kernel).flatMap((expr) => loadsOf(expr)))]
  switch (kernel.kind) {
    case 'map':
      return {
        sizes: kernel.shape,
        free: [...kernel.shape.keys()],
        views: [
          ...loads.map((view) => read(view, view.strides)),
          ...kernel.stores.map(({ view }) => written(view, view.strides)),
        ],
        whole: [],
      }
    case 'reduce': {
      const free = [...kernel.shape.keys()].filter((axis) => !kernel.axes.includes(axis))
      const into = kernel.shape.map((_, axis) => kernel.into.strides[free.indexOf(axis)] ?? ZERO)
      const views = [...loads.map((view) => read(view, view.strides)), written(kernel.into, into)]
      return { sizes: kernel.shape, free, views, whole: [] }
    }
    case 'matmul': {
      const { m, n, k, a, b, into, packed, plus } = kernel
      const views = [
        read(a, [a.strides[0]!, ZERO, a.strides[1]!, ZERO]),
        ...(packed ? [] : [read(b, [ZERO, b.strides[1]!, b.strides[0]!, ZERO])]),
        ...[...loads, into].map((view) => ({
          ...read(view, [...view.strides, ZERO, ZERO]),
          written: view === into,
        })),
      ]
      const whole = packed ? [b] : []
      if (plus === undefined) return { sizes: [m, n, k, ONE], free: [0, 1], views, whole }
      return {
        sizes: [m, n, k, plus.k],
        free: [0, 1],
        views: [
          ...views,
          read(plus.a, [plus.a.strides[0]!, ZERO, ZERO, plus.a.strides[1]!]),
          read(plus.made, [...plus.made.strides, ZERO, ZERO]),
        ],
        whole: [...whole, plus.b],
      }
    }
    case 'gather': {
      const { n, d, table, indices, into } = kernel
      return {
        sizes: [n, d],
        free: [0],
        views: [read(indices, [ONE, ZERO]), written(into, [d, ONE])],
        whole: [table],
      }
    }
    default:
      return undefined
  }
}

/** The kernel over a part of one of its free axes. A part of the columns of a packed product begins with a panel. */
export function cut(kernel: Kernel, axis: number, { begin, count }: Part): Kernel {
  const views = new Map<View, View>()
  const moved = (view: View, stride: Size): View => {
    const known = views.get(view) ?? shifted(view, mulSize(begin, stride))
    views.set(view, known)
    return known
  }
  const exprs = new Map<Expr, Expr>()
  const within = (expr: Expr, strideOf: (view: View) => Size): Expr => {
    const known = exprs.get(expr)
    if (known !== undefined) return known
    let made: Expr = expr
    if (expr.kind === 'load') made = { ...expr, view: moved(expr.view, strideOf(expr.view)) }
    else if (expr.kind === 'index' && expr.axis === axis) {
      made = {
        kind: 'apply',
        fn: 'add',
        args: [expr, { kind: 'size', size: begin, dtype: 'i32' }],
        dtype: 'i32',
      }
    } else if (expr.kind === 'apply') made = { ...expr, args: expr.args.map((arg) => within(arg, strideOf)) }
    exprs.set(expr, made)
    return made
  }
  const along = (view: View) => view.strides[axis] ?? ZERO
  switch (kernel.kind) {
    case 'map':
      return {
        ...kernel,
        shape: kernel.shape.with(axis, count),
        stores: kernel.stores.map(({ view, expr, dtype }) => ({
          view: moved(view, along(view)),
          expr: within(expr, along),
          dtype,
        })),
      }
    case 'reduce': {
      const kept = [...kernel.shape.keys()].filter((each) => !kernel.axes.includes(each)).indexOf(axis)
      return {
        ...kernel,
        shape: kernel.shape.with(axis, count),
        expr: within(kernel.expr, along),
        into: moved(kernel.into, kernel.into.strides[kept]!),
      }
    }
    case 'matmul': {
      const { a, b, into, k, packed } = kernel
      const epilogue = within(kernel.epilogue, along)
      const to = moved(into, along(into))
      const plus = kernel.plus && {
        ...kernel.plus,
        made: moved(kernel.plus.made, along(kernel.plus.made)),
        ...(axis === 0
          ? { a: moved(kernel.plus.a, kernel.plus.a.strides[0]!) }
          : { b: moved(kernel.plus.b, kernel.plus.k) }),
      }
      const own = { ...kernel, ...(plus && { plus }), into: to, epilogue }
      if (axis === 0) return { ...own, m: count, a: moved(a, a.strides[0]!) }
      return { ...own, n: count, b: moved(b, packed ? k : b.strides[1]!) }
    }
    case 'gather': {
      const { indices, into, d } = kernel
      return { ...kernel, n: count, indices: moved(indices, ONE), into: moved(into, d) }
    }
    default:
      throw new Error(`${kernel.kind} is not cut`)
  }
}

/** Some of a matrix's panels, all of them whole but the last of all. */
export function cutPanels(
  kernel: Extract<Kernel, { kind: 'pack' }>,
  { begin, count }: Part,
): Extract<Kernel, { kind: 'pack' }> {
  const { from, into, k } = kernel
  return {
    ...kernel,
    n: count,
    from: shifted(from, mulSize(begin, from.strides[1]!)),
    into: shifted(into, mulSize(begin, k)),
  }
}
