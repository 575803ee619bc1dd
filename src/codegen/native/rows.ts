/** Kernels that move rows by their indices, as C functions. */
import { type Body, eachVector, type Of } from './kernels.ts'

/** Copies rows of the table; an index outside it gives zeros. */
export function emitGather(body: Body, { n, v, d, table, indices, into }: Of<'gather'>): string {
  const [rows, known, width] = [n, v, d].map((size) => body.names.size(size))
  return `for (int64_t i = 0; i < ${rows}; i++) {
const int64_t row = ((const i32 *)${body.pointer(indices)})[i];
if (row >= 0 && row < ${known}) memcpy(${body.pointer(into)} + i * ${width}, ${body.pointer(table)} + row * ${width}, 4 * ${width});
else memset(${body.pointer(into)} + i * ${width}, 0, 4 * ${width});
}
`
}

/** Adds rows to the table's, in their order; an index outside it is passed over. */
export function emitScatterAdd(body: Body, { n, v, d, indices, from, into }: Of<'scatterAdd'>): string {
  const [rows, known, width] = [n, v, d].map((size) => body.names.size(size))
  return `memset(${body.pointer(into)}, 0, 4 * ${known} * ${width});
for (int64_t i = 0; i < ${rows}; i++) {
const int64_t row = ((const i32 *)${body.pointer(indices)})[i];
if (row < 0 || row >= ${known}) continue;
f32 *q0 = ${body.pointer(into)} + row * ${width};
const f32 *q1 = ${body.pointer(from)} + i * ${width};
${eachVector(body, d, (rest) =>
  rest === undefined
    ? 'storeV(q0 + j, loadV(q0 + j) + loadV(q1 + j));\n'
    : `putV(q0 + j, restV(q0 + j, ${rest}) + restV(q1 + j, ${rest}), ${rest});\n`,
)}}
`
}

/** A stable merge sort of indices, bottom up, row by row; NaN last. */
export function emitArgsort(body: Body, { rows, n, from, work, into }: Of<'argsort'>): string {
  return `sortRows(${body.names.size(rows)}, ${body.names.size(n)}, ${body.pointer(from)}, (i32 *)${body.pointer(work)}, (i32 *)${body.pointer(into)});\n`
}

/** A backward walk leaves in each row's word where its index stands first; words of other rows are never read. */
export function emitFirsts(body: Body, { n, v, from, work, into }: Of<'firsts'>): string {
  const [rows, known] = [n, v].map((size) => body.names.size(size))
  const row = `const int64_t row = ((const i32 *)${body.pointer(from)})[i];\n`
  const word = `((i32 *)${body.pointer(work)})[row]`
  return `for (int64_t i = ${rows} - 1; i >= 0; i--) {
${row}if (row >= 0 && row < ${known}) ${word} = (int32_t)i;
}
for (int64_t i = 0; i < ${rows}; i++) {
${row}((i32 *)${body.pointer(into)})[i] = row >= 0 && row < ${known} ? ${word} : -1;
}
`
}

/** Copies rows into the table, backwards: of several for one row the first is the last. */
export function emitSetRows(body: Body, { n, v, d, indices, from, into }: Of<'setRows'>): string {
  const [rows, known, width] = [n, v, d].map((size) => body.names.size(size))
  return `for (int64_t i = ${rows} - 1; i >= 0; i--) {
const int64_t row = ((const i32 *)${body.pointer(indices)})[i];
if (row >= 0 && row < ${known}) memcpy(${body.pointer(into)} + row * ${width}, ${body.pointer(from)} + i * ${width}, 4 * ${width});
}
`
}
