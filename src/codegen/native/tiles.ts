/**
 * The matrix product's tile in C, the same for all programs: built once a processor. It is the one place where products
 * and sums are contracted.
 */

import { CHUNK } from '../program.ts'

/** Vectors side by side in a tile. */
const ABREAST = 2

/** Columns of a tile, as many as a panel has. */
export const columnsOf = (lanes: number): number => ABREAST * lanes

/** Rows of a tile: as many as leave the sums in registers. */
export const rowsOf = (lanes: number): number => (lanes === 16 ? 12 : lanes === 8 ? 6 : 4)

/** Panels side by side for one row: as many sums as hide the latency of adding. */
const WIDE = 4

/** Vectors side by side in a product of a single row: those of a block, four panels. */
const ROW = WIDE * ABREAST

/**
 * tile: c [m, N] = a [m, k] · b [k, N] + x + y; N columns of one panel; x and y, rows of stride xr and yr, or NULL.
 * wide: c [w · N] = a [k] · b, of w panels one behind the other, + x + y.
 * row: c = a [k] · b [k, bk], `count` vectors of it.
 * sum: c [m, n] = a [m, k] · b [k, n] for a long k: in chunks, each added to what the ones before left in c. Where they are
 * read often, rows of a are packed for some tiles at once, and a panel of b.
 * Each element is summed from k = 0 upwards, whatever block of rows it falls into.
 */
export function tileSource(lanes: number): string {
  const rows = rowsOf(lanes)
  const counts = (most: number) => Array.from({ length: most }, (_, i) => i + 1)
  return `#include <stddef.h>
#include <stdint.h>
typedef float V __attribute__((vector_size(${4 * lanes})));
typedef V VM __attribute__((aligned(4), may_alias));
#define INLINE static inline __attribute__((always_inline))
enum { LANES = ${lanes}, ABREAST = ${ABREAST}, N = LANES * ABREAST, ROWS = ${rows}, WIDE = ${WIDE}, CHUNK = ${CHUNK}, GROUP = 16 };
INLINE void block(const int rows, const int wide, int64_t k, const float *a, int64_t ar, int64_t ak,
    const float *b, int64_t bk, float *c, int64_t cr, const float *x, int64_t xr, const float *y, int64_t yr) {
  V sum[ROWS][ABREAST * WIDE];
  for (int r = 0; r < rows; r++) for (int h = 0; h < ABREAST * wide; h++) sum[r][h] = (V){};
  const int64_t panel = k * N;
  for (int64_t i = 0; i < k; i++) {
    V from[ABREAST * WIDE];
    for (int w = 0; w < wide; w++) for (int h = 0; h < ABREAST; h++) from[w * ABREAST + h] = *(const VM *)(b + w * panel + LANES * h);
    for (int r = 0; r < rows; r++) {
      float one = a[r * ar];
      for (int h = 0; h < ABREAST * wide; h++) sum[r][h] += one * from[h];
    }
    a += ak, b += bk;
  }
  for (int r = 0; r < rows; r++) for (int h = 0; h < ABREAST * wide; h++) {
    V value = sum[r][h];
    if (x != NULL) value += *(const VM *)(x + r * xr + LANES * h);
    if (y != NULL) value += *(const VM *)(y + r * yr + LANES * h);
    *(VM *)(c + r * cr + LANES * h) = value;
  }
}
void recurra_tile(int64_t m, int64_t k, const float *a, int64_t ar, int64_t ak, const float *b, int64_t bk, float *c,
    int64_t cr, const float *x, int64_t xr, const float *y, int64_t yr) {
  for (; m >= ROWS; m -= ROWS, a += ROWS * ar, c += ROWS * cr) {
    block(ROWS, 1, k, a, ar, ak, b, bk, c, cr, x, xr, y, yr);
    if (x != NULL) x += ROWS * xr;
    if (y != NULL) y += ROWS * yr;
  }
  switch (m) {
${counts(rows - 1)
  .map((r) => `    case ${r}: block(${r}, 1, k, a, ar, ak, b, bk, c, cr, x, xr, y, yr); break;`)
  .join('\n')}
  }
}
void recurra_wide(int64_t w, int64_t k, const float *a, int64_t ak, const float *b, float *c, const float *x, const float *y) {
  for (; w >= WIDE; w -= WIDE, b += WIDE * k * N, c += WIDE * N) {
    block(1, WIDE, k, a, 0, ak, b, N, c, 0, x, 0, y, 0);
    if (x != NULL) x += WIDE * N;
    if (y != NULL) y += WIDE * N;
  }
  switch (w) {
${counts(WIDE - 1)
  .map((w) => `    case ${w}: block(1, ${w}, k, a, 0, ak, b, N, c, 0, x, 0, y, 0); break;`)
  .join('\n')}
  }
}
INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static void packRows(int64_t rows, int64_t k, const float *a, int64_t ar, int64_t ak, float *into) {
  for (; rows > 0; rows -= ROWS, a += ROWS * ar, into += CHUNK * ROWS) {
    if (rows >= ROWS && ar == 1)
      for (int64_t i = 0; i < k; i++) for (int r = 0; r < ROWS; r++) into[i * ROWS + r] = a[i * ak + r];
    else
      for (int64_t r = 0; r < least(ROWS, rows); r++) for (int64_t i = 0; i < k; i++) into[i * ROWS + r] = a[r * ar + i * ak];
  }
}
void recurra_pack(int64_t k, int64_t n, const float *b, int64_t bk, int64_t bc, float *into) {
  if (n >= N && bc == 1) {
    for (int64_t i = 0; i < k; i++) for (int h = 0; h < ABREAST; h++)
      *(VM *)(into + i * N + LANES * h) = *(const VM *)(b + i * bk + LANES * h);
    return;
  }
  n = least(n, N);
  for (int64_t i = 0; n < N && i < k * N; i++) into[i] = 0;
  for (int64_t j = 0; j < n; j++) for (int64_t i = 0; i < k; i++) into[i * N + j] = b[i * bk + j * bc];
}
void recurra_sum(int64_t m, int64_t n, int64_t k, const float *a, int64_t ar, int64_t ak, const float *b, int64_t bk,
    int64_t bc, float *c, int64_t cr) {
  float near[GROUP * CHUNK * ROWS], panel[CHUNK * N], sums[ROWS * N];
  int64_t done = 0;
  do {
    const int64_t count = least(CHUNK, k - done);
    for (int64_t top = 0; top < m; top += GROUP * ROWS) {
      const int64_t rows = least(GROUP * ROWS, m - top);
      const int packed = rows > 2 * ROWS && n > 2 * N;
      if (packed) packRows(rows, count, a + top * ar + done * ak, ar, ak, near);
      for (int64_t low = 0; low < n; low += N) {
        const int64_t width = least(N, n - low);
        const float *from = b + done * bk + low * bc;
        int64_t step = bk;
        if (width < N || bc != 1 || rows >= GROUP / 2 * ROWS) {
          recurra_pack(count, width, from, bk, bc, panel);
          from = panel, step = N;
        }
        for (int64_t row = 0; row < rows; row += ROWS) {
          float *into = c + (top + row) * cr + low, *to = width == N ? into : sums;
          const int64_t some = least(ROWS, rows - row), stride = width == N ? cr : N;
          const float *start = packed ? near + row * CHUNK : a + (top + row) * ar + done * ak;
          recurra_tile(some, count, start, packed ? 1 : ar, packed ? ROWS : ak, from, step, to, stride,
            done > 0 && width == N ? to : NULL, stride, NULL, 0);
          for (int64_t r = 0; width < N && r < some; r++) for (int64_t j = 0; j < width; j++)
            into[r * cr + j] = done > 0 ? into[r * cr + j] + sums[r * N + j] : sums[r * N + j];
        }
      }
    }
    done += count;
  } while (done < k);
}
INLINE void row(const int count, int64_t k, const float *a, int64_t ak, const float *b,
    int64_t bk, float *c) {
  V sum[${ROW}];
  for (int h = 0; h < count; h++) sum[h] = (V){};
  for (int64_t i = 0; i < k; i++, a += ak, b += bk) {
    float y = *a;
    for (int h = 0; h < count; h++) sum[h] += y * *(const VM *)(b + LANES * h);
  }
  for (int h = 0; h < count; h++) *(VM *)(c + LANES * h) = sum[h];
}
void recurra_row(int64_t count, int64_t k, const float *a, int64_t ak, const float *b, int64_t bk, float *c) {
  switch (count) {
${Array.from({ length: ROW }, (_, i) => `    case ${i + 1}: row(${i + 1}, k, a, ak, b, bk, c); break;`).join('\n')}
  }
}
`
}
