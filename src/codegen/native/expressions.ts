/** Expressions as C over vectors. A bool is a mask (all bits of a lane) in registers and 0 or 1 in memory. */
import type { ElementwiseName } from '../../graph/ops.ts'
import type { Dtype } from '../../tensor/dtype.ts'
import type { Expr, View } from '../program.ts'
import type { Sizes } from './names.ts'

type Apply = (args: readonly string[], operand: Dtype) => string

const infix =
  (operator: string): Apply =>
  ([a, b]) =>
    `(${a} ${operator} ${b})`
const call =
  (name: string): Apply =>
  (args) =>
    `${name}(${args.join(', ')})`
/** Functions of which there is one for numbers of either kind. */
const typed =
  (name: string): Apply =>
  (args, operand) =>
    `${name}${operand === 'f32' ? 'V' : 'I'}(${args.join(', ')})`

const APPLY: Record<ElementwiseName, Apply> = {
  neg: ([x]) => `(-${x})`,
  abs: typed('abs'),
  exp: call('expV'),
  log: call('logV'),
  sqrt: call('sqrtV'),
  floor: call('floorV'),
  sin: call('sinV'),
  cos: call('cosV'),
  tanh: call('tanhV'),
  sigmoid: call('sigmoidV'),
  add: infix('+'),
  sub: infix('-'),
  mul: infix('*'),
  div: infix('/'),
  floorDiv: call('floorDivI'),
  mod: call('modI'),
  max: typed('max'),
  min: typed('min'),
  less: infix('<'),
  lessEqual: infix('<='),
  equal: infix('=='),
  and: infix('&'),
  or: infix('|'),
  not: ([x]) => `(~${x})`,
  isFinite: ([x]) => `(absV(${x}) < __builtin_inff())`,
  toF32: ([x], operand) =>
    operand === 'f32' ? x! : operand === 'i32' ? `floatV(${x})` : `(V)(${x} & (I)vf(1.0f))`,
  toI32: ([x], operand) => (operand === 'i32' ? x! : operand === 'f32' ? `truncateI(${x})` : `(-${x})`),
  select: ([mask, a, b], operand) =>
    operand === 'f32' ? `choose(${mask}, ${a}, ${b})` : `chooseI(${mask}, ${a}, ${b})`,
  random: call('randomV'),
  stopGradient: ([x]) => x!,
}

/** Where an expression is computed: what a load, an index and a product mean there. */
export interface Site {
  readonly load: (view: View, type: 'V' | 'I') => string
  readonly index?: (axis: number) => string
  readonly product?: string
}

const typeOf = (expr: Expr): Dtype =>
  expr.kind === 'index' ? 'i32' : expr.kind === 'product' ? 'f32' : expr.dtype
export const letterOf = (dtype: Dtype): 'V' | 'I' => (dtype === 'f32' ? 'V' : 'I')

/** A number as C reads it to the last bit. */
function literal(value: number): string {
  if (Number.isNaN(value)) return '__builtin_nanf("")'
  if (!Number.isFinite(value)) return value > 0 ? '__builtin_inff()' : '-__builtin_inff()'
  const digits = String(Math.fround(value))
  return Object.is(value, -0) ? '-0.0f' : `${/[.e]/.test(digits) ? digits : `${digits}.0`}f`
}

/** Names for what expressions compute, one statement each; what is known already is not computed again. */
export class Statements {
  readonly lines: string[] = []
  readonly #names: Sizes
  readonly #known: Map<Expr, string>
  readonly #prefix: string

  constructor(names: Sizes, prefix: string, known: ReadonlyMap<Expr, string> = new Map()) {
    this.#names = names
    this.#prefix = prefix
    this.#known = new Map(known)
  }

  get known(): ReadonlyMap<Expr, string> {
    return this.#known
  }

  value(expr: Expr, site: Site): string {
    const known = this.#known.get(expr)
    if (known !== undefined) return known
    const dtype = typeOf(expr)
    const text = this.#text(expr, site)
    if (expr.kind === 'product') return text
    const name = `${this.#prefix}${this.#known.size}`
    this.lines.push(`${letterOf(dtype)} ${name} = ${text};`)
    this.#known.set(expr, name)
    return name
  }

  #text(expr: Expr, site: Site): string {
    switch (expr.kind) {
      case 'load': {
        const loaded = site.load(expr.view, letterOf(expr.dtype))
        return expr.dtype === 'bool' ? `-${loaded}` : loaded
      }
      case 'constant':
        if (expr.dtype === 'f32') return `vf(${literal(expr.value)})`
        return `vi(${expr.dtype === 'bool' ? -expr.value : expr.value})`
      case 'size':
        return expr.dtype === 'f32'
          ? `vf((float)${this.#names.size(expr.size)})`
          : `vi((int32_t)${this.#names.size(expr.size)})`
      case 'index':
        return site.index!(expr.axis)
      case 'product':
        return site.product!
      case 'apply': {
        const args = expr.args.map((arg) => this.value(arg, site))
        return APPLY[expr.fn](args, typeOf(expr.args[expr.args.length - 1]!))
      }
    }
  }
}
