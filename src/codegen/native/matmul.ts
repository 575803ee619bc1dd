/** The matrix product as C: panels of b, blocks of rows, the epilogue on a block's sums while they are near. */
import { ONE, type Size, ZERO } from '../../tensor/size.ts'
import { CHUNK, type View } from '../program.ts'
import { Statements } from './expressions.ts'
import { type Body, lines, type Of } from './kernels.ts'
import { columnsOf, rowsOf } from './tiles.ts'

/** All panels of a matrix [K, N], the last filled up with zeros. */
export function emitPack(body: Body, { k, n, from, into }: Of<'pack'>): string {
  const [rows, columns] = [body.names.size(k), body.names.size(n)]
  const width = columnsOf(body.lanes)
  return `for (int64_t low = 0; low < ${columns}; low += ${width}) {
${packPanel(body, rows, `${body.pointer(from)} + low * ${body.names.size(from.strides[1]!)}`, from.strides, `${columns} - low`, `${body.pointer(into)} + low * ${rows}`)}}
`
}

function packPanel(
  body: Body,
  rows: string,
  from: string,
  strides: readonly Size[],
  columns: string,
  into: string,
): string {
  const [row, column] = strides.map((stride) => body.names.size(stride))
  return `pack(${rows}, ${columns}, ${from}, ${row}, ${column}, ${into});\n`
}

export function emitMatmul(body: Body, kernel: Of<'matmul'>): string {
  return kernel.packed ? emitPacked(body, kernel) : emitChunks(body, kernel)
}

function emitPacked(body: Body, { m, n, k, a, b, into, epilogue }: Of<'matmul'>): string {
  const { names } = body
  const [rows, columns, steps] = [m, n, k].map((size) => names.size(size))
  const [ar, ak] = a.strides.map((stride) => names.size(stride))
  const cr = names.size(into.strides[0]!)
  const width = columnsOf(body.lanes)
  const tile = (count: string, row: string, to: string, stride: string) =>
    `recurra_tile(${count}, ${steps}, ${body.pointer(a)} + ${row} * ${ar}, ${ar}, ${ak}, panel, ${width}, ${to}, ${stride}, 0);\n`
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
${tile('count', 'row', 'sums', String(width))}for (int64_t r = 0; r < count; r++) {
${finish}}
}
`
  const direct = epilogue.kind === 'product'
  return `for (int64_t low = 0; low < ${columns}; low += ${width}) {
const f32 *panel = ${body.pointer(b)} + low * ${steps};
const int64_t width = least(${width}, ${columns} - low);
${direct ? `if (width == ${width}) {\n${tile(rows!, '0', `${body.pointer(into)} + low`, cr)}continue;\n}\n` : ''}${through}}
`
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

/** Chunks of a contracted length known only when it runs: each is added to what the ones before left in c. */
function emitChunks(body: Body, { m, n, k, a, b, into, epilogue }: Of<'matmul'>): string {
  if (epilogue.kind !== 'product') throw new Error('a product in chunks has no epilogue')
  const { names } = body
  const [rows, columns, steps] = [m, n, k].map((size) => names.size(size))
  const [ar, ak] = a.strides.map((stride) => names.size(stride))
  const [bk, bc] = b.strides.map((stride) => names.size(stride))
  const cr = names.size(into.strides[0]!)
  const width = columnsOf(body.lanes)
  const near = b.strides[1] === ONE
  return `int64_t done = 0;
do {
const int64_t count = least(${CHUNK}, ${steps} - done);
for (int64_t low = 0; low < ${columns}; low += ${width}) {
const int64_t width = least(${width}, ${columns} - low);
const f32 *from = ${body.pointer(b)} + done * ${bk} + low * ${bc}, *start = ${body.pointer(a)} + done * ${ak};
f32 *to = ${body.pointer(into)} + low;
f32 panel[${CHUNK * width}], sums[${8 * rowsOf(body.lanes) * width}];
int64_t step = ${bk};
if (${near ? `width < ${width}` : '1'}) {
pack(count, width, from, ${bk}, ${bc}, panel);
from = panel, step = ${width};
}
if (width == ${width}) {
recurra_tile(${rows}, count, start, ${ar}, ${ak}, from, step, to, ${cr}, done > 0);
continue;
}
for (int64_t row = 0; row < ${rows}; row += ${8 * rowsOf(body.lanes)}) {
const int64_t some = least(${8 * rowsOf(body.lanes)}, ${rows} - row);
recurra_tile(some, count, start + row * ${ar}, ${ar}, ${ak}, from, step, sums, ${width}, 0);
for (int64_t r = 0; r < some; r++) for (int64_t j = 0; j < width; j++) {
f32 *c = to + (row + r) * ${cr} + j;
*c = done > 0 ? *c + sums[r * ${width} + j] : sums[r * ${width} + j];
}
}
}
done += count;
} while (done < ${steps});
`
}
