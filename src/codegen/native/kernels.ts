/** Kernels as C functions: maps and reductions. Each takes the sizes and an address a view. */
import type { ReduceName } from '../../graph/ops.ts'
import { constantOf, ONE, type Shape, type Size, ZERO } from '../../tensor/size.ts'
import { type Axes, axesOf, invariants } from '../axes.ts'
import type { Expr, Kernel, View } from '../program.ts'
import { letterOf, type Site, Statements } from './expressions.ts'
import type { Sizes } from './names.ts'

export type Of<K extends Kernel['kind']> = Extract<Kernel, { kind: K }>

/** What the text of one kernel is made of. */
export class Body {
  readonly names: Sizes
  readonly lanes: number
  readonly #pointers: ReadonlyMap<View, string>

  constructor(names: Sizes, lanes: number, pointers: ReadonlyMap<View, string>) {
    this.names = names
    this.lanes = lanes
    this.#pointers = pointers
  }

  pointer(view: View): string {
    return this.#pointers.get(view)!
  }
}

/** Loops over axes; within them `body`. */
function nest(names: Sizes, axes: Shape, prefix: string, body: string): string {
  return axes.reduceRight(
    (inner, size, i) =>
      `for (int64_t ${prefix}${i} = 0; ${prefix}${i} < ${names.size(size)}; ${prefix}${i}++) {\n${inner}}\n`,
    body,
  )
}

/** Σ index · stride over some axes of a walk. */
function moved(names: Sizes, strides: readonly Size[], prefix: string): string {
  let text = ''
  for (const [i, stride] of strides.entries())
    if (stride !== ZERO) text += ` + ${prefix}${i} * ${names.size(stride)}`
  return text
}

/** Where the cursors of a walk stand after some of its axes: `q0 …` addresses, `x0 …` indices. */
class Cursors {
  readonly #body: Body
  readonly #axes: Axes
  readonly #written: readonly View[]

  constructor(body: Body, axes: Axes, written: readonly View[]) {
    this.#body = body
    this.#axes = axes
    this.#written = written
  }

  /** Declares all of them, moved by axes from … to of the walk. */
  declare(from: number, to: number, prefix: string, before = '', now = 'q'): string {
    const { reads, into, strides } = this.#axes
    let text = ''
    for (const [i, own] of strides.entries()) {
      const by = moved(this.#body.names, own.slice(from, to), prefix)
      const isIndex = i >= reads.length && i < into
      const view = i < into ? reads[i] : this.#written[i - into]
      const start = before !== '' ? `${before}${i}` : isIndex ? '0' : this.#body.pointer(view!)
      text += `${isIndex ? 'const int64_t ' : 'f32 *'}${now}${i} = ${start}${by};\n`
    }
    return text
  }

  stride(i: number, axis: number): Size {
    return this.#axes.strides[i]![axis] ?? ZERO
  }

  /** Loads and indices at lanes j … of an axis. */
  site(axis: number, rest: string | undefined, now = 'q'): Site {
    const { reads, indices } = this.#axes
    const { names } = this.#body
    return {
      load: (view, type) => {
        const i = reads.indexOf(view)
        const [at, stride] = [`${now}${i}`, this.stride(i, axis)]
        if (stride === ZERO) return type === 'V' ? `vf(*${at})` : `vi(*(const i32 *)${at})`
        if (stride === ONE) {
          return rest === undefined ? `load${type}(${at} + j)` : `rest${type}(${at} + j, ${rest})`
        }
        const step = names.size(stride)
        return `far${type}(${at} + j * ${step}, ${step}, ${rest ?? 'LANES'})`
      },
      index: (which) => {
        const i = reads.length + indices.indexOf(which)
        const at = `vi((int32_t)${now}${i})`
        return this.stride(i, axis) === ZERO ? at : `(vi((int32_t)(${now}${i} + j)) + iotaI())`
      },
    }
  }
}

/** Whether a size is a multiple of a number, whatever its symbols are. */
export const isMultiple = ({ terms }: Size, of: number): boolean =>
  terms.every(({ coefficient }) => coefficient % of === 0)

/** A loop over whole vectors of an axis, and what is left of it: neither, where the size says that there is none. */
export function eachVector(
  body: Body,
  size: Size,
  emit: (rest: string | undefined) => string,
  begin = 'int64_t j = 0;\n',
  end = body.names.size(size),
): string {
  const known = constantOf(size)
  const whole = () => `for (; j + LANES <= ${end}; j += LANES) {\n${emit(undefined)}}\n`
  if (isMultiple(size, body.lanes)) return `${begin}${whole()}`
  const tail = `if (j < ${end}) {\nconst int64_t rest = ${end} - j;\n${emit('rest')}}\n`
  return `${begin}${known !== undefined && known < body.lanes ? '' : whole()}${tail}`
}

export function emitMap(body: Body, { shape, stores }: Of<'map'>): string {
  const { names } = body
  const exprs = stores.map(({ expr }) => expr)
  const written = stores.map(({ view }) => view)
  const all = shape.map((_, axis) => axis)
  const axes = axesOf(shape, [all], exprs, written)
  const [sizes] = axes.shapes as [Size[]]
  const inner = sizes.length - 1
  const cursors = new Cursors(body, axes, written)
  const outside = new Statements(names, 'c')
  const fixed = invariants(exprs, (leaf) => leafStride(axes, leaf, inner) !== ZERO)
  for (const expr of fixed) outside.value(expr, cursors.site(inner, undefined))
  const vectors = eachVector(body, sizes[inner] ?? ONE, (rest) => {
    const within = new Statements(names, 'v', outside.known)
    const site = cursors.site(inner, rest)
    const values = exprs.map((expr) => within.value(expr, site))
    const puts = values.map((value, i) => {
      const { dtype } = stores[i]!
      const stride = sizes.length === 0 ? ONE : cursors.stride(axes.into + i, inner)
      return put(
        body,
        `q${axes.into + i}`,
        stride,
        letterOf(dtype),
        dtype === 'bool' ? `-${value}` : value,
        rest,
      )
    })
    return lines([...within.lines, ...puts])
  })
  const content = `${cursors.declare(0, Math.max(inner, 0), 'i')}${lines(outside.lines)}${vectors}`
  return nest(names, sizes.slice(0, -1), 'i', content)
}

function put(
  body: Body,
  at: string,
  stride: Size,
  type: string,
  value: string,
  rest: string | undefined,
): string {
  if (stride !== ONE) {
    const step = body.names.size(stride)
    return `spread${type}(${at} + j * ${step}, ${step}, ${value}, ${rest ?? 'LANES'});`
  }
  return rest === undefined
    ? `store${type}(${at} + j, ${value});`
    : `put${type}(${at} + j, ${value}, ${rest});`
}

function leafStride({ reads, indices, strides }: Axes, leaf: Expr, axis: number): Size {
  if (leaf.kind === 'load') return strides[reads.indexOf(leaf.view)]![axis] ?? ZERO
  return leaf.kind === 'index' ? (strides[reads.length + indices.indexOf(leaf.axis)]![axis] ?? ZERO) : ZERO
}

export const lines = (each: readonly string[]): string => each.map((line) => `${line}\n`).join('')

/** Vectors that are summed side by side. */
const STRIP = 8

/** Steps of a loop whose results are added up on their own. */
const BLOCK = 128

const COMBINE: Record<ReduceName, { identity: string; two: (a: string, b: string) => string }> = {
  sum: { identity: 'vf(0.0f)', two: (a, b) => `${a} + ${b}` },
  max: { identity: 'vf(-__builtin_inff())', two: (a, b) => `maxV(${a}, ${b})` },
}

/** Sums and maxima, in blocks: the order of additions follows from the sizes alone. */
export function emitReduce(body: Body, kernel: Of<'reduce'>): string {
  const { names } = body
  const all = kernel.shape.map((_, axis) => axis)
  const isSummed = (axis: number) => kernel.axes.includes(axis)
  const [keptAxes, summedAxes] = [all.filter((axis) => !isSummed(axis)), all.filter(isSummed)]
  const strides = all.map((axis) => (isSummed(axis) ? ZERO : kernel.into.strides[keptAxes.indexOf(axis)]!))
  const written = { ...kernel.into, strides }
  const axes = axesOf(kernel.shape, [keptAxes, summedAxes], [kernel.expr], [written])
  const [kept, summed] = axes.shapes as [Size[], Size[]]
  const cursors = new Cursors(body, { ...axes }, [kernel.into])
  const { identity, two } = COMBINE[kernel.fn]
  const [first, last] = [kept.length, kept.length + summed.length]
  const unit = (axis: number) => axes.reads.filter((_, i) => axes.strides[i]![axis] === ONE).length
  const along = kept.length === 0 || (summed.length > 0 && unit(last - 1) > unit(first - 1))
  const step = (site: Site, masked: string | undefined) => {
    const within = new Statements(names, 'v')
    const value = within.value(kernel.expr, site)
    const held = masked === undefined ? value : `choose(iotaI() < (int32_t)${masked}, ${value}, ${identity})`
    return lines([...within.lines, `part = ${two('part', held)};`])
  }
  if (along) {
    const n = summed.at(-1) ?? ONE
    const end = names.size(n)
    const block =
      `for (int64_t low = 0; low < ${end}; low += ${BLOCK} * LANES) {\n` +
      `const int64_t high = least(${end}, low + ${BLOCK} * LANES);\nV part = ${identity};\n` +
      eachVector(
        body,
        n,
        (rest) => step(cursors.site(last - 1, rest, 'r'), rest),
        'int64_t j = low;\n',
        'high',
      ) +
      `total = ${two('total', 'part')};\n}\n`
    const outer = nest(
      names,
      summed.slice(0, -1),
      'k',
      cursors.declare(first, Math.max(first, last - 1), 'k', 'q', 'r') + block,
    )
    const content =
      `${cursors.declare(0, first, 'i')}V total = ${identity};\n${outer}` +
      `*q${axes.into} = ${kernel.fn}Of(total);\n`
    return nest(names, kept, 'i', content)
  }
  const inner = first - 1
  const n = kept[inner]!
  const into = cursors.stride(axes.into, inner)
  const steps = names.size(summed.at(-1) ?? ONE)
  const across = (count: number, rest: string | undefined): string => {
    const each = (text: string) => (count === 1 ? text : eachOf(count, text))
    const [part, total] = count === 1 ? ['part', 'total'] : ['part[w]', 'total[w]']
    const declared = (name: string) =>
      count === 1
        ? `V ${name} = ${identity};\n`
        : `V ${name}[${count}];\n${each(`${name}[w] = ${identity};\n`)}`
    const within = new Statements(names, 'v')
    const value = within.value(kernel.expr, cursors.site(inner, rest, 'y'))
    const moving = cursors.declare(Math.max(first, last - 1), last, 'z', 'r', 'y')
    const added = lines([...within.lines, `${part} = ${two(part, value)};`])
    const block =
      `for (int64_t low = 0; low < ${steps}; low += ${BLOCK}) {\nconst int64_t high = least(${steps}, low + ${BLOCK});\n` +
      `${declared('part')}for (int64_t z0 = low; z0 < high; z0++) {\n${moving}${each(added)}}\n${each(`${total} = ${two(total, part)};\n`)}}\n`
    const outer = nest(
      names,
      summed.slice(0, -1),
      'k',
      cursors.declare(first, Math.max(first, last - 1), 'k', 'q', 'r') + block,
    )
    const stored = `${put(body, `q${axes.into}`, into, 'V', total, rest)}\n`
    return `${declared('total')}${outer}${each(stored)}`
  }
  // Some vectors abreast: a row is read from end to end before the next.
  const strip = STRIP * body.lanes
  const wide =
    (constantOf(n) ?? strip) < strip
      ? ''
      : `for (; j + ${STRIP} * LANES <= ${names.size(n)}; j += ${STRIP} * LANES) {\n${across(STRIP, undefined)}}\n`
  const others = isMultiple(n, strip) ? '' : eachVector(body, n, (rest) => across(1, rest), '')
  const vectors = `int64_t j = 0;\n${wide}${others}`
  return nest(names, kept.slice(0, -1), 'i', cursors.declare(0, inner, 'i') + vectors)
}

/** The text for each of some vectors side by side: `j` is where one of them begins, `w` which it is. */
function eachOf(count: number, text: string): string {
  return `{\nconst int64_t start = j;\n#pragma GCC unroll ${count}\nfor (int w = 0; w < ${count}; w++) {\nconst int64_t j = start + w * LANES;\n${text}}\n}\n`
}
