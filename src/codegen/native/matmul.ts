/** The matrix product as C: panels of b, blocks of rows, the epilogue on a block's sums while they are near. */
import { constantOf, ONE, ZERO } from '../../tensor/size.ts'
import type { Expr, View } from '../program.ts'
import { Statements } from './expressions.ts'
import { type Body, eachVector, isMultiple, lines, type Of } from './kernels.ts'
import { columnsOf, rowsOf } from './tiles.ts'

/** All panels of a matrix [K, N], the last filled up with zeros. */
export function emitPack(body: Body, { k, n, from, into }: Of<'pack'>): string {
  const [rows, columns, row, column] = [k, n, ...from.strides].map((size) => body.names.size(size))
  const width = columnsOf(body.lanes)
  return `for (int64_t low = 0; low < ${columns}; low += ${width}) recurra_pack(${rows}, ${columns} - low, ${body.pointer(from)} + low * ${column}, ${row}, ${column}, ${body.pointer(into)} + low * ${rows});\n`
}

export function emitMatmul(body: Body, kernel: Of<'matmul'>): string {
  const made = kernel.packed ? emitPacked(body, kernel) : emitChunks(body, kernel)
  return kernel.unless === undefined ? made : `if (${body.names.size(kernel.unless)}) return;\n${made}`
}

/** What is added to a product's sums, if that is all that follows: rows of numbers, or one row for all. */
function addends(expr: Expr): View[] | undefined {
  if (expr.kind === 'product') return []
  if (expr.kind === 'load')
    return expr.dtype === 'f32' && expr.view.strides[1] === ONE ? [expr.view] : undefined
  if (expr.kind !== 'apply' || expr.fn !== 'add' || expr.dtype !== 'f32') return undefined
  const all = expr.args.map(addends)
  return all.some((each) => each === undefined) ? undefined : (all as View[][]).flat()
}

/** Rows of numbers added to sums, or none. */
interface Addend {
  readonly at: string
  readonly stride: string
}

const NONE: Addend = { at: '0', stride: '0' }

function emitPacked(body: Body, kernel: Of<'matmul'>): string {
  const { m, n, k, a, b, into, epilogue, plus } = kernel
  const { names } = body
  const [rows, columns, steps] = [m, n, k].map((size) => names.size(size)) as [string, string, string]
  const width = columnsOf(body.lanes)
  const block = 2 * rowsOf(body.lanes)
  const addend = (view: View): Addend => ({ at: body.pointer(view), stride: names.size(view.strides[0]!) })
  const from = (each: Addend, place: string): Addend =>
    each === NONE ? NONE : { ...each, at: `${each.at} + ${place}` }
  const made = plus === undefined ? [] : [addend(plus.made)]
  const finish = finisher(
    body,
    { n, into, epilogue },
    (view) => `${body.pointer(view)} + (row + r) * ${names.size(view.strides[0]!)}`,
    `sums + r * ${width}`,
  )
  const through = `for (int64_t row = 0; row < ${rows}; row += ${block}) {
const int64_t count = least(${block}, ${rows} - row);
f32 sums[${block * width}];
${emitBlock(body, kernel, {
  rows: 'count',
  row: 'row',
  into: { at: 'sums', stride: String(width) },
  made: made.map((each) => from(each, `row * ${each.stride} + low`)),
  added: [],
})}for (int64_t r = 0; r < count; r++) {
${finish}}
}
`
  const added = epilogue.kind === 'load' ? undefined : addends(epilogue)?.map(addend)
  const known = constantOf(n)
  const direct = added !== undefined && added.length + made.length <= 2 && (known ?? width) >= width
  if (!direct) return eachPanel(columns, width, steps, body.pointer(b), through)
  const [x = NONE, y = NONE] = [...made, ...added]
  const whole = emitBlock(body, kernel, {
    rows,
    row: '0',
    into: from(addend(into), 'low'),
    made: made.map((each) => from(each, 'low')),
    added: added.map((each) => from(each, 'low')),
  })
  const single = plus === undefined ? `${rows} == 1` : `${rows} == 1 && !${names.size(plus.here)}`
  return (
    `int64_t first = 0;\nif (${single}) {\n` +
    `recurra_wide(${columns} / ${width}, ${steps}, ${body.pointer(a)}, ${names.size(a.strides[1]!)}, ${body.pointer(b)}, ${body.pointer(into)}, ${x.at}, ${y.at});\n` +
    `first = ${columns} / ${width} * ${width};\n}\n` +
    eachPanel(
      columns,
      width,
      steps,
      body.pointer(b),
      isMultiple(n, width) ? whole : `if (width == ${width}) {\n${whole}continue;\n}\n${through}`,
      'first',
    )
  )
}

function eachPanel(
  columns: string,
  width: number,
  steps: string,
  b: string,
  inside: string,
  first = '0',
): string {
  return `for (int64_t low = ${first}; low < ${columns}; low += ${width}) {
const f32 *panel = ${b} + low * ${steps};
const int64_t width = least(${width}, ${columns} - low);
${inside}}
`
}

/** Some rows of a product's panel: from which row on, where they go, what stands for x·U, and what else is added. */
interface Block {
  readonly rows: string
  readonly row: string
  readonly into: Addend
  readonly made: readonly Addend[]
  readonly added: readonly Addend[]
}

/** The product at the panel of column `low`; x·U is read, or is part of the sum. */
function emitBlock(body: Body, { k, a, plus }: Of<'matmul'>, block: Block): string {
  const { names } = body
  const { rows, row, into, made, added } = block
  const operand = (view: View) => {
    const [ar, ak] = view.strides.map((stride) => names.size(stride))
    return `${body.pointer(view)} + ${row} * ${ar}, ${ar}, ${ak}`
  }
  const all = (addends: readonly Addend[]) => addends.map(({ at, stride }) => `${at}, ${stride}`).join(', ')
  const own = `${rows}, ${names.size(k)}, ${operand(a)}, panel`
  const [x = NONE, y = NONE] = [...made, ...added]
  const apart = `recurra_tile(${own}, ${columnsOf(body.lanes)}, ${all([into, x, y])});\n`
  if (plus === undefined) return apart
  const l = names.size(plus.k)
  const panel = `${body.pointer(plus.b)} + low * ${l}`
  const both = `recurra_join(${own}, ${l}, ${operand(plus.a)}, ${panel}, ${all([into, added[0] ?? NONE])});\n`
  return `if (${names.size(plus.here)}) ${both}else ${apart}`
}

/** The epilogue on a row's sums, `width` of them from column `low` on, and where they go; `rowOf`: where a view's row begins. */
function finisher(
  body: Body,
  { n, into, epilogue }: Pick<Of<'matmul'>, 'n' | 'into' | 'epilogue'>,
  rowOf: (view: View) => string,
  sums: string,
): string {
  const finish = (rest: string | undefined) => {
    const statements = new Statements(body.names, 'v')
    const value = statements.value(epilogue, {
      load: (view, type) => {
        const at = rowOf(view)
        if (view.strides[1] === ZERO) return type === 'V' ? `vf(*(${at}))` : `vi(*(const i32 *)(${at}))`
        return rest === undefined ? `load${type}(${at} + low + j)` : `rest${type}(${at} + low + j, ${rest})`
      },
      product: `loadV(${sums} + j)`,
    })
    const to = `${rowOf(into)} + low + j`
    return lines([
      ...statements.lines,
      rest === undefined ? `storeV(${to}, ${value});` : `putV(${to}, ${value}, ${rest});`,
    ])
  }
  return eachVector(body, n, finish, undefined, 'width')
}

/** The product of a single row, a block of columns at a time. */
export function emitRow(body: Body, { block, n, k, a, b, into, epilogue }: Of<'row'>): string {
  const { names } = body
  const [columns, steps, step] = [n, k, a.strides[1]!].map((size) => names.size(size))
  return `for (int64_t low = 0; low < ${columns}; low += ${block}) {
const int64_t width = least(${block}, ${columns} - low);
f32 sums[${block}];
recurra_row((width + LANES - 1) / LANES, ${steps}, ${body.pointer(a)}, ${step}, ${body.pointer(b)} + low * ${steps}, width, sums);
${finisher(body, { n, into, epilogue }, (view) => body.pointer(view), 'sums')}}
`
}

/** A contracted length known only when it runs. */
function emitChunks(body: Body, { m, n, k, a, b, into, epilogue }: Of<'matmul'>): string {
  if (epilogue.kind !== 'product') throw new Error('a product in chunks has no epilogue')
  const { names } = body
  const sizes = [m, n, k].map((size) => names.size(size))
  const [ar, ak, bk, bc, cr] = [...a.strides, ...b.strides, into.strides[0]!].map((size) => names.size(size))
  const [from, by, to] = [a, b, into].map((view) => body.pointer(view))
  return `recurra_sum(${sizes.join(', ')}, ${from}, ${ar}, ${ak}, ${by}, ${bk}, ${bc}, ${to}, ${cr});\n`
}
