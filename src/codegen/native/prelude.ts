/**
 * What stands before the kernels in C: vectors of as many lanes as the processor has, loads and stores, and the functions
 * of f32 lanes. Their formulas, polynomials and limits are those of wasm/math.ts and wasm/trigonometry.ts, which state the
 * errors. exp, tanh and sigmoid contract products and sums, where they say so, on processors that can; the compiler contracts
 * nothing, so a lane's result depends on that lane alone.
 */

interface Direct {
  readonly sqrt: string
  readonly floor: string
  readonly madd: string
}

/**
 * What GCC calls an instruction of x86 for all lanes at once. It finds the same in a loop over lanes, but looking for it
 * takes a quarter of the time that a program's compilation takes.
 */
const DIRECT: { readonly [lanes: number]: Direct } = {
  4: {
    sqrt: '__builtin_ia32_sqrtps(x)',
    floor: '__builtin_ia32_roundps(x, 9)',
    madd: '__builtin_ia32_vfmaddps(a, b, c)',
  },
  8: {
    sqrt: '__builtin_ia32_sqrtps256(x)',
    floor: '__builtin_ia32_roundps256(x, 9)',
    madd: '__builtin_ia32_vfmaddps256(a, b, c)',
  },
  16: {
    sqrt: '__builtin_ia32_sqrtps512_mask(x, x, -1, 4)',
    floor: '__builtin_ia32_rndscaleps_mask(x, 9, x, -1, 4)',
    madd: '__builtin_ia32_vfmaddps512_mask(a, b, c, -1, 4)',
  },
}

/** The C text for vectors of 4, 8 or 16 lanes. */
export function prelude(lanes: number): string {
  const { sqrt, floor, madd } = DIRECT[lanes]!
  return `#include <stdint.h>
#include <string.h>
#define LANES ${lanes}
typedef float V __attribute__((vector_size(4 * LANES)));
typedef int32_t I __attribute__((vector_size(4 * LANES)));
typedef uint32_t U __attribute__((vector_size(4 * LANES)));
typedef uint64_t W __attribute__((vector_size(8 * LANES)));
typedef V VM __attribute__((aligned(4), may_alias));
typedef I IM __attribute__((aligned(4), may_alias));
typedef float f32 __attribute__((may_alias));
typedef int32_t i32 __attribute__((may_alias));
#define INLINE static inline __attribute__((always_inline))
INLINE V vf(float x) { return (V){} + x; }
INLINE I vi(int32_t x) { return (I){} + x; }
INLINE V choose(I m, V a, V b) { return (V)((m & (I)a) | (~m & (I)b)); }
INLINE I chooseI(I m, I a, I b) { return (m & a) | (~m & b); }
INLINE V loadV(const f32 *p) { return *(const VM *)p; }
INLINE I loadI(const f32 *p) { return *(const IM *)p; }
INLINE void storeV(f32 *p, V x) { *(VM *)p = x; }
INLINE void storeI(f32 *p, I x) { *(IM *)p = x; }
INLINE I restI(const f32 *p, int64_t n) { I x = {}; memcpy(&x, p, 4 * n); return x; }
INLINE V restV(const f32 *p, int64_t n) { return (V)restI(p, n); }
INLINE void putI(f32 *p, I x, int64_t n) { memcpy(p, &x, 4 * n); }
INLINE void putV(f32 *p, V x, int64_t n) { putI(p, (I)x, n); }
INLINE I farI(const f32 *p, int64_t step, int64_t n) {
  I x = {};
  for (int64_t l = 0; l < n; l++) x[l] = ((const i32 *)p)[l * step];
  return x;
}
INLINE V farV(const f32 *p, int64_t step, int64_t n) { return (V)farI(p, step, n); }
INLINE void spreadI(f32 *p, int64_t step, I x, int64_t n) {
  for (int64_t l = 0; l < n; l++) ((i32 *)p)[l * step] = x[l];
}
INLINE void spreadV(f32 *p, int64_t step, V x, int64_t n) { spreadI(p, step, (I)x, n); }
INLINE I iotaI(void) { return (I){ ${Array.from({ length: lanes }, (_, lane) => lane).join(', ')} }; }
INLINE V absV(V x) { return (V)((I)x & 0x7fffffff); }
INLINE I absI(I x) { return chooseI(x < 0, -x, x); }
INLINE V maxV(V a, V b) { return choose((a > b) | (a != a), a, b); }
INLINE V minV(V a, V b) { return choose((a < b) | (a != a), a, b); }
INLINE I maxI(I a, I b) { return chooseI(a > b, a, b); }
INLINE I minI(I a, I b) { return chooseI(a < b, a, b); }
#if defined(__x86_64__) && !defined(__clang__)
INLINE V sqrtV(V x) { return ${sqrt}; }
#else
INLINE V sqrtV(V x) { for (int l = 0; l < LANES; l++) x[l] = __builtin_sqrtf(x[l]); return x; }
#endif
#if defined(__x86_64__) && defined(__SSE4_1__) && !defined(__clang__)
INLINE V floorV(V x) { return ${floor}; }
#else
INLINE V floorV(V x) { for (int l = 0; l < LANES; l++) x[l] = __builtin_floorf(x[l]); return x; }
#endif
INLINE V lowerV(V x, float high) { V h = vf(high); return choose(h < x, h, x); }
INLINE V raiseV(V x, float low) { V h = vf(low); return choose(x < h, h, x); }
INLINE V floatV(I x) { return __builtin_convertvector(x, V); }
INLINE I truncateI(V x) {
  I whole = __builtin_convertvector(lowerV(raiseV(choose(x == x, x, vf(0)), -2147483648.0f), 2147483520.0f), I);
  return chooseI(x >= 2147483648.0f, vi(2147483647), whole);
}
#if defined(__x86_64__) && defined(__FMA__) && !defined(__clang__)
INLINE V madd(V a, V b, V c) { return ${madd}; }
#elif defined(__FMA__) || defined(__ARM_FEATURE_FMA)
INLINE V madd(V a, V b, V c) { for (int l = 0; l < LANES; l++) a[l] = __builtin_fmaf(a[l], b[l], c[l]); return a; }
#else
INLINE V madd(V a, V b, V c) { return a * b + c; }
#endif
INLINE V powerOfTwo(V *n, V x, float factor, float bias) {
  V sum = madd(x, vf(factor), vf(12582912.0f + bias));
  *n = sum - (12582912.0f + bias);
  return (V)((I)sum << 23);
}
INLINE V clampedExp(V x, float sign) {
  V n, scale = powerOfTwo(&n, x, sign * 1.44269504088896341f, 126);
  x = madd(n, vf(sign * -1.4286068202862268e-6f), madd(n, vf(sign * -0.693145751953125f), x));
  V y = vf(2 * 0.001392096f);
  y = madd(y, x, vf(2 * sign * 0.0083692f));
  y = madd(y, x, vf(2 * 0.041667104f));
  y = madd(y, x, vf(2 * sign * 0.16666523f));
  y = madd(y, x, vf(2 * 0.49999997f));
  y = madd(y, x, vf(2 * sign * 1.0f));
  y = madd(y, x, vf(2 * 1.0f));
  return y * scale;
}
INLINE V expV(V x) { return clampedExp(raiseV(lowerV(x, 89.0f), -87.3f), 1); }
INLINE V sigmoidV(V x) { return 1.0f / (1.0f + clampedExp(raiseV(lowerV(x, 87.3f), -89.0f), -1)); }
INLINE V tanhV(V x) {
  I sign = (I)x & (int32_t)0x80000000;
  V r = lowerV((V)((I)x ^ sign), 9.1f);
  V n, scale = powerOfTwo(&n, r, 2 * 1.44269504088896341f, 127);
  r = madd(n, vf(-0.34657359027997264f), r);
  V y = vf(0.08879732f);
  y = madd(y, r, vf(0.26781508f));
  y = madd(y, r, vf(0.66667926f));
  y = madd(y, r, vf(1.3333218f));
  y = madd(y, r, vf(1.9999999f));
  y = madd(r * r, y, r + r);
  V e = madd(y, scale, scale - 1.0f);
  return (V)((I)(e / (e + 2.0f)) | sign);
}
INLINE V logV(V x) {
  I small = x < 1.17549435e-38f;
  V m = choose(small, x * 8388608.0f, x);
  V lost = (V)(small & (I)vf(-23.0f));
  I field = ((I)m - (I)vf(0.70710678118654752f)) >> 23;
  V e = floatV(field) + lost;
  m = (V)((I)m - (field << 23));
  V g = m - 1.0f, s = g / (2.0f + g), q = s * s;
  V y = vf(0.2987146f);
  y = y * q + 0.39977568f;
  y = y * q + 0.66666776f;
  y = q * y;
  V found = e * 0.693145751953125f + (g - (s * (g - y) - e * 1.4286068202862268e-6f));
  V odd = sqrtV(x) - __builtin_inff();
  return choose(x > 0.0f, choose(x < __builtin_inff(), found, x), odd);
}
INLINE V waveV(V x, int32_t quarters) {
  V sum = x * 0.63661977236758134f + 12582912.0f;
  I quadrant = (I)sum + quarters;
  V n = sum - 12582912.0f;
  V r = x - n * 1.5703125f - n * 4.837512969970703e-4f - n * 7.549789948768648e-8f;
  V q = r * r;
  V s = vf(-0.00019515295891f);
  s = s * q + 0.0083321608736f;
  s = s * q + -0.16666654611f;
  s = s * q * r + r;
  V c = vf(0.00002443315711809948f);
  c = c * q + -0.001388731625493765f;
  c = c * q + 0.04166664568298827f;
  c = (c * q + -0.5f) * q + 1.0f;
  V y = choose(quadrant << 31 >> 31, c, s);
  return (V)((I)y ^ (I)((U)quadrant >> 1 << 31));
}
INLINE V sinV(V x) { return waveV(x, 0); }
INLINE V cosV(V x) { return waveV(x, 1); }
static __attribute__((noinline)) float sumOf(V x) {
  for (int w = LANES / 2; w > 0; w /= 2) for (int l = 0; l < w; l++) x[l] = x[l] + x[l + w];
  return x[0];
}
static __attribute__((noinline)) float maxOf(V x) {
  for (int w = LANES / 2; w > 0; w /= 2) for (int l = 0; l < w; l++) x[l] = x[l] > x[l + w] || x[l] != x[l] ? x[l] : x[l + w];
  return x[0];
}
INLINE I modI(I a, I b) {
  for (int l = 0; l < LANES; l++) {
    int32_t d = b[l], r = d == 0 || d == -1 ? 0 : a[l] % d;
    a[l] = r != 0 && (r ^ d) < 0 ? r + d : r;
  }
  return a;
}
INLINE I floorDivI(I a, I b) {
  I rest = modI(a, b);
  for (int l = 0; l < LANES; l++) {
    int32_t d = b[l];
    a[l] = d == 0 ? 0 : d == -1 ? (int32_t)(0u - (uint32_t)a[l]) : (a[l] - rest[l]) / d;
  }
  return a;
}
INLINE U highU(U x, uint32_t m) { return __builtin_convertvector((__builtin_convertvector(x, W) * m) >> 32, U); }
INLINE V randomV(I a, I b, I c, I d, I k, I l) {
  U c0 = (U)a, c1 = (U)b, c2 = (U)c, c3 = (U)d, k0 = (U)k, k1 = (U)l;
  for (int round = 0; round < 10; round++) {
    U h2 = highU(c2, 0xcd9e8d57u) ^ c1 ^ k0, h0 = highU(c0, 0xd2511f53u) ^ c3 ^ k1;
    U l2 = c2 * 0xcd9e8d57u, l0 = c0 * 0xd2511f53u;
    c0 = h2, c1 = l2, c2 = h0, c3 = l0;
    k0 += 0x9e3779b9u, k1 += 0xbb67ae85u;
  }
  return floatV((I)(c0 >> 8)) * 5.9604644775390625e-8f;
}
`
}
