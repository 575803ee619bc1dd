/** The matrix product as C: panels of b, blocks of rows, the epilogue on a block's sums while they are near. */
import { ONE, ZERO } from '../../tensor/size.ts'
import type { Expr, View } from '../program.ts'
import { Statements } from './expressions.ts'
import { type Body, lines, type Of } from './kernels.ts'
import { columnsOf, rowsOf } from './tiles.ts'

/** All panels of a matrix [K, N], the last filled up with zeros. */
export function emitPack(body: Body, { k, n, from, into }: Of<'pack'>): string {
  const [rows, columns, row, column] = [k, n, ...from.strides].map((size) => body.names.size(size))
  const width = columnsOf(body.lanes)
  return `for (int64_t low = 0; low < ${columns}; low += ${width}) recurra_pack(${rows}, ${columns} - low, ${body.pointer(from)} + low * ${column}, ${row}, ${column}, ${body.pointer(into)} + low * ${rows});\n`
}

export function emitMatmul(body: Body, kernel: Of<'matmul'>): string {
  return kernel.packed ? emitPacked(body, kernel) : emitChunks(body, kernel)
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

function emitPacked(body: Body, { m, n, k, a, b, into, epilogue }: Of<'matmul'>): string {
  const { names } = body
  const [rows, columns, steps] = [m, n, k].map((size) => names.size(size)) as [string, string, string]
  const [ar, ak] = a.strides.map((stride) => names.size(stride))
  const cr = names.size(into.strides[0]!)
  const width = columnsOf(body.lanes)
  const block = 2 * rowsOf(body.lanes)
  const finish = finisher(
    body,
    { into, epilogue },
    (view) => `${body.pointer(view)} + (row + r) * ${names.size(view.strides[0]!)}`,
    `sums + r * ${width}`,
  )
  const through = `for (int64_t row = 0; row < ${rows}; row += ${block}) {
const int64_t count = least(${block}, ${rows} - row);
f32 sums[${block * width}];
recurra_tile(count, ${steps}, ${body.pointer(a)} + row * ${ar}, ${ar}, ${ak}, panel, ${width}, sums, ${width}, 0, 0, 0, 0);
for (int64_t r = 0; r < count; r++) {
${finish}}
}
`
  const added = epilogue.kind === 'load' ? undefined : addends(epilogue)
  const direct = added !== undefined && added.length <= 2
  const [x, y] = [0, 1].map((i) => {
    const view = direct ? added[i] : undefined
    return view === undefined
      ? { at: '0', stride: '0' }
      : { at: body.pointer(view), stride: names.size(view.strides[0]!) }
  }) as [Addend, Addend]
  const at = (each: Addend, low: string) => (each.at === '0' ? '0' : `${each.at}${low}`)
  const whole = `recurra_tile(${rows}, ${steps}, ${body.pointer(a)}, ${ar}, ${ak}, panel, ${width}, ${body.pointer(into)} + low, ${cr}, ${at(x, ' + low')}, ${x.stride}, ${at(y, ' + low')}, ${y.stride});\n`
  return `int64_t low = 0;
${direct ? `if (${rows} == 1) {\nrecurra_wide(${columns} / ${width}, ${steps}, ${body.pointer(a)}, ${ak}, ${body.pointer(b)}, ${body.pointer(into)}, ${at(x, '')}, ${at(y, '')});\nlow = ${columns} / ${width} * ${width};\n}\n` : ''}for (; low < ${columns}; low += ${width}) {
const f32 *panel = ${body.pointer(b)} + low * ${steps};
const int64_t width = least(${width}, ${columns} - low);
${direct ? `if (width == ${width}) {\n${whole}continue;\n}\n` : ''}${through}}
`
}

interface Addend {
  readonly at: string
  readonly stride: string
}

/** The epilogue on a row's sums, `width` of them from column `low` on, and where they go; `rowOf`: where a view's row begins. */
function finisher(
  body: Body,
  { into, epilogue }: Pick<Of<'matmul'>, 'into' | 'epilogue'>,
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
  return `int64_t j = 0;
for (; j + LANES <= width; j += LANES) {
${finish(undefined)}}
if (j < width) {
const int64_t rest = width - j;
${finish('rest')}}
`
}

/** The product of a single row, a block of columns at a time. */
export function emitRow(body: Body, { block, n, k, a, b, into, epilogue }: Of<'row'>): string {
  const { names } = body
  const [columns, steps, step] = [n, k, a.strides[1]!].map((size) => names.size(size))
  return `for (int64_t low = 0; low < ${columns}; low += ${block}) {
const int64_t width = least(${block}, ${columns} - low);
f32 sums[${block}];
recurra_row((width + LANES - 1) / LANES, ${steps}, ${body.pointer(a)}, ${step}, ${body.pointer(b)} + low * ${steps}, width, sums);
${finisher(body, { into, epilogue }, (view) => body.pointer(view), 'sums')}}
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
