/**
 * Four elements at a time: loads, stores and element-wise expressions on v128 lanes.
 * Holds: a bool is a mask (all bits of a lane) in registers and 0 or 1 in memory.
 */
import type { ElementwiseName } from '../../graph/ops.ts'
import type { Dtype } from '../../tensor/dtype.ts'
import { ONE, type Size, ZERO } from '../../tensor/size.ts'
import type { Expr, View } from '../program.ts'
import type { Code, Local } from './assembler.ts'
import type { KernelCode, Operand, RareFunction } from './kernel.ts'
import { emitExp, emitLog, emitSigmoid, emitTanh } from './math.ts'

/** What follows the operands, the last argument's type given. */
const APPLY: Record<Exclude<ElementwiseName, RareFunction>, (f: Code, operand: Dtype) => void> = {
  neg: (f, operand) => (operand === 'f32' ? f.f32x4 : f.i32x4).neg(),
  abs: (f, operand) => (operand === 'f32' ? f.f32x4 : f.i32x4).abs(),
  exp: emitExp,
  log: emitLog,
  sqrt: (f) => f.f32x4.sqrt(),
  floor: (f) => f.f32x4.floor(),
  tanh: emitTanh,
  sigmoid: emitSigmoid,
  add: (f, operand) => (operand === 'f32' ? f.f32x4 : f.i32x4).add(),
  sub: (f, operand) => (operand === 'f32' ? f.f32x4 : f.i32x4).sub(),
  mul: (f, operand) => (operand === 'f32' ? f.f32x4 : f.i32x4).mul(),
  div: (f) => f.f32x4.div(),
  max: (f, operand) => (operand === 'f32' ? f.f32x4.max() : f.i32x4.maxS()),
  min: (f, operand) => (operand === 'f32' ? f.f32x4.min() : f.i32x4.minS()),
  less: (f, operand) => (operand === 'f32' ? f.f32x4.lt() : f.i32x4.ltS()),
  lessEqual: (f, operand) => (operand === 'f32' ? f.f32x4.le() : f.i32x4.leS()),
  equal: (f, operand) => (operand === 'f32' ? f.f32x4.eq() : f.i32x4.eq()),
  and: (f) => f.v128.and(),
  or: (f) => f.v128.or(),
  not: (f) => f.v128.not(),
  isFinite: (f) => {
    f.f32x4.abs()
    f.f32x4.const(Infinity)
    f.f32x4.lt()
  },
  toF32: (f, operand) => {
    if (operand === 'i32') f.f32x4.convertI32x4S()
    if (operand !== 'bool') return
    f.f32x4.const(1)
    f.v128.and()
  },
  toI32: (f, operand) => {
    if (operand === 'f32') f.i32x4.truncSatF32x4S()
    if (operand === 'bool') f.i32x4.neg()
  },
  select: (f) => f.v128.bitselect(),
  stopGradient: () => {},
}

export function isRare(fn: ElementwiseName): fn is RareFunction {
  return !(fn in APPLY)
}

/** Where an expression is computed: what a load and an index mean there. */
export interface Site {
  /** Pushes four elements of a view. */
  readonly load: (view: View) => void
  /** Pushes the four indices along an axis. */
  readonly index?: (axis: number) => void
  readonly product?: Local
  /** Expressions that were computed before. */
  readonly known?: ReadonlyMap<Expr, Local>
}

/** Emits expressions; what is used more than once is kept in a local. Reused from site to site. */
export class Expressions {
  private readonly k: KernelCode
  private readonly uses = new Map<Expr, number>()
  private readonly locals = new Map<Expr, Local>()

  constructor(k: KernelCode, roots: readonly Expr[]) {
    this.k = k
    const count = (expr: Expr): void => {
      const before = this.uses.get(expr) ?? 0
      this.uses.set(expr, before + 1)
      if (before === 0 && expr.kind === 'apply') expr.args.forEach(count)
    }
    roots.forEach(count)
  }

  /** Pushes each expression in turn and hands it to `sink`. */
  at(site: Site, exprs: readonly Expr[], sink: (i: number) => void): void {
    const done = new Set<Expr>()
    for (const [i, expr] of exprs.entries()) {
      this.value(expr, site, done)
      sink(i)
    }
  }

  private value(expr: Expr, site: Site, done: Set<Expr>): void {
    const { f } = this.k
    const known = site.known?.get(expr) ?? (done.has(expr) ? this.locals.get(expr) : undefined)
    if (known !== undefined) {
      f.get(known)
      return
    }
    this.compute(expr, site, done)
    if (this.uses.get(expr)! < 2 || (expr.kind !== 'apply' && expr.kind !== 'load')) return
    const local = this.locals.get(expr) ?? f.local('v128')
    this.locals.set(expr, local)
    done.add(expr)
    f.tee(local)
  }

  private compute(expr: Expr, site: Site, done: Set<Expr>): void {
    const { f } = this.k
    switch (expr.kind) {
      case 'load':
        site.load(expr.view)
        // 0 and 1 to the masks 0 and −1.
        if (expr.dtype === 'bool') f.i32x4.neg()
        break
      case 'constant':
        if (expr.dtype === 'f32') f.f32x4.const(expr.value)
        else f.i32x4.const(expr.dtype === 'bool' ? -expr.value : expr.value)
        break
      case 'size':
        this.k.pushSize(expr.size)
        f.i32x4.splat()
        if (expr.dtype === 'f32') f.f32x4.convertI32x4S()
        break
      case 'index':
        site.index!(expr.axis)
        break
      case 'product':
        f.get(site.product!)
        break
      case 'apply': {
        const [first, ...rest] = expr.args as [Expr, ...Expr[]]
        // bitselect takes its mask last.
        const order = expr.fn === 'select' ? [...rest, first] : expr.args
        for (const arg of order) this.value(arg, site, done)
        if (isRare(expr.fn)) this.k.rare!.apply[expr.fn](f)
        else APPLY[expr.fn](f, typeOf(expr.args[expr.args.length - 1]!))
      }
    }
  }
}

function typeOf(expr: Expr): Dtype {
  return expr.kind === 'index' ? 'i32' : expr.kind === 'product' ? 'f32' : expr.dtype
}

/** The inner axis, four elements at a time: `at` counts bytes of a dense row, up to `end`. */
export interface Inner {
  readonly at: Local
  readonly end: Operand
}

/** Pushes four elements from `place` on; lanes beyond the end hold anything. */
export function loadLanes(k: KernelCode, place: Operand, stride: Size, inner: Inner): void {
  const { f } = k
  if (stride === ZERO || stride === ONE) {
    k.push(place)
    if (stride === ZERO) f.v128.load32Splat()
    else {
      f.get(inner.at)
      f.i32.add()
      f.v128.load()
    }
    return
  }
  const step = k.operand(stride)
  const address = (lane: number): void => {
    // Lanes beyond the end read the last element instead of what may lie outside the memory.
    k.push(place)
    f.get(inner.at)
    f.i32.const(4 * lane)
    f.i32.add()
    lastWithin(k, inner)
    k.push(step)
    f.i32.mul()
    f.i32.add()
  }
  address(0)
  f.v128.load32Zero()
  f.scoped('v128', (lanes) => {
    f.set(lanes)
    for (const lane of [1, 2, 3]) {
      address(lane)
      f.get(lanes)
      f.v128.load32Lane(lane)
      f.set(lanes)
    }
    f.get(lanes)
  })
}

/** Pops a byte position; pushes it, or that of the last element. */
function lastWithin(k: KernelCode, { end }: Inner): void {
  const { f } = k
  f.scoped('i32', (position) => {
    f.tee(position)
    k.push(end)
    f.i32.const(4)
    f.i32.sub()
    f.get(position)
    k.push(end)
    f.i32.ltU()
    f.select()
  })
}

/** Whether all four lanes lie before the end: pushes an i32. */
export function pushAllWithin(k: KernelCode, { at, end }: Inner): void {
  const { f } = k
  f.get(at)
  f.i32.const(16)
  f.i32.add()
  k.push(end)
  f.i32.leU()
}

/** True where the inner axis is known to consist of whole vectors. */
export function isWhole({ end }: Inner): boolean {
  return typeof end === 'number' && end % 16 === 0
}

/** Stores the lanes that lie before the end. */
export function storeLanes(k: KernelCode, place: Operand, stride: Size, inner: Inner, lanes: Local): void {
  const { f } = k
  const whole = () => {
    k.push(place)
    f.get(inner.at)
    f.i32.add()
    f.get(lanes)
    f.v128.store()
  }
  const each = () => {
    const step = k.operand(stride)
    for (const lane of [0, 1, 2, 3]) {
      f.get(inner.at)
      f.i32.const(4 * lane)
      f.i32.add()
      k.push(inner.end)
      f.i32.ltU()
      f.if(() => {
        k.push(place)
        f.get(inner.at)
        f.i32.const(4 * lane)
        f.i32.add()
        k.push(step)
        f.i32.mul()
        f.i32.add()
        f.get(lanes)
        f.v128.store32Lane(lane)
      })
    }
  }
  if (stride !== ONE) each()
  else if (isWhole(inner)) whole()
  else {
    pushAllWithin(k, inner)
    f.if(whole, each)
  }
}
