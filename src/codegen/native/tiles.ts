/**
 * The matrix product's tile in C, the same for all programs: built once a processor. It is the one place where products
 * and sums are contracted.
 */

/** Vectors side by side in a tile. */
const ABREAST = 2

/** Columns of a tile, as many as a panel has. */
export const columnsOf = (lanes: number): number => ABREAST * lanes

/** Rows of a tile: as many as leave the sums in registers. */
export const rowsOf = (lanes: number): number => (lanes === 16 ? 12 : lanes === 8 ? 6 : 4)

/** Vectors side by side in a product of a single row: those of a block, four panels. */
const ROW = 4 * ABREAST

/**
 * row: c = a [k] · b [k, bk], `count` vectors of it.
 * tile: c [m, N] = a [m, k] · b [k, N], or added to what c holds; N columns of one panel. Each element is summed from k = 0
 * upwards, whatever block of rows it falls into.
 */
export function tileSource(lanes: number): string {
  const rows = rowsOf(lanes)
  const cases = Array.from({ length: rows - 1 }, (_, i) => i + 1)
  return `#include <stdint.h>
typedef float V __attribute__((vector_size(${4 * lanes})));
typedef V VM __attribute__((aligned(4), may_alias));
static inline __attribute__((always_inline)) void block(const int rows, int64_t k, const float *a, int64_t ar, int64_t ak,
    const float *b, int64_t bk, float *c, int64_t cr, int add) {
  V sum[${rows}][${ABREAST}];
  for (int r = 0; r < rows; r++) for (int h = 0; h < ${ABREAST}; h++) sum[r][h] = (V){};
  for (int64_t i = 0; i < k; i++) {
    V x[${ABREAST}];
    for (int h = 0; h < ${ABREAST}; h++) x[h] = *(const VM *)(b + ${lanes} * h);
    for (int r = 0; r < rows; r++) {
      float y = a[r * ar];
      for (int h = 0; h < ${ABREAST}; h++) sum[r][h] += y * x[h];
    }
    a += ak, b += bk;
  }
  for (int r = 0; r < rows; r++) for (int h = 0; h < ${ABREAST}; h++) {
    VM *to = (VM *)(c + r * cr + ${lanes} * h);
    if (add) sum[r][h] = *to + sum[r][h];
    *to = sum[r][h];
  }
}
void recurra_tile(int64_t m, int64_t k, const float *a, int64_t ar, int64_t ak, const float *b, int64_t bk, float *c,
    int64_t cr, int add) {
  for (; m >= ${rows}; m -= ${rows}, a += ${rows} * ar, c += ${rows} * cr) block(${rows}, k, a, ar, ak, b, bk, c, cr, add);
  switch (m) {
${cases.map((r) => `    case ${r}: block(${r}, k, a, ar, ak, b, bk, c, cr, add); break;`).join('\n')}
  }
}
static inline __attribute__((always_inline)) void row(const int count, int64_t k, const float *a, int64_t ak, const float *b,
    int64_t bk, float *c) {
  V sum[${ROW}];
  for (int h = 0; h < count; h++) sum[h] = (V){};
  for (int64_t i = 0; i < k; i++, a += ak, b += bk) {
    float y = *a;
    for (int h = 0; h < count; h++) sum[h] += y * *(const VM *)(b + ${lanes} * h);
  }
  for (int h = 0; h < count; h++) *(VM *)(c + ${lanes} * h) = sum[h];
}
void recurra_row(int64_t count, int64_t k, const float *a, int64_t ak, const float *b, int64_t bk, float *c) {
  switch (count) {
${Array.from({ length: ROW }, (_, i) => `    case ${i + 1}: row(${i + 1}, k, a, ak, b, bk, c); break;`).join('\n')}
  }
}
`
}
