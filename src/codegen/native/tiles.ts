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
export const rowsOf = (lanes: number): number => (lanes === 16 ? 14 : lanes === 8 ? 6 : 4)

/** Panels side by side for one row: as many sums as hide the latency of adding. */
const WIDE = 4

/** Vectors side by side in a product of a single row: those of a block, four panels. */
const ROW = WIDE * ABREAST

/**
 * tile: c [m, N] = a [m, k] · b [k, N] + x + y; N columns of one panel; x and y, rows of stride xr and yr, or NULL.
 * join: c = a [m, k] · b [k, N] + d [m, l] · e [l, N] + x, in one sum; b and e panels.
 * wide: c [w · N] = a [k] · b, of w panels one behind the other, + x + y.
 * row: c = a [k] · b [k, bk], `count` vectors of it.
 * sum: c [m, n] = a [m, k] · b [k, n] for a long k: in chunks, each added to what the ones before left in c. Rows of a and
 * panels of b are packed, for some tiles at once, where they do not lie one behind the other or crowd the cache.
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
enum { LANES = ${lanes}, ABREAST = ${ABREAST}, N = LANES * ABREAST, ROWS = ${rows}, WIDE = ${WIDE}, CHUNK = ${CHUNK}, GROUP = 16, TOGETHER = 4 };
struct pair { int64_t k; const float *a; int64_t ar, ak; const float *b; int64_t bk; };
INLINE void block(const int rows, const int wide, const struct pair *pair, const int pairs, int64_t row, float *c,
    int64_t cr, const float *x, int64_t xr, const float *y, int64_t yr) {
  V sum[ROWS][ABREAST * WIDE];
  for (int r = 0; r < rows; r++) for (int h = 0; h < ABREAST * wide; h++) sum[r][h] = (V){};
  for (int p = 0; p < pairs; p++) {
    const int64_t k = pair[p].k, ar = pair[p].ar, ak = pair[p].ak, bk = pair[p].bk, panel = k * N;
    const float *a = pair[p].a + row * ar, *b = pair[p].b;
    for (int64_t i = 0; i < k; i++) {
      V from[ABREAST * WIDE];
      for (int w = 0; w < wide; w++) for (int h = 0; h < ABREAST; h++) from[w * ABREAST + h] = *(const VM *)(b + w * panel + LANES * h);
      for (int r = 0; r < rows; r++) {
        float one = a[r * ar];
        for (int h = 0; h < ABREAST * wide; h++) sum[r][h] += one * from[h];
      }
      // What the next columns need of this row.
      for (int h = 0; wide == 1 && h < ABREAST; h++) __builtin_prefetch(b + N + LANES * h);
      a += ak, b += bk;
    }
  }
  for (int r = 0; r < rows; r++) for (int h = 0; h < ABREAST * wide; h++) {
    V value = sum[r][h];
    if (x != NULL) value += *(const VM *)(x + (row + r) * xr + LANES * h);
    if (y != NULL) value += *(const VM *)(y + (row + r) * yr + LANES * h);
    *(VM *)(c + (row + r) * cr + LANES * h) = value;
  }
}
INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
/* Parts of m, none larger than most and all about as large. */
INLINE int64_t share(int64_t m, int64_t most) {
  const int64_t parts = (m + most - 1) / most;
  return parts > 0 ? (m + parts - 1) / parts : most;
}
/* Whether rows at this distance push each other out of the cache. */
INLINE int crowds(int64_t stride) { return stride % 1024 == 0; }
INLINE void tiles(const int pairs, int64_t m, const struct pair *pair, float *c, int64_t cr, const float *x, int64_t xr,
    const float *y, int64_t yr) {
  const int64_t each = share(m, ROWS);
  for (int64_t row = 0; row < m; row += each) {
    switch (least(each, m - row)) {
${counts(rows)
  .map((r) => `      case ${r}: block(${r}, 1, pair, pairs, row, c, cr, x, xr, y, yr); break;`)
  .join('\n')}
    }
  }
}
void recurra_tile(int64_t m, int64_t k, const float *a, int64_t ar, int64_t ak, const float *b, int64_t bk, float *c,
    int64_t cr, const float *x, int64_t xr, const float *y, int64_t yr) {
  const struct pair pair = { k, a, ar, ak, b, bk };
  tiles(1, m, &pair, c, cr, x, xr, y, yr);
}
void recurra_join(int64_t m, int64_t k, const float *a, int64_t ar, int64_t ak, const float *b, int64_t l, const float *d,
    int64_t dr, int64_t dk, const float *e, float *c, int64_t cr, const float *x, int64_t xr) {
  const struct pair pair[] = { { k, a, ar, ak, b, N }, { l, d, dr, dk, e, N } };
  tiles(2, m, pair, c, cr, x, xr, NULL, 0);
}
void recurra_wide(int64_t w, int64_t k, const float *a, int64_t ak, const float *b, float *c, const float *x, const float *y) {
  struct pair pair = { k, a, 0, ak, b, N };
  for (; w >= WIDE; w -= WIDE, pair.b += WIDE * k * N, c += WIDE * N) {
    block(1, WIDE, &pair, 1, 0, c, 0, x, 0, y, 0);
    if (x != NULL) x += WIDE * N;
    if (y != NULL) y += WIDE * N;
  }
  switch (w) {
${counts(WIDE - 1)
  .map((w) => `    case ${w}: block(1, ${w}, &pair, 1, 0, c, 0, x, 0, y, 0); break;`)
  .join('\n')}
  }
}
static void packRows(int64_t each, int64_t rows, int64_t k, const float *a, int64_t ar, int64_t ak, float *into) {
  for (; rows > 0; rows -= each, a += each * ar, into += CHUNK * ROWS) {
    if (rows >= ROWS && ar == 1)
      for (int64_t i = 0; i < k; i++) for (int r = 0; r < ROWS; r++) into[i * ROWS + r] = a[i * ak + r];
    else
      for (int64_t r = 0; r < least(each, rows); r++) for (int64_t i = 0; i < k; i++) into[i * ROWS + r] = a[r * ar + i * ak];
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
static void packTogether(int64_t k, int64_t n, const float *b, int64_t bk, int64_t bc, float *into) {
  int64_t whole = bc == 1 ? n / N : 0;
  for (int64_t i = 0; i < k; i++) for (int64_t p = 0; p < whole; p++) for (int h = 0; h < ABREAST; h++)
    *(VM *)(into + (p * CHUNK + i) * N + LANES * h) = *(const VM *)(b + i * bk + p * N + LANES * h);
  for (; whole * N < n; whole++) recurra_pack(k, n - whole * N, b + whole * N * bc, bk, bc, into + whole * CHUNK * N);
}
void recurra_sum(int64_t m, int64_t n, int64_t k, const float *a, int64_t ar, int64_t ak, const float *b, int64_t bk,
    int64_t bc, float *c, int64_t cr) {
  float near[GROUP * CHUNK * ROWS], panels[TOGETHER * CHUNK * N], sums[ROWS * N];
  const int64_t group = share(m, GROUP * ROWS);
  int64_t done = 0;
  do {
    const int64_t count = least(CHUNK, k - done);
    for (int64_t top = 0; top < m; top += group) {
      const int64_t rows = least(group, m - top);
      const int packed = rows > 2 * ROWS && n > 2 * N && (ar != 1 || crowds(ak));
      const int together = bc != 1 || (crowds(bk) && rows > 2 * ROWS);
      const int64_t each = share(rows, ROWS);
      if (packed) packRows(each, rows, count, a + top * ar + done * ak, ar, ak, near);
      for (int64_t low = 0; low < n; low += N) {
        const int64_t width = least(N, n - low), at = low / N % TOGETHER;
        const float *from = b + done * bk + low * bc;
        int64_t step = bk;
        if (together) {
          if (at == 0) packTogether(count, least(TOGETHER * N, n - low), from, bk, bc, panels);
          from = panels + at * CHUNK * N, step = N;
        } else if (width < N) {
          recurra_pack(count, width, from, bk, bc, panels);
          from = panels, step = N;
        }
        // What the next chunk needs of a.
        for (int64_t i = count * low / n; ar == 1 && i < least(count * (low + N) / n, k - done - count); i++)
          for (int64_t r = 0; r < rows; r += 16) __builtin_prefetch(a + top + r + (done + count + i) * ak);
        for (int64_t row = 0; row < rows; row += each) {
          float *into = c + (top + row) * cr + low, *to = width == N ? into : sums;
          const int64_t some = least(each, rows - row), stride = width == N ? cr : N;
          const float *start = packed ? near + row / each * ROWS * CHUNK : a + (top + row) * ar + done * ak;
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
